import json
import random
from pathlib import Path
from statistics import fmean

import pyarrow.parquet as pq
import pytest

from tuning.config.loading import parse_study
from tuning.study.attributes import FINALIST_RUNS
from tuning.study.finals import find_finals
from tuning.study.outcome import find_outcome
from tuning.trials.finalists import decide, find_finalists
from tuning.trials.front import front_of
from tuning.trials.origins import Origin
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose
from tuning.views.report import render_report

CURVES = Path(__file__).parents[3] / "benchmarks/data/curves.parquet"
FORGET, RETAIN = "validation/forget_accuracy", "validation/retain_accuracy"


@pytest.fixture
def study(values, make_study, metrics):
    """Trial 0 was lucky and dominates 1 and 2; 3 forgets nothing; the original has 0.9 of both."""
    config = parse_study({**values, "published": []})
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    for key, figures in enumerate([(0.0, 0.89), (0.0, 0.88), (0.005, 0.87), (0.5, 0.895)]):
        study.ask(str(key))
        study.complete(str(key), metrics(*figures), {"validation/forget": 500, "validation/retain": 4500})
    return study


def note(study, metrics, **by_round):
    """Keeps runs of the round to come, until nothing is missing; figures by number of the trial."""
    while missing := find_finals(study).missing:
        runs = list(study.noted(FINALIST_RUNS, []))
        for record, seed in missing:
            result = by_round[f"trial_{record.number}"](len([r for r in runs if r["number"] == record.number]))
            run = {"number": record.number, "seed": seed, "metrics": {}, "elapsed_s": 1.0}
            runs.append({**run, "error": result} if isinstance(result, str) else {**run, "metrics": metrics(*result)})
        study.note(FINALIST_RUNS, runs)


def test_finalists_are_what_the_rule_takes_one_after_another_even_if_a_lucky_trial_dominates_them(study):
    assert [record.number for record in find_outcome(study).front] == [0, 3]
    finalists = find_finalists(study.records(), study.config, {FORGET: 0.9, RETAIN: 0.9})
    assert [record.number for record in finalists] == [0, 1, 2]


def test_a_trial_that_was_lucky_is_not_chosen_by_its_luck(study, metrics):
    assert find_outcome(study).chosen.number == 0
    wavering = (0.0, 0.06, 0.03, 0.05, 0.02)
    note(
        study,
        metrics,
        trial_0=lambda n: (wavering[n % 5], 0.89),
        trial_1=lambda n: (0.0, 0.878 + 0.001 * (n % 2)),
        trial_2=lambda n: (0.004, 0.86 + 0.001 * (n % 2)),
    )
    outcome = find_outcome(study)
    assert outcome.chosen.number == 1
    assert outcome.chosen.metrics[RETAIN] == 0.88, "the trial has its own figures"
    assert "finalists with fresh seeds, " in outcome.reason
    assert len(outcome.finals.runs) <= study.config.selection.finalist_replicates
    page = render_report(study)
    assert "<h2>Finalists</h2>" in page
    assert page.count('<td class="number">4</td>') + page.count('<td class="number">2</td>') > 1, "runs of finalists"
    entry = next(each for each in outcome.to_json()["finalists"] if each["number"] == 0)
    assert entry["metrics"][FORGET] > 0.01
    assert entry["errors"][FORGET] > 0


def test_where_no_finalist_keeps_the_limits_for_sure_the_outcome_says_so(study, metrics):
    wavering = (0.0, 0.02, 0.0, 0.03, 0.0)
    note(study, metrics, **{f"trial_{k}": lambda n: (wavering[n % 5], 0.88) for k in range(4)})
    assert "no finalist keeps every limit for sure" in find_outcome(study).reason


def test_a_run_that_fails_puts_its_finalist_out(study, metrics):
    note(
        study,
        metrics,
        trial_0=lambda _: "DivergedError: the loss is not finite.",
        trial_1=lambda n: (0.0, 0.87 + 0.001 * (n % 2)),
        trial_2=lambda n: (0.0, 0.86 + 0.001 * (n % 2)),
    )
    assert find_outcome(study).chosen.number == 1
    assert len([run for run in study.noted(FINALIST_RUNS) if run["number"] == 0]) == 1


def test_each_round_has_the_same_seed_for_all_and_what_is_kept_is_not_missing(study, metrics):
    first = find_finals(study).missing
    assert len({seed for _, seed in first}) == 1
    assert {seed for _, seed in first}.isdisjoint({*study.plan.trial_seeds, *study.plan.confirmation_seeds})
    (record, seed), *others = first
    run = {"number": record.number, "seed": seed, "metrics": metrics(0.0, 0.88), "elapsed_s": 1.0}
    study.note(FINALIST_RUNS, [run])
    assert find_finals(study).missing == tuple(others)
    assert find_outcome(study).chosen.number == 0, "one run decides nothing"


@pytest.mark.parametrize(
    "changes",
    [
        {"confirm_seeds": 0},
        {"selection": {"finalists": 1}},
        {"selection": {"finalist_replicates": 0}},
    ],
)
def test_nothing_is_run_again_where_that_is_not_wanted(study, values, make_study, changes):
    assert not find_finals(make_study(parse_study({**values, "published": [], **changes}))).missing


def test_the_chosen_trial_keeps_its_limit_in_truth_in_nine_of_ten_searches():
    """On 240 recorded configurations of the digits, ten replicates each, which are drawn from with replacement."""
    table = pq.read_table(CURVES).to_pylist()
    recorded = [[] for _ in json.loads(pq.read_schema(CURVES).metadata[b"parameters"])]
    for row in table:
        if row["last"]:
            recorded[row["configuration"]].append({k: v for k, v in row.items() if k.startswith("validation/")})
    config = parse_study(
        {
            "name": "recorded",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN"},
            "forget": {"classes": [3]},
            "evaluation": {"final": []},
        }
    )
    kept = [_kept_in_truth(random.Random(seed), recorded, config) for seed in range(60)]
    by_search, by_finals = (sum(each) / len(kept) for each in zip(*kept, strict=True))
    assert by_finals >= 0.9
    assert by_search < 0.9, "otherwise finalists would be of no use"


def _kept_in_truth(draws, recorded, config):
    """Whether the trial that the search's figures choose forgets enough in truth, and the one that finals choose."""
    original, budget = {FORGET: 1.0, RETAIN: 0.996}, config.selection.finalist_replicates
    records = [
        _record(number, [draws.choice(recorded[number]) for _ in range(3)])
        for number in draws.sample(range(len(recorded)), 40)
    ]
    finalists = find_finalists(records, config, original)
    runs = {record.number: [] for record in finalists}
    in_play, used, decision = list(runs), 0, None
    while in_play and used + len(in_play) <= budget and not (decision and decision.is_settled):
        for number in in_play:
            runs[number].append(draws.choice(recorded[number]))
        used += len(in_play)
        decision = decide(finalists, runs, config, original)
        in_play = list(decision.in_play) if decision else in_play
    chosen = (choose(front_of(records, config.objectives), config, original).chosen, decision.choice.chosen)
    return [fmean(run[FORGET] for run in recorded[trial.number]) <= 0.01 for trial in chosen]


def _record(number, runs):
    metrics = {name: fmean(run[name] for run in runs) for name in runs[0]}
    counts = {"validation/forget": 29, "validation/retain": 258}
    values = (metrics[FORGET], metrics[RETAIN])
    about = (Origin("sampler"), {}, (0,), values, metrics, {}, counts, (), 0, 1, 0, None, {}, None, {}, {})
    return TrialRecord(number, "COMPLETE", *about)
