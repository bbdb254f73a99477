"""How soon a new request has what it needs: recorded unlearnings of five classes, one of them new at a time.

`python benchmarks/bench_memory.py` takes a minute of one core. Four recordings lie in ../shared/search beside the
checkout (the digits' classes 0, 1, 5 and 7), the one of class 3 in data/. The first hundred configurations are the
same in all. Each class in turn is the new request, and others are earlier ones: what is tried first, and how many
trials does it take to one that meets the goal? The goal: a forget accuracy of at most 1 % and a retain accuracy
within a point of the best among such trials.

`--network perceptron` takes the recordings of another network instead (`second_network.py`), which lie in records/.

In `all`, every earlier request has tried all hundred configurations. In `half`, each has tried the published one and
49 others, drawn for each request. In `in turn`, the earlier requests came one after the other: each has tried the
published configuration, what it remembered of those before it, and others at random, 24 in all.
"""

import argparse
import itertools
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pyarrow.parquet as pq
from surroundings import surroundings

from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.memory.evidence import EarlierStudy, EarlierTrial, Request, settled_values
from tuning.memory.fitting import Fitting
from tuning.memory.portfolio import Tier, choose_portfolio

HERE = Path(__file__).parent
RECORDINGS = HERE.parents[1] / "shared" / "search"
CLASSES = (0, 1, 3, 5, 7)
SHARED, DRAWS, EACH, POINT = 100, 40, 24, 0.01
METRICS = ("validation/forget_accuracy", "validation/retain_accuracy", "validation/forget_confidence")


def plan() -> TrialPlan:
    """The study that is new: the space of today, of which the recorded one is an older part."""
    return TrialPlan.of(
        parse_study(
            {
                "name": "new",
                "data": {"source": "digits"},
                "model": {"name": "SmallCNN"},
                "forget": {"classes": [3]},
                "published": ["ResNet9/mnist/100"],
                "recipes": False,
                "memory": "none",
                "evaluation": {"final": []},
            }
        )
    )


def recorded(path: Path, label: int) -> EarlierStudy:
    """The shared configurations of a recording, as a study with the means over its replicates."""
    table = pq.read_table(path)
    parameters = json.loads(table.schema.metadata[b"parameters"])[:SHARED]
    last: dict[int, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        if row["last"] and row["configuration"] < SHARED:
            last.setdefault(row["configuration"], []).append(row)
    trials = tuple(
        EarlierTrial(
            number,
            settled_values("antisample", parameters[number]),
            {name: fmean(row[name] for row in rows) for name in METRICS},
            {},
        )
        for number, rows in sorted(last.items())
    )
    request = Request("recorded", "SmallCNN", "digits", str(label), by_samples=False)
    return EarlierStudy(f"digits-{label}", "antisample", request, str(label), None, trials)


def goal(study: EarlierStudy) -> set[int]:
    """Numbers of the configurations that meet the goal."""
    forgot = {trial.number: trial for trial in study.trials if trial.metrics[METRICS[0]] <= POINT}
    best = max(trial.metrics[METRICS[1]] for trial in forgot.values())
    return {number for number, trial in forgot.items() if trial.metrics[METRICS[1]] >= best - POINT}


def some(study: EarlierStudy, n: int, draw: random.Random) -> EarlierStudy:
    """The same study as if it had tried some of its configurations only; always the published one."""
    first, *others = study.trials
    left = sorted([first, *draw.sample(others, n - 1)], key=lambda trial: trial.number)
    return replace(study, trials=tuple(left))


def in_turn(studies: Sequence[EarlierStudy], n: int, new: Fitting, draw: random.Random) -> list[EarlierStudy]:
    """Studies of so many trials each, the later ones with the memory of the earlier ones."""
    done: list[EarlierStudy] = []
    for study in studies:
        numbers = first_trials(study, done, new)
        others = [trial.number for trial in study.trials if trial.number not in numbers]
        tried = {*numbers, *draw.sample(others, n - len(numbers))}
        done.append(replace(study, trials=tuple(trial for trial in study.trials if trial.number in tried)))
    return done


def first_trials(target: EarlierStudy, earlier: Sequence[EarlierStudy], new: Fitting) -> list[int]:
    """Numbers of the configurations that are tried first: the published one, and what is remembered."""
    by_params = {json.dumps(new(trial.values).params, sort_keys=True): trial.number for trial in target.trials}
    remembered = choose_portfolio([Tier("same model", earlier)], new) if earlier else []
    first = [new.plan.starting_points[0][1], *(each["params"] for each in remembered)]
    return [by_params[json.dumps(params, sort_keys=True)] for params in first]


def trials_to_goal(target: EarlierStudy, earlier: Sequence[EarlierStudy], new: Fitting, draw: random.Random) -> int:
    """Trials until one meets the goal: the published set, what is remembered, and then the others at random."""
    order = first_trials(target, earlier, new)
    others = [trial.number for trial in target.trials if trial.number not in order]
    draw.shuffle(others)
    met = goal(target)
    return 1 + next(place for place, number in enumerate([*order, *others]) if number in met)


def summary(trials: Sequence[int]) -> dict[str, float]:
    """Shares that are there within so many trials."""
    within = {f"within_{n}": sum(each <= n for each in trials) / len(trials) for n in (3, 5, 6, 10)}
    return {"n": len(trials), "median": median(trials), "highest": max(trials), **within}


def measure(studies: Sequence[EarlierStudy]) -> dict[str, dict[str, float]]:
    """All rows of the table, by name."""
    new, rows = Fitting(plan()), {}
    cold = [trials_to_goal(t, [], new, random.Random(d)) for t in studies for d in range(DRAWS)]
    rows["published, then random"] = summary(cold)
    for n in range(1, len(studies)):
        every, half, turns = [], [], []
        for target in studies:
            others = [study for study in studies if study is not target]
            for group in itertools.combinations(others, n):
                every += [trials_to_goal(target, group, new, random.Random(d)) for d in range(3)]
            for d in range(DRAWS):
                draw = random.Random(d)
                halves = [some(study, SHARED // 2, draw) for study in draw.sample(others, n)]
                half.append(trials_to_goal(target, halves, new, draw))
                turns.append(trials_to_goal(target, in_turn(draw.sample(others, n), EACH, new, draw), new, draw))
        rows[f"memory of {n}, all"] = summary(every)
        rows[f"memory of {n}, half"] = summary(half)
        rows[f"memory of {n}, in turn"] = summary(turns)
    return rows


def main() -> int:
    """Measures and prints, and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=("SmallCNN", "perceptron"), default="SmallCNN")
    arguments = parser.parse_args()
    own = arguments.network == "SmallCNN"
    if own:
        paths = {label: RECORDINGS / f"SmallCNN-{label}.parquet" for label in CLASSES}
        paths[3] = HERE / "data" / "curves.parquet"
    else:
        paths = {label: HERE / "records" / f"curves-{arguments.network}-{label}.parquet" for label in CLASSES}
    missing = [path.name for path in paths.values() if not path.exists()]
    if missing:
        print(f"Skipped: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there.")
        return 0
    studies = [recorded(path, label) for label, path in paths.items()]
    rows = measure(studies)
    option = "" if own else f" --network {arguments.network}"
    about = {"command": f"python benchmarks/bench_memory.py{option}", **surroundings()}
    meeting = {study.name: len(goal(study)) for study in studies}
    record = HERE / "records" / f"memory{'' if own else f'-{arguments.network}'}.json"
    record.write_text(json.dumps({**about, "meeting_the_goal": meeting, "rows": rows}, indent=1) + "\n")
    print(f"Configurations of {SHARED} that meet the goal: {meeting}")
    for name, row in rows.items():
        shares = ", ".join(f"within {n}: {row[f'within_{n}']:.0%}" for n in (3, 5, 6, 10))
        print(f"{name:24} n {row['n']:4.0f}, median {row['median']:4.1f}, highest {row['highest']:3.0f}; {shares}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
