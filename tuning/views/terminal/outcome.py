"""The end of a run on the terminal: front, fresh-seed figures, and the exact commands that come next."""

import shlex
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from antisample.metrics.share_limits import limits_in_brackets
from tuning.config.command_lines import program, shown_path
from tuning.config.study import StudyConfig
from tuning.study.artifacts import StudyFiles
from tuning.study.outcome import Outcome, Spread
from tuning.trials.records import TrialRecord
from tuning.views.apply_command import apply_command as command_of_trial
from tuning.views.baseline_texts import FLOOR, HOW, PARTS, result_rows, row_name, seeds_text
from tuning.views.spending_text import spending_lines
from tuning.views.terminal.console import say
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.live import LIMITS, front_table, share_text

_COLUMNS: tuple[tuple[str, str, int, Callable[[float], str]], ...] = (
    ("probe_left", "left", 0, "{:.2f}".format),
    ("probe_forget", "probe", 3, "{:.1%}".format),
    ("probe_gap", "gap", 3, lambda value: f"{100 * value:+.1f}"),
    ("mia_loss", "MIA", 2, "{:.1%}".format),
    ("zrf", "ZRF", 4, "{:.2f}".format),
    ("retrained_gap", "to reference", 2, lambda value: f"{100 * value:.1f}"),
)
"""Metric, heading, rank and how it is written."""


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
    if outcome.chosen is None:
        say(console, outcome.reason)
    else:
        say(console, f"Chosen (*): trial {outcome.chosen.number}, {outcome.reason}.")
        say(console, f"  {_parameters(outcome)}")
        if outcome.comparison is not None:
            say(console, f"  {outcome.comparison}")
    if outcome.confirmations:
        console.print(_confirmation_table(outcome))
        for name, spread in outcome.paired.items():
            if name in ("test/retain_accuracy", "test/forget_gap" if outcome.by_samples else "test/forget_accuracy"):
                say(console, f"Difference between chosen and published, {name}, same seeds: {_points(spread)}")
    if outcome.baselines.rows:
        console.print(baseline_table(outcome))
        _say_cost(console, outcome)
    for line in spending_lines(outcome, config):
        say(console, line)
    console.print(front_table(outcome))
    reference = ", ".join(f"{value:.3f}" for value in outcome.reference)
    console.print(f"Hypervolume: {outcome.hypervolume:.5f} (reference point: {reference})")
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
    return command_of_trial(config, "best" if nearest is None else str(nearest.number), select)


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
    over = "" if seeds == 1 else ", mean and standard deviation"
    table = FittedTable(
        f"Confirmed with {seeds_text(seeds)}: test metrics{over}",
        (
            Column("", text=True),
            Column("trial", rank=1),
            Column(f"forget ({counts.get('test/forget', 0)} images)", note_rank=2),
            Column(
                f"{'unseen' if outcome.by_samples else 'retain'} ({counts.get('test/retain', 0)} images)", note_rank=3
            ),
            Column("gap" if outcome.by_samples else "confidence", rank=2),
        ),
        LIMITS,
    )
    for confirmation in outcome.confirmations:
        metrics = confirmation.metrics
        third = metrics["test/forget_gap" if outcome.by_samples else "test/forget_confidence"]
        table.add_row(
            confirmation.role,
            str(confirmation.number),
            _with_limits(metrics["test/forget_accuracy"], counts.get("test/forget")),
            _with_limits(metrics["test/retain_accuracy"], counts.get("test/retain")),
            _percent(third) if outcome.by_samples else f"{third.mean:.3f}",
        )
    original = outcome.original
    table.add_row(
        "original",
        "-",
        _with_limits(Spread.of([original["test/forget_accuracy"]]), counts.get("test/forget")),
        _with_limits(Spread.of([original["test/retain_accuracy"]]), counts.get("test/retain")),
        f"{original['test/forget_gap']:.2%}" if outcome.by_samples else f"{original['test/forget_confidence']:.3f}",
    )
    return table


def baseline_table(outcome: Outcome) -> FittedTable:
    """What the result is held against: rows of the same figures, with the seconds that each took."""
    baselines, counts = outcome.baselines, outcome.original_counts
    others = "unseen" if outcome.by_samples else "retain"
    part = PARTS[0]
    measured = [column for column in _COLUMNS if any(f"{part}/{column[0]}" in row.metrics for row in baselines.rows)]
    table = FittedTable(
        f"Held against baselines, on validation: {counts.get('validation/forget', 0)} forget images, "
        f"{counts.get('validation/retain', 0)} {others} images",
        (
            Column("", text=True),
            Column("forget", note_rank=2),
            Column(others, note_rank=5),
            *(Column(heading, rank=rank) for _, heading, rank, _ in measured),
            Column("unlearning", rank=1),
            Column("request", rank=1),
        ),
        LIMITS,
    )
    for line in result_rows(outcome):
        row = line.row
        name = row_name(row) + (f", {line.runs.partition(',')[0]}" if line.runs else "")
        if row.why_not is not None:
            table.add_row(f"{name}: {row.why_not}")
            continue
        value = {key.removeprefix(f"{part}/"): figure for key, figure in row.metrics.items()}
        request_s = None if line.is_confirmed else row.request_s
        table.add_row(
            name,
            *(
                share_text(value[f"{kind}_accuracy"], counts.get(f"{part}/{kind}"))
                if f"{kind}_accuracy" in value
                else ""
                for kind in ("forget", "retain")
            ),
            *(write(value[key]) if key in value else "" for key, _, _, write in measured),
            _cost(row.unlearning_s, baselines.share(row.unlearning_s)),
            _cost(request_s, baselines.share(request_s)),
        )
    return table


def _cost(seconds: float | None, share: float | None) -> str:
    """Seconds, and in brackets the share of a retraining."""
    if seconds is None:
        return ""
    text = f"{seconds:.1f} s" if seconds else "0 s"
    return text if not share else f"{text} ({share:.0%})"


def _say_cost(console: Console, outcome: Outcome) -> None:
    baselines = outcome.baselines
    if any(line.is_confirmed for line in result_rows(outcome)):
        say(console, "confirmed: with fresh seeds; search: the runs that led to the choice.")
    if baselines.retraining_s is not None:
        how = f"{baselines.retraining_s:.1f} s ({HOW[baselines.basis]})"
        say(console, f"In brackets: share of one retraining without the forget set, which takes {how}.")
    if baselines.floor:
        say(console, f"{FLOOR}: how far two of them are apart; a distance that is no larger is none.")
    if any("validation/probe_left" in row.metrics for row in baselines.rows):
        say(
            console,
            "left: what 10 labels per class still read from the network's stages, 1 as in the original or under a "
            "mask, 0 as in an untrained network.",
        )


def _percent(spread: Spread) -> str:
    return f"{spread.mean:.2%}" if spread.n < 2 else f"{spread.mean:.2%} ± {100 * spread.std:.2f}"


def _with_limits(spread: Spread, images: int | None) -> str:
    """A share of images as a mean over runs, which were all measured on the same images."""
    text, share = _percent(spread), spread.mean
    return f"{text} {limits_in_brackets(share, images)}" if images and 0 <= share <= 1 else text


def _points(spread: Spread) -> str:
    if spread.n < 2:
        return f"{100 * spread.mean:+.2f} percentage points with 1 seed"
    return f"{100 * spread.mean:+.2f} ± {100 * spread.std:.2f} percentage points over {spread.n} seeds"
