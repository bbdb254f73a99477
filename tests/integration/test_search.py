"""A whole search through the command line, and everything it leaves behind."""

import json
import re

import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient
from safetensors import safe_open

from tuning.study.directory import open_study

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def finished(make_workplace):
    place = make_workplace()
    place.result = place.results("run", "study.yaml")
    return place


def table(place):
    return pq.read_table(place.directory / "trials.parquet").to_pylist()


def mlflow_runs(place):
    client = MlflowClient(f"sqlite:///{place.folder / 'runs' / 'mlflow.db'}")
    (experiment,) = (e for e in client.search_experiments() if e.name == "antisample")
    return client, client.search_runs([experiment.experiment_id], max_results=1000)


def test_the_result_names_original_published_front_and_chosen(finished):
    result = finished.result
    assert {"original", "published", "front", "chosen", "hypervolume"} <= set(result)
    assert result["published"]["number"] == 0
    assert result["published"]["params"]["unlearn_scale_lr"] == 1.6
    assert result["chosen"]["number"] in {trial["number"] for trial in (*result["front"], *result["finalists"])}
    assert {"validation/forget_accuracy", "test/retain_accuracy"} <= set(result["chosen"]["metrics"])
    assert {c["role"]: len(c["seeds"]) for c in result["confirmations"]}["published"] == 2
    spent = result["spent"]
    assert all(spent["seconds"][part] > 0 for part in ("trials", "confirmation"))
    assert spent["wall_s"] > 0
    assert spent["seconds"]["total"] == result["baselines"]["rows"][-2]["request_s"]


def test_the_directory_holds_all_that_is_promised(finished):
    names = {path.name for path in finished.directory.iterdir()}
    assert {"study.yaml", "journal.log", "trials.parquet", "report.html", "models"} <= names
    report = (finished.directory / "report.html").read_text()
    assert "Pareto front" in report
    assert re.search(r"of the \d+ forget images (is|are) still recognised", report)


def test_the_models_of_the_front_and_of_the_finalists_and_no_others_are_kept(finished):
    kept = {path.name for path in (finished.directory / "models").iterdir()}
    needed = [*finished.result["front"], *finished.result["finalists"]]
    assert kept == {f"trial-{trial['number']:05d}.safetensors" for trial in needed}
    for path in (finished.directory / "models").iterdir():
        with safe_open(path, "pt") as file:
            assert file.metadata()["model"] == "SmallCNN"


def test_study_table_and_mlflow_tell_the_same(finished):
    rows, records = table(finished), open_study(finished.directory).records()
    client, runs = mlflow_runs(finished)
    children = {int(r.data.tags["antisample.trial"]): r for r in runs if "antisample.trial" in r.data.tags}
    assert [row["number"] for row in rows] == sorted(children) == [r.number for r in records] == list(range(5))
    for row, record in zip(rows, records, strict=True):
        child = children[record.number]
        assert (row["state"], child.info.status) == ("COMPLETE", "FINISHED")
        for name, value in record.metrics.items():
            assert row[f"metrics.{name}"] == value
        assert child.data.params["p"] == str(record.params["p"])
        for name in ("validation/forget_accuracy", "validation/retain_accuracy", "test/retain_accuracy"):
            assert child.data.metrics[name] == pytest.approx(record.metrics[name])
        curve = client.get_metric_history(child.info.run_id, "validation/retain_accuracy")
        assert len(curve) == record.fidelity == record.params["epochs"]


def test_the_parent_run_holds_front_table_and_report(finished):
    client, runs = mlflow_runs(finished)
    (parent,) = (run for run in runs if "antisample.trial" not in run.data.tags)
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"front.json", "trials.parquet", "report.html"} <= names
    assert parent.data.metrics["hypervolume"] == pytest.approx(finished.result["hypervolume"])
    spent = finished.result["spent"]["seconds"]["total"]
    assert parent.data.metrics["spent/worker_s"] == pytest.approx(spent)
    assert parent.data.tags["antisample.spent"].endswith(f"{spent / 60:.1f} worker minutes")
    assert not (finished.folder / "mlruns").exists()


def test_running_a_finished_study_again_changes_nothing(finished):
    journal, before = finished.directory / "journal.log", table(finished)
    again = finished.results("run", "study.yaml")
    assert again["chosen"] == finished.result["chosen"]
    assert table(finished) == before
    assert len(mlflow_runs(finished)[1]) == 6
    assert journal.exists()


def test_report_writes_the_views_anew(finished):
    (finished.directory / "report.html").unlink()
    (finished.directory / "trials.parquet").unlink()
    result = finished.results("report", "runs/small")
    assert result["front"] == finished.result["front"]
    assert len(table(finished)) == 5
    assert (finished.directory / "report.html").stat().st_size > 1_000_000


def test_the_printed_command_applies_the_chosen_trial(finished):
    shown = finished.run("report", "runs/small")
    assert shown.code == 0
    (line,) = (line for line in shown.out.splitlines() if line.startswith("Apply it:"))
    arguments = line.split("antisample unlearn ")[1].split()
    done = finished.run("unlearn", *arguments)
    assert done.code == 0, done.err
    card = json.loads((finished.directory / "unlearned" / "card.json").read_text())
    assert card["origin"]["trial"] == finished.result["chosen"]["number"]
    metrics = {metric["name"]: metric for metric in card["metrics"]}
    for name in ("validation/forget_accuracy", "test/retain_accuracy"):
        assert metrics[name]["unlearned"] == pytest.approx(finished.result["chosen"]["metrics"][name])
        assert metrics[name]["spread"]["n"] == 2
    assert card["spread_over"] == "2 seeds that the search had not used"
    spent = finished.result["spent"]
    assert card["time"]["request_s"] == pytest.approx(spent["seconds"]["total"])
    assert card["time"]["request_retrainings"] == pytest.approx(spent["retrainings"]["total"])
    assert "; the whole request took " in (finished.directory / "unlearned" / "card.md").read_text()


def test_any_finished_trial_can_be_applied_and_others_are_refused(finished):
    content = finished.results("unlearn", "--study", "runs/small", "--trial", "0", "--out", "zero")
    assert content["origin"]["trial"] == 0
    refused = finished.run("unlearn", "--study", "runs/small", "--trial", "99", "--out", "none")
    assert refused.code == 2
    assert "`--trial` must be best or a finished trial (0, 1, 2, 3, 4), but got '99'." in refused.err
    assert not (finished.folder / "none").exists()


@pytest.mark.slow
def test_a_finished_study_goes_on_with_more_trials(make_workplace):
    place = make_workplace(n_trials=2, confirm_seeds=0, tracking_uri="none")
    first = place.results("run", "study.yaml")
    more = place.results("run", "study.yaml", "--set", "n_trials=4")
    assert [row["number"] for row in table(place)] == [0, 1, 2, 3]
    assert first["published"] == more["published"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_trials(make_workplace):
    def trials():
        settings = {"resources": {"max_concurrent": 1}, "n_trials": 3, "confirm_seeds": 0, "tracking_uri": "none"}
        place = make_workplace(**settings)
        place.results("run", "study.yaml")
        return [
            {name: value for name, value in row.items() if name.startswith(("params.", "metrics."))}
            for row in table(place)
        ]

    assert trials() == trials()


@pytest.mark.slow
def test_a_budget_ends_search_finals_and_confirmation_and_a_resumed_study_agrees(make_workplace):
    place = make_workplace()
    study = place.folder / "study.yaml"
    values = yaml.safe_load(study.read_text())
    del values["n_trials"]
    study.write_text(yaml.safe_dump(values))
    result = place.results("run", "study.yaml", "--budget", "25")
    spent = result["spent"]
    assert (spent["budget"], spent["retraining_s"] > 0) == (25.0, True)
    assert spent["stopped_because"] is not None
    assert spent["seconds"]["total"] > 0
    kept = open_study(place.directory)
    assert kept.is_over()
    assert all(not name.startswith("test/") for record in kept.records() for name in record.metrics)
    again = place.results("resume", "runs/small")
    assert (again["chosen"], again["reason"], again["spent"]) == (result["chosen"], result["reason"], spent)
    assert len(open_study(place.directory).records()) == len(kept.records())
