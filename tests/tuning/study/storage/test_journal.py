import fcntl
import itertools
import json
import subprocess
import sys

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from antisample.errors import DataError
from tuning.study.storage.journal import KernelLock, open_journal, repair_journal


def started(path, n=3):
    study = optuna.create_study(storage=open_journal(path), study_name="s", load_if_exists=True)
    for value in range(n):
        study.tell(study.ask(), float(value))
    return study


def test_a_last_line_cut_short_is_cut_off_and_the_journal_goes_on(tmp_path):
    path = tmp_path / "journal.log"
    started(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 5, "worker')
    study = started(path, n=1)
    assert len(study.trials) == 4
    assert len(optuna.load_study(storage=open_journal(path), study_name="s").trials) == 4


def test_a_last_line_of_rubbish_is_cut_off(tmp_path):
    path = tmp_path / "journal.log"
    started(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\x00\x00\x00\n")
    repair_journal(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_every_truncation_can_be_opened_and_written_again(tmp_path, cut):
    path = tmp_path / "journal.log"
    started(path)
    path.write_bytes(path.read_bytes()[:-cut])
    study = started(path, n=2)
    assert len(optuna.load_study(storage=open_journal(path), study_name="s").trials) == len(study.trials)


def test_damage_in_the_middle_is_an_error_that_names_the_line(tmp_path):
    path = tmp_path / "journal.log"
    started(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"rubbish\n", *lines[2:]]))
    with pytest.raises(DataError, match=r"journal.log: line 3 of the journal is damaged"):
        open_journal(path)


@pytest.mark.integration
def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from tuning.study.storage.journal import KernelLock; "
        "lock = KernelLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline().strip() == "held"
            with (tmp_path / "lock").open() as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            holder.kill()
    lock = KernelLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()


def test_changes_made_together_are_in_the_file_at_once_and_wait_for_the_disk_once(tmp_path, monkeypatch):
    journal = open_journal(tmp_path / "journal.log")
    study = optuna.create_study(storage=journal, study_name="s")
    saved = []
    monkeypatch.setattr("tuning.study.storage.journal.os.fsync", saved.append)
    with journal.batch_writes():
        trial = study.ask()
        trial.set_user_attr("name", "value")
        elsewhere = optuna.load_study(storage=open_journal(tmp_path / "journal.log"), study_name="s")
        assert elsewhere.trials[0].user_attrs == {"name": "value"}
        assert not saved
    assert len(saved) == 1
    trial.set_user_attr("name", "other")
    assert len(saved) == 2


def test_trials_are_those_that_optuna_reads_in_every_state(tmp_path):
    mine = started(tmp_path / "journal.log", n=2)
    another = optuna.load_study(storage=open_journal(tmp_path / "journal.log"), study_name="s")
    storage, study_id = mine._storage, mine._study_id
    some = [states for n in range(1, 4) for states in itertools.combinations(TrialState, n)]

    def check():
        for states in (None, *some):
            seen = storage.get_all_trials(study_id, deepcopy=False, states=states)
            wanted = JournalStorage.get_all_trials(storage, study_id, deepcopy=False, states=states)
            assert [id(trial) for trial in seen] == [id(trial) for trial in wanted]

    check()
    slow, quick = mine.ask(), mine.ask()
    mine.tell(quick, state=TrialState.PRUNED)
    another.enqueue_trial({"x": 1.0})
    check()
    slow.set_user_attr("a", 1)
    another.tell(another.ask(), state=TrialState.FAIL)
    check()
    another.tell(slow.number, 5.0)
    check()
    assert [trial.state.name for trial in mine.trials] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED", "FAIL"]


def test_a_list_of_trials_is_the_callers_own(tmp_path):
    study = started(tmp_path / "journal.log")
    study.get_trials(deepcopy=False).clear()
    copied = study.get_trials()
    copied[0].user_attrs["a"] = 1
    assert [trial.user_attrs for trial in study.get_trials()] == [{}, {}, {}]


def test_there_are_no_trials_of_an_unknown_study(tmp_path):
    with pytest.raises(KeyError):
        started(tmp_path / "journal.log")._storage.get_all_trials(7)


def test_a_journal_that_can_only_be_read_is_opened_as_it_is(tmp_path):
    path = tmp_path / "journal.log"
    started(path)
    path.with_suffix(".lock").unlink()
    path.with_suffix(".lock").mkdir()  # as where the folder is another user's: the lock cannot be made
    assert len(optuna.load_study(storage=open_journal(path), study_name="s").trials) == 3


def test_a_journal_whose_folder_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"journal.log: cannot be opened \(No such file or directory\)"):
        open_journal(tmp_path / "gone" / "journal.log")


def test_a_record_of_a_newer_optuna_is_an_error_that_says_so(tmp_path):
    path = tmp_path / "journal.log"
    started(path)
    line = {"op_code": 77, "worker_id": "newer", "study_id": 0}
    path.write_bytes(path.read_bytes() + json.dumps(line).encode() + b"\n")
    with pytest.raises(
        DataError, match=rf"journal.log: line 8 .*\(77\) that Optuna {optuna.__version__} does not know"
    ):
        open_journal(path)


@pytest.mark.parametrize("number", range(1, 7))
def test_a_missing_line_is_noticed_wherever_it_was(tmp_path, number):
    path = tmp_path / "journal.log"
    started(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: number - 1] + lines[number:]))
    path.with_suffix(".lines").unlink()
    with pytest.raises(DataError, match=f"before line {number} a line of the journal is missing. Restore it from"):
        open_journal(path)


def test_a_missing_trial_is_noticed_in_a_journal_that_optuna_wrote_alone(tmp_path):
    path = tmp_path / "journal.log"
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="s")
    for value in range(3):
        study.tell(study.ask(), float(value))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(DataError, match="before line 4 a line of the journal is missing"):
        open_journal(path)


def test_lines_that_others_append_move_ours_and_nothing_is_missing(tmp_path):
    path = tmp_path / "journal.log"
    mine = started(path)
    other = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="s")
    for value in range(3):
        other.tell(other.ask(), float(value))
        mine.tell(mine.ask(), float(value))
    assert len(optuna.load_study(storage=open_journal(path), study_name="s").trials) == 9


@pytest.mark.parametrize("left", [0, 3, 6])
def test_a_journal_that_was_cut_short_is_noticed(tmp_path, left):
    path = tmp_path / "journal.log"
    started(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:left]))
    wanted = (
        f"it has {left} lines, and had 7 when a trial last ended" if left else "the journal of the study is empty"
    )
    for _ in range(2):
        with pytest.raises(DataError, match=f"journal.log: .*{wanted}"):
            open_journal(path)
    path.unlink()
    with pytest.raises(DataError, match="the journal of the study is missing"):
        open_journal(path)
    assert not path.exists()


@pytest.mark.parametrize("junk", [bytes(range(256)) * 4, b"\x7fELF", b"hello\n", "{}".encode("utf-16"), b"[1, 2]\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path, junk):
    path = tmp_path / "journal.log"
    path.write_bytes(junk)
    with pytest.raises(DataError, match=r"journal.log: .*(not an Optuna journal|is damaged)"):
        open_journal(path)
    assert path.read_bytes() == junk


@pytest.mark.parametrize("line", [b"{}", b'{"op_code":4}', b'{"op_code":"4"}', b'{"op_code":5,"trial_id":[]}'])
def test_a_line_that_says_nothing_is_damage(tmp_path, line):
    path = tmp_path / "journal.log"
    started(path)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(DataError, match=r"line 8 of the journal is damaged"):
        open_journal(path)


def test_a_folder_in_place_of_the_journal_is_an_error(tmp_path):
    (tmp_path / "journal.log").mkdir()
    with pytest.raises(DataError, match=r"journal.log: must be a file"):
        open_journal(tmp_path / "journal.log")


@pytest.mark.parametrize("harm", ["deleted", "emptied", "study deleted"])
def test_a_journal_that_goes_while_it_is_written_ends_in_one_sentence(tmp_path, harm):
    path = tmp_path / "journal.log"
    study = started(path)
    if harm == "deleted":
        path.unlink()
    elif harm == "emptied":
        path.write_bytes(b"")
    else:
        optuna.delete_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(path))))
    with pytest.raises(DataError, match=r"journal.log: "):
        study.tell(study.ask(), 1.0)
    assert path.exists() == (harm != "deleted")
