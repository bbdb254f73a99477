"""Runs with fresh seeds on a real Ray, with a network of the user's own that does in workers what a file says."""

import importlib
import os
import sys

import pytest
import ray

from antisample.unlearning import unlearn
from cluster import local_ray
from tuning.config.loading import parse_study
from tuning.driver.capacity import TrialResources
from tuning.driver.confirmation import confirm, missing_confirmations
from tuning.driver.finals import run_finals
from tuning.study.attributes import CONFIRMATIONS, FINALIST_RUNS
from tuning.study.finals import find_finals
from tuning.study.outcome import find_outcome
from tuning.study.progress_listener import SilentProgress
from tuning.worker.inputs import load_requests

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NETWORK = '''
import gc
import os
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


def look():
    """Writes down the databases of all studies in this process."""
    from tuning.config.study import StudyConfig

    found = [each.storage for each in gc.get_objects() if isinstance(each, StudyConfig)]
    (HERE / "seen").write_text(repr(found))


def run_out_of_memory():
    raise torch.cuda.OutOfMemoryError("CUDA out of memory.")


def build(n_classes, in_channels):
    if (HERE / "action").is_file():
        with (HERE / "calls").open("a") as calls:
            calls.write(".")
        {"look": look, "run out of memory": run_out_of_memory, "end": lambda: os._exit(1)}[
            (HERE / "action").read_text()
        ]()
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, n_classes))
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder of the network, which Ray's workers find, too."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "acting_network.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        with local_ray(num_cpus=1):
            yield folder
    sys.modules.pop("acting_network", None)


@pytest.fixture
def act(place):
    """Says what the network does from now on whenever it is built."""

    def say(action):
        (place / "calls").write_text("")
        (place / "action").write_text(action)

    yield say
    (place / "action").unlink(missing_ok=True)


@pytest.fixture
def config(place, values, cache_dir):
    return parse_study(
        {
            **values,
            "data": {"source": "digits", "cache_dir": str(cache_dir)},
            "model": {"name": "acting_network:build", "recipe": {"epochs": 1}},
            "published": [],
            "fixed": {"epochs": 1},
            "evaluation": {"final": []},
            "confirm_seeds": 1,
            "device": "cpu",
        }
    )


@pytest.fixture
def study(config, make_study, metrics):
    """A finished trial, the starting point and the chosen one at once, that no fresh seed has tried."""
    study = make_study(config)
    study.ask("a")
    study.complete("a", metrics(0.0, 0.8), {}, batch_halvings=2)
    return study


@pytest.fixture
def run(study):
    """Runs what is missing; what it told."""
    inputs = load_requests(study.plan)

    def go():
        told = []
        confirm(study, ray.put(inputs), TrialResources(1, 0), lambda *report: told.append(report))
        return told

    return go


def test_workers_get_no_address_of_the_database(study, run, act, place):
    study.config = study.config.model_copy(update={"storage": "postgresql://me:secret@host/db"})
    act("look")
    run()
    seen = (place / "seen").read_text()
    assert "None" in seen, "the study was there"
    assert "secret" not in seen


def test_a_run_has_the_batch_that_its_trial_ended_with(study, run):
    assert run() == [(1, 1, None)]
    (found,) = study.noted(CONFIRMATIONS)
    (inputs,), (record,) = load_requests(study.plan), study.records()
    config = study.plan.unlearn_config(record.params, found["seed"])
    assert config.method.batch_size == 128
    quarter = config.model_copy(update={"method": config.method.model_copy(update={"batch_size": 32})})
    whole, smaller = (list(unlearn(each, inputs))[-1].metrics.values for each in (config, quarter))
    assert found["metrics"] == pytest.approx(smaller)
    assert found["metrics"] != pytest.approx(whole)


@pytest.mark.parametrize(
    ("action", "tries", "reason"),
    [
        ("run out of memory", 1, "trial 0, OutOfMemoryError: CUDA out of memory."),
        ("end", 3, "trial 0, WorkerCrashedError: The worker died unexpectedly"),
    ],
)
def test_a_run_that_fails_stays_missing_and_says_why(study, run, act, place, action, tries, reason):
    act(action)
    ((done, total, problem),) = run()
    assert (done, total) == (1, 1)
    assert problem.startswith(reason)
    assert len((place / "calls").read_text()) == tries
    assert [record.number for record, _ in missing_confirmations(study)] == [0]
    (place / "action").unlink()
    assert run() == [(1, 1, None)]
    assert not missing_confirmations(study)


@pytest.fixture
def finalists(study, metrics):
    """Two trials between which fresh runs have to decide."""
    study.ask("b")
    study.complete("b", metrics(0.0, 0.82), {})
    return study


@pytest.fixture
def play(finalists):
    """Runs the finals; what is told of them."""
    inputs = load_requests(finalists.plan)

    class Told(SilentProgress):
        def __init__(self):
            self.said = []

        def final(self, done, most, problem=None):
            self.said.append((done, most, problem))

    def go():
        told = Told()
        run_finals(finalists, ray.put(inputs), TrialResources(1, 0), told)
        return told.said

    return go


def test_finalists_have_the_same_seeds_and_decide_by_validation_images_alone(finalists, play):
    said = play()
    runs = finalists.noted(FINALIST_RUNS)
    assert [done for done, _, _ in said] == list(range(1, len(runs) + 1))
    assert len(runs) <= 20
    by_trial = {n: [run["seed"] for run in runs if run["number"] == n] for n in (0, 1)}
    shorter = min(map(len, by_trial.values()))
    assert set(by_trial[0][:shorter]) == set(by_trial[1][:shorter])
    assert all(name.startswith("validation/") for run in runs for name in run["metrics"])
    assert not find_finals(finalists).missing
    assert not play(), "nothing is run twice"


def test_a_finalist_that_fails_is_out_and_one_whose_worker_dies_stays_missing(finalists, play, act, place):
    act("end")
    said = play()
    assert all("WorkerCrashedError" in problem for _, _, problem in said)
    assert len(find_finals(finalists).missing) == 2
    act("run out of memory")
    assert all("OutOfMemoryError" in problem for _, _, problem in play())
    assert {run["error"].split(":")[0] for run in finalists.noted(FINALIST_RUNS)} == {"OutOfMemoryError"}
    assert not find_finals(finalists).missing
    assert find_outcome(finalists).chosen is not None, "by the figures of the search"
