"""The 40 hyperparameter sets of the published repository, and the two of its notebooks that have results."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from search_spaces.parameters import Value
from search_spaces.space import SpaceError
from search_spaces.spelling import did_you_mean


@dataclass(frozen=True)
class PublishedSet:
    """One published set of the anti-sample method.

    Attributes:
        name: `model/data set/retain percent`, for instance `ResNet9/mnist/100`.
        parameters: By the names that the anti-sample configuration uses. What the publication left at one value for
            all sets (5 epochs, frozen batch normalisation, as many anti-samples as a retain class) is spelled out.
    """

    name: str
    parameters: dict[str, Value]


@cache
def notebook_sets() -> dict[str, PublishedSet]:
    """The sets behind the published CIFAR-10 figures, by name; they differ from the 40 in count and neighbours."""
    sets = {}
    with (Path(__file__).parent / "notebooks.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            sets[row["name"]] = PublishedSet(
                row["name"],
                {
                    "unlearn_scale_lr": float(row["unlearn_scale_lr"]),
                    "local_variance": float(row["local_variance"]),
                    "p": float(row["p"]),
                    "tail_randomized": int(row["tail_randomized"]),
                    "size_multiplier": int(row["size_multiplier"]),
                    "no_generated_data": int(row["no_generated_data"]),
                    "combination_temperature": 1.0,
                    "epochs": 5,
                    "retain_fraction": int(row["retain_percent"]) / 100,
                    "batchnorm_mode": "eval",
                    "neighbour_pool": "retain",
                },
            )
    return sets


@cache
def published_sets() -> dict[str, PublishedSet]:
    """The 40 published sets by name; `published_set` also finds those of the notebooks."""
    sets = {}
    with (Path(__file__).parent / "published.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            name = f"{row['model']}/{row['dataset']}/{row['retain_percent']}"
            sets[name] = PublishedSet(
                name,
                {
                    "unlearn_scale_lr": float(row["unlearn_scale_lr"]),
                    "local_variance": float(row["local_variance"]),
                    "p": float(row["p"]),
                    "tail_randomized": int(row["tail_randomized"]),
                    "size_multiplier": int(row["size_multiplier"]),
                    "generated_fraction": 1.0,
                    "combination_temperature": 1.0,
                    "epochs": 5,
                    "retain_fraction": int(row["retain_percent"]) / 100,
                    "batchnorm_mode": "eval",
                },
            )
    return sets


def published_set(name: str) -> PublishedSet:
    """Finds a published set by name, in any case.

    Raises:
        SpaceError: If there is none; the message lists sets of the same model or data set.
    """
    sets = published_sets() | notebook_sets()
    by_lower_name = {each.lower(): each for each in sets}
    if name.lower() in by_lower_name:
        return sets[by_lower_name[name.lower()]]
    parts = {part for part in name.lower().split("/") if part}
    near = [each for each in sets if parts & set(each.lower().split("/")[:2])] or list(sets)
    raise SpaceError(
        [f"`published` must be one of {', '.join(near)}, but got {name!r}.{did_you_mean(name, sets)}"], name
    )
