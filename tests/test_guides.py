"""The code of docs/guides runs as it stands: the file is imported, the line registers it, and it does its work."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import antisample.datasets
import antisample.methods
import antisample.metrics
from antisample.datasets import load_dataset
from antisample.errors import DataError
from antisample.methods import UnlearnContext, find_method, method_config
from antisample.metrics import EvaluationSubject, evaluate
from search_spaces import load_space

GUIDES = Path(__file__).parents[1] / "docs" / "guides"
CPU = torch.device("cpu")


def blocks(guide, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Imports a guide's file and runs its registry line in the registry's module, for the length of a test."""

    def run(guide, module, registry):
        file, line = blocks(guide)[:2]
        (tmp_path / f"guide_{Path(guide).stem}.py").write_text(file)
        monkeypatch.syspath_prepend(str(tmp_path))
        plugin = __import__(f"guide_{Path(guide).stem}")
        monkeypatch.setattr(module, registry, dict(getattr(module, registry)))
        exec(line, {registry: getattr(module, registry), **vars(plugin)})
        sys.modules.pop(plugin.__name__)
        return plugin

    return run


def test_the_method_of_the_guide_forgets(install, digits_inputs, tmp_path):
    install("method.md", antisample.methods, "_METHODS")
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
    install("metric.md", antisample.metrics, "_FAMILIES")
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
    install("dataset.md", antisample.datasets, "_REGISTRY")
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
