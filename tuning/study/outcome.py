"""What a study found: the front, the chosen trial, the published set beside it, and how sure one can be."""

from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from tuning.config.objectives import DEPTH, Objective, minimised_point
from tuning.study.attributes import CONFIRMATIONS, FINALIST_RUNS, ORIGINAL, ORIGINAL_COUNTS
from tuning.study.attributes import Confirmation as Confirmed
from tuning.study.baselines import Baselines, find_baselines
from tuning.study.finals import Finals, find_finals
from tuning.study.reader import StudyReader
from tuning.study.spending import Spending, find_spending
from tuning.trials.front import minimised
from tuning.trials.pareto import hypervolume
from tuning.trials.records import TrialRecord
from tuning.trials.selection import GAP, choose, choose_oracle


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of one figure over seeds.

    Attributes:
        mean: The mean.
        std: Sample standard deviation; 0 for a single value.
        n: How many values.
    """

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Summarises at least one value."""
        return cls(mean(values), stdev(values) if len(values) > 1 else 0.0, len(values))


@dataclass(frozen=True)
class Confirmation:
    """One trial run again with seeds that the search has not used.

    Attributes:
        role: `chosen` or `published`.
        number: The trial.
        seeds: The fresh seeds.
        metrics: Spread over the seeds by metric name.
        counts: Images behind the metrics.
    """

    role: str
    number: int
    seeds: tuple[int, ...]
    metrics: dict[str, Spread]
    counts: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """A study's result, computed from the study alone.

    Attributes:
        original: Metrics of the original model.
        original_counts: Images behind them.
        published: The first starting point as it came out; None while it has not finished.
        front: Trials that no other dominates, best first objective first.
        chosen: The trial of the front that the selection rule takes; None if none qualifies, or the front is empty.
        nearest: Where none qualifies, the trial of the front that is nearest to it; None otherwise.
        reason: The rule in words, with its figures; a sentence where none is chosen.
        by_rule: What the rule takes, whether it decides or not.
        oracle: What is nearest to the retrained reference; None where that was not computed.
        hypervolume: Covered by the front, from the reference point.
        reference: The reference point, a value an objective.
        confirmations: Runs with fresh seeds.
        paired: Chosen minus published, seed by seed, by metric name; empty without both.
        baselines: What the result is held against, and what it cost.
        spending: What the request has cost.
        finals: The runs of finalists that decided; None where there were none.
        by_samples: Whether single images were to be forgotten, not classes.
    """

    original: dict[str, float]
    original_counts: dict[str, int]
    published: TrialRecord | None
    front: tuple[TrialRecord, ...]
    chosen: TrialRecord | None
    nearest: TrialRecord | None
    reason: str
    by_rule: TrialRecord | None
    oracle: TrialRecord | None
    hypervolume: float
    reference: tuple[float, ...]
    confirmations: tuple[Confirmation, ...]
    paired: dict[str, Spread]
    baselines: Baselines
    spending: Spending
    finals: Finals | None = None
    by_samples: bool = False

    @property
    def regret(self) -> float | None:
        """How much farther from the retrained reference the rule's choice is than the oracle's; None if unknown."""
        if self.by_rule is None or self.oracle is None or GAP not in self.by_rule.metrics:
            return None
        return self.by_rule.metrics[GAP] - self.oracle.metrics[GAP]

    @property
    def comparison(self) -> str | None:
        """A comparison of the rule's choice with the oracle's; None where the gap was not computed."""
        if self.by_rule is None or self.oracle is None or self.regret is None:
            return None
        return (
            f"The selection rule takes trial {self.by_rule.number}, with a gap to the retrained reference of "
            f"{100 * self.by_rule.metrics[GAP]:.1f} percentage points; the smallest gap (oracle) is that of trial "
            f"{self.oracle.number}, {100 * self.oracle.metrics[GAP]:.1f}. Regret: {100 * self.regret:.1f}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`: original, published, front, chosen, hypervolume and the rest."""

        def short(record: TrialRecord | None) -> dict[str, Any] | None:
            if record is None:
                return None
            return {
                "number": record.number,
                "origin": record.origin,
                "params": record.params,
                "metrics": record.metrics,
            }

        return {
            "original": {
                "number": None,
                "params": {},
                "metrics": self.original,
                "counts": self.original_counts,
            },
            "published": short(self.published),
            "front": [short(record) for record in self.front],
            "chosen": short(self.chosen),
            "nearest": short(self.nearest),
            "reason": self.reason,
            "by_rule": short(self.by_rule),
            "oracle": short(self.oracle),
            "regret": self.regret,
            "finalists": self.finals.to_json() if self.finals is not None else [],
            "baselines": self.baselines.to_json(),
            "spent": self.spending.to_json(),
            "hypervolume": self.hypervolume,
            "reference": list(self.reference),
            "confirmations": [asdict(confirmation) for confirmation in self.confirmations],
            "paired_difference": {name: asdict(spread) for name, spread in self.paired.items()},
        }


def find_outcome(study: StudyReader) -> Outcome:
    """Computes the outcome from what the study holds now; works at any time."""
    config, records = study.config, study.records()
    original = study.noted(ORIGINAL, {})
    front = study.front()
    reference = reference_point(config.objectives, original)
    finals = find_finals(study) if study.noted(FINALIST_RUNS) else None
    by_rule = (finals.choice() if finals is not None else None) or choose(front, config, original)
    oracle = choose_oracle(front, config, original)
    choice = oracle if config.selection.by == "oracle" else by_rule
    chosen = choice.chosen
    published = next((r for r in records if r.origin.is_starting_point and r.state == "COMPLETE"), None)
    runs = study.noted(CONFIRMATIONS, [])
    confirmations = tuple(
        _confirmation(role, record.number, [run for run in runs if run["number"] == record.number])
        for role, record in (("published", published), ("chosen", chosen))
        if record is not None and any(run["number"] == record.number for run in runs)
    )
    baselines = find_baselines(study, published, chosen)
    return Outcome(
        original=original,
        original_counts=study.noted(ORIGINAL_COUNTS, {}),
        published=published,
        front=tuple(front),
        chosen=chosen,
        nearest=choice.nearest,
        reason=choice.reason,
        by_rule=by_rule.chosen,
        oracle=oracle.chosen,
        hypervolume=hypervolume(
            [minimised(r, config.objectives) for r in front], minimised_point(reference, config.objectives)
        ),
        reference=reference,
        confirmations=confirmations,
        paired=_paired(runs, chosen, published),
        baselines=baselines,
        spending=find_spending(study, baselines.retraining_s),
        finals=finals,
        by_samples=config.by_samples,
    )


def no_choice(outcome: Outcome) -> str:
    """Why there is no chosen trial to go on with, and what names one instead."""
    if outcome.nearest is None:
        return f"No trial was chosen: {outcome.reason}"
    return f"No trial was chosen; use `--trial N` to specify one. {outcome.reason}"


def reference_point(objectives: tuple[Objective, ...], original: dict[str, float]) -> tuple[float, ...]:
    """Where the hypervolume starts to count; see `Objective.reference`."""
    point = []
    for objective in objectives:
        before = original.get(objective.metric, 0.0)
        if objective.reference is not None:
            point.append(objective.reference)
        elif objective.metric.endswith(("forget_accuracy", "forget_confidence")):
            point.append(0.10)
        elif objective.metric == DEPTH:
            point.append(1.0)
        elif objective.metric.endswith("forget_gap"):
            point.append(max(0.10, before))
        elif objective.metric.endswith("retain_accuracy"):
            point.append(before - 0.10)
        else:
            point.append(before)
    return tuple(point)


def _confirmation(role: str, number: int, runs: list[Confirmed]) -> Confirmation:
    metrics = {name: Spread.of([run["metrics"][name] for run in runs]) for name in runs[0]["metrics"]}
    return Confirmation(role, number, tuple(run["seed"] for run in runs), metrics, runs[0]["counts"])


def _paired(runs: list[Confirmed], chosen: TrialRecord | None, published: TrialRecord | None) -> dict[str, Spread]:
    if chosen is None or published is None or chosen.number == published.number:
        return {}
    by_seed = {(run["number"], run["seed"]): run["metrics"] for run in runs}
    seeds = [seed for number, seed in by_seed if number == chosen.number and (published.number, seed) in by_seed]
    if not seeds:
        return {}
    return {
        name: Spread.of([by_seed[chosen.number, s][name] - by_seed[published.number, s][name] for s in seeds])
        for name in by_seed[chosen.number, seeds[0]]
    }
