"""How many threads of a search want a core at the same moment.

`python benchmarks/bench_threads.py` runs the demo's study without tracking, and looks ten times a second at every
thread of the command and of all processes it has started: what they are called and which of them are running or
waiting for a core. The record counts them while trials run, by process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
from rich.console import Console
from surroundings import surroundings

RECORD = Path(__file__).parent / "records" / "threads.json"


def runnable(process: psutil.Process) -> int:
    """Threads of a process that run or wait for a core."""
    count = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        try:
            state = (task / "stat").read_text().rsplit(") ", 1)[1][0]
        except OSError:
            continue  # it has just ended
        count += state == "R"
    return count


def kind(process: psutil.Process) -> str:
    """`worker`, `driver` or `Ray itself`."""
    name = " ".join(process.cmdline())
    if name.startswith("ray::"):
        return "worker"
    return "driver" if "antisample run" in name or name.endswith("antisample") else "Ray itself"


def watch(arguments: argparse.Namespace, folder: Path) -> list[Counter[str]]:
    """Runs the study and looks at its threads from its first trial's start to its end."""
    command = [str(Path(sys.executable).with_name("antisample")), "run", str(arguments.study), "--quiet"]
    settings = [f"runs_dir={folder}", f"n_trials={arguments.trials}", "tracking_uri=none", "confirm_seeds=0"]
    command += [part for setting in settings for part in ("--set", setting)]
    seen: list[Counter[str]] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        driver = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                everyone = [driver, *driver.children(recursive=True)]
                counts = Counter({"driver": 0, "worker": 0, "Ray itself": 0})
                training = 0
                for one in everyone:
                    label = kind(one)
                    counts[label] += runnable(one)
                    training += label == "worker" and "Trainable" in " ".join(one.cmdline())
            except (psutil.Error, FileNotFoundError):
                continue  # a process has just ended
            if training:
                seen.append(counts)
            time.sleep(0.1)
        if process.returncode:
            raise RuntimeError(process.stderr.read() if process.stderr else "")
    return seen


def main() -> None:
    """Runs the study, prints the counts and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path("studies/demo.yaml"))
    parser.add_argument("--trials", type=int, default=24)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        seen = watch(arguments, Path(name))
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings(), "looks": len(seen)}
    for label in ("worker", "driver", "Ray itself"):
        values = [counts[label] for counts in seen]
        record[label] = {"mean": fmean(values), "histogram": dict(sorted(Counter(values).items()))}
    console, cores = Console(), len(os.sched_getaffinity(0))
    over = fmean(counts["worker"] > cores for counts in seen)
    record["share_of_looks_with_more_worker_threads_than_cores"] = over
    console.print(record)
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
