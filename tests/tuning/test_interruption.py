"""Ctrl-C and SIGTERM with real signals: the first ends in order, what is deaf or too slow is stopped at once."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.integration

START = """
import signal
import time
from tuning.interruption import exit_code, second_signal_stops, sigterm_like_ctrl_c
"""
DEAF = (
    START
    + """
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: print(number, flush=True))
with second_signal_stops("Stopped immediately."):
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""
)
SLOW = (
    START
    + """
signal.signal(signal.SIGTERM, lambda *_: None)
with second_signal_stops("no", lambda: print("last words"), lambda: print("stopping", flush=True)):
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""
)
STOPPED = (
    START
    + """
signal.signal(signal.SIGINT, signal.{on_ctrl_c})
with sigterm_like_ctrl_c():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        raise SystemExit(exit_code())
"""
)


def started(code):
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGINT, signal.SIGTERM, 143),
        (signal.SIGTERM, signal.SIGINT, 143),
        (signal.SIGTERM, signal.SIGTERM, 143),
    ],
)
def test_a_second_signal_stops_a_process_that_is_deaf(first, second, code):
    with started(DEAF) as process:
        process.send_signal(first)
        assert process.stdout.readline() == f"{int(first)}\n"
        if second == signal.SIGTERM:
            time.sleep(1.2)  # see `test_sigterm_to_a_process_and_its_group_is_one`
        process.send_signal(second)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err == "Stopped immediately.\n"


def test_sigterm_to_a_process_and_its_group_is_one():
    """`timeout` and Slurm send it so."""
    with started(DEAF) as process:
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == f"{int(signal.SIGTERM)}\n"
        assert process.poll() is None
        process.kill()


def test_an_end_that_takes_too_long_has_its_last_words():
    with started(SLOW) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (143, "last words\n", "")


def test_last_words_come_before_an_end_that_takes_a_little_longer():
    code = f"{START}signal.signal(signal.SIGTERM, lambda *_: None)\n"
    code += "with second_signal_stops('no', lambda: print('last words', flush=True)):\n"
    code += "    print('ready', flush=True)\n    time.sleep(2.5)\n"
    code += "print('in order', flush=True)\n"
    with started(code) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "last words\nin order\n", "")


@pytest.mark.parametrize("on_ctrl_c", ["default_int_handler", "SIG_IGN"])  # ignored: started in the background
def test_sigterm_does_what_ctrl_c_does_with_its_own_exit_code(on_ctrl_c):
    with started(STOPPED.format(on_ctrl_c=on_ctrl_c)) as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143


def test_one_ctrl_c_is_left_alone():
    code = "import signal, os\nfrom tuning.interruption import second_signal_stops\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background process ignores it
    code += "with second_signal_stops('no'):\n    os.kill(os.getpid(), signal.SIGINT)\n"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr


TURNS = {
    "into an error": "raise AttributeError('half imported') from None",
    "into nothing": "time.sleep(60)",
    "into a refusal": "raise __import__('antisample.errors').errors.ConfigError('half imported')",
}


@pytest.mark.parametrize(
    ("number", "turned"),
    [
        pytest.param(signal.SIGTERM, "into an error", marks=pytest.mark.slow),
        (signal.SIGTERM, "into nothing"),
        pytest.param(signal.SIGINT, "into a refusal", marks=pytest.mark.slow),
    ],
)
def test_a_signal_that_a_library_turns_into_something_else_ends_the_program(tmp_path, number, turned):
    """NumPy, SymPy and Torch do so while they are imported."""
    code = "import time\nopen('ready', 'w').close()\ntry:\n    time.sleep(60)\nexcept BaseException:\n    "
    (tmp_path / "turning.py").write_text(f"{code}{TURNS[turned]}\n")
    main = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from tuning.cli import main; main()"
    )
    words = ["unlearn", "--model", "turning:build", "--data", "digits", "--forget", "3", "--out", "out"]
    with subprocess.Popen(
        [sys.executable, "-c", main, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (tmp_path / "ready").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + number, "Stopped.\n")
    assert not (tmp_path / "out").exists()
