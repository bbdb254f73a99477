"""Ctrl-C with real signals: the first is left to whoever handles it, the second stops a process that is deaf."""

import signal
import subprocess
import sys

DEAF = """
import signal
import time
from tuning.interruption import second_ctrl_c_stops
signal.signal(signal.SIGINT, lambda *_: print("in order", flush=True))
with second_ctrl_c_stops("Stopped at once."):
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""


def test_a_second_ctrl_c_stops_a_process_that_is_deaf():
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "in order\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "Stopped at once.\n"


def test_one_ctrl_c_is_left_alone():
    code = "import signal, os\nfrom tuning.interruption import second_ctrl_c_stops\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background process ignores it
    code += "with second_ctrl_c_stops('no'):\n    os.kill(os.getpid(), signal.SIGINT)\n"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr
