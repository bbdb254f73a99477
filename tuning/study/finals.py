"""What the fresh runs of finalists say so far, and which are to come."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tuning.study.attributes import FINALIST_RUNS, ORIGINAL, FinalistRun
from tuning.study.reader import StudyReader
from tuning.study.spending import Account, run_s
from tuning.trials.choice import Choice
from tuning.trials.finalists import Decision, decide, find_finalists
from tuning.trials.records import TrialRecord


@dataclass(frozen=True)
class Finals:
    """The state of a study's finals.

    Attributes:
        finalists: The trials that are run again, first the one that the search's own figures would have chosen.
        runs: What has been run, of these.
        decision: What follows; None while there is not enough to decide.
        missing: Trials and seeds of the round to come, as far as they have not been run; empty at the end.
        limit: The budget, in words, where another round would have exceeded it; None where that did not end them.
    """

    finalists: tuple[TrialRecord, ...]
    runs: tuple[FinalistRun, ...]
    decision: Decision | None
    missing: tuple[tuple[TrialRecord, int], ...]
    limit: str | None = None

    def choice(self) -> Choice | None:
        """What the rule takes by the fresh runs, with the trial's own figures; None while nothing is decided."""
        if self.decision is None:
            return None
        own = {record.number: record for record in self.finalists}
        taken = self.decision.choice
        runs = len(self.runs)
        reason = f"by {runs} runs of {len(self.finalists)} finalists with fresh seeds, {taken.reason}"
        if not self.decision.is_sure:
            reason = f"{reason}; no finalist keeps every limit for sure"
        if self.limit is not None:
            reason = f"{reason}; another round would have exceeded the budget of {self.limit}"
        if taken.chosen is None:
            return Choice(None, own[taken.nearest.number] if taken.nearest is not None else None, taken.reason)
        return Choice(own[taken.chosen.number], None, reason)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values for `--json`: a finalist each, with the means of its fresh runs and their standard errors."""
        estimates = {e.trial.number: e for e in self.decision.estimates} if self.decision is not None else {}
        return [
            {
                "number": record.number,
                "runs": estimates[record.number].n if record.number in estimates else 0,
                "metrics": {
                    name: estimates[record.number].trial.metrics[name] for name in estimates[record.number].errors
                }
                if record.number in estimates
                else {},
                "errors": dict(estimates[record.number].errors) if record.number in estimates else {},
            }
            for record in self.finalists
        ]


def find_finals(study: StudyReader) -> Finals:
    """Computes the state of the finals from what the study holds.

    All finalists that may still be chosen are run with the same seeds, a round with the first seed and so on, until
    the choice is settled or the next round would be more than `selection.finalist_replicates` in all. A finalist with
    a run that failed is out.

    With a budget there are as many finalists as two rounds of them have room for, which a decision takes, and one run
    that confirms the chosen trial; a further round begins only if it has room, and is finished once it has begun.
    """
    seeds, config, original = study.plan.finalist_seeds, study.config, study.noted(ORIGINAL, {})
    finalists = find_finalists(study.records(), config, original) if seeds else []
    account = Account.of(study)
    finalists = finalists if account is None else _affordable(finalists, study, account)
    costs = {record.number: run_s(study, record) for record in finalists}
    by_number = {record.number: record for record in finalists}
    runs = [run for run in study.noted(FINALIST_RUNS, []) if run["number"] in by_number and run["seed"] in seeds]
    results = {(run["number"], run["seed"]): run for run in runs}
    in_play, used, decision = [record.number for record in finalists], 0, None
    metrics: dict[int, list[dict[str, float]]] = {number: [] for number in by_number}
    for seed in seeds:
        settled = decision is not None and (decision.is_settled or not in_play)
        if settled or used + len(in_play) > config.selection.finalist_replicates:
            break
        missing = [(by_number[number], seed) for number in in_play if (number, seed) not in results]
        is_optional = len(missing) == len(in_play) and (not used or decision is not None)
        if missing and account is not None and is_optional:
            spent = [run["spent_s"] for run in study.noted(FINALIST_RUNS, []) if "spent_s" in run]
            round_s = [fmean(spent)] * len(in_play) if spent else [costs[number] for number in in_play]
            if not account.holds(account.used_s, [*round_s, max(round_s)]):
                return Finals(tuple(finalists), tuple(runs), decision, (), str(config.budget))
        if missing:
            return Finals(tuple(finalists), tuple(runs), decision, tuple(missing))
        used += len(in_play)
        for number in list(in_play):
            run = results[number, seed]
            if "error" in run:
                in_play.remove(number)
                del metrics[number]
            else:
                metrics[number].append(run["metrics"])
        decision = decide([by_number[number] for number in metrics], metrics, config, original)
        if decision is not None:
            in_play = [number for number in decision.in_play if number in in_play]
    return Finals(tuple(finalists), tuple(runs), decision, ())


def _affordable(finalists: list[TrialRecord], study: StudyReader, account: Account) -> list[TrialRecord]:
    """The first finalists, as many as the search leaves room for; none where there is none for two.

    A decision takes two rounds.
    """
    for n in range(len(finalists), 1, -1):
        costs = [run_s(study, record) for record in finalists[:n]]
        if account.holds(account.searched_s, [*costs, *costs, max(costs)]):
            return finalists[:n]
    return []
