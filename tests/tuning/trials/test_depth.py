"""The choice where depth is an objective, and what is said of how deep it is."""

import pytest

from tuning.config.loading import parse_study
from tuning.config.objectives import DEPTH
from tuning.study.attributes import BASELINES, RETRAINING
from tuning.study.outcome import find_outcome
from tuning.trials.depth import verdict

FLOOR = {"metric": "validation/retain_accuracy", "at_least": 0.81}


@pytest.fixture
def deep(values):
    """A study with the default objectives of classes; what a mask keeps is 0.91, as it has been settled."""
    without = {name: value for name, value in values.items() if name != "evaluation"}
    return {**without, "published": [], "constraints": [FLOOR]}


@pytest.fixture
def make_trials(deep, make_study, metrics):
    """Trials by forget accuracy, retain accuracy and `probe_left`; the mask keeps 0.91."""

    def make(*trials, error=0.02, drop_error=0.004, **changes):
        config = parse_study({**deep, "n_trials": len(trials), **changes})
        study = make_study(config)
        (config.directory / "study.yaml").write_text(config.to_yaml())
        for key, (forget, retain, left) in enumerate(trials):
            study.ask(str(key))
            more = {
                "validation/probe_left": left,
                "validation/probe_error": error,
                "validation/mask_drop": 0.91 - retain,
                "validation/mask_drop_error": drop_error,
            }
            study.complete(str(key), {**metrics(forget, retain), **more}, {})
        return study

    return make


def test_classes_are_searched_for_depth_too_and_samples_are_not(deep):
    assert [o.metric for o in parse_study(deep).objectives][2:] == [DEPTH]
    samples = parse_study({**deep, "forget": {"samples": [1, 2]}})
    assert [o.metric for o in samples.objectives] == ["validation/forget_gap", "validation/retain_accuracy"]
    without = parse_study({**deep, "evaluation": {"final": ["membership", "probe"]}})
    assert len(without.objectives) == 2, "what a mask keeps is not measured"


def test_the_deepest_is_chosen_that_keeps_nearly_as_much_as_a_mask(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.91, 0.9), (0.0, 0.905, 0.6), (0.0, 0.88, 0.3), (0.3, 0.92, 0.2)))
    assert outcome.chosen.number == 1
    assert "the deepest of the 2 trials on the front" in outcome.reason
    assert "`probe_left` 0.60" in outcome.reason
    assert "0.5 percentage points below the mask's" in outcome.reason


def test_the_paired_standard_error_is_added_to_what_may_be_lost(make_trials):
    trials = (0.0, 0.91, 0.9), (0.0, 0.897, 0.6)
    assert find_outcome(make_trials(*trials)).chosen.number == 1
    assert find_outcome(make_trials(*trials, drop_error=0.001, name="sure")).chosen.number == 0


def test_equally_deep_trials_are_told_apart_by_what_they_keep(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.91, 0.61), (0.0, 0.905, 0.6)))
    assert outcome.chosen.number == 0
    assert "the 2 deepest, which are equally deep" in outcome.reason


def test_where_none_comes_near_a_mask_the_one_that_keeps_most_is_chosen_and_the_price_is_said(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.87, 0.5), (0.0, 0.85, 0.4)))
    assert outcome.chosen.number == 0
    assert "none of them comes within 1.0 percentage points of a mask" in outcome.reason
    assert "keeps 4.0 percentage points more than this one" in outcome.reason


def test_where_none_forgets_the_one_that_forgets_most_is_chosen(make_trials):
    outcome = find_outcome(make_trials((0.1, 0.91, 0.5), (0.05, 0.9, 0.6)))
    assert outcome.chosen.number == 1
    assert "no trial on the front has a validation forget accuracy of at most 1.0%" in outcome.reason


def test_below_the_floor_of_max_loss_none_is_chosen(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.82, 0.5), selection={"max_loss": 0.05}))
    assert outcome.chosen is None
    assert outcome.nearest.number == 0


def test_a_wrecked_network_is_on_no_front(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.1, 0.0), (0.0, 0.9, 0.7)))
    assert [record.number for record in outcome.front] == [1]
    assert outcome.chosen.number == 1
    assert outcome.hypervolume == pytest.approx(0.1 * (0.9 - 0.8) * (1 - 0.7))


def test_a_wrecked_network_is_never_promoted(deep, make_study, report):
    config = parse_study({**deep, "replicates": 2, "fidelity": {"reduction_factor": 2}, "n_trials": 4})
    study = make_study(config)
    study.ask("defaults")
    study.ask("wrecked")
    measured = report(1, 0.0)["metrics"] | {"validation/retain_accuracy": 0.1, DEPTH: 0.0}
    assert not study.report("wrecked", {**report(1), "metrics": measured, "last": True}), (
        "though it is the first there"
    )
    assert study.records()[1].state == "PRUNED"


def test_with_epochs_rungs_judge_by_what_each_epoch_gives(deep, make_study, report, metrics):
    config = parse_study({**deep, "fidelity": {"attribute": "epochs", "reduction_factor": 2}, "n_trials": 6})
    study = make_study(config)
    for key in "abcd":
        study.ask(key)
    good, bad = ({**report(1)["metrics"], "validation/retain_accuracy": retain} for retain in (0.9, 0.82))
    wrecked = {**good, "validation/retain_accuracy": 0.3}
    assert study.report("a", {**report(1), "metrics": bad})
    assert study.report("b", {**report(1), "metrics": good})
    assert not study.report("c", {**report(1), "metrics": bad}), "dominated"
    assert not study.report("d", {**report(1), "metrics": wrecked})
    inner = study.optuna_study()
    trials = inner.get_trials()
    assert [trial.state.name for trial in inner.sampler.shown(trials)][2:4] == ["PRUNED", "PRUNED"], (
        "no depth is known"
    )
    more = {"probe_left": 0.6, "probe_error": 0.01, "mask_drop": 0.0, "mask_drop_error": 0.01}
    study.complete("b", {**metrics(0.0, 0.9), **{f"validation/{name}": value for name, value in more.items()}}, {})
    assert inner.sampler.shown(inner.get_trials())[2].values == [0.2, 0.82, 0.6]


def test_a_choice_no_deeper_than_a_mask_says_so(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.91, 0.97)))
    assert "no deeper than a mask" in outcome.reason


def test_less_than_in_any_reference_is_over_forgotten():
    metrics = {"validation/probe_left": 0.2, "validation/probe_error": 0.02}
    assert verdict(metrics, (0.46, 0.42)).startswith("over-forgotten")
    assert verdict(metrics, (0.2,)) is None
    assert verdict(metrics) is None
    assert verdict({}) is None


def test_an_outcome_holds_the_choice_against_baselines_and_a_retraining(make_trials, report, metrics):
    study = make_trials((0.0, 0.91, 0.6))
    study.note(BASELINES, {"mask": {"validation/retain_accuracy": 0.91}, "untrained": {DEPTH: 0.0}})
    study.note(RETRAINING, {"epochs": 10, "retain_images": 1000, "seconds": 200.0})
    baselines = find_outcome(study).baselines
    assert [row.name for row in baselines.rows] == ["original", "mask", "defaults", "chosen", "untrained"]
    assert (baselines.retraining_s, baselines.basis) == (200.0, "measured")
    assert baselines.share(50.0) == 0.25
    assert find_outcome(study).to_json()["baselines"]["rows"][1]["request_share"] == 0


def test_without_a_reference_a_retraining_is_estimated_at_the_trials_speed(make_study, deep, report, metrics):
    study = make_study(parse_study({**deep, "fixed": {"retain_fraction": 0.5}, "n_trials": 1}))
    params = study.ask("a").params
    assert find_outcome(study).baselines.retraining_s is None
    study.report("a", {**report(1), "elapsed_s": 30.0, "last": True})
    more = {"probe_left": 0.6, "probe_error": 0.01, "mask_drop": 0.0, "mask_drop_error": 0.01}
    study.complete("a", {**metrics(0.0, 0.9), **{f"validation/{name}": value for name, value in more.items()}}, {})
    study.note(RETRAINING, {"epochs": 12, "retain_images": 1000})
    baselines = find_outcome(study).baselines
    assert baselines.retraining_s == pytest.approx(30 * 12 / (params["epochs"] * 0.5))
    assert baselines.basis == "estimated"
