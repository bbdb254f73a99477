"""How many trials an hour one device runs when several share it: `python benchmarks/bench_packing.py --data FOLDER`.

For each number of processes, all load the data and run one trial unmeasured; then each runs its trials, all at once,
on one GPU or on equal parts of the CPU's cores. A trial is what a worker does without Ray: anti-samples, five epochs,
evaluation. The record holds trials an hour and, on a GPU, the memory of all together.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from surroundings import surroundings

from antisample.config import UnlearnConfig
from antisample.device import choose_device
from antisample.inputs import load_inputs
from antisample.unlearning import unlearn

RECORDS = Path(__file__).parent / "records"
EPOCHS, FORGET = 5, 3


def config(arguments: argparse.Namespace, seed: int) -> UnlearnConfig:
    """A trial with the default hyperparameters."""
    return UnlearnConfig.parse(
        {
            "data": {"source": arguments.data, "cache_dir": "runs/cache"},
            "model": {"name": arguments.model, "checkpoint": arguments.checkpoint, "recipe": {"epochs": 1}},
            "forget": {"classes": [FORGET]},
            "method": {"name": "antisample", "epochs": EPOCHS, "retain_fraction": arguments.retain},
            "seed": seed,
            "device": arguments.device,
            "precision": arguments.precision,
            "evaluation": {"final": []},
        }
    )


def work(arguments: argparse.Namespace) -> None:
    """One process: a trial unmeasured, a word that it is ready, and the trials at a word."""
    torch.set_num_threads(arguments.threads)
    inputs = load_inputs(config(arguments, 0))
    list(unlearn(config(arguments, 0), inputs))
    print("ready", flush=True)
    sys.stdin.readline()
    for seed in range(arguments.trials):
        list(unlearn(config(arguments, seed), inputs))
    print("done", flush=True)
    sys.stdin.readline()


def share(arguments: argparse.Namespace, count: int) -> dict[str, Any]:
    """Lets so many processes run their trials at once.

    Raises:
        RuntimeError: If one of them fails.
    """
    threads = max(1, len(os.sched_getaffinity(0)) // count)
    command = [sys.executable, __file__, *sys.argv[1:], "--worker", "--threads", str(threads)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(count)
        ]
        _hear(processes, "ready")
        started = time.perf_counter()
        _say_go(processes)
        _hear(processes, "done")
        elapsed = time.perf_counter() - started
        found = {"processes": count, "trials_per_hour": 3600 * count * arguments.trials / elapsed}
        if choose_device(arguments.device).type == "cuda":
            free, total = torch.cuda.mem_get_info()
            found["memory_mib"] = (total - free) / 2**20
        _say_go(processes)
    return found


def _hear(processes: list["subprocess.Popen[str]"], word: str) -> None:
    for process in processes:
        if process.stdout is None or process.stdout.readline().strip() != word:
            for other in processes:
                other.kill()
            raise RuntimeError(f"One of {len(processes)} processes ended before it was {word}.")


def _say_go(processes: list["subprocess.Popen[str]"]) -> None:
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()


def main() -> None:
    """Measures every number of processes and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="ResNet18")
    parser.add_argument("--checkpoint", help="of the original model; without one it is trained for an epoch, once")
    parser.add_argument("--retain", type=float, default=0.3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--counts", default="1,2,4,8")
    parser.add_argument("--trials", type=int, default=4, help="of each process")
    parser.add_argument("--name", default="packing")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments)
        return
    console = Console()
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings(), "shared": []}
    for count in map(int, arguments.counts.split(",")):
        record["shared"].append(share(arguments, count))
        console.print(record["shared"][-1])
        RECORDS.mkdir(exist_ok=True)
        (RECORDS / f"{arguments.name}.json").write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
