"""The report's table of finalists: what they had in the search, and what their fresh runs say."""

from tuning.config.objectives import DEPTH, RETAIN
from tuning.study.finals import Finals
from tuning.study.outcome import Outcome
from tuning.trials.finalists import Estimate
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import formatted, label

FinalistRow = tuple[int, int, list[tuple[str, str]]]
"""Number of the trial, its fresh runs, and for each metric what the search and the fresh runs say."""


def finalist_table(outcome: Outcome) -> tuple[list[str], list[FinalistRow]]:
    """Headings of metrics, and a row a finalist; no rows where no finalist was run again."""
    finals = outcome.finals
    if finals is None or finals.decision is None:
        return [], []
    left = "validation/forget_gap" if outcome.by_samples else "validation/forget_accuracy"
    metrics = [name for name in (left, RETAIN, DEPTH) if all(name in record.metrics for record in finals.finalists)]
    return [label(name) for name in metrics], [
        (
            record.number,
            estimate.n if estimate is not None else 0,
            [_pair(name, record, estimate) for name in metrics],
        )
        for record, estimate in _judged(finals)
    ]


def _judged(finals: Finals) -> list[tuple[TrialRecord, Estimate | None]]:
    estimates = {e.trial.number: e for e in finals.decision.estimates} if finals.decision is not None else {}
    return [(record, estimates.get(record.number)) for record in finals.finalists]


def _pair(name: str, record: TrialRecord, estimate: Estimate | None) -> tuple[str, str]:
    before = formatted(name, record.metrics[name])
    if estimate is None:
        return before, "a run failed"
    error = estimate.errors[name]
    margin = f"{error:.2f}" if name == DEPTH else f"{100 * error:.1f} points"
    return before, f"{formatted(name, estimate.trial.metrics[name])} ± {margin}"
