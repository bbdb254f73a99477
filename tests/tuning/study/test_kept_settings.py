"""What a study was begun with holds when it goes on, whatever the defaults are by then."""

from pathlib import Path

import pytest
import yaml

import search_spaces
import tuning.config.starting_points
from antisample.errors import ConfigError
from search_spaces import Recipe, earlier_space, load_space
from tuning.config.loading import load_study, parse_study
from tuning.config.selection import SelectionConfig
from tuning.config.trial_plan import TrialPlan
from tuning.study.directory import check_directory, open_study, study_config
from tuning.study.kept_settings import as_begun, parse_kept

FIXTURE = Path(__file__).parents[2] / "fixtures" / "study-0.1.0" / "digits" / "study.yaml"
OBJECTIVES = [
    {"metric": "validation/forget_confidence", "direction": "minimize"},
    {"metric": "validation/retain_accuracy", "direction": "maximize"},
]


def keep(config, **changes):
    """Writes the study.yaml of an earlier version."""
    kept = yaml.safe_load(config.to_yaml()) | changes
    del kept["recipes"]
    config.directory.mkdir(parents=True, exist_ok=True)
    (config.directory / "study.yaml").write_text(yaml.safe_dump(kept))


@pytest.fixture
def two_recipes(monkeypatch):
    """Recipes as if they were packaged: one that every space has, and one that none has."""
    packed = {
        name: Recipe(name=name, method="antisample", parameters=parameters, record="r.json")
        for name, parameters in (("slow", {"epochs": 4}), ("none", {"epochs": 400}))
    }
    monkeypatch.setattr(tuning.config.starting_points, "packaged_recipes", lambda: packed)


def test_a_new_study_has_the_name_of_its_space(values):
    begun = as_begun(parse_study({**values, "space": None}))
    assert begun.space == "antisample"
    assert as_begun(begun) is begun
    assert as_begun(parse_study({**values, "published": [], "method": "finetune"})).space == "finetune"


def test_a_study_without_the_name_of_its_space_has_the_earlier_one(values):
    config = parse_study(values)
    keep(config, space=None)
    kept = study_config(config.directory)
    assert (kept.space, kept.recipes) == ("antisample-published", ())
    assert as_begun(config) == kept
    check_directory(config)  # the file of the user says as little as before
    with pytest.raises(ConfigError, match="`space` was 'antisample-published' and is now 'antisample'"):
        check_directory(parse_study({**values, "space": "antisample"}))


def test_the_fixture_of_version_0_1_0_has_the_space_and_the_objectives_of_its_time(tmp_path):
    kept = parse_kept(yaml.safe_load(FIXTURE.read_text()), "study.yaml")
    assert kept.space == "antisample-published"
    assert TrialPlan.of(kept).space == load_space(kept.space).without(kept.fixed)
    assert [origin for origin, _ in TrialPlan.of(kept).starting_points] == ["published ResNet9/mnist/100"]
    assert [(o.metric, o.direction) for o in kept.objectives] == [
        ("validation/forget_accuracy", "minimize"),
        ("validation/retain_accuracy", "maximize"),
    ]


def test_other_methods_keep_their_space_and_paths_stay(values, tmp_path):
    keep(parse_study({**values, "method": "finetune", "published": []}), space=None)
    assert study_config(tmp_path / "made").space == "finetune"
    assert earlier_space("finetune") == "finetune"
    own = tmp_path / "own.yaml"
    own.write_text("method: antisample\nparameters: {p: {low: 0.5, high: 1, why: w}}\n")
    config = parse_study({**values, "name": "other", "space": str(own)})
    keep(config)
    assert study_config(config.directory).space == str(own)


def test_a_study_that_was_begun_with_a_name_keeps_it(values, make_study):
    config = as_begun(parse_study(values))
    make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    assert open_study(config.directory).config.space == "antisample"
    assert as_begun(parse_study(values)).space == "antisample"


def test_default_objectives_are_those_of_the_beginning_and_others_are_refused(values):
    keep(parse_study({**values, "objectives": OBJECTIVES}))
    again = as_begun(parse_study(values))
    assert [objective.metric for objective in again.objectives] == [o["metric"] for o in OBJECTIVES]
    check_directory(parse_study(values))
    with pytest.raises(ConfigError, match="`objectives` was"):
        check_directory(parse_study({**values, "objectives": OBJECTIVES[::-1]}))


def test_what_is_sent_to_a_driver_elsewhere_leaves_open_what_the_user_did_not_say(values):
    assert "objectives" not in yaml.safe_load(parse_study(values).to_send())
    assert not {"space", "constraints"} & set(yaml.safe_load(parse_study(values).to_send()))
    said = yaml.safe_load(parse_study({**values, "objectives": OBJECTIVES}).to_send())
    assert [objective["metric"] for objective in said["objectives"]] == [o["metric"] for o in OBJECTIVES]


def test_a_new_study_tries_recipes_and_an_earlier_one_does_not(values, two_recipes):
    del values["recipes"]
    config = parse_study(values)
    assert [origin for origin, _ in TrialPlan.of(config).starting_points] == [
        "published ResNet9/mnist/100",
        "recipe slow",
    ]
    assert as_begun(config).recipes == ("slow",)
    keep(config, space=None)
    assert as_begun(config).recipes == ()
    assert [origin for origin, _ in TrialPlan.of(as_begun(config)).starting_points] == ["published ResNet9/mnist/100"]
    with pytest.raises(ConfigError, match="`recipes` was"):
        check_directory(parse_study({**values, "recipes": True}))


def test_a_study_does_not_get_recipes_that_came_later(values, two_recipes, monkeypatch):
    del values["recipes"]
    config = as_begun(parse_study(values))
    config.directory.mkdir()
    (config.directory / "study.yaml").write_text(config.to_yaml())
    packed = tuning.config.starting_points.packaged_recipes()
    packed["later"] = packed["slow"].model_copy(update={"name": "later", "parameters": {"epochs": 3}})
    for said in ({}, {"recipes": True}):
        assert as_begun(parse_study({**values, **said})).recipes == ("slow",)
        check_directory(parse_study({**values, **said}))


def test_a_user_may_name_a_file_that_is_a_study_directory_s(values, tmp_path):
    config = parse_study(values)
    keep(config, space=None)
    again = load_study(config.directory / "study.yaml")
    assert as_begun(again).space == "antisample-published"
    assert search_spaces.load_space(as_begun(again).space).method == "antisample"


def test_a_study_with_relearn_epochs_goes_on_with_what_it_was_begun_with(values):
    """What it kept knows no number of references, and `relearn` is still the family that counts epochs."""
    epochs = {"metric": "validation/relearn_epochs", "direction": "maximize"}
    evaluation = {"final": ["relearn"], "relearn_max_epochs": 3}
    limits = [{"metric": "validation/relearn_epochs", "at_least": 1}]
    study = parse_study(
        {**values, "evaluation": evaluation, "objectives": [*OBJECTIVES, epochs], "constraints": limits}
    )
    keep(study)
    kept = yaml.safe_load((study.directory / "study.yaml").read_text())
    assert "reference_seeds" not in kept["evaluation"]
    check_directory(study)
    assert study_config(study.directory).evaluation == study.evaluation
    more = {**evaluation, "final": ["relearn", "retrained"], "reference_seeds": 2}
    with pytest.raises(ConfigError, match="`evaluation` was"):
        check_directory(parse_study({**values, "evaluation": more, "objectives": study.objectives}))


def test_a_study_of_before_finalists_goes_on_without_them(config, make_study):
    values = yaml.safe_load(config.to_yaml())
    del values["selection"]["finalists"], values["selection"]["finalist_replicates"]
    config.directory.mkdir(parents=True)
    (config.directory / "study.yaml").write_text(yaml.safe_dump(values))
    assert as_begun(config).selection.finalists == 0
    said = config.model_copy(update={"selection": SelectionConfig(finalists=3)})
    assert as_begun(said).selection.finalists == 3
