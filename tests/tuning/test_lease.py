"""One driver at a time, and what an older one may still do: nothing."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace

import psutil
import pytest

from antisample.errors import ConfigError
from tuning.lease import EXPIRES_S, Holder, LeaseLostError, end_orphans, held_lease, read_holder
from tuning.study import Study


@pytest.fixture
def holder():
    process = psutil.Process()
    return Holder(socket.gethostname(), os.getpid(), process.create_time(), time.time(), time.time(), "a token")


def test_a_second_driver_is_refused_with_host_process_and_time(tmp_path):
    with held_lease(tmp_path) as lease, pytest.raises(ConfigError) as caught, held_lease(tmp_path):
        pass
    text = str(caught.value)
    assert f"process {os.getpid()} on {socket.gethostname()} since 2" in text
    assert lease.previous is None
    with held_lease(tmp_path) as again:
        assert again.previous is None
    assert read_holder(tmp_path) is None


def test_the_lease_of_a_dead_process_is_taken_over(tmp_path):
    code = f"from pathlib import Path; from tuning.lease import Lease; Lease(Path({str(tmp_path)!r})).take()"
    subprocess.run([sys.executable, "-c", code], check=True)
    dead = read_holder(tmp_path)
    assert dead is not None
    assert not dead.is_alive()
    with held_lease(tmp_path) as lease:
        assert lease.previous == dead


def test_a_process_number_used_again_is_not_the_holder(holder):
    assert holder.is_alive()
    assert not replace(holder, process_started=holder.process_started - 100).is_alive()


def test_elsewhere_a_minute_of_silence_ends_a_lease(holder):
    there = replace(holder, host="another machine")
    assert there.is_alive()
    assert not replace(there, beat=time.time() - EXPIRES_S - 1).is_alive()


def test_an_older_driver_writes_nothing_more(config, make_study, metrics, holder):
    make_study(config)
    with held_lease(config.directory) as lease:
        study = Study(config, lease)
        study.ask("a")
        (config.directory / "driver.json").write_text(json.dumps(asdict(holder)))
        for write in (
            lambda: study.ask("b"),
            lambda: study.report("a", {}),
            lambda: study.complete("a", metrics(0.0, 0.9), {}),
            lambda: study.fail("a", "whatever"),
            lambda: study.note("a", 1),
        ):
            with pytest.raises(LeaseLostError, match="another driver has taken over"):
                write()
    assert [record.state for record in make_study(config).records()] == ["RUNNING"]
    assert read_holder(config.directory) == holder, "what another holds is not given back"


def test_processes_of_a_dead_drivers_ray_session_are_ended(holder):
    session = f"/nowhere/session_{os.getpid()}"
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"--session={session}/logs"])
    assert end_orphans(replace(holder, ray_session=session)) == 1
    orphan.wait(timeout=10)
    assert end_orphans(replace(holder, ray_session=session)) == 0
    assert end_orphans(holder) == 0
