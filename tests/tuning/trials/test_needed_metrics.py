"""By what trials are measured where a budget counts."""

from antisample.unlearning import Measures, unlearn
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.trials.needed_metrics import needed_measures

TWO = [
    {"metric": "validation/forget_accuracy", "direction": "minimize"},
    {"metric": "validation/retain_accuracy", "direction": "maximize"},
]


def measures(values, **changes):
    return needed_measures(parse_study({**values, **changes}))


def test_without_a_budget_trials_are_measured_by_everything(values):
    assert measures(values) is None


def test_with_a_budget_they_are_measured_by_what_the_decision_reads(values):
    del values["evaluation"]
    assert measures(values, budget=1) == (("validation",), ("classification", "probe", "mask"))
    assert measures(values, budget=1, objectives=TWO) == (("validation",), ("classification", "membership"))
    limited = measures(values, budget=1, objectives=TWO, constraints=[{"metric": "validation/zrf", "at_least": 0.1}])
    assert limited == (("validation",), ("classification", "membership", "zrf"))


def test_what_is_measured_is_the_same_as_otherwise(values, digits_inputs):
    study = parse_study({**values, "fixed": {"epochs": 1}, "device": "cpu", "evaluation": {"final": ["membership"]}})
    config = TrialPlan.of(study).starting_config()
    needed = needed_measures(study.model_copy(update={"budget": parse_study({**values, "budget": 1}).budget}))
    *_, whole = unlearn(config, digits_inputs)
    *_, part = unlearn(config, digits_inputs, needed)
    assert part.metrics.values.items() < whole.metrics.values.items()
    assert {name.partition("/")[0] for name in part.metrics.values} == {"validation"}
    *_, none = unlearn(config, digits_inputs, Measures((), ()))
    assert none.metrics.values == {}
