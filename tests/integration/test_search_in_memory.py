"""A search over objects of a program: a class of `__main__`, two workers, and a second process that continues it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("objects_in_a_script.py")

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def first(folder):
    return run(folder, "the same", 3)


def run(folder, which, n_trials):
    return subprocess.run(
        [sys.executable, SCRIPT, which, str(n_trials)],
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )


def facts_of(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stderr[done.stderr.rindex('{"repr"') :])


def test_two_workers_search_a_class_of_the_program_and_progress_is_shown(first, folder):
    facts = facts_of(first)
    assert facts["numbers"] == [0, 1, 2]
    assert len(facts["workers"]) == 2
    assert facts["type"] == "Net"
    assert "3 of 3 done" in first.stdout
    assert 'Forgetting "3" (label 3): 121 training' in first.stdout


def test_the_saved_model_is_the_one_that_the_chosen_trial_left(first, folder):
    facts = facts_of(first)
    assert load_file(folder / "saved" / "model.safetensors")["head.bias"].tolist() == facts["head"]
    assert facts["command"].startswith(
        "antisample.forget(model, train, test, classes=['3'], method='antisample', seed="
    )
    assert json.loads((folder / "saved" / "card.json").read_text())["origin"]["study"] == "search"


def test_results_show_themselves(first):
    facts = facts_of(first)
    assert facts["repr"].startswith("<SearchResult: 3 trials, ")
    assert "metrics.test/retain_accuracy" in facts["columns"]
    assert facts["html"].startswith("<table><tr><th>trial</th>")
    assert facts["plotted"] == 3
    assert facts["another"] == 1
    assert facts["no trial"] == "`number` must be that of a finished trial (0, 1, 2), but got 99."


def test_ray_writes_no_images_to_disk(first, folder):
    facts_of(first)
    assert all(path.stat().st_size < 10_000 for path in (folder / "runs").rglob("*.pkl"))
    images = 1797 * 8 * 8
    assert sum(path.stat().st_size for path in (folder / "runs" / "search" / "ray").rglob("*")) < images


def test_another_process_continues_with_the_same_objects_and_with_no_others(first, folder):
    facts_of(first)
    for which, changed in (("other images", "data and splits"), ("other weights", "model")):
        refused = run(folder, which, 4)
        assert refused.returncode == 1
        assert f"DataError: runs/search: changed since the study was started: {changed}, so" in refused.stderr
    assert facts_of(run(folder, "the same", 4))["numbers"] == [0, 1, 2, 3]
