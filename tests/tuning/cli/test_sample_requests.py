"""Studies that forget single images: objectives, reference point, choice, tables."""

from pathlib import Path

import pytest
import yaml

from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from tuning.cli.cards.command import command_options
from tuning.cli.flags import TaskFlags, UnlearnFlags, forget_request, study_of_flags
from tuning.cli.repeating import apply_again_command
from tuning.config.loading import load_study, parse_study
from tuning.study.attributes import ORIGINAL
from tuning.study.outcome import find_outcome
from tuning.views.report import render_report
from tuning.views.terminal.console import output
from tuning.views.terminal.live import front_table
from tuning.views.terminal.outcome import apply_command

IDS = [1, 5, 8]


@pytest.fixture
def values(values):
    return {**values, "forget": {"samples": IDS}, "published": []}


@pytest.fixture
def figures():
    """Validation metrics of a trial that does so on samples, and so on unseen images."""

    def make(forget, unseen, forget_loss=0.1, unseen_loss=0.1, mia=0.5):
        found = {
            "forget_accuracy": forget,
            "retain_accuracy": unseen,
            "forget_confidence": forget,
            "forget_loss": forget_loss,
            "retain_loss": unseen_loss,
            "forget_gap": abs(forget - unseen),
            "mia_loss": mia,
        }
        return {f"validation/{name}": value for name, value in found.items()}

    return make


@pytest.fixture
def make_trials(config, make_study, figures):
    def make(*trials, samples=100, unseen=900):
        study = make_study(config.model_copy(update={"name": f"of-{samples}"}))
        for key, values in enumerate(trials):
            study.ask(str(key))
            study.complete(str(key), figures(*values), {"validation/forget": samples, "validation/retain": unseen})
        return study

    return make


def test_objectives_follow_the_kind_of_request(values):
    by_samples = parse_study(values)
    assert [o.metric for o in by_samples.objectives] == ["validation/forget_gap", "validation/retain_accuracy"]
    by_classes = parse_study({**values, "forget": [{"classes": [3]}, {"classes": [4]}]})
    assert by_classes.objectives[0].metric == "validation/forget_accuracy"
    own = [{"metric": "validation/mia_loss", "direction": "minimize"}]
    assert [o.metric for o in parse_study({**values, "objectives": own}).objectives] == ["validation/mia_loss"]


def test_a_file_of_ids_is_read_once_and_kept_in_the_study(values, tmp_path):
    (tmp_path / "ids.csv").write_text("id\n8\n1\n5\n")
    config = parse_study({**values, "forget": {"samples": str(tmp_path / "ids.csv")}})
    (tmp_path / "ids.csv").unlink()
    assert config.forget[0].samples == tuple(IDS)
    assert "ids.csv" not in config.to_yaml()
    assert config == parse_study(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forget": [{"samples": [1]}, {"classes": [3]}]}, "classes in all of its requests, or images in all"),
        ({"method": "unsir"}, "'unsir' forgets classes"),
        ({"forget": {"samples": [-1]}}, r"`forget.samples` must be positions of at least 0 or files, but got -1"),
        ({"forget": {}}, "must name either `classes`, `samples`, or a `column` and its `value`, but got none"),
    ],
)
def test_requests_that_do_not_work_are_refused(values, changes, message):
    with pytest.raises(ConfigError, match=message):
        parse_study({**values, **changes})


def test_the_chosen_trial_does_on_samples_as_on_unseen_images(make_trials):
    # A standard error of 90 % of 9,000 images is 0.3 points, of the gap 1.0; the first trial has not forgotten.
    trials = (1.0, 0.92), (0.915, 0.90), (0.901, 0.898), (0.80, 0.80)
    outcome = find_outcome(make_trials(*trials, samples=1000, unseen=9000))
    assert [record.number for record in outcome.front] == [3, 2, 1, 0]
    assert outcome.chosen.number == 2
    assert "within 2.0 percentage points or two standard errors of that on unseen images" in outcome.reason


def test_no_accuracy_is_given_away_for_a_gap_that_chance_explains(make_trials):
    # 50 samples: two standard errors of the gap at 97 % are 4.9 points.
    assert find_outcome(make_trials((1.0, 0.97), (0.87, 0.87), samples=50)).chosen.number == 0
    assert find_outcome(make_trials((1.0, 0.97), (0.87, 0.87), samples=5000)).chosen.number == 1


def test_forgetting_too_much_is_as_bad_as_too_little(make_trials):
    outcome = find_outcome(make_trials((0.0, 0.91), (0.9, 0.91)))
    assert [record.number for record in outcome.front] == [1]


def test_losses_and_then_membership_inference_break_ties(make_trials):
    outcome = find_outcome(make_trials((0.9, 0.9, 0.02, 0.2), (0.9, 0.9, 0.19, 0.2, 0.7), (0.9, 0.9, 0.2, 0.2, 0.52)))
    assert outcome.chosen.number == 2


def test_without_a_trial_near_enough_the_nearest_is_taken(make_trials):
    outcome = find_outcome(make_trials((0.99, 0.90), (0.95, 0.80)))
    assert outcome.chosen.number == 0
    assert "no trial on the front has" in outcome.reason


def test_the_hypervolume_counts_from_a_tenth_or_from_the_originals_gap(make_study, config, figures):
    study = make_study(config)
    study.note(ORIGINAL, figures(1.0, 0.95))
    assert find_outcome(study).reference == pytest.approx((0.10, 0.85))
    study.note(ORIGINAL, figures(1.0, 0.7))
    assert find_outcome(study).reference == pytest.approx((0.30, 0.60))


def test_tables_and_report_show_the_gap(make_trials, config, figures):
    study = make_trials((1.0, 0.92), (0.915, 0.90))
    study.note(ORIGINAL, figures(1.0, 0.95))
    console = output()
    with console.capture() as captured:
        console.print(front_table(find_outcome(study)))
    text = captured.get()
    assert all(word in text for word in ("unseen", "gap"))
    assert "confidence" not in text
    page = render_report(study)
    assert "validation forget gap" in page
    assert config.forget[0].describe() in page
    several = parse_study({**config.model_dump(), "forget": [{"samples": [1]}, {"samples": [2]}], "replicates": 2})
    assert "--forget-samples FILE" in apply_command(several)


def test_a_group_and_copies_are_asked_for_in_files_and_by_flags(values, tmp_path):
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump({**values, "forget": None}).replace(
            "forget: null", "forget: {column: person_id, value: [017, no], duplicates: forget}"
        )
    )
    config = load_study(tmp_path / "study.yaml")
    request = ForgetRequest(column="person_id", value=["017", "no"], duplicates="forget")
    assert config.forget == (request,)
    assert config.by_samples
    assert config.objectives[0].metric == "validation/forget_gap"
    assert parse_study(yaml.safe_load(config.to_yaml())) == config
    flags = TaskFlags(
        model="SmallCNN", dataset="digits", forget_column="person_id", forget_value=["017", "no"], duplicates="forget"
    )
    by_flags = study_of_flags(flags, [])
    assert by_flags.forget == (request,)
    assert by_flags.name == "SmallCNN-digits-forget-017-no"
    several = parse_study({**config.model_dump(), "forget": [config.forget[0], {"samples": [2]}], "replicates": 2})
    assert "--forget-column person_id --forget-value 017 --forget-value no" in apply_command(several)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"forget_column": "a"}, "`--forget-column` needs `--forget-value`"),
        ({"forget_value": ["a"]}, "`--forget-value` needs `--forget-column`"),
        ({"forget": ["3"], "forget_value": ["a"]}, "`--forget` and `--forget-column` are different requests"),
        ({"forget": ["3"], "forget_samples": Path("ids.txt")}, "`--forget` and `--forget-samples` are different"),
        ({"forget": ["3"], "duplicates": "keep"}, "`forget.duplicates` must be .*'keep'"),
        ({}, "`--forget` is required without STUDY.yaml or `--forget-samples` or `--forget-column`"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, message):
    with pytest.raises(ConfigError, match=message):
        study_of_flags(TaskFlags(model="SmallCNN", dataset="digits", **flags), [])


def test_a_trial_is_applied_with_the_copies_treated_as_its_study_says(values):
    study = parse_study({**values, "forget": {"classes": ["3"], "duplicates": "forget"}})
    assert forget_request(study, UnlearnFlags()) == study.forget[0]
    assert forget_request(study, UnlearnFlags(forget=["3"])) == study.forget[0]
    assert forget_request(study, UnlearnFlags(duplicates="report")) == ForgetRequest(classes=["3"])
    flags = UnlearnFlags(forget_column="person", forget_value=["7", "8"], duplicates="refuse")
    assert forget_request(study, flags) == ForgetRequest(column="person", value=[8, 7], duplicates="refuse")
    command = apply_again_command(Path("runs/a"), 3, Path("out"), [], direct=flags)
    options = command_options(command.replace("{threads}", "2"))
    assert options["forget-column"] == "person"
    assert options["forget-value"] == ["7", "8"]
    assert options["duplicates"] == "refuse"
