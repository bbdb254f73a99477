"""What hostile inputs are made from: a real study, its model and card, and files of the user's beside them."""

import shutil
from pathlib import Path

import numpy as np
import yaml
from hostile_runs import SECRET, Runs
from PIL import Image

from antisample.config import UnlearnConfig
from antisample.inputs import load_inputs
from tuning.config.loading import parse_study
from tuning.study.attributes import CLASS_NAMES, CREATED_MS, FINGERPRINTS, ID, ORIGINAL
from tuning.study.study import Study

CANARY = "def build(n_classes, in_channels):\n    raise KeyError('was called')\n"
MODEL = {"name": "SmallCNN", "recipe": {"epochs": 2, "batch_size": 64}}
RECIPE = ("--set", "model.recipe.epochs=2", "--set", "model.recipe.batch_size=64", "--set", "method.epochs=1")
CLUSTER = {
    "launcher": "slurm",
    "shared_dir": "/shared",
    "nodes": 2,
    "cpus_per_node": 4,
    "mem": "8G",
    "time": "01:00:00",
}


def make_template(root: Path, runs: Runs) -> None:
    """Fills a folder with `work` (a study `made`, a card in `card`, images, a space), `canary` and `home`."""
    for name in ("work", "canary", "home"):
        (root / name).mkdir(parents=True)
    work = root / "work"
    (root / "canary" / "secret.txt").write_text(SECRET)
    for name in ("trial-00000.pt", "trial-00000.safetensors"):
        (root / "canary" / name).write_text(SECRET)
    (work / "canary_module.py").write_text(f"open('imported', 'w').close()\n{CANARY}")
    cache = root.parent / "cache"
    values = {
        "name": "made",
        "runs_dir": str(work),
        "memory": "none",
        "data": {"source": "digits", "cache_dir": str(cache)},
        "model": MODEL,
        "forget": {"classes": [3]},
        "published": [],
        "fixed": {"epochs": 1},
        "n_trials": 2,
        "confirm_seeds": 0,
        "evaluation": {"final": []},
        "device": "cpu",
    }
    _make_study(values)
    (work / "study.yaml").write_text((work / "made" / "study.yaml").read_text())
    (work / "slurm.yaml").write_text(yaml.safe_dump(CLUSTER))
    (work / "space.yaml").write_text((Path(__file__).parents[2] / "search_spaces" / "finetune.yaml").read_text())
    _make_images(work / "images")
    arguments = ("--dataset", "digits", "--model", "SmallCNN", "--forget", "3", *RECIPE)
    for words in (
        ("unlearn", *arguments, "--set", f"data.cache_dir={cache}", "--set", "evaluation.final=[]", "--out", "card"),
        ("mlflow", "sync", "made"),
        ("report", "made"),
    ):
        ended = runs.run(root, words)
        assert ended["code"] == 0, (words, ended)
    for name in ("stdout", "stderr"):
        (root / name).unlink()
    shutil.rmtree(root / "state", ignore_errors=True)


def _make_study(values: dict) -> None:
    """A finished study of two trials, whose figures are made up and whose data and original model are real."""
    config = parse_study(values)
    inputs = load_inputs(UnlearnConfig.parse({name: values[name] for name in ("data", "model", "forget", "device")}))
    config.directory.mkdir()
    study = Study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    (config.directory / "study.id").write_text("an id\n")
    study.note(ID, "an id")
    study.note(CREATED_MS, 1_700_000_000_123)
    study.note(ORIGINAL, {"validation/forget_accuracy": 0.9, "validation/retain_accuracy": 0.9})
    study.note(CLASS_NAMES, [str(digit) for digit in range(10)])
    fingerprints = {
        "data": inputs.dataset.fingerprint,
        "splits": inputs.splits.fingerprint,
        "model": inputs.original.fingerprint,
    }
    study.note(FINGERPRINTS, fingerprints)
    for key, forgotten in enumerate((0.0, 0.1)):
        study.ask(str(key))
        metrics = {
            "validation/forget_accuracy": forgotten,
            "validation/retain_accuracy": 0.8 + forgotten,
            "validation/forget_confidence": 0.0,
        }
        report = {"step": 1, "replicate": 0, "elapsed_s": 1.0, "evaluation_s": 0.1, "train_loss": 0.3}
        study.report(str(key), {**report, "metrics": metrics})
        study.complete(str(key), metrics, {}, versions={"torch": "2"})


def _make_images(folder: Path) -> None:
    drawn = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            pixels = drawn.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


def copy_template(template: Path, root: Path) -> None:
    """A copy for one item, with the times of the files; everybody may enter it."""
    shutil.copytree(template, root, symlinks=True)
    root.chmod(0o755)
