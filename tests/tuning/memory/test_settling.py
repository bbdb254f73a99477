"""What a new study takes over from earlier requests, and that it stays so."""

import shutil

import pytest
import yaml

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.memory import settling
from tuning.memory.discovery import named_studies, packaged_studies, study_in
from tuning.memory.evidence import EarlierStudy, evidence_of
from tuning.memory.fitting import Fitting
from tuning.memory.portfolio import Tier, choose_portfolio
from tuning.memory.settling import describe_memory, settle_memory, with_fewer_recipes
from tuning.study.attributes import MEMORY
from tuning.study.kept_settings import as_begun
from tuning.study.study import Study

HERE = {"model": "a model", "data": "some data"}
GOOD, FAIR, BAD = (0.0, 0.88), (0.0, 0.8), (0.6, 0.9)


@pytest.fixture(autouse=True)
def nothing_packaged(monkeypatch):
    monkeypatch.setattr(settling, "packaged_studies", lambda: ())


def settle(config, fingerprints=HERE, labels=((3,),)):
    return settle_memory(config, fingerprints, labels)


def origins(memory):
    return [each["origin"] for each in memory["configurations"]]


def test_the_best_of_an_earlier_request_is_tried_after_the_published_set(earlier, new, make_study):
    first = earlier("first", [BAD, GOOD, BAD, FAIR, BAD, BAD])
    memory = settle(new())
    assert origins(memory) == ["memory first/2", "memory first/4"]
    assert [each["params"] for each in memory["configurations"]] == [first.records()[n].params for n in (2, 4)]
    assert describe_memory(memory) == "2 configurations that did best in 1 earlier request (first; same model)"
    study = make_study(new())
    study.remember(memory)
    assert [str(study.ask(key).origin) for key in "abcd"] == [
        "published ResNet9/mnist/100",
        "memory first/2",
        "memory first/4",
        "sampler",
    ]


def test_a_configuration_that_did_well_for_several_requests_comes_first(earlier, new, make_study, metrics):
    earlier("first", [BAD, FAIR, GOOD, BAD, BAD, BAD], label=7)
    memory = settle(new())
    assert origins(memory)[:2] == ["memory first/3", "memory first/2"]
    second = make_study(new(name="second", forget={"classes": [8]}, n_trials=9))
    second.remember(memory)
    figures = [(0.0, 0.5), (0.6, 0.9), (0.0, 0.88), (0.5, 0.9), (0.5, 0.7), (0.9, 0.7)]
    for key, (forget, retain) in enumerate(figures):
        second.ask(str(key))
        second.complete(str(key), metrics(forget, retain), {})
    earlier_ones = [evidence_of(second), *study_in(second.config.runs_dir / "first").studies]
    (best, *_) = choose_portfolio([Tier("same model", earlier_ones)], Fitting(TrialPlan.of(new())))
    assert len(best["ranks"]) == 2
    assert best["params"] == memory["configurations"][1]["params"]


def test_nearer_studies_come_first_and_classes_do_not_learn_from_samples(earlier, new):
    earlier("other-model", [GOOD, BAD, BAD, BAD], fingerprint="another model", seed=5)
    earlier("same-model", [GOOD, BAD, BAD, BAD])
    earlier("unlike", [GOOD, BAD, BAD, BAD], fingerprint="a third", seed=6, model={"name": "ResNet9"})
    memory = settle(new())
    assert [(each["origin"], each["why"]) for each in memory["configurations"]] == [
        ("memory same-model/1", "same model"),
        ("memory other-model/1", "same architecture"),
    ]
    assert settle(new(forget={"samples": [1, 2]}), labels=[])["configurations"] == []


def test_studies_of_the_same_request_are_left_out_unless_asked_for(earlier, new, tmp_path):
    repeated = earlier("repeated", [GOOD, BAD, BAD, BAD], label=3)
    assert settle(new())["configurations"] == []
    assert "no configuration" in describe_memory(settle(new()))
    assert settle(new(memory=str(tmp_path)))["configurations"] == []
    assert origins(settle(new(memory=str(repeated.config.directory)))) == ["memory repeated/1"]


@pytest.mark.parametrize(
    "changes", [{"seed": 5}, {"replicates": 3}, {"forget": {"classes": [9]}}, {"n_trials": 50}, {"sampler": "tpe"}]
)
def test_other_seeds_replicates_and_classes_do_not_break_it(earlier, new, changes):
    earlier("first", [BAD, GOOD, BAD, BAD])
    assert origins(settle(new(**changes), labels=[[9]])) == ["memory first/2"]


def test_a_fixed_parameter_leaves_out_what_differs(earlier, new):
    first = earlier("first", [GOOD, BAD, BAD, GOOD, BAD, BAD, BAD, BAD], fixed={"retain_fraction": 0.5})
    both = {record.params["optimizer"] for record in first.records()[1:]}
    assert len(both) > 1
    assert settle(new())["configurations"], "0.5 lies in the space"
    assert settle(new(fixed={"retain_fraction": 0.5}))["configurations"]
    assert settle(new(fixed={"retain_fraction": 0.7}))["configurations"] == []


def test_a_trial_of_an_older_space_has_the_parameters_that_came_later_at_their_defaults(earlier, new):
    first = earlier("first", [BAD, GOOD, BAD, BAD], space="antisample-published")
    (remembered,) = settle(new())["configurations"]
    older = first.records()[2].params
    assert "optimizer" not in older
    assert remembered["params"] == {
        **remembered["params"],
        **older,
        "optimizer": "adam",
        "schedule": "constant",
        "distillation": 0.0,
        "reinitialise": 0,
    }
    assert "momentum" not in remembered["params"], "it does not count with adam"


def test_a_configuration_outside_of_todays_space_is_left_out(earlier, new, tmp_path):
    earlier("first", [GOOD, BAD, BAD, BAD, BAD])
    narrow = tmp_path / "narrow.yaml"
    narrow.write_text("method: antisample\nparameters: {p: {low: 0.5, high: 1, why: w}}\n")
    assert settle(new(space=str(narrow)))["configurations"] == []


def test_two_runs_in_two_empty_folders_are_equal(new, make_study, tmp_path):
    draws = []
    for folder in ("one", "two"):
        config = new(runs_dir=str(tmp_path / folder), n_trials=6)
        (tmp_path / folder).mkdir()
        memory = settle(config)
        study = make_study(config)
        study.remember(memory)
        draws.append([memory, [(str(r.origin), r.params) for r in (study.ask(key) for key in "abcdef")]])
    assert draws[0] == draws[1]


def test_a_study_that_goes_on_does_not_depend_on_what_lies_in_its_folder_later(earlier, new, make_study):
    earlier("first", [BAD, GOOD, BAD, BAD])
    study = make_study(new())
    study.remember(settle(new()))
    study.ask("a")
    earlier("later", [GOOD, GOOD, GOOD, BAD, BAD, BAD, BAD, BAD])
    shutil.rmtree(study.config.runs_dir / "first")
    again = Study(study.config)
    again.ask("x")  # the one under way
    assert [str(again.ask(key).origin) for key in "bc"] == ["memory first/2", "sampler"]
    assert again.noted(MEMORY)["configurations"][0]["origin"] == "memory first/2"


def test_damaged_neighbours_are_said_and_left_out(earlier, new):
    earlier("first", [BAD, GOOD, BAD, BAD])
    damaged = earlier("damaged", [GOOD, BAD, BAD]).config.directory
    (damaged / "journal.log").write_text("nothing\n" * 3)
    gone = earlier("gone", [GOOD, BAD, BAD]).config.directory
    (gone / "journal.log").unlink()
    text = earlier("text", [GOOD, BAD, BAD]).config.directory
    (text / "study.yaml").write_text("- no\n- study\n")
    elsewhere = earlier("elsewhere", [GOOD, BAD, BAD]).config.directory
    kept = yaml.safe_load((elsewhere / "study.yaml").read_text())
    kept["storage"] = "postgresql://me@database.invalid/studies"
    (elsewhere / "study.yaml").write_text(yaml.safe_dump(kept))
    memory = settle(new())
    assert origins(memory) == ["memory first/2"]
    assert len(memory["skipped"]) == 4
    assert all("is left out: " in sentence for sentence in memory["skipped"])
    assert any("database" in sentence for sentence in memory["skipped"])


def test_another_method_is_no_evidence(earlier, new):
    earlier("first", [GOOD, BAD, BAD, BAD])
    assert settle(new(method="finetune", published=[]))["configurations"] == []
    with pytest.raises(ConfigError, match="no finished trial of the method 'finetune'"):
        named_studies(str(new().runs_dir), "finetune")


def test_none_takes_nothing_and_what_is_named_must_be_there(new, tmp_path):
    assert settle(new(memory="none")) is None
    with pytest.raises(ConfigError, match="`memory` must be auto, none, a folder"):
        settle(new(memory=str(tmp_path / "nowhere")))


def test_recipes_fill_what_is_left(earlier, new):
    earlier("first", [BAD, GOOD, FAIR, BAD])
    model = {"name": "SmallCNN", "recipe": {"horizontal_flip": True}}  # recipes flip images
    config = new(recipes=True, model=model)
    memory = settle(config)
    assert len(memory["configurations"]) == 2
    every = TrialPlan.of(config).recipes
    assert with_fewer_recipes(config, memory).recipes == every[: len(every) - 2]
    assert with_fewer_recipes(config, None) == config
    named = new(recipes=[every[-1]], model=model)
    assert with_fewer_recipes(named, memory).recipes == (every[-1],)


def test_packaged_configurations_fill_up_to_five_with_recipes_and_repeat_none(new, monkeypatch):
    monkeypatch.setattr(settling, "packaged_studies", packaged_studies)
    config = new(recipes=True, model={"name": "ResNet18", "recipe": {"horizontal_flip": True}})
    memory, recipes = settle(config), TrialPlan.of(config).recipes
    assert with_fewer_recipes(config, memory).recipes == recipes
    assert len(recipes) + len(memory["configurations"]) == 5
    assert {each["why"] for each in memory["configurations"]} == {"packaged"}
    tried = [params for _, params in TrialPlan.of(config).starting_points]
    assert [each for each in memory["configurations"] if each["params"] in tried] == []


def test_a_study_from_before_there_was_memory_has_none(values):
    config = parse_study({**values, "memory": "auto"})
    kept = yaml.safe_load(config.to_yaml())
    del kept["memory"]
    config.directory.mkdir()
    (config.directory / "study.yaml").write_text(yaml.safe_dump(kept))
    del values["memory"]
    assert as_begun(parse_study(values)).memory == "none"


def test_evidence_keeps_no_figure_that_is_not_one(earlier):
    study = earlier("first", [GOOD, BAD])
    evidence = evidence_of(study)
    assert isinstance(evidence, EarlierStudy)
    assert [trial.number for trial in evidence.trials] == [0, 1, 2]
    assert evidence.original == 0.9
    assert set(evidence.trials[0].metrics) == {
        "validation/forget_accuracy",
        "validation/retain_accuracy",
        "validation/forget_confidence",
    }
