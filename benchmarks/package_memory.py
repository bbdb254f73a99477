"""Makes tuning/memory/packaged.parquet, with which a user who has no earlier studies begins.

`python benchmarks/package_memory.py --studies FOLDER` takes the recorded search for "cat" on CIFAR-10
(records/search-cifar10-class-3.parquet, the study studies/cifar10-resnet18-deep.yaml; see docs/results.md), whose
data and model lie in ../shared beside the checkout, and the studies in a folder; see docs/guides/memory.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from antisample.device import choose_device
from antisample.inputs import open_dataset, request_data
from antisample.models.pretrain import original_model
from tuning.config.loading import load_study
from tuning.config.trial_plan import TrialPlan
from tuning.memory.discovery import PACKAGED, earlier_studies
from tuning.memory.evidence import EarlierStudy, EarlierTrial, is_usable, kept, request_of, settled_values
from tuning.memory.files import write_memory

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "benchmarks" / "records"
STUDY = ROOT / "studies" / "cifar10-resnet18-deep.yaml"
FLOOR = 0.10
"""Below a mask's retain accuracy: the constraint that such a study begins with."""


def recorded_search(label: int = 3, **changes: object) -> EarlierStudy:
    """A recorded search on CIFAR-10 as its table has it.

    Args:
        label: Of the class that was forgotten; 3 is "cat".
        **changes: In the study file, such as where data and model lie.
    """
    config = load_study(STUDY, [f"{key}={value}" for key, value in changes.items()])
    plan = TrialPlan.of(config)
    first = plan.starting_config()
    data = request_data(first, open_dataset(config.data, config.split))
    device = choose_device(first.device)
    original = original_model(config.model, data.dataset, data.splits, config.data.cache_dir, device)
    rows: list[dict[str, Any]] = pq.read_table(RECORDS / f"search-cifar10-class-{label}.parquet").to_pylist()
    trials = [trial_of(row, plan) for row in rows if row["state"] == "COMPLETE"]
    request = request_of(config, {"model": original.fingerprint, "data": data.dataset.fingerprint}, [[label]])
    name = data.dataset.class_names[label]
    usable = tuple(trial for trial in trials if is_usable(trial))
    return EarlierStudy(f"cifar10-class-{label}", config.method, request, name, None, usable)


def trial_of(row: dict[str, Any], plan: TrialPlan) -> EarlierTrial:
    """A row of the table."""
    params = {n.removeprefix("params."): v for n, v in row.items() if n.startswith("params.") and v is not None}
    metrics = {n.removeprefix("metrics."): v for n, v in row.items() if n.startswith("metrics.") and v is not None}
    values = settled_values("antisample", plan.method_values(params))
    return EarlierTrial(row["number"], values, kept(metrics), {}, metrics["validation/mask_drop"] <= FLOOR)


def main() -> int:
    """Writes the file and prints what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=PACKAGED)
    arguments = parser.parse_args()
    earlier = earlier_studies(arguments.studies, "antisample")
    studies = [recorded_search(), *earlier.studies]
    names = ", ".join(study.name for study in studies)
    origin = f"benchmarks/package_memory.py: {names}; see docs/guides/memory.md"
    write_memory(studies, arguments.out, origin)
    for sentence in earlier.skipped:
        print(sentence)
    print(f"{arguments.out.stat().st_size} bytes: {origin}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
