"""Running the chosen and the published trial again with fresh seeds, so that no one trusts a lucky one."""

from collections.abc import Callable
from statistics import fmean
from typing import Any

from tuning.driver.capacity import TrialResources
from tuning.driver.fresh_runs import run_again
from tuning.study.attributes import CONFIRMATIONS, Confirmation
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.study.spending import Account, run_s
from tuning.study.study import Study, now_ms
from tuning.trials.records import TrialRecord
from tuning.worker.messages import RunResult


def missing_confirmations(study: StudyReader) -> list[tuple[TrialRecord, int]]:
    """Which trials still have to be run with which seeds.

    With a budget, those of the chosen trial come first, and there are as many as fit into what the finals have left.
    The first one tells what the others cost: it is measured by more than a trial.
    """
    outcome, account = find_outcome(study), Account.of(study)
    runs = study.noted(CONFIRMATIONS, [])
    done = {(run["number"], run["seed"]) for run in runs}
    trials = {record.number: record for record in (outcome.published, outcome.chosen) if record is not None}
    wanted = [(record, seed) for seed in study.plan.confirmation_seeds for record in trials.values()]
    if account is not None:
        chosen = outcome.chosen.number if outcome.chosen is not None else None
        wanted.sort(key=lambda run: run[0].number != chosen)
        spent = [run["spent_s"] for run in runs if "spent_s" in run]
        costs = [fmean(spent) if spent else run_s(study, record) for record, _ in wanted]
        before_s = account.used_s - account.confirmed_s
        wanted = [run for at, run in enumerate(wanted) if account.holds(before_s, costs[: at + 1])]
        wanted = wanted if spent else wanted[:1]
    return [(record, seed) for record, seed in wanted if (record.number, seed) not in done]


def confirm(
    study: Study, inputs: Any, share: TrialResources, on_done: Callable[[int, int, str | None], None]
) -> None:
    """Runs what is missing on the Ray cluster and keeps each result in the study as it arrives.

    A run that fails stays missing, and is tried again when the study is resumed; one whose worker dies is started
    anew at once, twice at most.

    Args:
        study: Holds the results afterwards.
        inputs: Ray reference of the `RequestInputs`.
        share: What a run takes.
        on_done: Called with the runs done, their number, and why the last one failed; None if it did not.
    """
    tried: set[tuple[int, int]] = set()

    def missing() -> list[tuple[TrialRecord, int]]:
        return [(each, seed) for each, seed in missing_confirmations(study) if (each.number, seed) not in tried]

    def ended(record: TrialRecord, seed: int, result: RunResult | str, by_itself: bool) -> None:
        del by_itself
        problem = None
        if isinstance(result, str):
            problem = f"trial {record.number}, {result}"
        else:
            run: Confirmation = {
                "number": record.number,
                "seed": seed,
                "metrics": result.metrics,
                "counts": result.counts,
                "elapsed_s": result.elapsed_s,
                "spent_s": result.spent_s,
                "ended_ms": now_ms(),
            }
            study.note(CONFIRMATIONS, [*study.noted(CONFIRMATIONS, []), run])
        tried.add((record.number, seed))
        on_done(len(tried), total, problem)

    while wanted := missing():
        total = len(tried) + len(wanted)
        run_again(study, inputs, share, wanted, ended)
