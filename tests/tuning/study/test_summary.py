"""The list of studies: how far each is, who runs it, and what it chose; nothing is written, and nothing breaks it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict

import optuna
import pytest
import yaml
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState

from tuning.study import journal_summary
from tuning.study.directory import open_study
from tuning.study.history import record_search_end
from tuning.study.outcome import find_outcome
from tuning.study.storage.lease_owner import LeaseOwner
from tuning.study.summary import summarise_studies


def content(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def only(folder):
    ((study,), _) = summarise_studies(folder)
    return study


def test_a_study_that_has_ended_has_its_choice(small_study, call):
    record_search_end(small_study, find_outcome(small_study))
    folder = small_study.config.runs_dir
    (folder / "cache").mkdir()
    before = content(folder)
    study = only(folder)
    assert (study.name, study.state, study.done, study.total, study.failed) == ("made", "stopped", 2, 4, 1)
    chosen = find_outcome(small_study).chosen
    assert study.best == {"trial": chosen.number, "forget": 0.0, "retain": 0.8}
    code, out, _ = call("list", folder)
    assert code == 0
    for part in ("made", "stopped", "2 of 4, 1 failed", "0.0%", "80.0%", "ago", "Not studies: cache"):
        assert part in out
    code, out, _ = call("list", folder, "--json")
    answer = json.loads(out)
    assert (code, answer["not_studies"]) == (0, ["cache"])
    assert answer["studies"][0]["best"]["trial"] == chosen.number
    assert content(folder) == before


def test_the_counts_are_those_of_the_study_itself_with_trials_of_others_in_it(small_study):
    optuna_study = small_study.optuna_study()
    optuna_study.add_trial(optuna.create_trial(state=TrialState.COMPLETE, values=[0.1, 0.2]))
    optuna_study.enqueue_trial({})
    small_study.ask("under way")
    study = only(small_study.config.runs_dir)
    assert study.done == open_study(small_study.config.directory).n_finished() == 2
    assert study.failed == 1


@pytest.mark.parametrize(("n_trials", "state", "total"), [(2, "finished", 2), (1, "finished", 2), (3, "stopped", 3)])
def test_the_total_is_never_less_than_what_is_done(small_study, n_trials, state, total):
    config = small_study.config.model_copy(update={"n_trials": n_trials})
    (config.directory / "study.yaml").write_text(config.to_yaml())
    study = only(config.runs_dir)
    assert (study.state, study.done, study.total) == (state, 2, total)


def test_a_study_with_too_many_failures_has_failed(small_study):
    for key in "abc":
        small_study.ask(key)
        small_study.fail(key, "DivergedError: the loss is nan")
    assert (only(small_study.config.runs_dir).state, small_study.failures_used_up()) == ("failed", True)


def test_whoever_runs_a_study_is_named(config, driven_study, call):
    driven_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    study = only(config.runs_dir)
    assert (study.state, study.done) == ("running", 0)
    assert f"process {os.getpid()} on " in study.by
    assert "made is run by process" in call("list", config.runs_dir)[1]


_OWNER = asdict(LeaseOwner.this_process())


def _named_pipe(directory):
    (directory / "journal.log").unlink()
    os.mkfifo(directory / "journal.log")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: (d / "study.yaml").unlink(), "study.yaml is missing."),
        (lambda d: (d / "study.yaml").write_text("a: [b"), "study.yaml is not readable as YAML."),
        (lambda d: (d / "study.yaml").write_bytes(b"\xff\xfe\x00"), "study.yaml is not readable as YAML."),
        (lambda d: (d / "study.yaml").write_text("- a"), "study.yaml does not contain keys and values."),
        (lambda d: (d / "study.yaml").write_text("n_trials: many"), "study.yaml: `n_trials` must be a whole number."),
        (lambda d: (d / "journal.log").unlink(), "journal.log is missing."),
        (lambda d: (d / "journal.log").write_bytes(b""), "journal.log is empty."),
        (lambda d: (d / "journal.log").write_text("a foreign file\n"), "journal.log is damaged in line 1."),
        (
            lambda d: (d / "journal.log").write_text('{"op_code":6,"trial_id":7}\n'),
            "journal.log is damaged in line 1.",
        ),
        (lambda d: (d / "journal.log").write_text('{"op_code":0}\n' * 999), "journal.log does not hold the study."),
        (lambda d: (d / "driver.json").write_text("[" * 100_000), "driver.json is damaged."),
        (lambda d: (d / "driver.json").write_text(json.dumps(_OWNER | {"pid": "x"})), "driver.json is damaged."),
        (lambda d: (d / "driver.json").write_text(json.dumps(_OWNER | {"pid": -1})), "driver.json is damaged."),
        (lambda d: (d / "study.id").mkdir(), "study.id: cannot be read"),
        (_named_pipe, "journal.log cannot be read (journal.log is a named pipe, not a regular file)."),
    ],
)
def test_a_damaged_study_is_a_row_with_the_reason(small_study, tmp_path, call, damage, said):
    shutil.copytree(small_study.config.directory, tmp_path / "whole")
    damage(small_study.config.directory)
    code, out, err = call("list", tmp_path)
    assert (code, err) == (0, "")
    assert f"made cannot be read: {said}" in " ".join(out.split())
    states = {study.name: study.state for study in summarise_studies(tmp_path)[0]}
    assert states == {"made": "unreadable", "whole": "stopped"}


def test_a_study_that_is_being_written_is_read_as_far_as_it_is_whole(small_study):
    with (small_study.config.directory / "journal.log").open("ab") as file:
        file.write(b'{"op_code":6,"trial_')
    assert only(small_study.config.runs_dir).done == 2


def test_a_study_in_a_database_is_not_asked_for(small_study):
    path = small_study.config.directory / "study.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "storage": "postgresql://nowhere/x"}))
    study = only(small_study.config.runs_dir)
    assert (study.state, study.done, study.total) == ("in a database", None, 4)


def test_a_folder_without_studies_and_none_at_all(call, tmp_path, monkeypatch):
    code, out, err = call("list", tmp_path)
    assert (code, out, err) == (0, f"There are no studies in {tmp_path}.\n", "")
    monkeypatch.chdir(tmp_path)
    code, out, err = call("list")
    assert (code, out, err) == (2, "", "Error: runs: there is no such folder.\n")
    (tmp_path / "runs").write_text("")
    assert call("list")[::2] == (2, "Error: runs: must be a folder.\n")


def test_a_single_study_is_listed_too(small_study, call):
    code, out, _ = call("list", small_study.config.directory)
    assert code == 0
    assert "2 of 4" in out


def test_the_codes_are_those_of_optuna():
    for name in ("CREATE_STUDY", "DELETE_STUDY", "CREATE_TRIAL"):
        assert getattr(journal_summary, name) == JournalOperation[name]
    assert JournalOperation.SET_STUDY_USER_ATTR == journal_summary.STUDY_ATTRIBUTE
    assert JournalOperation.SET_TRIAL_STATE_VALUES == journal_summary.TRIAL_STATE
    assert JournalOperation.SET_TRIAL_USER_ATTR == journal_summary.TRIAL_ATTRIBUTE
    for name in ("RUNNING", "COMPLETE", "PRUNED", "FAIL"):
        assert getattr(journal_summary, name) == TrialState[name]


def test_a_list_loads_nothing_that_takes_seconds():
    code = (
        "import sys; import tuning.cli.program, tuning.cli.commands.listing; "
        "print([m for m in ('torch', 'ray', 'optuna', 'mlflow', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
