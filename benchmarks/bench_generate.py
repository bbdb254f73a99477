"""Anti-sample generation against a plain NumPy and scikit-learn rendition of the published procedure.

`python benchmarks/bench_generate.py --data FOLDER` takes CIFAR-10 from Parquet files, or random pixels without
`--data`. Each contestant runs in a process of its own, in turn and several times; the record tells seconds of each
part, peak memory, and whether the neighbours are the same.

- `ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI` measures what a processor without AMX would do.
- `--device cuda` runs ours on a GPU, and the record tells how near its search for neighbours comes to the speed of a
  large matrix product in the same precision.
- `--growth` adds how ours grows with each size and with the number of forget classes; `--growth --repeats 0 --name
  generate-growth` measures nothing else, and `plot_growth.py` draws it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from scipy.special import softmax
from sklearn.metrics.pairwise import euclidean_distances
from surroundings import surroundings

from antisample.data.loader import Normaliser
from antisample.datasets import load_dataset
from antisample.generation.anti_samples import convex_combinations, draw_anti_samples
from antisample.generation.neighbours import farthest_neighbours
from antisample.types import Preprocessing

RECORDS = Path(__file__).parent / "records"
K, P, VARIANCE, EPS = 20, 0.95, 1.0, 0.01
PREPROCESSING = Preprocessing((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))
Pixels = npt.NDArray[np.uint8]


def plain(forget: Pixels, retain: Pixels, count: int, folder: Path) -> dict[str, float]:
    """The published procedure as one writes it with NumPy and scikit-learn; leaves neighbours and samples."""
    rng = np.random.default_rng(0)
    mean, std = (np.array(v).reshape(1, -1, 1, 1) for v in (PREPROCESSING.mean, PREPROCESSING.std))
    u, r = ((images / 255 - mean) / std for images in (forget, retain))
    u, r = u.reshape(len(u), -1), r.reshape(len(r), -1)
    started = time.perf_counter()
    distances = euclidean_distances(u, r)
    measured = time.perf_counter()
    order = np.argsort(distances, axis=1)
    sorted_at = time.perf_counter()
    neighbours = order[:, ::-1][:, :K]
    f = r[neighbours[np.arange(len(u)), rng.integers(K, size=len(u))]]
    noise = rng.normal(size=u.shape) * (np.abs(u - f) + EPS) * VARIANCE
    draws = np.where(rng.random(u.shape) < P, f + noise, f)
    samples = softmax(rng.normal(size=(count, len(draws))), axis=1) @ draws
    ended = time.perf_counter()
    _leave(folder, neighbours, samples)
    return {
        "distances": measured - started,
        "ranking": sorted_at - measured,
        "samples": ended - sorted_at,
        "total": ended - started,
    }


def ours(forget: Pixels, retain: Pixels, count: int, folder: Path, device: torch.device) -> dict[str, float]:
    """What a trial does the first time; `samples` is all that later trials of a study do."""
    normalise = Normaliser(PREPROCESSING, device)
    u, r = (torch.from_numpy(images).to(device) for images in (forget, retain))
    started = _now(device)
    neighbours = farthest_neighbours(u, r, K, normalise.scale)
    found = _now(device)
    generator = torch.Generator(device).manual_seed(0)
    draws = draw_anti_samples(
        u,
        r,
        neighbours,
        local_variance=VARIANCE,
        size_multiplier=1,
        p=P,
        eps=EPS,
        normalise=normalise,
        generator=generator,
    )
    samples = convex_combinations(draws, count, 1.0, generator)
    ended = _now(device)
    _leave(folder, neighbours.cpu().numpy(), samples.cpu().numpy())
    return {"neighbours": found - started, "samples": ended - found, "total": ended - started}


CONTESTANTS = ("plain", "ours")


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def product_peaks(device: torch.device) -> dict[str, float]:
    """GFLOP/s of a product of two 8,192 x 8,192 matrices on a GPU, best of ten: as for neighbours, and in TF32."""
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    peaks = {}
    for name, dtype in (("float16", torch.float16), ("tf32", torch.float32)):
        a, b = (torch.randn(8192, 8192, device=device, dtype=dtype) for _ in range(2))
        best = float("inf")
        for _ in range(10):
            started = _now(device)
            a @ b
            best = min(best, _now(device) - started)
        peaks[name] = 2 * 8192**3 / best / 1e9
    return peaks


def images(data: Path | None, n: int, m: int, size: int, classes: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Forget images of each class, [n, 3, size, size], with the retain images, [m, 3, size, size].

    The classes are the first from 3 on; without data, images are random.
    """
    if data is None:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, 256, (classes * n + m, 3, size, size), dtype=np.uint8)
        yield from ((drawn[label * n : (label + 1) * n], drawn[classes * n :]) for label in range(classes))
        return
    train = load_dataset(str(data), cache_dir=Path("runs/cache"), image_size=None if size == 32 else size).train
    forgotten = range(3, 3 + classes)
    retain = train.images[~np.isin(train.labels, forgotten)][:m]
    yield from ((train.images[train.labels == label][:n], retain) for label in forgotten)


def run(name: str, arguments: argparse.Namespace, folder: Path, **sizes: int) -> dict[str, float]:
    """A contestant in a process of its own: seconds by part, and `peak_mib` of the whole process."""
    command = [sys.executable, __file__, "--contestant", name, "--folder", str(folder)]
    command += ["--device", arguments.device]
    command += ["--data", str(arguments.data)] if arguments.data else []
    for size in ("n", "m", "size", "classes"):
        command += [f"--{size}", str(sizes.get(size, getattr(arguments, size)))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(folder: Path) -> dict[str, Any]:
    """Whether both found the same neighbours, and the moments of what they drew."""
    found = {name: np.load(folder / f"{name}.npz") for name in CONTESTANTS}
    same = float((found["plain"]["neighbours"] == found["ours"]["neighbours"]).mean())
    return {
        "same_neighbours": same,
        "mean": {name: float(f["samples"].mean()) for name, f in found.items()},
        "spread_between_samples": {name: float(f["samples"].std(axis=0).mean()) for name, f in found.items()},
    }


def main() -> None:
    """Runs everything, prints it and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--m", type=int, default=45_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="0 leaves the comparison out")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--name", default="generate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--contestant", choices=CONTESTANTS)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.contestant:
        result: Counter[str] = Counter()
        pairs = images(arguments.data, arguments.n, arguments.m, arguments.size, arguments.classes)
        for forget, retain in pairs:
            if arguments.contestant == "plain":
                result.update(plain(forget, retain, len(forget), arguments.folder))
            else:
                device = torch.device(arguments.device)
                if device.type == "cuda":  # libraries start and memory is taken in a process's first run
                    ours(forget, retain, len(forget), arguments.folder, device)
                result.update(ours(forget, retain, len(forget), arguments.folder, device))
        print(json.dumps({**result, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    console = Console()
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs: dict[str, list[dict[str, float]]] = {contestant: [] for contestant in CONTESTANTS}
        for _ in range(arguments.repeats):
            for contestant, seen in runs.items():
                seen.append(run(contestant, arguments, folder))
                console.print(contestant, seen[-1])
        if arguments.repeats:
            record |= {"runs": runs, **compare(folder)}
            middle = {c: {key: median(r[key] for r in seen) for key in seen[0]} for c, seen in runs.items()}
            record["ratios"] = {
                "cold": middle["plain"]["total"] / middle["ours"]["total"],
                "cached": middle["plain"]["total"] / middle["ours"]["samples"],
                "memory": middle["ours"]["peak_mib"] / middle["plain"]["peak_mib"],
            }
            if arguments.device != "cpu":
                operations = 2 * arguments.n * arguments.m * 3 * arguments.size**2
                record["neighbours_gflops"] = operations / middle["ours"]["neighbours"] / 1e9
                record["product_gflops"] = product_peaks(torch.device(arguments.device))
        if arguments.growth:
            steps = {
                "n": (1250, 2500, 5000),
                "m": (11_250, 22_500, 45_000),
                "size": (16, 32, 64),
                "classes": (1, 2, 4),
            }
            record["growth"] = [
                {"what": what, "value": value, **run("ours", arguments, folder, **{what: value})}
                for what, values in steps.items()
                for value in values
            ]
    shown = (
        "ratios",
        "same_neighbours",
        "mean",
        "spread_between_samples",
        "neighbours_gflops",
        "product_gflops",
        "growth",
    )
    console.print({key: record[key] for key in shown if key in record})
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{arguments.name}.json").write_text(json.dumps(record, indent=1))


def _leave(folder: Path, neighbours: npt.NDArray[Any], samples: npt.NDArray[Any]) -> None:
    name = sys.argv[sys.argv.index("--contestant") + 1]
    np.savez(folder / f"{name}.npz", neighbours=neighbours, samples=samples)


if __name__ == "__main__":
    main()
