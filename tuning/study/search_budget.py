"""When the search of a study with a budget ends: when nothing is left for it, or more trials would win nothing."""

from statistics import fmean

from tuning.config.budget import kept_for_the_end
from tuning.study.attributes import ORIGINAL, TIMED_RETRAINING_S
from tuning.study.reader import StudyReader
from tuning.study.spending import Account, passes, run_s
from tuning.trials.depth import verdict
from tuning.trials.finalists import find_finalists, keeps_every_limit
from tuning.trials.front import front_of
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose

SETTLED_AFTER = 8
"""So many finished trials in a row that leave the choice as it is end a search whose finalists keep every limit."""


def why_no_trial(study: StudyReader, now_ms: int | None = None) -> str | None:
    """Why no further trial may begin at the moment; None if one may. One always may until one is done.

    Args:
        study: A study with a budget.
        now_ms: The time now, where a driver works on it; see `Account`.

    Returns:
        A sentence without its stop. It holds for good where no trial is under way, whose end may leave room.
    """
    records = study.records()
    if all(record.state == "FAIL" for record in records):
        return None
    account = Account.of(study, now_ms)
    if account is not None and not _has_room(study, records, account):
        return f"another trial and what follows the search could exceed the budget of {study.config.budget}"
    return _why_settled(study, records)


def _has_room(study: StudyReader, records: list[TrialRecord], account: Account) -> bool:
    running = [record for record in records if not record.has_ended]
    expected_s = _expected_s(study, records)
    # On the clock, those that run end while the next one runs.
    to_come = sum(max(0.0, expected_s - record.duration_s) for record in running) if account.workers == 1 else 0.0
    return account.used_s + to_come + expected_s + _left_for_the_end(study, records, account) <= account.limit_s


def _expected_s(study: StudyReader, records: list[TrialRecord]) -> float:
    """Worker seconds of a trial: the mean of those that are done, or what their epochs tell before there is one."""
    done = [record.duration_s for record in records if record.state in ("COMPLETE", "PRUNED")]
    if done:
        return fmean(done)
    config = study.config
    pass_s = study.noted(TIMED_RETRAINING_S, 0.0) / config.model.recipe.epochs
    return config.replicates * pass_s * fmean(passes(study, record) for record in records)


def _left_for_the_end(study: StudyReader, records: list[TrialRecord], account: Account) -> float:
    """Seconds of the budget that the search leaves for runs with fresh seeds."""
    done = [run_s(study, record) for record in records if record.state in ("COMPLETE", "PRUNED")]
    each_s = fmean(done) if done else _expected_s(study, records) / study.config.replicates * len(study.config.forget)
    return kept_for_the_end(account.limit_s, each_s / account.workers, study.plan.runs_after_the_search)


def _why_settled(study: StudyReader, records: list[TrialRecord]) -> str | None:
    """Why further trials would change nothing; see `SETTLED_AFTER`."""
    config, original = study.config, study.noted(ORIGINAL, {})
    finished = sorted(
        (record for record in records if record.state in ("COMPLETE", "PRUNED")), key=lambda r: r.finished_ms or 0
    )
    before = finished[:-SETTLED_AFTER]
    finalists = find_finalists(finished, config, original)
    if not before or not finalists or not all(keeps_every_limit(each, config, original) for each in finalists):
        return None
    if verdict(finalists[0].metrics) is not None:
        return None  # a choice that is no deeper than a mask keeps the limits, and is not what was sought
    chosen = choose(front_of(before, config.objectives, config.constraints), config, original).chosen
    if chosen is None or chosen.number != finalists[0].number:
        return None
    return (
        f"{len(finalists)} finalists keep every limit, and the last {SETTLED_AFTER} trials did not change the choice"
    )
