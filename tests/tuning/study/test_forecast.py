"""From the cost of one unlearning to that of a study."""

import pytest

from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.study.forecast import UnlearningCosts, Workload, forecast

COSTS = UnlearningCosts(preparation_s=2.0, epoch_s=10.0, validation_s=1.0, evaluation_s=5.0, retraining_s=100.0)


def predicted(values, load=None, **changes):
    work = {"trials": 4, "confirmations": 0, "workers": 1, "requests": 1, "training_images": 100, "retain_images": 90}
    plan = TrialPlan.of(parse_study({**values, **changes}))
    return forecast(plan, COSTS, Workload(**work | (load or {})), starts_s=0, ends_s=0)


def seconds(forecasted, name):
    (stage,) = [stage for stage in forecasted.stages if name in stage.name]
    return stage.least_s, stage.seconds, stage.most_s


def test_a_search_takes_the_mean_of_the_epochs_of_the_space_and_has_a_range(values):
    result = predicted(values)
    assert result.epochs == (1, pytest.approx(3.0, abs=0.05), 5)
    least, mean, most = seconds(result, "4 trials")
    assert (least, most) == (4 * (2 + 10 + 5), 4 * (2 + 50 + 4 + 5))
    assert mean == pytest.approx(4 * (2 + 30 + 2 + 5), rel=0.01)


def test_fixed_epochs_have_no_range_and_replicates_count(values):
    result = predicted(values, fixed={"epochs": 2}, replicates=3)
    assert result.epochs == (2, 2, 2)
    assert seconds(result, "4 trials") == (4 * 3 * 28,) * 3


def test_epochs_that_are_the_fidelity_are_not_searched(values):
    fidelity = {"attribute": "epochs", "min": 1}
    assert predicted(values, fidelity=fidelity, fixed={"epochs": 4}).epochs == (4, 4, 4)


def test_workers_share_the_trials_and_half_of_them_wait_at_the_end(values):
    alone = seconds(predicted(values, {"trials": 40}, fixed={"epochs": 2}), "trials")[1]
    four = seconds(predicted(values, {"trials": 40, "workers": 4}, fixed={"epochs": 2}), "trials")[1]
    assert alone / 4 < four < alone / 4 + 28
    few = seconds(predicted(values, {"trials": 1, "workers": 4}, fixed={"epochs": 2}), "1 trial")
    assert few[1] == 28, "a trial does not become faster by workers that have none"


def test_a_time_budget_limits_the_search_alone(values):
    result = predicted(values, {"confirmations": 2}, time_budget_min=1, fixed={"epochs": 5})
    assert seconds(result, "4 trials")[1] == 60
    assert seconds(result, "runs with fresh seeds")[1] == 2 * 61


def test_what_is_trained_first_is_in_it(values):
    load = {"untrained_original": True, "missing_references": 2, "workers": 2, "requests": 2}
    result = predicted(values, load)
    assert seconds(result, "original model")[1] == pytest.approx(100 * 100 / 90)
    assert seconds(result, "references")[1] < 2 * 100
    assert seconds(result, "baselines")[1] == 3 * 2 * 5
    assert seconds(predicted(values, {"missing_references": 1, "workers": 2}), "references")[1] == 100
    names = [stage.name for stage in predicted(values, {"is_new": False}).stages]
    assert names == ["4 trials"], "nothing that takes no time is listed"


def test_the_total_is_also_in_retrainings(values):
    result = predicted(values, {"is_new": False}, fixed={"epochs": 2})
    content = result.to_json()
    assert content["total"]["seconds"] == 112
    assert content["total"]["retrainings"] == pytest.approx(1.12)
    assert content["epochs"] == {"least": 2, "mean": 2, "most": 2}


def test_a_method_without_epochs_has_no_range(values):
    result = predicted(values, method="filtration", published=[], recipes=None)
    assert result.epochs == (0, 0, 0)
    assert seconds(result, "4 trials") == (4 * 7,) * 3
