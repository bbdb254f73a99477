import math

import pyarrow.parquet as pq
import pytest

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.driver.confirmation import missing_confirmations
from tuning.study.attributes import CONFIRMATIONS
from tuning.study.directory import open_study
from tuning.study.outcome import Spread, find_outcome
from tuning.views.table import write_table


@pytest.fixture
def filled(config, make_study, metrics):
    """Trial 0 is the published set; 1 forgets and keeps best; 2 keeps all; 3 is dominated."""
    study = make_study(config)
    for key, values in enumerate([(0.0, 0.80, 0.05), (0.01, 0.86, 0.02), (0.5, 0.9, 0.5), (0.6, 0.7, 0.5)]):
        study.ask(str(key))
        study.complete(str(key), metrics(*values), {"test/forget": 30, "test/retain": 300})
    return study


def test_front_published_and_chosen(filled):
    outcome = find_outcome(filled)
    assert [record.number for record in outcome.front] == [0, 1, 2]
    assert outcome.published.number == 0
    assert outcome.chosen.number == 1
    assert "its retain accuracy is 4.0 percentage points below that of the original" in outcome.reason


def test_among_equals_within_a_standard_error_the_one_that_forgets_most_is_chosen(values, make_study, metrics):
    study = make_study(parse_study({**values, "selection": {"max_loss": 0.15}}))
    # 4,500 images: one standard error of 80 % is 0.6 points
    for key, figures in enumerate([(0.01, 0.800), (0.002, 0.797), (0.0, 0.790), (0.02, 0.85)]):
        study.ask(str(key))
        study.complete(str(key), metrics(*figures), {"validation/forget": 500, "validation/retain": 4500})
    outcome = find_outcome(study)
    assert [r.number for r in outcome.front] == [2, 1, 0, 3]
    assert outcome.chosen.number == 1
    assert "of the 2 on the front within one standard error (0.6 percentage points)" in outcome.reason


def test_hypervolume_counts_from_the_default_reference_point(filled):
    outcome = find_outcome(filled)
    assert outcome.reference == pytest.approx((0.10, 0.80))
    assert outcome.hypervolume == pytest.approx((0.10 - 0.01) * (0.86 - 0.80))


def test_confidence_breaks_ties(config, make_study, metrics):
    study = make_study(config)
    for key, values in enumerate([(0.0, 0.8, 0.05), (0.0, 0.8, 0.01), (0.0, 0.8, 0.03)]):
        study.ask(str(key))
        study.complete(str(key), metrics(*values), {})
    assert find_outcome(study).chosen.number == 1


def test_if_none_forgets_well_enough_the_one_that_forgets_most_is_taken(config, make_study, metrics):
    study = make_study(config)
    for key, values in enumerate([(0.3, 0.9), (0.2, 0.85)]):
        study.ask(str(key))
        study.complete(str(key), metrics(*values), {})
    outcome = find_outcome(study)
    assert outcome.chosen.number == 1
    assert "no trial on the front" in outcome.reason


def test_failed_and_running_trials_are_never_on_the_front(config, make_study, metrics):
    study = make_study(config)
    study.ask("a")
    study.fail("a", "diverged")
    study.ask("b")
    outcome = find_outcome(study)
    assert (outcome.front, outcome.chosen, outcome.hypervolume) == ((), None, 0.0)


def test_fresh_seeds_are_wanted_for_published_and_chosen_until_they_are_there(filled):
    seeds = filled.plan.confirmation_seeds
    missing = missing_confirmations(filled)
    assert {(record.number, seed) for record, seed in missing} == {(n, s) for n in (0, 1) for s in seeds}
    done = [{"number": 0, "seed": seeds[0], "metrics": {"test/retain_accuracy": 0.8}, "counts": {}}]
    filled.note(CONFIRMATIONS, done)
    assert len(missing_confirmations(filled)) == len(missing) - 1


def test_paired_differences_pair_seeds(filled):
    retain = {0: [0.80, 0.82, 0.84], 1: [0.85, 0.86, 0.87]}
    runs = [
        {"number": number, "seed": seed, "metrics": {"test/retain_accuracy": value}, "counts": {}}
        for number, values in retain.items()
        for seed, value in zip((7, 8, 9), values, strict=True)
    ]
    filled.note(CONFIRMATIONS, runs)
    outcome = find_outcome(filled)
    paired = outcome.paired["test/retain_accuracy"]
    assert (paired.mean, paired.n) == (pytest.approx(0.04), 3)
    assert paired.std == pytest.approx(0.01)
    assert {c.role: c.metrics["test/retain_accuracy"].mean for c in outcome.confirmations} == {
        "published": pytest.approx(0.82),
        "chosen": pytest.approx(0.86),
    }


def test_json_has_the_promised_keys(filled):
    content = find_outcome(filled).to_json()
    assert {"original", "published", "front", "chosen", "hypervolume"} <= set(content)
    for record in (content["original"], content["published"], content["chosen"], *content["front"]):
        assert {"number", "params", "metrics"} <= set(record)


def test_a_spread_of_one_value_has_no_deviation():
    assert Spread.of([0.5]) == Spread(0.5, 0.0, 1)


def test_the_table_has_a_row_a_trial_and_nulls_for_what_is_missing(filled, values, make_study, tmp_path):
    larger = make_study(parse_study({**values, "n_trials": 6}))
    larger.ask("x")
    larger.fail("x", "diverged")
    write_table(larger.records(), tmp_path / "trials.parquet")
    table = pq.read_table(tmp_path / "trials.parquet").to_pylist()
    assert [row["number"] for row in table] == [0, 1, 2, 3, 4]
    assert [row["state"] for row in table] == ["COMPLETE"] * 4 + ["FAIL"]
    assert table[1]["metrics.validation/retain_accuracy"] == 0.86
    assert table[4]["metrics.validation/retain_accuracy"] is None
    assert table[4]["error"] == "diverged"
    assert table[0]["params.unlearn_scale_lr"] == 1.6
    assert {"fidelity", "duration_s", "params.batchnorm_mode"} <= set(table[0])
    assert not any(isinstance(value, float) and math.isnan(value) for row in table for value in row.values())


def test_the_oracle_takes_the_smallest_gap_and_the_rule_is_measured_by_it(values, make_study, metrics):
    final = {"final": ["membership", "zrf", "retrained"]}
    config = parse_study({**values, "published": [], "evaluation": final})
    study = make_study(config)
    for key, forget, retain, gap in (("a", 0.0, 0.8, 0.05), ("b", 0.1, 0.9, 0.02), ("c", 0.5, 0.1, 0.01)):
        study.ask(key)
        study.complete(key, {**metrics(forget, retain), "validation/retrained_gap": gap}, {})
    outcome = find_outcome(study)
    assert (outcome.chosen.number, outcome.by_rule.number, outcome.oracle.number) == (0, 0, 1)
    assert outcome.regret == pytest.approx(0.03)
    assert "Regret: 3.0." in outcome.comparison
    (config.directory / "study.yaml").write_text(config.to_yaml())
    by_oracle = find_outcome(open_study(config.directory, ["selection.by=oracle"]))
    assert by_oracle.chosen.number == 1
    assert "(oracle)" in by_oracle.reason
    with pytest.raises(ConfigError, match="can only be oracle if"):
        parse_study({**values, "selection": {"by": "oracle"}})


def test_without_a_reference_there_is_no_oracle(values, make_study, metrics):
    study = make_study(parse_study(values))
    study.ask("a")
    study.complete("a", metrics(0.0, 0.8), {})
    outcome = find_outcome(study)
    assert (outcome.oracle, outcome.regret, outcome.comparison) == (None, None, None)
