import fcntl
import subprocess
import sys

import optuna
import pytest

from antisample.errors import DataError
from tuning.journal import KernelLock, mend_journal, open_journal


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
    mend_journal(path)
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


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from tuning.journal import KernelLock; "
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
    monkeypatch.setattr("tuning.journal.os.fsync", saved.append)
    with journal.together():
        trial = study.ask()
        trial.set_user_attr("name", "value")
        elsewhere = optuna.load_study(storage=open_journal(tmp_path / "journal.log"), study_name="s")
        assert elsewhere.trials[0].user_attrs == {"name": "value"}
        assert not saved
    assert len(saved) == 1
    trial.set_user_attr("name", "other")
    assert len(saved) == 2
