"""`run_study` in programs: silent where that is wished, and the process is afterwards as it was."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

START = """
import asyncio, os, signal, sys, threading, time
from pathlib import Path
import psutil
from tuning import load_study, run_study

def hear(*_):
    heard.append(1)

heard, results = [], []
signal.signal(signal.SIGTERM, hear)
handlers = {number: signal.getsignal(number) for number in signal.Signals if number not in (9, 19)}

def search(name):
    results.append(len(run_study(load_study(Path("study.yaml"), [f"name={name}"]), progress=False).front))

def threaded(*names):
    threads = [threading.Thread(target=search, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def check_left_as_it_was():
    import ray
    assert not ray.is_initialized()
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    before = len(heard)
    os.kill(os.getpid(), signal.SIGTERM)
    assert len(heard) == before + 1
    left = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert psutil.wait_procs(left, 30)[1] == []
"""
PLACES = {
    "in a thread, then in the main one": """
threaded("a")
check_left_as_it_was()
search("b")
check_left_as_it_was()
""",
    "three times in a row": """
for name in "abc":
    search(name)
    check_left_as_it_was()
""",
    "in a running loop": """
async def main():
    search("a")
    await asyncio.to_thread(search, "b")
asyncio.run(main())
check_left_as_it_was()
""",
    "two at once": """
from tuning.driver.run import SearchUnderWayError
refused = []
def try_search(name):
    try:
        search(name)
    except SearchUnderWayError as error:
        refused.append(str(error))
threads = [threading.Thread(target=try_search, args=(name,)) for name in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(results) == 1 and len(refused) == 1, (results, refused)
assert "Another search is running in this process" in refused[0]
check_left_as_it_was()
""",
    "on the program's own Ray": """
import ray
ray.init(num_cpus=2, namespace="mine", log_to_driver=False, logging_level="ERROR", include_dashboard=False)
signal.signal(signal.SIGTERM, hear)
class Kept:
    def answer(self):
        return 7
kept = ray.remote(num_cpus=0)(Kept).options(name="kept").remote()
before = ray.available_resources()
threaded("a")
threaded("b")
search("c")
assert ray.is_initialized() and ray.get_runtime_context().namespace == "mine"
assert ray.get(ray.get_actor("kept").answer.remote()) == 7
deadline = time.monotonic() + 60
while ray.available_resources().get("CPU") != before["CPU"]:
    assert time.monotonic() < deadline
    time.sleep(0.2)
ray.shutdown()
""",
}
QUICK = ("two at once",)  # a single search, in a thread


@pytest.mark.parametrize(
    "where", [where if where in QUICK else pytest.param(where, marks=pytest.mark.slow) for where in PLACES]
)
def test_a_silent_search_prints_nothing_and_leaves_nothing(make_workplace, where):
    place = make_workplace(n_trials=2, fixed={"epochs": 1}, published=[], confirm_seeds=1, tracking_uri="none")
    done = subprocess.run(
        [sys.executable, "-c", START + PLACES[where] + "\nprint(len(results))"],
        cwd=place.folder,
        env={**place.environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().isdigit(), "nothing but the figure of the program"
