"""What processes of a search read and hold: data is read once, and mapped from Ray's object store by every worker.

Runs the same study with few and with more trials and looks at /proc of its driver and workers until they end:

    python benchmarks/bench_data.py --data ../shared/data/cifar10 --out benchmarks/records/data.json

A worker that read the data in every trial would map the cached file of it, which is counted by itself, or read the
size of the data more for every trial more.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml
from surroundings import surroundings

PROGRAM = Path(sys.executable).with_name("antisample")


@dataclass
class Use:
    """What a process has read and held, in MB.

    Attributes:
        read: Bytes that it asked the kernel for with read calls, from files and pipes.
        from_disk: Bytes that were fetched from a disk for it, mapped files included.
        own: The most memory of its own.
        shared: The most memory that it mapped from shared memory, such as Ray's object store.
        cache: The most memory that it mapped from files of decoded data.
    """

    read: float = 0
    from_disk: float = 0
    own: float = 0
    shared: float = 0
    cache: float = 0

    def look(self, process: psutil.Process) -> None:
        """Takes the counters of a process while it lives."""
        with contextlib.suppress(psutil.Error, OSError, KeyError):
            io = process.io_counters()
            status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
            self.read, self.from_disk = io.read_chars / 1e6, io.read_bytes / 1e6
            self.own = max(self.own, int(status["RssAnon"].split()[0]) * 1024 / 1e6)
            self.shared = max(self.shared, int(status["RssShmem"].split()[0]) * 1024 / 1e6)
            mapped = sum(place.rss for place in process.memory_maps() if place.path.endswith(".arrow"))
            self.cache = max(self.cache, mapped / 1e6)


def observed(folder: Path, study: dict[str, Any]) -> dict[str, Any]:
    """Runs a study to its end.

    Args:
        folder: Where it runs; its cache is kept for the next one.
        study: As in a YAML file.

    Returns:
        `driver`, and `workers` by process id, as `Use`; seconds.

    Raises:
        RuntimeError: If it fails.
    """
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    started, driver, workers = time.monotonic(), Use(), dict[int, Use]()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([PROGRAM, "run", "study.yaml"], cwd=folder, stdout=log, stderr=log)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                here = psutil.Process(process.pid)
                driver.look(here)
                for child in here.children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        command = " ".join(child.cmdline())
                        if command.startswith("ray::") and "Trainable" in command:
                            workers.setdefault(child.pid, Use()).look(child)
            time.sleep(0.1)
    if process.returncode:
        raise RuntimeError((folder / "log").read_text()[-2000:])
    return {
        "trials": study["n_trials"],
        "seconds": time.monotonic() - started,
        "driver": asdict(driver),
        "workers": [asdict(use) for use in workers.values()],
    }


def compared(folder: Path, study: dict[str, Any], few: int, more: int) -> dict[str, Any]:
    """Observes a study of few trials and one of more; the cache is filled before.

    Returns:
        Both observations, the size of the data in MB, and `read_per_trial`: MB that the workers together read more
        for each trial more.
    """
    study = {
        **study,
        "tracking_uri": "none",
        "memory": "none",
        "confirm_seeds": 0,
        "sampler": "random",
        "published": [],
    }
    observed(folder, {**study, "name": "warm", "n_trials": 1})
    runs = [observed(folder, {**study, "name": f"trials-{n}", "n_trials": n}) for n in (few, more)]
    total = [sum(use["read"] for use in run["workers"]) for run in runs]
    data = (folder / study["data"]["cache_dir"]).glob("*.arrow")
    return {
        "data": sum(path.stat().st_size for path in data) / 1e6,
        "read_per_trial": (total[1] - total[0]) / (more - few),
        "runs": runs,
    }


def main() -> None:
    """Compares 2 and 10 trials on one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="a registered data set or the path of a folder")
    parser.add_argument("--model", default="SmallCNN")
    parser.add_argument("--checkpoint", type=Path, help="its weights; trained for one epoch without")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="where the record goes")
    arguments = parser.parse_args()
    data = arguments.data if arguments.data == "digits" else str(Path(arguments.data).resolve())
    model: dict[str, Any] = {"name": arguments.model, "recipe": {"epochs": 1}}
    if arguments.checkpoint is not None:
        model["checkpoint"] = str(arguments.checkpoint.resolve())
    study = {
        "data": {"source": data, "cache_dir": "cache"},
        "model": model,
        "forget": {"classes": [3]},
        "fixed": {"epochs": 1, "retain_fraction": 0.02},
        "evaluation": {"max_train_images": 1000},
        "resources": {"max_concurrent": arguments.workers},
    }
    with TemporaryDirectory() as folder:
        record = {"command": " ".join(["python", *sys.argv]), **surroundings()}
        record |= {"model": arguments.model, "unit": "MB", **compared(Path(folder), study, 2, 10)}
    text = json.dumps(record, indent=2)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
