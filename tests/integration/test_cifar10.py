"""The study of studies/cifar10-resnet18.yaml, cut to the published set: minutes on two cores."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def test_the_published_set_reaches_its_published_range(shared, tmp_path):
    settings = [f"runs_dir={tmp_path}", "n_trials=1", "replicates=3", "confirm_seeds=0"]
    command = [
        Path(sys.executable).with_name("antisample"),
        "run",
        ROOT / "studies" / "cifar10-resnet18.yaml",
        "--json",
    ]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=True)
    metrics = json.loads(done.stdout)["published"]["metrics"]
    assert metrics["test/forget_accuracy"] <= 0.02
    assert 0.76 <= metrics["test/retain_accuracy"] <= 0.82
