"""The MLflow view against real SQLite stores: what is sent, when, and how often."""

import json
import os
import threading
import time
from collections import Counter
from datetime import datetime

import mlflow
import numpy as np
import optuna
import pytest
import torch
from mlflow import MlflowClient

from antisample.checkpoints.checkpoint import Checkpoint
from antisample.data.loader import Normaliser, to_device
from antisample.errors import ConfigError, DataError
from tuning.config.loading import parse_study
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import BASELINES, CONFIRMATIONS, CREATED_MS, FINGERPRINTS, FORGETTING, ID, IMAGES, NOTES
from tuning.study.directory import open_study
from tuning.study.history import ends, record_search_end
from tuning.study.outcome import find_outcome
from tuning.views.mlflow import (
    EXPERIMENT,
    DeliveryError,
    MlflowWriter,
    SearchSummary,
    StudyMetadata,
    Tracker,
    pack_model,
    rebuild,
    sync,
)
from tuning.views.mlflow.batches import batches
from tuning.views.mlflow.payload import params_of, step_metrics
from tuning.views.projections import write_projections
from tuning.views.report import write_report


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """MLflow takes seconds to make a store; tests copy this one."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def make_store(empty_store, tmp_path):
    def make(name="mlflow.db"):
        (tmp_path / name).write_bytes(empty_store.read_bytes())
        return f"sqlite:///{tmp_path / name}"

    return make


@pytest.fixture
def uri(make_store):
    return make_store()


@pytest.fixture
def calls(monkeypatch):
    """Counts what is asked of MLflow, and lets it through."""
    counted = Counter()
    for name in ("create_run", "log_batch", "search_runs", "set_terminated", "log_artifact", "log_text"):
        real = getattr(MlflowClient, name)

        def counting(self, *args, _name=name, _real=real, **kwargs):
            counted[_name] += 1
            return _real(self, *args, **kwargs)

        monkeypatch.setattr(MlflowClient, name, counting)
    return counted


def finish(study):
    outcome = write_projections(study)
    record_search_end(study, outcome)


@pytest.fixture
def finished(fill):
    finish(fill)
    return fill


@pytest.fixture
def fill(small_study):
    return small_study


def view_of(study, uri):
    return MlflowWriter(StudyMetadata.of(study), uri)


def test_one_parent_and_one_child_a_trial_with_params_curves_and_state(finished, uri, runs_of):
    done = sync(finished, uri)
    client, parent, children = runs_of(uri)
    assert sorted(children) == ["0", "1", "2"]
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children.values())
    assert [children[n].info.status for n in "012"] == ["FINISHED", "FINISHED", "FAILED"]
    assert children["2"].data.tags["antisample.error"].startswith("DivergedError")
    assert [children[n].data.tags["antisample.state"] for n in "012"] == ["COMPLETE", "COMPLETE", "FAIL"]
    assert children["0"].data.params["unlearn_scale_lr"] == "1.6"
    assert children["0"].data.tags["antisample.version.torch"] == "2"
    history = client.get_metric_history(children["1"].info.run_id, "validation/forget_accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.2), (2, 0.1)]
    names = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert names == {"front.json", "hypervolume.png", "pareto.png", "report.html", "study.yaml", "trials.parquet"}
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["antisample.chosen"] == str(find_outcome(finished).chosen.number)
    assert parent.data.metrics["original/validation/retain_accuracy"] == 0.9
    assert parent.info.start_time == finished.noted(CREATED_MS)
    assert (done.trials, done.runs, done.steps, done.ends, done.files) == (3, 4, 4, 3, 6)
    assert f"/#/experiments/{parent.info.experiment_id}/runs?workflowType=machine_learning" in done.link
    key = done.link.rpartition("viewStateShareKey=")[2]
    view = json.loads(client.get_experiment(parent.info.experiment_id).tags[f"mlflow.sharedViewState.{key}"])
    assert len(client.search_runs([parent.info.experiment_id], view["searchFilter"])) == 4
    first = ["metrics.`validation/forget_accuracy`", "metrics.`validation/retain_accuracy`", "metrics.`elapsed_s`"]
    assert view["orderByKey"] == "attributes.start_time", "in this order trials fold below their parent"
    assert view["selectedColumns"][:4] == [*first, "params.`unlearn_scale_lr`"]
    assert parent.info.artifact_uri.startswith((finished.config.runs_dir / "mlartifacts").resolve().as_uri())


def test_a_report_has_the_link_and_asks_no_server(finished, uri, call, monkeypatch):
    assert finished.config.mlflow_uri() == uri
    directory = finished.config.directory
    assert "this study:" not in call("report", directory)[1]
    done = sync(finished, uri)
    monkeypatch.setattr(MlflowClient, "__init__", None)
    code, out, _ = call("report", directory)
    assert code == 0
    assert f"  this study:  http://127.0.0.1:5000{done.link}\n" in out
    path = directory / "mlflow.json"
    path.write_text(path.read_text().replace('"experiment": "', '"experiment": "\\u001b[31m'))
    assert "this study:" not in call("report", directory)[1]
    path.write_text('{"half')
    assert "this study:" not in call("report", directory)[1]


def test_a_report_of_a_study_on_a_server_that_is_away_has_no_link_until_something_was_sent_there(finished, call):
    directory, server = finished.config.directory, "http://127.0.0.1:9"
    config = finished.config.model_copy(update={"tracking_uri": server})
    (directory / "study.yaml").write_text(config.to_yaml())
    code, out, _ = call("report", directory)
    assert (code, "this study:" in out) == (0, False)
    (directory / "mlflow.json").write_text(json.dumps({server: {"a run": {"begun": True, "experiment": "7"}}}))
    code, out, _ = call("report", directory)
    assert code == 0
    assert f"  this study:  {server}/#/experiments/7/runs?" in out


@pytest.mark.parametrize("cursor", ["kept", "lost", "damaged", "wrong"])
def test_delivering_again_changes_nothing(finished, uri, everything, cursor):
    sync(finished, uri)
    before = everything(uri, ids=True)
    path = finished.config.directory / "mlflow.json"
    if cursor == "lost":
        path.unlink()
    elif cursor != "kept":
        path.write_text('{"half' if cursor == "damaged" else '{"stores": 3}')
    done = sync(finished, uri)
    assert everything(uri, ids=True) == before
    assert (done.runs, done.steps) == (0, 0 if cursor == "kept" else 4)
    assert sync(finished, uri).steps == 0


def test_a_rebuilt_store_equals_the_first(finished, uri, make_store, everything, monkeypatch):
    sync(finished, uri)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        rebuilt = make_store("rebuilt.db")
        done = rebuild(finished, rebuilt)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert done.runs == 4
    assert everything(rebuilt) == everything(uri)


def test_a_moved_study_is_rebuilt_with_its_artifacts_in_the_new_place(finished, make_store, runs_of, tmp_path):
    moved = tmp_path / "elsewhere" / finished.config.directory.name
    moved.parent.mkdir()
    finished.config.directory.rename(moved)
    rebuilt = make_store("rebuilt.db")
    rebuild(open_study(moved), rebuilt)
    client, parent, _ = runs_of(rebuilt)
    assert parent.info.artifact_uri.startswith((moved.parent / "mlartifacts").resolve().as_uri())
    assert "report.html" in {file.path for file in client.list_artifacts(parent.info.run_id)}


def test_a_study_that_went_on_and_was_rebuilt_equals_the_first(
    finished, uri, make_store, make_study, everything, report, metrics
):
    sync(finished, uri)
    more = make_study(finished.config.model_copy(update={"n_trials": 5}))
    more.ask("y")
    more.report("y", report(1, 0.0))
    more.complete("y", metrics(0.0, 0.95), {})
    finish(more)
    sync(more, uri)
    rebuilt = make_store("rebuilt.db")
    rebuild(more, rebuilt)
    found = everything(uri)
    assert found == everything(rebuilt)
    assert [point[:2] for point in found["made"]["histories"]["front_size"]] == [
        (end.trials, end.timestamp_ms) for end in ends(more)
    ]
    assert [end.trials for end in ends(more)] == [3, 4]
    assert found["made"]["tags"]["antisample.n_trials"] == "5"


def test_an_end_that_is_the_same_is_kept_once(finished):
    finish(finished)
    assert len(ends(finished)) == 1


def test_rebuild_refuses_a_store_that_holds_the_study(finished, uri):
    sync(finished, uri)
    with pytest.raises(ConfigError, match=r"without runs of this study, but .* holds 4; `antisample mlflow sync`"):
        rebuild(finished, uri)


def test_views_that_were_deleted_are_made_again_for_a_rebuild(finished, uri, runs_of):
    for name in ("trials.parquet", "report.html"):
        (finished.config.directory / name).unlink()
    rebuild(finished, uri)
    client, parent, _ = runs_of(uri)
    assert len(client.list_artifacts(parent.info.run_id)) == 6


def test_a_report_costs_one_request_and_sends_its_own_step_alone(config, make_study, uri, calls, report, metrics):
    study = make_study(config)
    view = view_of(study, uri)
    costs = []
    study.listen(lambda record: (calls.clear(), view.write(record), costs.append(dict(calls))))
    study.ask("a")
    study.report("a", report(1))
    study.report("a", report(2))
    study.complete("a", metrics(0.1, 0.8), {})
    assert costs[1] == costs[2] == {"log_batch": 1}
    assert costs[3] == {"log_batch": 1, "set_terminated": 1}
    assert view.sent.steps == 2
    calls.clear()
    view.write(study.records()[0])
    assert not calls


def test_the_cursor_says_what_each_store_has_and_no_password(fill, uri, monkeypatch):
    sync(fill, uri)
    content = json.loads((fill.config.directory / "mlflow.json").read_text())
    runs = {run.get("trial"): run for run in content[uri].values()}
    assert runs[1] == {"trial": 1, "begun": True, "steps": 2, "last_step": 2, "ended": True}
    assert runs[None] == {"begun": True, "experiment": "1"}
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with pytest.raises(DeliveryError) as caught:
        sync(fill, "http://me:secret@127.0.0.1:9")
    assert str(caught.value) == "http://127.0.0.1:9: The server does not respond (Connection refused)."


def test_a_run_deleted_in_mlflow_comes_back_whole(finished, uri, runs_of, everything):
    sync(finished, uri)
    before = everything(uri)
    client, _, children = runs_of(uri)
    client.delete_run(children["1"].info.run_id)
    assert sync(finished, uri).runs == 1
    assert everything(uri) == before


def test_children_get_the_new_parent_where_theirs_was_deleted(finished, uri, runs_of, everything):
    sync(finished, uri)
    before = everything(uri)
    client, parent, children = runs_of(uri)
    client.delete_run(parent.info.run_id)
    done = sync(finished, uri)
    assert (done.runs, done.steps, done.ends, done.files) == (1, 0, 0, 6)
    _, new, again = runs_of(uri)
    assert new.info.run_id != parent.info.run_id
    assert {run.info.run_id for run in again.values()} == {run.info.run_id for run in children.values()}
    assert {run.data.tags["mlflow.parentRunId"] for run in again.values()} == {new.info.run_id}
    assert everything(uri) == before
    client.restore_run(parent.info.run_id)  # and now there are two
    sync(finished, uri)
    _, kept, again = runs_of(uri)
    assert {run.data.tags["mlflow.parentRunId"] for run in again.values()} == {kept.info.run_id}
    assert everything(uri) == before


def test_a_parent_deleted_while_a_driver_writes_is_made_anew_at_the_end(
    config, make_study, uri, runs_of, report, metrics
):
    study = make_study(config)
    view = view_of(study, uri)
    study.listen(view.write)
    study.ask("a")
    study.report("a", report(1))
    client, parent, _ = runs_of(uri)
    client.delete_run(parent.info.run_id)
    study.complete("a", metrics(0.1, 0.8), {})
    study.ask("b")
    study.report("b", report(1))
    finish(study)
    view.finish(SearchSummary.of(study))
    _, new, children = runs_of(uri)
    assert new.info.status == "FINISHED"
    assert new.data.metrics["original/validation/retain_accuracy"] == 0.9
    assert [children[n].data.tags["mlflow.parentRunId"] for n in "01"] == [new.info.run_id] * 2


def test_a_renamed_experiment_is_found_by_its_runs(finished, uri, everything):
    sync(finished, uri)
    before, client = everything(uri), MlflowClient(uri)
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    client.rename_experiment(experiment_id, "for the paper")
    assert sync(finished, uri).runs == 0
    assert client.get_experiment_by_name(EXPERIMENT) is None
    client.create_experiment(EXPERIMENT)  # as another study does
    done = sync(finished, uri)
    assert (done.runs, done.link.split("/")[3]) == (0, experiment_id)
    with pytest.raises(ConfigError, match="holds 4"):
        rebuild(finished, uri)
    client.delete_experiment(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    assert sync(finished, uri).runs == 0
    client.rename_experiment(experiment_id, "back")
    assert len(client.search_runs([experiment_id])) == len(before)


def test_a_deleted_experiment_is_an_error_with_two_ways_out(finished, uri):
    sync(finished, uri)
    client = MlflowClient(uri)
    client.delete_experiment(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    with pytest.raises(DeliveryError, match=r"'antisample' was deleted in MLflow; restore it .* `mlflow gc`"):
        sync(finished, uri)
    client.restore_experiment(client.search_experiments(view_type=2)[0].experiment_id)
    assert sync(finished, uri).steps == 0


def test_what_others_added_is_shown_as_theirs(finished, uri, runs_of, make_store, everything):
    moment = datetime(2026, 1, 2, 3, 4, 5)
    trial = optuna.trial.create_trial(values=[0.5, 0.5])
    trial.datetime_start = trial.datetime_complete = moment
    finished.optuna_study().add_trial(trial)
    sync(finished, uri)
    _, _, children = runs_of(uri)
    assert (children["3"].data.tags["antisample.origin"], children["3"].info.status) == ("added by hand", "FINISHED")
    rebuilt = make_store("rebuilt.db")
    rebuild(finished, rebuilt)
    assert everything(rebuilt) == everything(uri)


def test_a_run_deleted_while_a_driver_writes_comes_back_whole(config, make_study, uri, runs_of, report):
    study = make_study(config)
    tracker = Tracker(lambda: view_of(study, uri))
    study.listen(tracker.submit)
    study.ask("a")
    study.report("a", report(1))
    wait_for(lambda: "0" in children_of(runs_of, uri))
    client, _, children = runs_of(uri)
    client.delete_run(children["0"].info.run_id)
    study.report("a", report(2))
    assert tracker.close(None, timeout_s=60) is None
    client, _, children = runs_of(uri)
    history = client.get_metric_history(children["0"].info.run_id, "train_loss")
    assert [point.step for point in history] == [1, 2]


def test_a_store_restored_from_a_copy_gets_what_it_lost(finished, make_study, tmp_path, uri, everything):
    old = tmp_path / "mlflow.db"
    sync(finished, uri)
    complete, content = everything(uri), old.read_bytes()
    client = MlflowClient(uri)
    for run in client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id]):
        client.update_run(run.info.run_id, status="RUNNING")
    assert content
    sync(finished, uri)
    assert everything(uri) == complete


def test_several_deliveries_at_once_make_every_run_once(finished, uri, everything, make_store):
    problems = []

    def deliver():
        try:
            sync(finished, uri)
        except DeliveryError as error:
            problems.append(str(error))

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(everything(uri)) == ["made", "made/0", "made/1", "made/2"]
    alone = make_store("alone.db")
    rebuild(finished, alone)
    assert everything(uri) == everything(alone)


def test_a_run_that_a_slow_server_made_twice_is_removed(finished, uri, everything, runs_of):
    sync(finished, uri)
    before = everything(uri)
    client, _, children = runs_of(uri)
    first = children["0"]
    client.create_run(first.info.experiment_id, first.info.start_time, dict(first.data.tags), first.info.run_name)
    sync(finished, uri)
    assert everything(uri) == before


def test_a_trial_between_its_suggestion_and_its_seeds_is_left_for_later(config, make_study, uri, runs_of):
    study = make_study(config)
    study.optuna_study().ask()
    assert sync(study, uri).trials == 1
    assert children_of(runs_of, uri) == {}


def test_a_refused_trial_holds_up_no_other(finished, uri, runs_of):
    sync(finished, uri)
    client, _, children = runs_of(uri)
    run = client.create_run(
        children["1"].info.experiment_id, tags={"antisample.study": "other", "antisample.trial": "1"}
    )
    client.log_param(run.info.run_id, "p", "another value")
    for child in children.values():
        client.delete_run(child.info.run_id)
    client.set_tag(run.info.run_id, "antisample.study", finished.noted(ID))
    with pytest.raises(DeliveryError, match=r"Trial 1: .*Changing param values is not allowed"):
        sync(finished, uri)
    assert sorted(children_of(runs_of, uri)) == ["0", "1", "2"]


def test_with_replicates_the_newest_value_is_their_mean(values, make_study, metrics, uri, runs_of, report):
    study = make_study(parse_study({**values, "replicates": 2}))
    study.ask("a")
    for number, forget in ((1, 0.0), (2, 0.2)):
        study.report("a", {**report(number, forget), "replicate": number - 1})
    study.complete("a", metrics(0.1, 0.8), {})
    sync(study, uri)
    sync(study, uri)
    client, _, children = runs_of(uri)
    assert children["0"].data.metrics["validation/forget_accuracy"] == 0.1
    curves = {
        name: [(m.step, m.value) for m in client.get_metric_history(children["0"].info.run_id, name)]
        for name in children["0"].data.metrics
        if name.endswith("validation/forget_accuracy")
    }
    assert curves == {
        "replicate 1/validation/forget_accuracy": [(1, 0.0)],
        "replicate 2/validation/forget_accuracy": [(1, 0.2)],
        "validation/forget_accuracy": [(2, 0.1)],
    }


def test_the_parent_has_the_figures_of_the_chosen_trial_and_of_its_fresh_seeds(
    fill, uri, runs_of, make_store, everything
):
    chosen = find_outcome(fill).chosen
    runs = [
        {"number": chosen.number, "seed": seed, "metrics": {"test/retain_accuracy": value}, "counts": {}}
        for seed, value in ((11, 0.7), (12, 0.9))
    ]
    fill.note(CONFIRMATIONS, runs)
    finish(fill)
    sync(fill, uri)
    _, parent, children = runs_of(uri)
    trial = children[str(chosen.number)].data.metrics
    judged = ("validation/forget_accuracy", "validation/retain_accuracy", "elapsed_s")
    assert [parent.data.metrics[name] for name in judged] == [trial[name] for name in judged]
    assert parent.data.metrics["confirmed/test/retain_accuracy"] == pytest.approx(0.8)
    assert parent.data.tags["antisample.confirmed"] == "means over 2 fresh seeds"
    assert parent.data.tags["antisample.origin"].startswith(f"chosen: trial {chosen.number} (")
    assert "Run again with 2 fresh seeds" in parent.data.tags["mlflow.note.content"]
    rebuilt = make_store("rebuilt.db")
    rebuild(fill, rebuilt)
    assert everything(rebuilt) == everything(uri)


def test_curves_longer_than_one_batch_arrive_whole(config, make_study, metrics, uri, runs_of, report):
    study = make_study(config)
    study.ask("a")
    for number in range(1, 301):
        study.report("a", report(number))
    study.complete("a", metrics(0.2, 0.8), {})
    sync(study, uri)
    client, _, children = runs_of(uri)
    assert len(client.get_metric_history(children["0"].info.run_id, "train_loss")) == 300


def test_batches_keep_mlflows_limits_and_lose_nothing(fill):
    steps = [step for record in fill.records() for step in record.steps] * 200
    params = params_of({f"name {n}": "\u00e4" * 9000 for n in range(250)})
    found = list(batches(step_metrics(fill.records()[0], steps), params))
    assert sum(len(batch["metrics"]) for batch in found) == 5 * len(steps)
    assert sum(len(batch["params"]) for batch in found) == 250
    for batch in found:
        assert len(batch["metrics"]) <= 1000
        assert len(batch["params"]) <= 100
        entries = [dict(entry) for kind in ("metrics", "params", "tags") for entry in batch[kind]]
        assert len(entries) <= 1000
        assert len(json.dumps(entries)) < 1_000_000
    assert list(batches()) == []


def test_a_study_that_never_began_cannot_be_delivered(config, uri):
    config.directory.mkdir()
    from tuning.study.study import Study  # noqa: PLC0415

    with pytest.raises(DataError, match="the search has not started"):
        sync(Study(config), uri)


def test_the_tracker_delivers_what_earlier_drivers_could_not(finished, uri, runs_of):
    tracker = Tracker(lambda: view_of(finished, uri), finished.records())
    assert tracker.close(SearchSummary.of(finished), timeout_s=60) is None
    assert tracker.link()
    assert sorted(children_of(runs_of, uri)) == ["0", "1", "2"]


def test_a_store_that_cannot_be_reached_is_a_notice_not_an_error(finished):
    tracker = Tracker(lambda: view_of(finished, "http://127.0.0.1:9"))
    for record in finished.records():
        tracker.submit(record)
    started = time.monotonic()
    problem = tracker.close(SearchSummary.of(finished), timeout_s=20)
    assert problem == "The server does not respond (Connection refused)."
    assert time.monotonic() - started < 10
    assert tracker.link() is None


def test_a_full_disk_costs_the_cursor_alone(finished, uri, runs_of, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    sync(finished, uri)
    assert len(children_of(runs_of, uri)) == 3
    assert not (finished.config.directory / "mlflow.json").exists()


def test_mlflows_own_settings_are_respected(finished, uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    sync(finished, uri)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"


def children_of(runs_of, uri):
    try:
        return runs_of(uri)[2]
    except (AttributeError, ValueError):  # no experiment or no parent yet
        return {}


def wait_for(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def packed(fill, digits_inputs):
    """The small study with the model of its chosen trial: the original's weights."""
    chosen = find_outcome(fill).chosen
    StudyFiles.of(fill.config).save_model(chosen.number, Checkpoint(digits_inputs.original.state_dict))
    assert pack_model(fill, digits_inputs) is None
    fill.note(FINGERPRINTS, {"data": "ab" * 20})
    fill.note(IMAGES, {"train": 1437, "test": 360})
    finish(fill)
    return fill


def test_the_chosen_model_is_logged_once_loads_without_pickle_and_is_registered_once(
    packed, uri, make_store, runs_of, digits_inputs, monkeypatch
):
    assert sync(packed, uri, register_as="forgets-3").version == 1
    again = sync(packed, uri, register_as="forgets-3")
    assert (again.models, again.version) == (0, 1)
    client, parent, children = runs_of(uri)
    (model,) = client.search_logged_models([parent.info.experiment_id])
    assert [output.model_id for output in parent.outputs.model_outputs] == [model.model_id]
    chosen = find_outcome(packed).chosen
    trial = children[str(chosen.number)]
    assert model.source_run_id == parent.info.run_id
    assert model.params["unlearn_scale_lr"] == trial.data.params["unlearn_scale_lr"]
    figures = {metric.key: (metric.value, metric.dataset_name, metric.dataset_digest) for metric in model.metrics}
    value = trial.data.metrics["validation/retain_accuracy"]
    assert figures["validation/retain_accuracy"] == (value, "digits", ("ab" * 20)[:36])
    history = client.get_metric_history(trial.info.run_id, "validation/retain_accuracy")
    assert len(history) == len(chosen.steps), "the model's figures add nothing to the trial's curves"
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    information = mlflow.models.get_model_info(f"models:/{model.model_id}")
    assert information.signature.inputs.inputs[0].shape == (-1, 1, 8, 8)
    assert information.saved_input_example_info is not None
    loaded = mlflow.pytorch.load_model("models:/forgets-3/1")
    test, device = digits_inputs.dataset.test, torch.device("cpu")
    images, _ = to_device(test, np.arange(7), device)
    original = digits_inputs.original.build(digits_inputs.dataset, device).eval()
    with torch.no_grad():
        expected = original(Normaliser(digits_inputs.original.preprocessing, device)(images))
        torch.testing.assert_close(loaded(images.float()), expected, rtol=1e-4, atol=1e-4)
    assert rebuild(packed, make_store("rebuilt.db")).models == 1


def test_a_model_whose_delivery_was_cut_short_is_gone_on_with(packed, uri, runs_of, monkeypatch):
    real = MlflowClient.finalize_logged_model
    monkeypatch.setattr(MlflowClient, "finalize_logged_model", lambda *_: pytest.fail("cut short"))
    view = view_of(packed, uri)
    with pytest.raises(BaseException, match="cut short"):
        view.finish(SearchSummary.of(packed))
    monkeypatch.setattr(MlflowClient, "finalize_logged_model", real)
    sync(packed, uri)
    client, parent, _ = runs_of(uri)
    (model,) = client.search_logged_models([parent.info.experiment_id])
    assert model.status == "READY"
    assert len(parent.outputs.model_outputs) == 1


def test_the_parent_has_a_description_and_a_data_set(fill, uri, runs_of):
    fill.note(FINGERPRINTS, {"data": "ab" * 20})
    fill.note(IMAGES, {"train": 1437, "test": 360})
    finish(fill)
    sync(fill, uri)
    _, parent, _ = runs_of(uri)
    assert "**Chosen: trial" in parent.data.tags["mlflow.note.content"]
    assert "| original model |" in parent.data.tags["mlflow.note.content"]
    (data,) = (each.dataset for each in parent.inputs.dataset_inputs)
    assert (data.name, data.digest) == ("digits", ("ab" * 20)[:36])
    assert json.loads(data.profile)["train_images"] == 1437


def test_one_value_that_mlflow_cannot_hold_is_replaced_and_everything_else_is_there(fill, uri, runs_of):
    fill.ask("odd")
    fill.fail("odd", "a\0b " + "x" * 20_000)
    fill.note(FORGETTING, ["class a\0b\udcff", "y" * 20_000])
    finish(fill)
    done = sync(fill, uri)
    assert done.ends == len(fill.records())
    _, parent, children = runs_of(uri)
    (error,) = [tags["antisample.error"] for tags in (run.data.tags for run in children.values())
                if "x" * 100 in tags.get("antisample.error", "")]  # fmt: skip
    assert error.startswith("a\\0b xxx")
    assert parent.data.params["forgetting"].startswith("class a\\0b\\udcff; yyy")


def test_one_value_that_the_report_cannot_hold_is_replaced(fill):
    fill.ask("odd")
    fill.fail("odd", "a\0b \ud800 " + "x" * 20_000)
    fill.note(NOTES, ["a\0b\udcff"])
    write_report(fill, fill.config.directory / "report.html")
    page = (fill.config.directory / "report.html").read_text(encoding="utf-8")
    assert "a\\u0000b \\ud800 xxx" in page, "in the data of the table, as JSON writes it"
    assert "a\\0b\\udcff" in page


def test_the_parent_says_what_is_forgotten(fill, uri, runs_of):
    forgotten = '"3" (label 3): 117 training, 29 validation and 37 test images'
    fill.note(FORGETTING, [forgotten])
    finish(fill)
    sync(fill, uri)
    _, parent, _ = runs_of(uri)
    assert parent.data.params["forgetting"] == forgotten
    assert f", forgetting {forgotten}." in parent.data.tags["mlflow.note.content"]


@pytest.fixture
def deep(deep_study):
    finish(deep_study)
    return deep_study


def test_the_parent_has_the_baselines_as_metrics_and_in_its_description(deep, uri, runs_of):
    sync(deep, uri)
    client, parent, _ = runs_of(uri)
    assert parent.data.metrics["baseline/mask/validation/retain_accuracy"] == 0.95
    assert parent.data.metrics["baseline/reference/test/probe_left"] == 0.4
    assert not [name for name in parent.data.metrics if name.startswith(("baseline/chosen", "baseline/original"))]
    text = parent.data.tags["mlflow.note.content"]
    assert "| held against | forget accuracy (29 images) | retain accuracy (250 images) | probe_left" in text
    assert "| mask | 0.0 % | 95.0 % | 1.00 |" in text
    assert "| **chosen: trial 1** | 0.0 % | 94.5 % | 0.60 (standard error 0.02) |" in text
    assert "| **1** | 0.0 % | 94.5 % | 0.60 |" in text, "and in the front"
    names = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"pareto.png", "depth.png", "hypervolume.png"} <= names
    key = f"mlflow.sharedViewState.{deep.noted(ID)}"
    view = json.loads(client.get_experiment(parent.info.experiment_id).tags[key])
    assert "metrics.`validation/probe_left`" in view["selectedColumns"]
    assert len({chart["uuid"] for chart in view["compareRunCharts"]}) == 3


def test_baselines_are_told_once_however_often_a_search_ends(deep, uri, make_store, everything, deep_figures, report):
    sync(deep, uri)
    more = type(deep)(deep.config.model_copy(update={"n_trials": 5}))
    more.ask("more")
    more.report("more", report(1, 0.0))
    more.complete("more", deep_figures(0.0, 0.95, 0.5), {})
    more.note(BASELINES, {**more.noted(BASELINES), "reference 2": deep_figures(0.0, 0.94, 0.45)})
    finish(more)
    sync(more, uri)
    rebuilt = make_store("rebuilt.db")
    rebuild(more, rebuilt)
    told = everything(uri)
    assert told == everything(rebuilt)
    histories = told["deep"]["histories"]
    assert len(histories["baseline/mask/test/mia_loss"]) == 1
    assert len(histories["baseline/reference 2/test/mia_loss"]) == 1
    assert len(histories["hypervolume"]) == 2


def test_an_older_study_is_described_without_baselines(finished):
    text = SearchSummary.of(finished).description
    assert "held against" not in text
    assert "probe_left" not in text
