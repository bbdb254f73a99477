"""The code of docs/guides runs as it stands: as an installed package with its entry point, and as a line of ours."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from antisample import datasets, methods
from antisample.datasets import load_dataset
from antisample.errors import DataError
from antisample.methods import UnlearnContext, find_method, method_config
from antisample.metrics import EvaluationSubject, evaluate, families
from antisample.plugins.discovery import rediscover
from search_spaces import load_space

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "docs" / "guides"
CPU = torch.device("cpu")
MODULES = {"method.md": "new_head", "metric.md": "entropy", "dataset.md": "text_images"}
REGISTRIES = {"method.md": methods._METHODS, "metric.md": families._FAMILIES, "dataset.md": datasets._SOURCES}


def blocks(guide, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)


def write_package(guide, folder):
    """Writes what the guide has its reader write, and the metadata that installing it gives."""
    line = next(code for code in blocks(guide) if re.match(r"_[A-Z]+\[", code))
    *code, tests = [each for each in blocks(guide) if each != line]
    (folder / f"{MODULES[guide]}.py").write_text("\n\n".join(code))
    (folder / "test_guide.py").write_text(tests)
    metadata = folder / "guide-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: guide\nVersion: 1.0\n")
    (toml,) = blocks(guide, "toml")
    groups = tomllib.loads(toml)["project"]["entry-points"]
    entries = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in each.items()) for group, each in groups.items()]
    (metadata / "entry_points.txt").write_text("\n".join(entries))
    return line


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a guide's package for the length of a test."""

    def run(guide):
        line = write_package(guide, tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        rediscover()
        registry = dict(REGISTRIES[guide])
        exec(line, {line.partition("[")[0]: registry, **vars(__import__(MODULES[guide]))})
        assert len(registry) == len(REGISTRIES[guide]) + 1

    yield run
    monkeypatch.undo()
    for name in MODULES.values():
        sys.modules.pop(name, None)
    rediscover()


@pytest.mark.integration
@pytest.mark.parametrize("guide", MODULES)
def test_the_suite_of_the_guide_passes(guide, tmp_path):
    write_package(guide, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_guide.py"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_method_of_the_guide_forgets(install, digits_inputs, tmp_path):
    install("method.md")
    context = UnlearnContext(digits_inputs.dataset, digits_inputs.splits, digits_inputs.original, CPU, seed=1)
    run = find_method("new_head").prepare(context, method_config("new_head", epochs=2))
    again = find_method("new_head").prepare(context, method_config("new_head", epochs=2))
    for _ in range(2):
        assert run.run_epoch() == again.run_epoch()
    subject = EvaluationSubject(run.model, digits_inputs.dataset, digits_inputs.splits, digits_inputs.original)
    assert evaluate(subject, ("test",)).values["test/forget_accuracy"] < 0.1
    (text,) = blocks("method.md", "yaml")
    (tmp_path / "new_head.yaml").write_text(text)
    space = load_space(tmp_path / "new_head.yaml")
    defaults = method_config("new_head").model_dump()
    assert all(parameter.contains(defaults[name]) for name, parameter in space.parameters.items())
    assert yaml.safe_load(text)["method"] == "new_head"


def test_the_metric_of_the_guide_measures(install, digits_inputs):
    install("metric.md")
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    subject = EvaluationSubject(model, digits_inputs.dataset, digits_inputs.splits, digits_inputs.original)
    known = evaluate(subject, ("test",), ["entropy"]).values["test/forget_entropy"]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    subject = EvaluationSubject(model, digits_inputs.dataset, digits_inputs.splits, digits_inputs.original)
    ignorant = evaluate(subject, ("test",), ["entropy"]).values["test/forget_entropy"]
    assert 0 < known < 1 < ignorant == pytest.approx(np.log2(10))


def test_the_data_set_of_the_guide_is_read(install, tmp_path):
    install("dataset.md")
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    tables = {
        split: np.hstack([np.arange(6)[:, None] % 2, rng.integers(0, 256, (6, 16))]) for split in ("train", "test")
    }
    for split, table in tables.items():
        np.savetxt(folder / f"{split}.txt", table, fmt="%d")
    data = load_dataset("text_images", root=folder, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(data.train.images.reshape(6, 16), tables["train"][:, 1:])
    assert (data.class_names, data.channels, data.image_size) == (("0", "1"), 1, 4)
    (folder / "test.txt").write_text("0 1 2\n")
    with pytest.raises(DataError, match="a square of pixels, but got 3 numbers"):
        load_dataset("text_images", root=folder, cache_dir=tmp_path / "cache")
