"""A budget as study files and the command line write it."""

import pytest
import yaml

from antisample.errors import ConfigError
from tuning.config.budget import Budget, kept_for_the_end
from tuning.config.loading import parse_study


@pytest.mark.parametrize(
    ("written", "amount", "unit", "plain", "said"),
    [
        (1, 1.0, "retrainings", 1.0, "1 retraining"),
        (0.3, 0.3, "retrainings", 0.3, "0.3 retrainings"),
        ("1.5", 1.5, "retrainings", 1.5, "1.5 retrainings"),
        ("30 min", 30.0, "minutes", "30.0 min", "30 min"),
        (" .5min ", 0.5, "minutes", "0.5 min", "0.5 min"),
    ],
)
def test_a_budget_is_a_number_of_retrainings_or_minutes(values, written, amount, unit, plain, said):
    study = parse_study({**values, "budget": written})
    assert study.budget == Budget(amount, unit)
    assert (study.budget.plain(), str(study.budget)) == (plain, said)
    again = parse_study(yaml.safe_load(study.to_yaml()))
    assert again == study, "as study.yaml keeps it"


@pytest.mark.parametrize(
    "written",
    [
        0, -1, 0.0, -0.5, True, False, float("nan"), float("inf"), 10**400, 1e300, 10_000_001, "", "soon", "nan min",
        "inf", "0 min", "-3 min", "1e999 min", "30 h", "30 minutes", "1,5", "1 2", [1], {"minutes": 30}, {}, "٣ min",
        "min", "a\0b", "\ud800", b"1",
    ],
)  # fmt: skip
def test_other_budgets_are_refused_with_the_rule_and_the_value(values, written):
    with pytest.raises(
        ConfigError, match=r"`budget` must be a number of retrainings such as 1.5, or minutes"
    ) as error:
        parse_study({**values, "budget": written})
    assert len(error.value.problems) == 1
    assert "but got" in str(error.value)


@pytest.mark.parametrize(("said", "n_trials"), [({}, 50), ({"budget": 2}, None), ({"budget": 2, "n_trials": 7}, 7)])
def test_a_budget_takes_the_place_of_the_number_of_trials(values, said, n_trials):
    del values["n_trials"]
    study = parse_study({**values, **said})
    assert study.n_trials == n_trials
    assert study.planned_trials == (n_trials or 50)


def test_without_a_budget_there_has_to_be_a_number_of_trials(values):
    with pytest.raises(ConfigError, match="`n_trials` must be a whole number, but got nothing"):
        parse_study({**values, "n_trials": None})


def test_the_search_leaves_two_fifths_or_what_two_finalists_need():
    assert kept_for_the_end(100, 1, 40) == 40
    assert kept_for_the_end(100, 1, 6) == 6, "no more than what follows can take"
    assert kept_for_the_end(100, 10, 26) == 50
    assert kept_for_the_end(100, 30, 26) == 60, "a search needs something, too"
    assert kept_for_the_end(100, 30, 0) == 0
