"""Records real unlearnings of the digits for simulations: `python benchmarks/record_curves.py`, minutes to an hour.

Every configuration of the space that the published work searches is run with the same seeds, and its validation
figures are kept after every epoch. Nothing is stopped early and nothing is synthetic. `--model` and `--forget` name
another network and class, `--same-as FILE` takes the configurations of another recording, so that requests can be
compared. The file is written after every few configurations; run again, the command goes on where it was.
"""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
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
Row = dict[str, Any]


def study_config(model: str = "SmallCNN", forget: int = 3, replicates: int = 10) -> StudyConfig:
    """The task that curves are recorded on."""
    return parse_study(
        {
            "name": "curves",
            "runs_dir": "runs",
            "memory": "none",
            "space": "antisample-published",
            "data": {"source": "digits"},
            "model": {"name": model, "recipe": {"epochs": 15, "batch_size": 64}},
            "forget": {"classes": [forget]},
            "published": ["ResNet9/mnist/100"],
            "recipes": False,
            "replicates": replicates,
            "evaluation": {"final": []},
        }
    )


def configurations(n: int, seed: int) -> list[dict[str, Any]]:
    """The published set, then draws from the space as the sampler `random` makes them."""
    plan = TrialPlan.of(study_config())
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    drawn = [study.ask(distributions(plan.space)).params for _ in range(n - 1)]
    return [plan.starting_points[0][1], *drawn]


@cache
def _inputs(model: str, forget: int) -> UnlearnInputs:
    torch.set_num_threads(1)
    config = TrialPlan.of(study_config(model, forget)).starting_config()
    inputs = load_inputs(config)
    list(unlearn(config, inputs))  # the first one in a process takes seconds longer
    return inputs


def record(number: int, params: dict[str, Any], model: str, forget: int, replicates: int) -> list[Row]:
    """One row an epoch of every replicate of a configuration."""
    plan, inputs, rows = TrialPlan.of(study_config(model, forget, replicates)), _inputs(model, forget), []
    for replicate, seed in enumerate(plan.trial_seeds):
        try:
            for report in unlearn(plan.unlearn_config(params, seed), inputs):
                figures = {name: report.metrics.values[name] for name in METRICS}
                place = {"configuration": number, "replicate": replicate, "epoch": report.step}
                rows.append({**place, "last": report.last, "elapsed_s": report.elapsed_s, **figures})
        except AntisampleError:
            continue  # a replicate that diverges has no curve
    return rows


def recorded_rows(path: Path, about: dict[str, str]) -> list[Row]:
    """The rows of a recording that was begun.

    Raises:
        ValueError: If the file is a recording of something else.
    """
    if not path.exists():
        return []
    table = pq.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    different = [name for name, value in about.items() if metadata.get(name) != value]
    if different:
        raise ValueError(f"{path.name} records something else ({', '.join(different)} differ); name another file.")
    rows: list[Row] = table.to_pylist()
    return rows


def write(path: Path, rows: Sequence[Row], about: dict[str, str]) -> None:
    """Writes all rows, in order, in place of what was there."""
    ordered = sorted(rows, key=lambda row: (row["configuration"], row["replicate"], row["epoch"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_file = path.with_suffix(".partial")
    pq.write_table(pa.Table.from_pylist(ordered).replace_schema_metadata(about), partial_file, compression="zstd")
    partial_file.replace(path)


def main() -> None:
    """Records and writes the curves, with the environment in the file's metadata."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=240)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--model", default="SmallCNN")
    parser.add_argument("--forget", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--same-as", type=Path, help="a recording whose configurations are taken")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=CURVES)
    arguments = parser.parse_args()
    if arguments.same_as is not None:
        metadata = pq.read_schema(arguments.same_as).metadata
        wanted = json.loads(metadata[b"parameters"])[: arguments.configurations]
    else:
        wanted = configurations(arguments.configurations, arguments.seed)
    model, forget = arguments.model, arguments.forget
    original = _inputs(model, forget).original  # trained once, before the workers look for it
    about = {
        "parameters": json.dumps(wanted),
        "model": model,
        "classes": json.dumps([forget]),
        "device": f"{describe_device(choose_device('cpu'))}, {platform.processor() or platform.machine()}",
        "versions": json.dumps({"antisample": antisample.__version__, "torch": torch.__version__}),
        "original": original.fingerprint,
    }
    rows = recorded_rows(arguments.out, about)
    done = {row["configuration"] for row in rows}
    missing = [number for number in range(len(wanted)) if number not in done]
    one = partial(record, model=model, forget=forget, replicates=arguments.replicates)
    with ProcessPoolExecutor(arguments.processes) as pool:
        results = pool.map(one, missing, [wanted[number] for number in missing])
        for n, part in enumerate(track(results, total=len(missing)), 1):
            rows += part
            if n % 4 == 0 or n == len(missing):
                write(arguments.out, rows, about)
    print(f"{len(rows)} epochs of {len(wanted)} configurations in {arguments.out.name}")


if __name__ == "__main__":
    main()
