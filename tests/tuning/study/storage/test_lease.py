"""What leases are beyond the conformance suite: files and servers that fail for a while, dead processes, clocks."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psutil
import psycopg
import pytest
from optuna.trial import TrialState

from antisample.errors import DataError
from tuning.config.loading import parse_study
from tuning.study.storage.journal_lease import LeaseFile
from tuning.study.storage.lease import Lease, end_orphans, held_lease, lease_backend
from tuning.study.storage.lease_owner import EXPIRES_S, LeaseLostError, LeaseOwner
from tuning.study.study import Study


@pytest.fixture
def values(values, storage):
    return {**values, "storage": storage}


@pytest.fixture
def place(config):
    config.directory.mkdir()
    return lease_backend(config)


@pytest.fixture
def holder():
    return LeaseOwner.this_process()


def dead(lease):
    """The same lease, held by a process that has ended and whose number this one has now."""
    lease._mine = replace(lease._mine, process_started=lease._mine.process_started - 100)
    return lease


@contextmanager
def failing(path):
    """A file that opens with an error, as on a file system that is away: a link to itself."""
    kept = path.rename(path.with_name("kept"))
    loop = path.with_name("loop")
    loop.symlink_to(path.name)
    loop.replace(path)
    try:
        yield
    finally:
        kept.replace(path)


def test_a_file_system_that_fails_for_a_while_does_not_end_the_beats(config, monkeypatch):
    monkeypatch.setattr("tuning.study.storage.lease.BEAT_S", 0.2)
    place = LeaseFile(config.directory)
    with held_lease(place):
        with failing(config.directory / "driver.lock"):
            time.sleep(1)
        silent_since, deadline = place.read().beat, time.monotonic() + 10
        while place.read().beat == silent_since:
            assert time.monotonic() < deadline, "the driver does not say any more that it is alive"
            time.sleep(0.05)


def test_a_lease_that_cannot_be_read_is_not_taken_for_one_that_another_driver_has(config):
    place = LeaseFile(config.directory)
    with held_lease(place) as lease:
        with failing(config.directory / "driver.json"):
            with pytest.raises(DataError, match=r"driver\.json: cannot be read") as caught:
                lease.check()
            assert not isinstance(caught.value, LeaseLostError)
            assert not lease.is_held()
            with pytest.raises(DataError, match="cannot be read"):
                place.acquire(replace(LeaseOwner.this_process(), token="another"))
        lease.check()
        with ThreadPoolExecutor() as other, failing(config.directory / "driver.json"):
            check = other.submit(lease.check)
            time.sleep(0.1)
        assert check.result() is None, "it has waited for a file that was away for a moment"


@pytest.mark.parametrize("content", ["", "rubbish", "[1, 2]", "{}", "\xff"])
def test_a_lease_that_is_rubbish_is_held_by_nobody(config, content):
    config.directory.mkdir()
    (config.directory / "driver.json").write_text(content, encoding="latin-1")
    assert LeaseFile(config.directory).read() is None


def test_a_process_number_used_again_is_not_the_holder(holder):
    assert holder.is_alive()
    assert not replace(holder, process_started=holder.process_started - 100).is_alive()


@pytest.mark.parametrize("elsewhere", [{"host": "another machine"}, {"machine": "another of this name"}])
def test_elsewhere_a_minute_of_silence_ends_a_lease(holder, elsewhere):
    there = replace(holder, **elsewhere)
    assert there.is_alive()
    assert not replace(there, beat=time.time() - EXPIRES_S - 1).is_alive()


@pytest.mark.integration
def test_the_servers_clock_says_how_long_a_driver_is_silent(config, database, holder):
    config.directory.mkdir()
    place = lease_backend(config.model_copy(update={"storage": database}))
    away = replace(holder, host="another machine", beat=holder.beat + 1e6, since=holder.since + 1e6)
    place.acquire(away)
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("UPDATE antisample_leases SET beat = beat - interval '59 s'")
        assert place.read().is_alive()
        connection.execute("UPDATE antisample_leases SET beat = beat - interval '2 s'")
    assert not place.read().is_alive()
    place.heartbeat(away)
    assert place.read().is_alive()


@pytest.mark.integration
def test_the_database_refuses_a_change_of_an_older_driver_that_has_looked_before(values, make_study, database):
    config = parse_study({**values, "storage": database})
    make_study(config)
    place = lease_backend(config)
    lease = dead(Lease(place))
    lease.acquire()
    study = Study(config, lease)
    trial = study.optuna_study().ask()
    with held_lease(place):
        for write in (
            lambda: trial.set_user_attr("late", 1),
            lambda: trial.suggest_float("late", 0, 1),
            lambda: study.optuna_study().tell(trial, state=TrialState.PRUNED),
            study.optuna_study().ask,
        ):
            with pytest.raises(LeaseLostError, match="another driver has taken over"):
                write()
    (left,) = make_study(config).optuna_study().trials
    assert (left.state.name, left.user_attrs, left.params) == ("RUNNING", {}, {})


@pytest.mark.integration
def test_processes_of_a_dead_drivers_ray_session_are_ended(holder):
    session = f"/nowhere/session_{os.getpid()}"
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"--session={session}/logs"])
    assert end_orphans(replace(holder, ray_session=session)) == 1
    orphan.wait(timeout=10)
    assert end_orphans(replace(holder, ray_session=session)) == 0
    assert end_orphans(holder) == 0


@pytest.mark.integration
def test_a_dead_process_that_nobody_has_waited_for_holds_nothing(holder):
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    begun = process.create_time()
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not replace(holder, pid=child.pid, process_started=begun).is_alive()
    child.wait()


@pytest.mark.integration
def test_a_database_that_is_not_there_is_said_at_once(config):
    started = time.monotonic()
    with pytest.raises(DataError, match="cannot be opened"):
        lease_backend(config.model_copy(update={"storage": "postgresql://me@127.0.0.1:1/db"}))
    assert time.monotonic() - started < 60


def test_missing_packages_for_postgresql_are_named(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "tuning.study.storage.postgresql_lease", None)
    with pytest.raises(DataError, match=r"needs psycopg and tenacity: pip install 'antisample\[postgresql\]'"):
        lease_backend(config.model_copy(update={"storage": "postgresql://me@127.0.0.1:1/db"}))
