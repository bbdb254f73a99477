"""The toy problem over several seeds, with its table and picture: what `antisample toy` does."""

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track

from antisample.config import validation_problems
from antisample.errors import ConfigError
from antisample.storage.atomic import atomic_write, check_writable
from antisample.toy.problem import ToyConfig, ToyNetwork, ToyResult, ToyRow, run_toy, summarise_toy
from antisample.validation.settings import shown
from tuning.config.loading import override_value
from tuning.reproduction.toy_plot import NETWORK_NAMES, draw_toy
from tuning.views.terminal.fitted_table import Column, FittedTable

_FILES = ("toy.csv", "toy.png")

# Retain and forget accuracy from the notebook of Mondal & Samanta (PReMI 2025), one seed.
PUBLISHED: dict[ToyNetwork, tuple[float, float]] = {"antisample": (0.95, 0.0), "unsir": (0.6667, 0.0)}


_MOST_SEEDS = 1_000_000


def run_toy_seeds(out: Path, seeds: int, seed: int, console: Console, overrides: Sequence[str] = ()) -> list[ToyRow]:
    """Runs the toy problem and writes `toy.csv`, a line for each seed and network, and `toy.png`, the first seed.

    Args:
        out: The folder to write to; made if missing.
        seeds: How many seeds, at least 1.
        seed: The first; the others follow it, one by one. At least 0.
        console: Where progress is shown.
        overrides: `key=value` for values of `ToyConfig` that differ from the published ones.

    Returns:
        The summary over all seeds.

    Raises:
        ConfigError: If `seeds`, `seed` or an override is out of its range or unknown.
        DataError: If the folder cannot be written.
    """
    problems = [
        f"`{name}` must be at least {least}, but got {value}."
        for name, value, least in (("seeds", seeds, 1), ("seed", seed, 0))
        if value < least
    ]
    problems += [
        f"`{name}` must be at most {most}, but got {shown(value)}."
        for name, value, most in (("seeds", seeds, _MOST_SEEDS), ("seed", seed, 2**63 - 1 - _MOST_SEEDS))
        if value > most
    ]
    values: dict[str, Any] = {}
    for override in overrides:
        override_value(values, override, ToyConfig)
    try:
        config = ToyConfig.model_validate(values)
    except ValidationError as error:
        problems += validation_problems(error)
    if problems:
        raise ConfigError(problems)
    check_writable(out, _FILES)
    wanted = range(seed, seed + seeds)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small lose many times over by waiting for a second thread
    try:
        results = [run_toy(s, config) for s in track(wanted, "Toy problem", console=console, transient=True)]
    finally:
        torch.set_num_threads(threads)
    rows = summarise_toy(results)
    table, picture = (out / name for name in _FILES)
    _write_csv(results, table)
    draw_toy(results[0], rows, picture)
    return rows


def toy_table(rows: list[ToyRow]) -> FittedTable:
    """The summary as a table, with the published figures beside it."""
    table = FittedTable(
        f"Toy problem, test points, {rows[0].seeds} seeds: mean and standard deviation (lowest to highest)",
        (
            Column("network", text=True),
            Column("retain"),
            Column("published", rank=1),
            Column("forget"),
            Column("published", rank=1),
        ),
    )
    for network, (retain, forget) in _by_network(rows).items():
        published = PUBLISHED.get(network)
        table.add_row(
            NETWORK_NAMES[network],
            _shown(retain),
            f"{published[0]:.1%}" if published else "-",
            _shown(forget),
            f"{published[1]:.1%}" if published else "-",
        )
    return table


def toy_json(rows: list[ToyRow]) -> dict[str, Any]:
    """The summary and the published figures as JSON content; accuracies lie in [0, 1]."""
    published = [
        {"network": network, "retain_accuracy": retain, "forget_accuracy": forget, "seeds": 1}
        for network, (retain, forget) in PUBLISHED.items()
    ]
    return {"rows": [asdict(row) for row in rows], "published": published}


def _by_network(rows: list[ToyRow]) -> dict[ToyNetwork, tuple[ToyRow, ToyRow]]:
    by_key = {(row.network, row.metric): row for row in rows}
    networks = dict.fromkeys(row.network for row in rows)
    return {name: (by_key[name, "retain_accuracy"], by_key[name, "forget_accuracy"]) for name in networks}


def _shown(row: ToyRow) -> str:
    return f"{100 * row.mean:.1f} ± {100 * row.std:.1f} % ({100 * row.min:.1f} to {100 * row.max:.1f})"


def _write_csv(results: list[ToyResult], path: Path) -> None:
    with atomic_write(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["seed", "network", "retain_test_accuracy", "forget_test_accuracy"])
        for result in results:
            for network, outcome in result.outcomes.items():
                accuracies = (outcome.retain_accuracy, outcome.forget_accuracy)
                writer.writerow([result.seed, network, *(f"{value:.6f}" for value in accuracies)])
