"""`antisample run --dry-run`: the checks of a search and its prediction, without Ray and without a trace."""

import json

import pytest
import yaml

from antisample.inputs import load_inputs
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The images and a trained original model."""
    place = tmp_path_factory.mktemp("cache")
    study = {"name": "s", "data": {"source": "digits", "cache_dir": str(place)}, "forget": {"classes": [3]}}
    study |= {
        "model": {"name": "SmallCNN", "recipe": {"epochs": 3}},
        "evaluation": {"final": []},
        "method": "finetune",
    }
    load_inputs(TrialPlan.of(parse_study(study)).starting_config())
    return place


@pytest.fixture
def study_file(values, tmp_path, cache):
    def write(**changes):
        data = {"source": "digits", "cache_dir": str(cache)}
        model = {"name": "SmallCNN", "recipe": {"epochs": 3}}
        path = tmp_path / "study.yaml"
        runs = {"runs_dir": str(tmp_path / "runs"), "data": data, "model": model}
        path.write_text(yaml.safe_dump({**values, **runs, **changes}))
        return path

    return write


@pytest.fixture
def dry(call, study_file, monkeypatch, tmp_path):
    """Runs without Ray, and makes sure that nothing is left."""

    def started(**_):
        raise AssertionError("Ray was started")

    monkeypatch.setattr("ray.init", started)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words, **changes):
        path = study_file(**changes)
        before = contents(tmp_path)
        done = call("run", path, "--dry-run", *words)
        assert contents(tmp_path) == before
        return done

    return run


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_it_says_what_would_be_done_and_how_long_that_takes(dry):
    code, out, err = dry(fixed={"epochs": 2}, replicates=2)
    assert (code, err) == (0, "")
    said = " ".join(out.split())
    assert 'Forgetting "3" (label 3): 117 training, 29 validation and 37 test images' in said
    assert "Retain images: 1,033, of which a trial uses the fraction `retain_fraction`: 0.3 to 1" in said
    assert "Original model: validation accuracy" in said
    assert "which does not exist yet" in said
    assert "0.1 to 6 (log)" in said
    assert "optimizer = 'sgd'" in said
    assert "Fixed: epochs 2" in said
    assert (
        "Trials: 4 with 2 replicates each; at most 20 runs of finalists; 3 fresh seeds to re-run the chosen" in said
    )
    assert "at once, since each takes 1 core, and this machine offers" in said
    assert "predicted time" in said
    assert "total" in said
    assert "Memory: about" in said


def test_json_is_the_same_for_programs(dry, cache):
    before = contents(cache)
    code, out, err = dry("--json", "--set", "resources.max_concurrent=1")
    assert code == 0
    assert "Forgetting" in err
    answer = json.loads(out)
    assert answer["forgetting"][0]["train"] == 117
    assert answer["original"][0]["retain"] > 0.5
    assert answer["workers"]["at_once"] == 1
    assert answer["space"]["momentum"]["when"] == {"optimizer": ["sgd"]}
    assert answer["time"]["epochs"]["least"] == 1
    total = answer["time"]["total"]
    assert total["least_s"] < total["seconds"] < total["most_s"]
    assert total["seconds"] == pytest.approx(sum(stage["seconds"] for stage in answer["time"]["stages"]))
    assert answer["memory"]["total"] > answer["memory"]["worker"] > 1e8
    assert set(answer["not_measured"]) <= {"membership", "zrf"}
    assert contents(cache) == before, "the images were decoded before, and nothing else is kept"


def test_a_budget_says_how_many_trials_it_is_enough_for(dry):
    code, out, _ = dry("--json", "--budget", "40", n_trials=None)
    answer = json.loads(out)
    assert (code, answer["budget"], answer["n_trials"]) == (0, 40.0, None)
    assert answer["trials_left"] >= 1
    (search,) = [stage for stage in answer["time"]["stages"] if stage["name"].endswith(("trial", "trials"))]
    assert search["retrainings"] / answer["workers"]["at_once"] < 40
    code, out, _ = dry("--budget", "0.001", n_trials=None)
    said = " ".join(out.split())
    assert "the budget of 0.001 retrainings is enough for about 1 trial" in said
    assert "fresh seed |" not in said, "nothing is left for the end"


def test_an_original_that_is_not_trained_yet_is_not_trained_for_it(dry, cache):
    recipe = {"name": "SmallCNN", "recipe": {"epochs": 4}}
    code, out, _ = dry(model=recipe, evaluation={"final": ["retrained"], "reference_seeds": 2})
    said = " ".join(out.split())
    assert code == 0
    assert "Original model: not trained yet" in said
    assert "training the original model" in said
    assert "2 retrained references to train first" in said
    assert "Not included are metrics that cannot be timed cheaply: retrained." in said
    assert len(list((cache / "models").iterdir())) == 1


@pytest.mark.parametrize("method", ["unsir", "head", "filtration"])
def test_methods_of_other_kinds_are_timed(dry, method):
    code, out, err = dry("--json", method=method, published=[], recipes=None)
    assert code == 0, err
    assert json.loads(out)["time"]["total"]["seconds"] > 0


def test_samples_and_several_requests(dry):
    code, out, err = dry("--json", forget={"samples": [5, 17, 200]}, method="finetune", published=[], recipes=None)
    assert code == 0, err
    assert json.loads(out)["forgetting"][0]["by_samples"] is True
    code, out, err = dry("--json", forget=[{"classes": [3]}, {"classes": [5]}])
    assert code == 0, err
    assert len(json.loads(out)["original"]) == 2


def test_a_study_that_exists_would_be_continued(dry, study_file, make_study, metrics, report):
    config = parse_study(yaml.safe_load(study_file().read_text()))
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    study.ask("a")
    study.report("a", report(1))
    study.complete("a", metrics(0.1, 0.9), {})
    code, out, _ = dry("--json")
    answer = json.loads(out)
    assert (code, answer["continues"], answer["finished_trials"], answer["trials_left"]) == (0, True, 1, 3)
    assert "measuring the original and the baselines" not in [stage["name"] for stage in answer["time"]["stages"]]
    code, out, err = dry(seed=7)
    assert code == 2
    assert f"{config.directory} holds another study" in err
    assert "`seed` was 0 and is now 7." in err


def test_a_study_that_is_searched_at_the_moment_is_refused(dry, study_file, driven_study):
    config = parse_study(yaml.safe_load(study_file().read_text()))
    driven_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    code, _, err = dry()
    assert code == 2
    assert "is being searched by" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "best"}, "`sampler` must be"),
        ({"resources": {"cpus_per_trial": 9999}}, "`resources.cpus_per_trial` must be at most"),
        ({"forget": {"classes": ["llama"]}}, "llama"),
        ({"model": {"name": "own_package.models:build"}}, "own_package"),
        ({"evaluation": {"final": ["stages"]}}, "families must be among"),
    ],
)
def test_mistakes_are_those_of_a_search(dry, changes, message):
    code, out, err = dry(**changes)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("Error: ")


def test_words_of_the_command_line_are_checked(dry, tmp_path):
    assert "`--tracking-uri`" in dry("--tracking-uri", "ftp://nowhere")[2]
    code, out, err = dry("--budget", "soon")
    assert (code, out) == (2, "")
    assert err.startswith(
        "Error: `--budget` must be a number of retrainings such as 1.5, or minutes such as `30 min`"
    )
    assert "but got 'soon'." in err
    assert "`--budget` must be" in dry("--budget", "")[2]
    assert "`--register` needs MLflow" in dry("--register", "m", "--set", "tracking_uri=none")[2]
    code, _, err = dry("--warm-start", tmp_path / "nothing")
    assert code == 2
    assert "contains no study" in err


@pytest.mark.parametrize(
    "cluster",
    [
        {"launcher": "slurm", "shared_dir": "/shared"},
        {"launcher": "existing", "shared_dir": "/shared", "address": "http://192.0.2.1:8265"},
        {"launcher": "existing", "shared_dir": "/shared", "address": "192.0.2.1:6379"},
    ],
)
def test_a_cluster_cannot_be_timed_from_here(dry, tmp_path, cluster):
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    code, _, err = dry("--cluster", tmp_path / "cluster.yaml")
    assert code == 2
    assert f"cannot be used with a `--cluster` of the launcher '{cluster['launcher']}'" in err
    assert len(err.strip().splitlines()) == 1


def test_a_local_cluster_says_how_many_workers_fit(dry, tmp_path):
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump({"launcher": "local", "num_cpus": 1}))
    said = " ".join(dry("--cluster", tmp_path / "cluster.yaml")[1].split())
    assert "Workers: 1 at once, since each takes 1 core, and this machine offers 1 core" in said
