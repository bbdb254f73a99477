"""How often the chosen trial truly keeps its limit, with finalists and without, on recorded unlearnings.

`python benchmarks/bench_finalists.py` draws searches of 40 configurations from `data/curves.parquet` (240
configurations of the digits, ten replicates each; `--curves FILE` takes another recording), each configuration with
`--replicates` of its recorded runs, drawn with replacement. Truth is the mean over all recorded runs of a
configuration. The finals are those of the product, by its own functions. The record is `records/finalists.json`; a
minute or two.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from surroundings import surroundings

from tuning.config.loading import parse_study
from tuning.config.study import StudyConfig
from tuning.trials.finalists import Decision, decide, find_finalists
from tuning.trials.front import front_of
from tuning.trials.origins import Origin
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose

HERE = Path(__file__).parent
FORGET, RETAIN, CONFIDENCE = (
    f"validation/{name}" for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")
)
ORIGINAL, LIMIT, WITHIN = {FORGET: 1.0, RETAIN: 0.996}, 0.01, 0.01
Runs = dict[int, list[dict[str, float]]]


def read(path: Path) -> Runs:
    """The last figures of every replicate, by configuration; those with fewer replicates than others are left out."""
    runs: Runs = {}
    for row in pq.read_table(path).to_pylist():
        if row["last"]:
            figures = {name: row.get(name, row[FORGET]) for name in (FORGET, RETAIN, CONFIDENCE)}
            runs.setdefault(row["configuration"], []).append(figures)
    most = max(map(len, runs.values()))
    return {number: each for number, each in runs.items() if len(each) == most}


def study(budget: int) -> StudyConfig:
    """The study whose rule chooses."""
    return parse_study(
        {
            "name": "recorded",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN"},
            "forget": {"classes": [3]},
            "evaluation": {"final": []},
            "selection": {"finalists": 5 if budget else 0, "finalist_replicates": budget},
        }
    )


def search(
    recorded: Runs, config: StudyConfig, seed: int, replicates: int, from_front: bool
) -> dict[str, float] | None:
    """One search and its choice: true figures, the best that it could have chosen, and the runs of its finals."""
    draws = random.Random(seed)
    numbers = draws.sample(sorted(recorded), 40)
    records = [record_of(number, draws.choices(recorded[number], k=replicates)) for number in numbers]
    front = front_of(records, config.objectives)
    chosen = choose(front, config, ORIGINAL).chosen
    chosen, used = run_finals(
        front if from_front else records, chosen, lambda number: draws.choice(recorded[number]), config, ORIGINAL
    )
    if chosen is None:
        return None
    truth = {number: (_mean(recorded[number], FORGET), _mean(recorded[number], RETAIN)) for number in numbers}
    best = max((retain for forget, retain in truth.values() if forget <= LIMIT), default=0.0)
    forget, retain = truth[chosen.number]
    good = {number for number, (each, _) in truth.items() if each <= LIMIT}
    return {
        "forget": forget,
        "retain": retain,
        "best": best,
        "runs": float(used),
        "good": float(len(good)),
        "good_on_front": float(len(good & {record.number for record in front})),
    }


def run_finals(
    records: list[TrialRecord],
    chosen: TrialRecord | None,
    again: Callable[[int], dict[str, float]],
    config: StudyConfig,
    original: dict[str, float],
) -> tuple[TrialRecord | None, int]:
    """The finals: who is chosen, and after how many further runs.

    Args:
        records: Of whom the finalists are.
        chosen: By the figures of the search; stays where there are no finals.
        again: Runs a trial once more, by number.
        config: Its selection rule and budget are read.
        original: Metrics of the original model.
    """
    finalists = find_finalists(records, config, original)
    runs: Runs = {record.number: [] for record in finalists}
    in_play, used, decision = list(runs), 0, None
    while (
        in_play
        and used + len(in_play) <= config.selection.finalist_replicates
        and not (decision and decision.is_settled)
    ):
        for number in in_play:
            runs[number].append(again(number))
        used += len(in_play)
        decision = decide(finalists, runs, config, original)
        in_play = list(decision.in_play) if decision is not None else in_play
    return (decision.choice.chosen if isinstance(decision, Decision) else chosen), used


def _mean(runs: list[dict[str, float]], metric: str) -> float:
    return fmean(run[metric] for run in runs)


def record_of(number: int, runs: list[dict[str, float]]) -> TrialRecord:
    """A finished trial of the digits whose figures are the means of its runs."""
    metrics = {name: _mean(runs, name) for name in runs[0]}
    counts = {"validation/forget": 29, "validation/retain": 258}
    values = (metrics[FORGET], metrics[RETAIN])
    return TrialRecord(
        number,
        "COMPLETE",
        Origin("sampler"),
        {},
        (0,),
        values,
        metrics,
        {},
        counts,
        (),
        0,
        1,
        0,
        None,
        {},
        None,
        {},
        {},
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--curves", type=Path, nargs="+", default=[HERE / "data" / "curves.parquet"])
    parser.add_argument("--replicates", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--budgets", type=int, nargs="+", default=[0, 10, 20, 35])
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--from-front", action="store_true", help="finalists of the front alone, which we do not do")
    arguments = parser.parse_args()
    shown = Table(
        "recording", "replicates", "runs of finals", "keeps the limit", "and best retain", "forget", "retain"
    )
    rows: list[dict[str, Any]] = []
    for path in arguments.curves:
        recorded = read(path)
        for replicates in arguments.replicates:
            for budget in arguments.budgets:
                config = study(budget)
                every = [
                    search(recorded, config, seed, replicates, arguments.from_front)
                    for seed in range(arguments.searches)
                ]
                ends = [end for end in every if end is not None]
                kept = [end["forget"] <= LIMIT for end in ends]
                good = [each and end["retain"] >= end["best"] - WITHIN for each, end in zip(kept, ends, strict=True)]
                row = {
                    "recording": path.stem,
                    "configurations": len(recorded),
                    "replicates": replicates,
                    "budget": budget,
                    "chosen": len(ends),
                    "keeps_limit": fmean(kept),
                    "keeps_limit_and_best_retain": fmean(good),
                    **{
                        name: fmean(end[name] for end in ends)
                        for name in ("forget", "retain", "runs", "good", "good_on_front")
                    },
                }
                rows.append(row)
                shown.add_row(
                    path.stem,
                    str(replicates),
                    f"{row['runs']:.1f} of {budget}",
                    f"{row['keeps_limit']:.0%}",
                    f"{row['keeps_limit_and_best_retain']:.0%}",
                    f"{row['forget']:.2%}",
                    f"{row['retain']:.2%}",
                )
    record = {
        "command": " ".join(["python", "benchmarks/bench_finalists.py", *sys.argv[1:]]),
        "searches": arguments.searches,
        **surroundings(),
        "rows": rows,
    }
    (HERE / "records" / f"finalists{'-from-front' * arguments.from_front}.json").write_text(
        json.dumps(record, indent=1) + "\n"
    )
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()
