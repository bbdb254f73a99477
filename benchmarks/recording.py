"""Recorded unlearnings of a request as numbers: coordinates of configurations, and figures of every replicate."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from search_spaces import ChoiceParameter, SearchSpace

Array = npt.NDArray[np.float64]
FORGET, RETAIN, CONFIDENCE = (
    f"validation/{name}" for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")
)
SECONDS = "elapsed_s"


@dataclass(frozen=True)
class Recording:
    """Configurations that were run, all with the same number of replicates.

    Attributes:
        name: Of the request.
        parameters: Of every configuration.
        figures: Replicates of configurations by metric, float64 of shape (configurations, replicates).
    """

    name: str
    parameters: list[dict[str, Any]]
    figures: Mapping[str, Array]

    @classmethod
    def of_curves(cls, path: Path, name: str) -> "Recording":
        """Reads a file of `record_curves.py`; configurations that lack a replicate are left out."""
        table = pq.read_table(path)
        parameters = json.loads(table.schema.metadata[b"parameters"])
        metrics = (FORGET, RETAIN, CONFIDENCE, SECONDS)
        ends: dict[int, list[list[float]]] = {}
        for row in table.to_pylist():
            if row["last"]:
                ends.setdefault(row["configuration"], []).append([row[metric] for metric in metrics])
        most = max(map(len, ends.values()))
        whole = sorted(number for number, rows in ends.items() if len(rows) == most)
        figures = np.array([ends[number] for number in whole])
        return cls(
            name, [parameters[n] for n in whole], {metric: figures[..., i] for i, metric in enumerate(metrics)}
        )

    @classmethod
    def of_trials(cls, paths: Sequence[Path], name: str, metrics: Sequence[str]) -> "Recording":
        """Reads what `antisample export` wrote of studies with one replicate a trial, one below the other."""
        rows = [row for path in paths for row in pq.read_table(path).to_pylist() if row["state"] == "COMPLETE"]
        parameters = [
            {
                key.removeprefix("params."): row[key]
                for key in row
                if key.startswith("params.") and row[key] is not None
            }
            for row in rows
        ]
        return cls(
            name, parameters, {metric: np.array([[row[f"metrics.{metric}"]] for row in rows]) for metric in metrics}
        )

    def mean(self, metric: str) -> Array:
        """Means over the replicates, of shape (configurations,)."""
        means: Array = self.figures[metric].mean(axis=1)
        return means


def coordinates(space: SearchSpace, params: Mapping[str, Any]) -> Array:
    """A configuration as numbers: a number in [0, 1], a choice as 0 or 1 for each value; 0.5 for what is missing."""
    row: list[float] = []
    for name, parameter in space.parameters.items():
        value = params.get(name)
        if isinstance(parameter, ChoiceParameter):
            row += [0.5 if value is None else float(value == choice) for choice in parameter.choices]
        elif value is None:
            row.append(0.5)
        else:
            scale = math.log if parameter.log else float
            low, high = scale(parameter.low), scale(parameter.high)
            row.append((scale(value) - low) / (high - low))
    return np.array(row)
