"""The README, the tutorial and guides, run from top to bottom as they stand, in a folder like a fresh checkout."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from documents import ROOT, RUN_AS_WRITTEN, snippets
from PIL import Image
from sklearn.datasets import load_digits

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Names that the documents give to a reader's own images.
CLASSES = {"cat": 0, "dog": 1, "ship": 2}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a reader has after make setup: Makefile, studies, an environment; and images and objects of their own."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (
        "Makefile",
        "README.md",
        "pyproject.toml",
        "setup.py",
        "requirements.lock",
        "studies",
        "search_spaces",
    ):
        (folder / name).symlink_to(ROOT / name)
    (folder / "studies").unlink()
    (folder / "studies").mkdir()
    for study in (ROOT / "studies").glob("*.yaml"):
        (folder / "studies" / study.name).write_text(study.read_text())
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.prefix) / "bin")
    (folder / ".venv" / ".ready").touch()
    (training,) = (snippet for snippet in snippets("docs/guides/objects.md") if snippet.title == "my_training.py")
    (folder / "my_training.py").write_text(training.code)
    digits = load_digits()
    for label, value in CLASSES.items():
        images = digits.images[digits.target == value]
        for number, image in enumerate(images[:90]):
            file = folder / "path/to/images" / ("train" if number < 60 else "test") / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image * 255 / 16).astype(np.uint8)).resize((32, 32)).save(file)
    return folder


@pytest.mark.parametrize("document", RUN_AS_WRITTEN)
def test_the_document_runs_as_written(checkout, document):
    """The tutorial first: its studies are there when the README names them."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("OMP_NUM_THREADS", None)
    for snippet in snippets(document):
        if snippet.title is not None:
            (checkout / snippet.title).write_text(snippet.code)
        if snippet.not_run or snippet.language not in ("bash", "python"):
            continue
        program = ["bash", "-euo", "pipefail", "-c"] if snippet.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*program, snippet.code], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{snippet}\n{snippet.code}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
