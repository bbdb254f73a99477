"""The end of a run on the terminal: front, fresh-seed figures, and the exact commands that come next."""

import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tuning.config.command_lines import program, shown_path
from tuning.config.study import StudyConfig
from tuning.study.artifacts import StudyFiles
from tuning.study.baselines import Baselines
from tuning.study.outcome import Outcome, Spread
from tuning.trials.records import TrialRecord
from tuning.views.terminal.console import say
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.live import front_table


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
        say(console, outcome.reason)
    else:
        say(console, f"Chosen (*): trial {outcome.chosen.number}, {outcome.reason}.")
        say(console, f"  {_parameters(outcome)}")
        if outcome.comparison is not None:
            say(console, f"  {outcome.comparison}")
    reference = ", ".join(f"{value:.3f}" for value in outcome.reference)
    console.print(f"Hypervolume: {outcome.hypervolume:.5f} (reference point: {reference})")
    if outcome.confirmations:
        console.print(_confirmation_table(outcome))
        for name, spread in outcome.paired.items():
            if name in ("test/retain_accuracy", "test/forget_gap" if outcome.by_samples else "test/forget_accuracy"):
                say(console, f"Difference between chosen and published, {name}, same seeds: {_points(spread)}")
    if outcome.baselines.rows:
        console.print(baseline_table(outcome))
        _say_cost(console, outcome.baselines)
    _line(console, f"Report:        {shown_path(config.directory / 'report.html')}")
    if config.storage_path is not None:
        _line(console, f"Models:        {StudyFiles.of(config).store.address}/models")
    uri = config.mlflow_uri()
    if uri is not None:
        print_mlflow(console, uri, mlflow_link)
    if outcome.chosen is not None or outcome.nearest is not None:
        what = "Apply it:" if outcome.nearest is None else f"Apply trial {outcome.nearest.number}:"
        _line(console, f"{what:<14} {apply_command(config, select, outcome.nearest)}")


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
        _line(console, f"MLflow UI:     {command}")
    if link:
        _line(console, f"  this study:  {server}{link}")


def apply_command(config: StudyConfig, select: str | None = None, nearest: TrialRecord | None = None) -> str:
    """The exact command that applies the chosen trial, or the nearest where none qualifies.

    Args:
        config: The study.
        select: As in `print_outcome`.
        nearest: See `Outcome.nearest`.
    """
    out = shown_path(config.directory / "unlearned")
    which = f"--forget {shlex.quote(config.forget[0].describe())} " if len(config.forget) > 1 else ""
    if which and config.by_samples:
        which = "--forget-samples FILE "
    trial = "best" if nearest is None else str(nearest.number)
    which += f"--select {select} " if select is not None and trial == "best" else ""
    return (
        f"{program('antisample')} unlearn --study {shown_path(config.directory)} --trial {trial} {which}--out {out}"
    )


def _line(console: Console, text: str) -> None:
    """Prints a command or a path, which is copied whole, in one line."""
    console.print(Text(text), soft_wrap=True)


def _parameters(outcome: Outcome) -> str:
    if outcome.chosen is None:
        return ""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in outcome.chosen.params.items()
    )


def _confirmation_table(outcome: Outcome) -> FittedTable:
    seeds, counts = len(outcome.confirmations[0].seeds), outcome.original_counts
    table = FittedTable(
        f"Re-run with {seeds} fresh seeds: test metrics, mean and standard deviation",
        (
            Column("", text=True),
            Column("trial", rank=1),
            Column(f"forget ({counts.get('test/forget', 0)} images)"),
            Column(f"{'unseen' if outcome.by_samples else 'retain'} ({counts.get('test/retain', 0)} images)"),
            Column("gap" if outcome.by_samples else "confidence", rank=2),
        ),
    )
    for confirmation in outcome.confirmations:
        metrics = confirmation.metrics
        third = metrics["test/forget_gap" if outcome.by_samples else "test/forget_confidence"]
        table.add_row(
            confirmation.role,
            str(confirmation.number),
            _percent(metrics["test/forget_accuracy"]),
            _percent(metrics["test/retain_accuracy"]),
            _percent(third) if outcome.by_samples else f"{third.mean:.3f}",
        )
    original = outcome.original
    table.add_row(
        "original",
        "-",
        f"{original['test/forget_accuracy']:.2%}",
        f"{original['test/retain_accuracy']:.2%}",
        f"{original['test/forget_gap']:.2%}" if outcome.by_samples else f"{original['test/forget_confidence']:.3f}",
    )
    return table


def baseline_table(outcome: Outcome) -> FittedTable:
    """What the result is held against: rows of the same figures, with the seconds that each took."""
    baselines, counts = outcome.baselines, outcome.original_counts
    others = "unseen" if outcome.by_samples else "retain"
    table = FittedTable(
        f"Held against baselines, on validation: {counts.get('validation/forget', 0)} forget images, "
        f"{counts.get('validation/retain', 0)} {others} images",
        (
            Column("", text=True),
            Column("forget"),
            Column(others),
            Column("left", rank=0),
            Column("probe", rank=3),
            Column("gap", rank=3),
            Column("MIA", rank=2),
            Column("unlearning", rank=1),
            Column("request", rank=1),
        ),
    )
    for row in baselines.rows:
        name = row.name if row.trial is None else f"{row.name}: trial {row.trial}"
        if row.why_not is not None:
            table.add_row(f"{name}: {row.why_not}")
            continue
        value = {key.removeprefix("validation/"): figure for key, figure in row.metrics.items()}
        table.add_row(
            name,
            *(f"{value[key]:.1%}" if key in value else "" for key in ("forget_accuracy", "retain_accuracy")),
            f"{value['probe_left']:.2f}" if "probe_left" in value else "",
            f"{value['probe_forget']:.1%}" if "probe_forget" in value else "",
            f"{100 * value['probe_gap']:+.1f}" if "probe_gap" in value else "",
            f"{value['mia_loss']:.1%}" if "mia_loss" in value else "",
            _cost(row.unlearning_s, baselines.share(row.unlearning_s)),
            _cost(row.request_s, baselines.share(row.request_s)),
        )
    return table


def _cost(seconds: float | None, share: float | None) -> str:
    """Seconds, and in brackets the share of a retraining."""
    if seconds is None:
        return ""
    text = f"{seconds:.1f} s" if seconds else "0 s"
    return text if not share else f"{text} ({share:.0%})"


def _say_cost(console: Console, baselines: Baselines) -> None:
    if baselines.retraining_s is not None:
        how = "measured" if baselines.is_measured else "estimated from the speed of the trials"
        seconds = f"{baselines.retraining_s:.1f} s"
        say(console, f"In brackets: share of one retraining without the forget set, which takes {seconds} ({how}).")
    if any("validation/probe_left" in row.metrics for row in baselines.rows):
        say(
            console,
            "left: what 10 labels per class still read from the network's stages, 1 as in the original or under a "
            "mask, 0 as in an untrained network.",
        )


def _percent(spread: Spread) -> str:
    return f"{spread.mean:.2%} ± {100 * spread.std:.2f}"


def _points(spread: Spread) -> str:
    return f"{100 * spread.mean:+.2f} ± {100 * spread.std:.2f} percentage points over {spread.n} seeds"
