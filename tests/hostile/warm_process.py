"""A process that has imported everything once and runs the command line in children of its own, one for each request.

It is a program: a request is a line of JSON on standard input, the answer a line on standard output. A child takes
milliseconds to start, has at most a gigabyte more than what it begins with, and is killed when its time is over.
"""

import atexit
import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

_GIGABYTE = 2**30
_IMPORTED = (
    "tuning.cli.program",
    "tuning.driver.run",
    "tuning.views.report",
    "tuning.views.mlflow",
    "matplotlib.pyplot",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "plotly.io",
    "pyarrow.parquet",
    "sklearn.datasets",
    "sklearn.svm",
    "sklearn.model_selection",
    "torchvision",
)


def main() -> None:
    """Answers requests until there are none."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for module in _IMPORTED:
        __import__(module)
    gc.collect()
    gc.freeze()  # what is not looked at is not copied
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
            _leave(_run(request["words"]))
        answers.write(json.dumps(_ended(child, request["timeout_s"])) + "\n")
        answers.flush()


def _become(request: dict) -> None:
    """Makes this process one that a user could have started: its streams, folder, environment, limits and rights."""
    os.setsid()
    for number, name in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        descriptor = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ |= request["environment"]
    limits = {resource.RLIMIT_DATA: _data_bytes() + _GIGABYTE, resource.RLIMIT_FSIZE: _GIGABYTE // 2}
    for name, most in limits.items():
        resource.setrlimit(name, (most, most))
    if request["user"] is not None and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])
    if request["read_only_from"] is not None:
        _turn_read_only(request["read_only_folder"], request["read_only_from"])


def _turn_read_only(folder: str, from_write: int) -> None:
    """Takes the right to write in a folder and below, just before something is written there for the n-th time."""
    writes = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal writes
        if event == "open":
            is_write = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            is_write = event in ("os.rename", "os.mkdir", "os.remove")
        if (
            not is_write
            or not isinstance(arguments[0], str)
            or not Path(arguments[0]).absolute().is_relative_to(folder)
        ):
            return
        writes += 1
        if writes == from_write:
            for path in [Path(folder), *Path(folder).iterdir()]:
                path.chmod(0o555 if path.is_dir() else 0o444)

    sys.addaudithook(watch)


def _run(words: list[str]) -> int:
    from tuning import cli  # noqa: PLC0415  (imported before, in the parent)

    sys.argv = ["antisample", *words]
    try:
        cli.main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """Ends as Python does, without the seconds in which it takes all modules apart."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(child: int, timeout_s: float) -> dict:
    """Waits for a child; whatever it has started is killed with it."""
    end, killed = time.monotonic() + timeout_s, False
    while True:
        number, status, usage = os.wait4(child, os.WNOHANG)
        if number:
            break
        if time.monotonic() > end:
            killed = True
            _kill(child)
        time.sleep(0.005)
    _kill(child)
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "timed_out": killed, "cpu_s": usage.ru_utime + usage.ru_stime, "mb": usage.ru_maxrss / 1024}


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _data_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))


if __name__ == "__main__":
    main()
