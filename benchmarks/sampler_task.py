"""A request that samplers search: what is truly good there, and one search by the product's own parts."""

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import optuna
from bench_finalists import record_of, run_finals
from record_curves import record as unlearn_for_real
from record_curves import study_config
from recording import FORGET, RETAIN, SECONDS, Recording
from surrogate import Surrogate

from search_spaces import SearchSpace, load_space
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import distributions
from tuning.strategies.suggester import TrialSuggester
from tuning.trials.front import front_of
from tuning.trials.pareto import hypervolume, non_dominated
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose

REPLICATES, LIMIT = 3, 0.01
ORIGINAL = {FORGET: 1.0, RETAIN: 0.996}
Run = dict[str, float | None]


class Task:
    """A request that samplers search, and what is truly good there.

    Args:
        recording: Of the request.
        n_drawn: Configurations that stand for the whole space.

    Attributes:
        surrogate: Answers trials.
        best: The highest true retain accuracy that forgets, over these configurations and the recorded ones.
    """

    def __init__(self, recording: Recording, n_drawn: int = 10_000) -> None:
        self.surrogate = Surrogate(recording, self.space())
        self.drawn = [*recording.parameters, *drawn(self.space(), n_drawn)]
        self.truth = self.surrogate.truth(self.drawn)
        self.best = float(self.truth[RETAIN][self.truth[FORGET] <= LIMIT].max())
        self._volume = self.volume(zip(self.truth[FORGET], self.truth[RETAIN], strict=True))

    @staticmethod
    def space() -> SearchSpace:
        """What is searched: the space of the published work."""
        return load_space("antisample-published")

    def is_good(self, truth: dict[str, float], points: int = 2) -> bool:
        """Whether a trial truly forgets, and keeps within so many points of the best."""
        return truth[FORGET] <= LIMIT and truth[RETAIN] >= self.best - points / 100

    def share(self, truths: Iterable[dict[str, float]]) -> float:
        """The hypervolume of trials, in truth, as a share of the largest."""
        return self.volume((truth[FORGET], truth[RETAIN]) for truth in truths) / self._volume

    def volume(self, figures: Iterable[tuple[float, float]]) -> float:
        """Hypervolume up to a forget accuracy of 10 % and 10 points below the best retain accuracy."""
        points = [(float(forget), 1 - float(retain)) for forget, retain in figures]
        return hypervolume([points[i] for i in non_dominated(points)], (0.10, 1 - self.best + 0.10))


def drawn(space: SearchSpace, n: int) -> list[dict[str, Any]]:
    """Configurations at random, each time the same."""
    sampler, searched = optuna.samplers.RandomSampler(seed=1), distributions(space)
    study = optuna.create_study()
    trial = study.ask()._cached_frozen_trial
    one = partial(sampler.sample_independent, study, trial)
    return [{name: one(name, each) for name, each in searched.items()} for _ in range(n)]


def search(task: Task, sampler: str, seed: int, n_trials: int, *, published: bool = True) -> Run:
    """One search without memory, and the trials until something was so; None for never.

    Args:
        task: What is searched.
        sampler: A name that `tuning.strategies.samplers` knows.
        seed: Of the sampler and of the noise.
        n_trials: All of them.
        published: Whether the published set comes first, as it does in a study.
    """
    config = study_config(replicates=REPLICATES).model_copy(
        update={"sampler": sampler, "seed": seed, "n_trials": n_trials}
    )
    plan, draws = TrialPlan.of(config), np.random.default_rng(seed)
    study = optuna.create_study(directions=[objective.direction for objective in config.objectives])
    suggester = TrialSuggester(study, plan)
    for _, params in plan.starting_points if published else ():
        study.enqueue_trial(params)
    truths: list[dict[str, float]] = []
    records: list[TrialRecord] = []
    first: dict[str, int] = {}
    asking_s = 0.0
    for number in range(n_trials):
        began = time.process_time()
        trial = suggester.ask(None).trial
        asking_s += time.process_time() - began
        truths.append({name: float(values[0]) for name, values in task.surrogate.truth([trial.params]).items()})
        records.append(record_of(number, task.surrogate.runs(truths[-1], REPLICATES, draws)))
        study.tell(trial, list(records[-1].values or ()))
        chosen = choose(front_of(records, config.objectives), config, ORIGINAL).chosen
        for points in (2, 1):
            if task.is_good(truths[-1], points):
                first.setdefault(f"tried_{points}", number + 1)
            if chosen is not None and task.is_good(truths[chosen.number], points):
                first.setdefault(f"chosen_{points}", number + 1)
    seconds = np.cumsum([REPLICATES * truth[SECONDS] for truth in truths])
    run: Run = {name: first.get(name) for name in ("tried_2", "tried_1", "chosen_2", "chosen_1")}
    run["chosen_2_s"] = float(seconds[first["chosen_2"] - 1]) if "chosen_2" in first else None
    run |= {f"volume_{n}": task.share(truths[:n]) for n in (10, 20, n_trials)}
    return run | _after_finals(task, config, records, truths, draws) | {"ask_cpu_s": asking_s / n_trials}


def _after_finals(
    task: Task, config: StudyConfig, records: list[TrialRecord], truths: list[dict[str, float]], draws: Any
) -> Run:
    """Whether the choice is truly good, by the figures of the search alone and after the finals."""

    def again(number: int) -> dict[str, float]:
        return task.surrogate.runs(truths[number], 1, draws)[0]

    alone = choose(front_of(records, config.objectives), config, ORIGINAL).chosen
    last, _ = run_finals(records, alone, again, config, ORIGINAL)
    run: Run = {}
    for name, chosen in (("choice", alone), ("final", last)):
        truth = truths[chosen.number] if chosen is not None else None
        run |= {
            f"{name}_forgets": float(truth is not None and truth[FORGET] <= LIMIT),
            f"{name}_good_2": float(truth is not None and task.is_good(truth, 2)),
        }
    return run


def check(task: Task, label: int, n: int, replicates: int) -> list[dict[str, float]]:
    """Real unlearnings of the configurations that the surrogate takes for the best, beside what it says of them."""
    good = np.flatnonzero(task.truth[FORGET] <= LIMIT)
    best = good[np.argsort(-task.truth[RETAIN][good])][:n]
    rows = []
    for number in map(int, best):
        ends = [row for row in unlearn_for_real(0, task.drawn[number], "SmallCNN", label, replicates) if row["last"]]
        row = {f"predicted {name}": float(task.truth[name][number]) for name in (FORGET, RETAIN)}
        rows.append(
            row | {f"measured {name}": float(np.mean([end[name] for end in ends])) for name in (FORGET, RETAIN)}
        )
    return rows
