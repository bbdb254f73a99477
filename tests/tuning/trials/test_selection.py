import io
import json

import pytest
from rich.console import Console

from antisample.errors import ConfigError
from tuning.applied_trial import find_trial
from tuning.config.loading import parse_study
from tuning.driver.confirmation import missing_confirmations
from tuning.study.attributes import ORIGINAL
from tuning.study.directory import open_study
from tuning.study.history import ends, record_search_end
from tuning.study.outcome import find_outcome
from tuning.views.mlflow.payload import SearchSummary
from tuning.views.report import render_report
from tuning.views.terminal.outcome import print_outcome


@pytest.fixture
def make_trials(values, make_study, metrics):
    """A study of trials by forget and retain accuracy; the original has 0.9 of both."""

    def make(*trials, gaps=(), **changes):
        config = parse_study({**values, "published": [], "n_trials": len(trials), **changes})
        study = make_study(config)
        (config.directory / "study.yaml").write_text(config.to_yaml())
        for key, (forget, retain) in enumerate(trials):
            study.ask(str(key))
            more = {"validation/retrained_gap": gaps[key]} if gaps else {}
            study.complete(str(key), {**metrics(forget, retain), **more}, {})
        return study

    return make


@pytest.fixture
def destroyed(make_trials):
    """Trial 0 forgets and keeps nothing else; 1 keeps everything; 2 forgets and loses a fifth."""
    return make_trials((0.0, 0.109), (0.85, 0.9), (0.005, 0.7))


def test_a_trial_that_loses_too_much_is_not_chosen_though_it_alone_forgets(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.109), (0.85, 0.9)))
    assert (outcome.chosen, outcome.by_rule) == (None, None)
    assert [record.number for record in outcome.front] == [0, 1]
    assert (
        "No trial qualifies: every trial on the front with a validation forget accuracy of at most 1.0%"
        in outcome.reason
    )
    assert "loses more than 10.0 percentage points of retain accuracy (`selection.max_loss`)" in outcome.reason


def test_the_nearest_misses_the_limits_least_and_is_shown_with_its_figures(destroyed):
    outcome = find_outcome(destroyed)
    assert outcome.nearest.number == 2
    assert (
        "The nearest is trial 2: forget accuracy 0.5%; retain accuracy 70.0%, 20.0 percentage points below"
        in outcome.reason
    )


def test_one_that_nearly_forgets_and_keeps_is_nearer_than_a_destroyed_network(make_trials):
    assert find_outcome(make_trials((0.0, 0.109), (0.03, 0.89))).nearest.number == 1


def test_among_those_that_forget_the_floor_leaves_the_others_to_the_rule(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.5), (0.004, 0.81), (0.008, 0.84), (0.6, 0.9)))
    assert (outcome.chosen.number, outcome.nearest) == (2, None)
    assert "of the 2 trials on the front" in outcome.reason
    assert "and a loss of at most 10.0 percentage points" in outcome.reason


def test_a_loss_at_the_limit_qualifies_whatever_floats_make_of_it(make_trials):
    for original, retain in ((0.9, 0.8), (0.8, 0.7), (0.977, 0.877), (1.0, 0.9)):
        study = make_trials((0.0, retain), name=f"at-{retain}")
        study.note(ORIGINAL, {"validation/retain_accuracy": original})
        assert find_outcome(study).chosen is not None, (original, retain)


def test_where_none_forgets_the_one_that_forgets_most_must_keep_enough_too(make_trials):
    assert find_outcome(make_trials((0.85, 0.9), (0.7, 0.85))).chosen.number == 1
    outcome = find_outcome(make_trials((0.85, 0.9), (0.3, 0.2), name="other"))
    assert outcome.chosen is None
    assert "no trial on the front has" in outcome.reason


def test_a_study_may_allow_a_larger_loss_afterwards(destroyed):
    assert find_outcome(open_study(destroyed.config.directory, ["selection.max_loss=0.2"])).chosen.number == 2
    assert find_outcome(open_study(destroyed.config.directory, ["selection.max_loss=1"])).chosen.number == 2


@pytest.mark.parametrize("limit", [0, -0.1, 1.5, "nan", float("inf"), True, None])
def test_the_limit_is_a_share_of_accuracy(values, limit):
    with pytest.raises(ConfigError, match=r"`selection\.max_loss` must"):
        parse_study({**values, "selection": {"max_loss": limit}})


def test_the_oracle_keeps_the_floor_too(make_trials):
    final = {"evaluation": {"final": ["retrained"]}, "selection": {"by": "oracle"}}
    outcome = find_outcome(make_trials((0.0, 0.5), (0.004, 0.85), gaps=(0.01, 0.2), **final))
    assert (outcome.chosen.number, outcome.oracle.number) == (1, 1)
    outcome = find_outcome(make_trials((0.0, 0.5), (0.004, 0.6), gaps=(0.01, 0.2), name="none", **final))
    assert (outcome.chosen, outcome.oracle, outcome.nearest.number) == (None, None, 1)
    assert outcome.reason.startswith(
        "No trial qualifies: every trial on the front loses more than 10.0 percentage points"
    )


def test_where_none_qualifies_fresh_seeds_are_for_the_published_set_alone(values, make_study, metrics):
    study = make_study(parse_study(values))
    study.ask("0")
    study.complete("0", metrics(0.5, 0.3), {})
    study.ask("1")
    study.complete("1", metrics(0.0, 0.2), {})
    assert find_outcome(study).chosen is None
    assert {record.number for record, _ in missing_confirmations(study)} == {0}


def test_every_view_says_that_none_qualifies_and_names_the_nearest(destroyed):
    outcome = find_outcome(destroyed)
    text = io.StringIO()
    print_outcome(Console(file=text, width=120), outcome, destroyed.config)
    assert "No trial qualifies: " in text.getvalue()
    assert "--trial 2 --out" in text.getvalue()
    assert "--trial best" not in text.getvalue()
    assert "*" not in text.getvalue()
    page = render_report(destroyed)
    assert "No trial qualifies: " in page
    assert "nearest: trial 2" in page
    assert "Chosen: trial" not in page
    content = json.loads(json.dumps(outcome.to_json()))
    assert (content["chosen"], content["nearest"]["number"]) == (None, 2)
    assert content["reason"] == outcome.reason
    record_search_end(destroyed, outcome)
    assert ends(destroyed)[-1].chosen is None
    ending = SearchSummary.of(destroyed)
    assert "No trial qualifies: " in ending.description
    assert {tag.key: tag.value for tag in ending.tags()}["antisample.chosen"] == "none"


def test_without_a_choice_a_trial_must_be_named(destroyed, call, tmp_path):
    with pytest.raises(ConfigError, match=r"use `--trial N` to specify one.*The nearest is trial 2"):
        find_trial(destroyed, "best")
    assert find_trial(destroyed, "2").number == 2
    directory = destroyed.config.directory
    for arguments in (("unlearn", "--study", directory, "--out", tmp_path / "out"),):
        code, _, err = call(*arguments)
        assert (code, "use `--trial N` to specify one" in err) == (2, True)
    code, _, err = call("mlflow", "sync", directory, "--register", "name")
    assert (code, "use `--trial N` to specify one" in err) == (2, True)
    code, _, err = call("mlflow", "sync", directory, "--trial", "2")
    assert (code, "`--register`" in err) == (2, True)
    assert not (tmp_path / "out").exists()
