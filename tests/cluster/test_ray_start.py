"""Ray's start and end in this process: its folder, its refusals, and what it leaves as it was."""

import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cluster import ClusterError, local_ray
from cluster.connection import _TIMED_OUT, describe
from cluster.temporary import fits, remove_temporary_folder, temporary_folder

HELD = """
import os, signal, sys, threading
import psutil, ray
from cluster import local_ray

heard = []
def hear(*_):
    heard.append(1)
signal.signal(signal.SIGTERM, hear)

def use(place):
    with local_ray(1, 0):
        place.append(ray._private.worker._global_node.get_temp_dir_path())
        os.kill(os.getpid(), signal.SIGTERM)

places = []
for thread in (threading.Thread(target=use, args=(places,)), None):
    if thread is None:
        use(places)
    else:
        thread.start()
        thread.join()
    os.kill(os.getpid(), signal.SIGTERM)
assert len(heard) == 4, heard
assert signal.getsignal(signal.SIGTERM) is hear
assert not any(os.path.exists(place) for place in places), places
left = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
psutil.wait_procs(left, 30)
print(*places)
"""


def test_a_folder_is_chosen_where_the_usual_one_is_too_long_for_sockets(monkeypatch):
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv("RAY_TMPDIR", raising=False)
        for n_letters, kept in ((2, True), (30, False)):
            monkeypatch.setattr(tempfile, "tempdir", None)
            place = Path("/tmp", secrets.token_hex(2) + n_letters * "\u00e9")  # of up to 69 bytes
            place.mkdir()
            monkeypatch.setenv(name, str(place))
            folder = Path(temporary_folder())
            assert (folder.parents[1] == place) == kept
            assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
            assert fits(str(folder))
            folder.mkdir()
            remove_temporary_folder(str(folder))
            assert not folder.parent.exists()
            remove_temporary_folder(str(place))
            place.rmdir()


@pytest.mark.integration
def test_ray_starts_with_a_long_folder_and_leaves_signals_alone_in_every_thread(tmp_path):
    long = tmp_path / (100 * "x")
    long.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", HELD],
        env={**os.environ, "TMPDIR": str(long), "RAY_TMPDIR": str(long)},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(place.startswith("/tmp/antisample-") for place in done.stdout.split())


ALONE = """
import os, stat
from pathlib import Path
import psutil, ray
from cluster import local_ray
with local_ray(1, 0):
    ray.get(ray.remote(lambda: 1).remote())
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    print(*(c.laddr.ip for p in family for c in p.net_connections() if c.status == "LISTEN"))
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    print(oct(stat.S_IMODE(session.parents[1].stat().st_mode)))
    listed = os.popen("ss -Hltnp").read().splitlines()
    pids = {f"pid={p.pid}," for p in family}
    print(*(line.split()[3] for line in listed if any(pid in line for pid in pids)))
"""


@pytest.mark.integration
def test_ray_listens_on_loopback_and_its_folder_is_its_owners_alone():
    done = subprocess.run(
        [sys.executable, "-c", ALONE], check=False, capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    addresses, mode, listed = done.stdout.splitlines()
    assert len(addresses.split()) >= 5
    assert {address.removeprefix("::ffff:") for address in addresses.split()} == {"127.0.0.1"}
    assert mode == "0o700"
    if shutil.which("ss"):
        assert {line.rpartition(":")[0].strip("[]").removeprefix("::ffff:") for line in listed.split()} == {
            "127.0.0.1"
        }


OTHERS = """
import os, ray
from cluster import ray_of_this_process

def rays():
    return {n: value for n, value in os.environ.items() if n.startswith("RAY_") or n == "PYTHONBREAKPOINT"}

def answer():
    return 7

before = rays()
for ours in (True, True, False, True):
    if ours:
        with ray_of_this_process():
            assert ray.get(ray.remote(answer).remote(), timeout=120) == 7
        assert rays() == before, rays()
    else:
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        assert ray.get(ray.remote(answer).remote(), timeout=120) == 7
        ray.shutdown()
        before = rays()
"""


@pytest.mark.integration
def test_the_environment_is_as_it_was_and_a_program_can_start_a_ray_of_its_own_next(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", OTHERS],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.integration
def test_what_ray_raises_at_its_start_is_one_sentence(monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", "/proc")
    with pytest.raises(ClusterError) as refused, local_ray(1, 0):
        raise AssertionError
    assert str(refused.value) == (
        "Ray cannot be started: /proc: No such file or directory; set RAY_TMPDIR to a writable directory."
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))", "`ulimit -n`) must be at least 64, but is 40."),
        ("resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))", "but is 2.0 GiB."),
        (
            "os.environ['RAY_GCS_SERVER_PORT'] = str(taken.getsockname()[1])",
            "cannot be used (Address already in use).",
        ),
        ("os.environ['RAY_GCS_SERVER_PORT'] = '70000'", "port 70000 of RAY_GCS_SERVER_PORT cannot be used"),
        ("os.environ['RAY_OVERRIDE_RESOURCES'] = '{'", "JSONDecodeError: Expecting property name"),
    ],
)
def test_where_ray_cannot_come_up_it_is_said_at_once_and_nothing_is_left(before, words):
    code = f"""
import os, resource, socket
import psutil
from cluster import ClusterError, local_ray
taken = socket.socket()
taken.bind(("", 0))
taken.listen()
{before}
try:
    with local_ray(1, 0):
        pass
except ClusterError as error:
    print(error)
assert not [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = done.stdout.splitlines()
    assert said.startswith("Ray cannot be started: ")
    assert words in said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("Attempting to cap object store\n memory"), "Attempting to cap object store memory."),
        (RuntimeError(""), "RuntimeError."),
        (Exception("The current node timed out during startup. This"), _TIMED_OUT + "."),
        (OSError(24, "Too many open files"), "[Errno 24] Too many open files."),
    ],
)
def test_errors_of_all_kinds_fit_a_line(error, words):
    assert describe(error) == words
