"""Records real unlearnings for the simulator: `python benchmarks/record_curves.py`, about 10 minutes on 2 cores.

Every configuration is run with the same ten seeds on the digits, and its validation figures are kept after every
epoch. Nothing is stopped early and nothing is synthetic.
"""

import argparse
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.progress import track

import antisample
from antisample.device import choose_device, describe_device
from antisample.errors import AntisampleError
from antisample.inputs import UnlearnInputs, load_inputs
from antisample.unlearning import unlearn
from tuning.config.loading import parse_study
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import distributions

CURVES = Path(__file__).parent / "data" / "curves.parquet"
METRICS = ("validation/forget_accuracy", "validation/retain_accuracy", "validation/forget_confidence")


def study_config() -> StudyConfig:
    """The task that the curves were recorded on."""
    return parse_study(
        {
            "name": "curves",
            "runs_dir": "runs",
            "memory": "none",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 15, "batch_size": 64}},
            "forget": {"classes": [3]},
            "published": ["ResNet9/mnist/100"],
            "replicates": 10,
            "evaluation": {"final": []},
        }
    )


def configurations(n: int, seed: int) -> list[dict[str, Any]]:
    """The published set, then draws from the space as the sampler `random` makes them."""
    config = study_config()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    drawn = [study.ask(distributions(TrialPlan.of(config).space)).params for _ in range(n - 1)]
    return [TrialPlan.of(config).starting_points[0][1], *drawn]


@cache
def _inputs() -> UnlearnInputs:
    torch.set_num_threads(1)
    config = TrialPlan.of(study_config()).starting_config()
    inputs = load_inputs(config)
    list(unlearn(config, inputs))  # the first one in a process takes seconds longer
    return inputs


def _record(number: int, params: dict[str, Any]) -> list[dict[str, Any]]:
    config, inputs, rows = study_config(), _inputs(), []
    for replicate, seed in enumerate(TrialPlan.of(config).trial_seeds):
        try:
            for report in unlearn(TrialPlan.of(config).unlearn_config(params, seed), inputs):
                figures = {name: report.metrics.values[name] for name in METRICS}
                place = {"configuration": number, "replicate": replicate, "epoch": report.step}
                rows.append({**place, "last": report.last, "elapsed_s": report.elapsed_s, **figures})
        except AntisampleError:
            continue  # a replicate that diverges has no curve
    return rows


def main() -> None:
    """Records and writes the curves, with the environment in the file's metadata."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=CURVES)
    arguments = parser.parse_args()
    wanted = configurations(arguments.configurations, arguments.seed)
    _inputs()  # trains the original once, before the workers look for it
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        recorded = list(track(pool.map(_record, range(len(wanted)), wanted), total=len(wanted)))
    rows = [row for part in recorded for row in part]
    original = _inputs().original
    about = {
        "parameters": json.dumps(wanted),
        "command": f"python benchmarks/record_curves.py --configurations {len(wanted)} --seed {arguments.seed}",
        "device": f"{describe_device(choose_device('cpu'))}, {platform.processor() or platform.machine()}",
        "versions": json.dumps({"antisample": antisample.__version__, "torch": torch.__version__}),
        "original": original.fingerprint,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(about), arguments.out, compression="zstd")
    print(f"{len(rows)} epochs of {len(wanted)} configurations in {arguments.out}")


if __name__ == "__main__":
    main()
