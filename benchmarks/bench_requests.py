"""Requests one after another on the digits, each from the model of the one before: figures after each.

`python benchmarks/bench_requests.py` forgets nine digits of ten, one after another, and, in a second series, ten
times 20 images drawn from all digits. After each request it also forgets everything so far at once, from the original
model, and trains a network without it. The settings are the same throughout and were not searched. Writes
records/requests.json.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from surroundings import surroundings

from antisample.config import UnlearnConfig
from antisample.export.card import UnlearningCard
from antisample.export.chain import begun_after
from antisample.inputs import UnlearnInputs, load_inputs
from antisample.seeds import numpy_stream
from antisample.storage.atomic import atomic_write
from antisample.unlearning import evaluate_references, unlearn
from tuning.apply import Provenance, apply_config
from tuning.views.terminal.progress import Progress

RECORD = Path(__file__).parent / "records" / "requests.json"
METHOD = {"name": "finetune", "epochs": 5, "reinitialise": 1, "distillation": 0.5}
FIGURES = (
    "forget_accuracy",
    "forget_gap",
    "retain_accuracy",
    "probe_left",
    "probe_few",
    "mia_loss",
    "earlier_forget_accuracy",
    "earlier_excess",
    "earlier_probe",
    "earlier_probe_excess",
)


def requests(kind: str, count: int, inputs: UnlearnInputs) -> list[dict[str, Any]]:
    """The requests of a series: classes in an order of chance, or disjoint draws of training images."""
    if kind == "classes":
        return [{"classes": [str(label)]} for label in numpy_stream(0, "requests").permutation(10)[:count]]
    seen = np.sort(np.concatenate([inputs.splits.forget, inputs.splits.retain]))
    drawn = numpy_stream(0, "requests").permutation(seen)[: 20 * count]
    return [{"samples": [int(place) for place in part]} for part in np.split(drawn, count)]


def together(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """All of them as one request."""
    (key,) = asked[0]
    return {key: [each for request in asked for each in request[key]]}


def figures(values: dict[str, float]) -> dict[str, float]:
    """Those of the test split, and the limits of the validation split, which decide."""
    chosen = {name: values[f"test/{name}"] for name in FIGURES if f"test/{name}" in values}
    limits = ("earlier_excess", "earlier_probe_excess")
    return chosen | {
        f"validation {name}": values[f"validation/{name}"] for name in limits if f"validation/{name}" in values
    }


def in_a_row(values: dict[str, Any], card: Path | None, out: Path) -> tuple[UnlearningCard, dict[str, float]]:
    """One request, from the model of the card of the one before."""
    stated = values if card is None else {**values, "after": str(card)}
    made = apply_config(
        UnlearnConfig.parse(begun_after(stated)), out, Progress(quiet=True), Provenance("", {"origin": "by hand"})
    )
    return made, figures({metric.name: metric.unlearned for metric in made.metrics})


def at_once(values: dict[str, Any]) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Everything so far from the original model, and a network that never saw it; with the seconds of both."""
    config = UnlearnConfig.parse({**values, "evaluation": {"final": [*values["evaluation"]["final"], "retrained"]}})
    inputs = load_inputs(config)
    *_, last = unlearn(config, inputs)
    reference = inputs.reference
    seconds = {"unlearning": last.elapsed_s, "retraining": reference.elapsed_s if reference is not None else 0.0}
    return figures(last.metrics.values), figures(evaluate_references(inputs, config)[0].values), seconds


def series(kind: str, count: int, folder: Path) -> list[dict[str, Any]]:
    """All requests of a kind, and what they are compared with."""
    families = ["probe", "mask"] if kind == "classes" else ["membership"]
    base = {
        "data": {"source": "digits", "cache_dir": str(folder / "cache")},
        "model": {"name": "SmallCNN"},
        "method": METHOD,
        "device": "cpu",
        "evaluation": {"final": families},
    }
    first = load_inputs(UnlearnConfig.parse({**base, "forget": {"classes": ["0"]}, "evaluation": {"final": []}}))
    asked = requests(kind, count, first)
    rows, card = [], None
    for place, request in enumerate(asked, start=1):
        out = folder / f"{kind}-{place}"
        made, row = in_a_row({**base, "forget": request}, card, out)
        card = out / "card.json"
        once, retrained, seconds = at_once({**base, "forget": together(asked[:place])})
        named = request if kind == "classes" else {"samples": len(request["samples"])}
        rows.append(
            {
                "request": named,
                "in a row": row,
                "at once": once,
                "retrained": retrained,
                "seconds": {"in a row": made.time.unlearning_s, "at once": seconds["unlearning"]}
                | {"retrained": seconds["retraining"]},
            }
        )
        print(kind, place, json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--classes", type=int, default=9)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RECORD)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        record: dict[str, Any] = {
            "surroundings": surroundings(),
            "method": METHOD,
            "classes": series("classes", arguments.classes, Path(folder)),
            "samples": series("samples", arguments.samples, Path(folder)),
        }
    record["seconds"] = time.perf_counter() - started
    with atomic_write(arguments.out) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
