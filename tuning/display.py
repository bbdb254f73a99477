"""The end of a run on the terminal: front, fresh-seed figures, and the exact commands that come next."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuning.config import StudyConfig
from tuning.live import front_table
from tuning.outcome import Confirmation, Outcome, Spread
from tuning.records import TrialRecord
from tuning.study_files import StudyFiles


def print_outcome(
    console: Console, outcome: Outcome, config: StudyConfig, mlflow_link: str | None = None, select: str | None = None
) -> None:
    """Prints the outcome of a study.

    Args:
        console: Where to.
        outcome: What the study found.
        config: The study.
        mlflow_link: Path and query of the study in the MLflow UI, if it is there.
        select: By what the trial was chosen, where that is not what the study says.
    """
    console.print(front_table(outcome))
    if outcome.chosen is None:
        _say(console, outcome.reason)
    else:
        _say(console, f"Chosen (*): trial {outcome.chosen.number}, {outcome.reason}.")
        _say(console, f"  {_parameters(outcome)}")
        if outcome.comparison is not None:
            _say(console, f"  {outcome.comparison}")
    reference = ", ".join(f"{value:.3f}" for value in outcome.reference)
    console.print(f"Hypervolume: {outcome.hypervolume:.5f} from the reference point ({reference})")
    if outcome.confirmations:
        console.print(_confirmation_table(outcome))
        for name, spread in outcome.paired.items():
            if name in ("test/retain_accuracy", "test/forget_gap" if outcome.by_samples else "test/forget_accuracy"):
                _say(console, f"Chosen minus published, {name}, same seeds: {_points(spread)}")
    _say(console, f"Report:        {shown_path(config.directory / 'report.html')}")
    if config.storage_path is not None:
        _say(console, f"Models:        {StudyFiles.of(config).store.address}/models")
    uri = config.mlflow_uri()
    if uri is not None:
        print_mlflow(console, uri, mlflow_link)
    if outcome.chosen is not None or outcome.nearest is not None:
        what = "Apply it:" if outcome.nearest is None else f"Apply trial {outcome.nearest.number}:"
        _say(console, f"{what:<14} {apply_command(config, select, outcome.nearest)}")


def print_mlflow(console: Console, uri: str, link: str | None) -> None:
    """Prints how to look at a study in MLflow.

    Args:
        console: Where to.
        uri: MLflow store or server.
        link: Path and query of the study in the MLflow UI, if it is there.
    """
    server = uri.rstrip("/") if uri.startswith("http") else "http://127.0.0.1:5000"
    if not uri.startswith("http"):
        store = uri.replace(f"{Path.cwd()}/", "")
        command = f"{program('mlflow')} ui --backend-store-uri {shlex.quote(store)} --host 127.0.0.1 --port 5000"
        _say(console, f"MLflow UI:     {command}")
    if link:
        _say(console, f"  this study:  {server}{link}")


def apply_command(config: StudyConfig, select: str | None = None, nearest: TrialRecord | None = None) -> str:
    """The exact command that applies the chosen trial, or the nearest where none qualifies.

    Args:
        config: The study.
        select: As in `print_outcome`.
        nearest: See `Outcome.nearest`.
    """
    out = shown_path(config.directory / "unlearned")
    which = f"--forget {shlex.quote(config.forget[0].in_words())} " if len(config.forget) > 1 else ""
    if which and config.by_samples:
        which = "--forget-samples FILE "
    trial = "best" if nearest is None else str(nearest.number)
    which += f"--select {select} " if select is not None and trial == "best" else ""
    return (
        f"{program('antisample')} unlearn --study {shown_path(config.directory)} --trial {trial} {which}--out {out}"
    )


def program(name: str) -> str:
    """How to call a program of this environment from the folder one stands in."""
    path = Path(sys.executable).parent / name
    return shown_path(path) if path.exists() and str(path.parent) not in os.get_exec_path() else name


def shown_path(path: Path) -> str:
    """A path relative to the folder one stands in where that is shorter, quoted for a shell."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the environment's links
    shown = absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute
    return shlex.quote(str(shown))


def _say(console: Console, text: str) -> None:
    """Prints one line as it is: names of folders and parameters may hold brackets, which are no markup."""
    console.print(Text(text), soft_wrap=True)


def _parameters(outcome: Outcome) -> str:
    if outcome.chosen is None:
        return ""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in outcome.chosen.params.items()
    )


def _confirmation_table(outcome: Outcome) -> Table:
    seeds = len(outcome.confirmations[0].seeds)
    table = Table(
        title=f"Run again with {seeds} fresh seeds: test, mean and standard deviation", title_justify="left"
    )
    counts = outcome.original_counts
    for heading in (
        "",
        "trial",
        f"forget ({counts.get('test/forget', 0)} images)",
        f"{'unseen' if outcome.by_samples else 'retain'} ({counts.get('test/retain', 0)} images)",
        "gap" if outcome.by_samples else "confidence",
    ):
        table.add_column(heading, justify="left" if not heading else "right")

    def row(confirmation: Confirmation) -> None:
        metrics = confirmation.metrics
        table.add_row(
            confirmation.role,
            str(confirmation.number),
            _percent(metrics["test/forget_accuracy"]),
            _percent(metrics["test/retain_accuracy"]),
            _percent(metrics["test/forget_gap"])
            if outcome.by_samples
            else f"{metrics['test/forget_confidence'].mean:.3f}",
        )

    for confirmation in outcome.confirmations:
        row(confirmation)
    original = outcome.original
    table.add_row(
        "original",
        "-",
        f"{original['test/forget_accuracy']:.2%}",
        f"{original['test/retain_accuracy']:.2%}",
        f"{original['test/forget_gap']:.2%}" if outcome.by_samples else f"{original['test/forget_confidence']:.3f}",
    )
    return table


def _percent(spread: Spread) -> str:
    return f"{spread.mean:.2%} ± {100 * spread.std:.2f}"


def _points(spread: Spread) -> str:
    return f"{100 * spread.mean:+.2f} ± {100 * spread.std:.2f} points over {spread.n} seeds"


def print_json(content: Any) -> None:
    """The answer of a command, for programs."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
