import pytest
import yaml

from antisample.errors import ConfigError, DataError
from antisample.methods import method_names
from tuning.config.loading import load_study, parse_study
from tuning.config.space import find_space
from tuning.config.trial_plan import TrialPlan
from tuning.study.directory import study_config


def test_a_study_survives_the_round_trip_through_its_yaml(config):
    assert parse_study(yaml.safe_load(config.to_yaml())) == config


def test_shipped_studies_are_valid(request):
    studies = sorted((request.config.rootpath / "studies").glob("*.yaml"))
    assert {path.name for path in studies} >= {"demo.yaml", "cifar10-resnet18.yaml"}
    for path in studies:
        load_study(path)


def test_the_published_set_is_the_starting_point_cut_down_to_the_space(values):
    config = parse_study({**values, "fixed": {"retain_fraction": 0.5, "batchnorm_mode": "eval"}})
    ((origin, params),) = TrialPlan.of(config).starting_points
    assert origin == "published ResNet9/mnist/100"
    assert params["unlearn_scale_lr"] == 1.6
    assert "retain_fraction" not in params
    method = TrialPlan.of(config).unlearn_config(params, seed=1).method
    assert (method.retain_fraction, method.epochs, method.tail_randomized) == (0.5, 5, 20)


def test_without_published_sets_the_defaults_of_the_method_come_first(values):
    config = parse_study({**values, "published": [], "method": "finetune"})
    ((origin, params),) = TrialPlan.of(config).starting_points
    assert origin == "defaults"
    assert params["epochs"] == 5


def test_overrides_reach_nested_keys_and_are_read_as_yaml(values, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    config = load_study(path, ["n_trials=7", "forget.classes=[1, two]", "split.seed=3", "sampler=tpe"])
    assert (config.n_trials, config.forget[0].classes, config.split.seed, config.sampler) == (
        7,
        ("1", "two"),
        3,
        "tpe",
    )


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("n_trial=5", "`n_trial` is not a setting. Did you mean `n_trials`?"),
        (
            "resources.max_concurent=2",
            "`resources.max_concurent` is not a setting. Did you mean `resources.max_concurrent`?",
        ),
        ("max_concurrent=2", "`max_concurrent` is not a setting. Did you mean `resources.max_concurrent`?"),
        ("evalation.final=[zrf]", "`evalation` is not a setting. Did you mean `evaluation`?"),
        ("forget.clases=[3]", "`forget.clases` is not a setting. Did you mean `forget.classes`?"),
        ("model.recipe.epoch=3", "`model.recipe.epoch` is not a setting. Did you mean `model.recipe.epochs`?"),
        ("fixed.retain_fracton=1", "`fixed.retain_fracton` is not a setting. Did you mean `fixed.retain_fraction`?"),
        ("fixed.nam=1", "`fixed.nam` is not a setting."),
        ("fixed.augment=flipshift", "but got 'flipshift'. Did you mean 'flip_shift'?"),
        ("colour=red", "`colour` is not a setting."),
        (
            "selection.by=orcale",
            "`selection.by` must be 'rule' or 'oracle', but got 'orcale'. Did you mean 'oracle'?",
        ),
        ("evaluation.final=[zrff]", "but got 'zrff'. Did you mean 'zrf'?"),
        ("method=fintune", "but got 'fintune'. Did you mean 'finetune'?"),
        ("space=antisampel", "but got 'antisampel'. Did you mean 'antisample'?"),
        ("published=[ResNet9/minst/100]", "but got 'ResNet9/minst/100'. Did you mean 'ResNet9/mnist/100'?"),
        ("model.name=ResNet50", "`package.module:function`, but got 'ResNet50'."),
    ],
)
def test_what_a_misspelled_setting_or_name_was_meant_to_be_is_asked(values, tmp_path, override, meant):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        load_study(path, [override])
    assert [problem for problem in caught.value.problems if problem.endswith(meant)]


@pytest.mark.parametrize("override", ["n_trials", "=3", "name.deeper=1", "n_trials=[1"])
def test_malformed_overrides_are_refused(values, tmp_path, override):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match="--set"):
        load_study(path, [override])


def test_all_problems_are_reported_at_once_whatever_their_kind(values, tmp_path):
    values |= {
        "n_trials": 0,
        "colour": "red",
        "method": "antisample",
        "space": "wide",
        "fixed": {"p": 1.4, "unknown": 1},
        "published": ["ResNet9/none/100"],
        "model": {"name": "ResNet10"},
        "objectives": [
            {"metric": "test/retain_accuracy", "direction": "maximize"},
            {"metric": "validation/speed", "direction": "maximize"},
        ],
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    text = str(caught.value)
    assert "study.yaml" in text.splitlines()[0]
    for part in (
        "`n_trials` must be greater than or equal to 1, but got 0.",
        "`colour` is not a setting.",
        "ResNet10",
        "`fixed.p` must be less than or equal to 1, but got 1.4.",
        "`fixed.unknown` is not a setting.",
        "`space`",
        "must be a validation metric, but got 'test/retain_accuracy'",
        "must be one of validation/forget_accuracy",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"method": "amnesia"},
            "`method` must be one of antisample, filtration, finetune, gradient_ascent, head, mask, neggrad_plus, "
            "random_labels, retrain, unsir",
        ),
        ({"method": "finetune"}, "does not hold|published"),
        ({"space": "finetune"}, "is for the method 'finetune', not 'antisample'"),
        ({"published": ["ResNet9/none/1"]}, "`published` must be one of"),
        ({"name": "../escape"}, "`name`"),
        ({"resources": {"gpus_per_trial": 1.5}}, r"in \[0, 1\] or a whole number"),
        ({"objectives": [{"metric": "validation/retain_loss", "direction": "minimize"}] * 2}, "each metric once"),
        ({"objectives": []}, "`objectives`"),
        ({"forget": []}, "`forget`"),
        ({"forget": [{"classes": [3]}, {"classes": [3]}]}, "`forget` must name each request once"),
        (
            {"forget": [{"classes": [3]}, {"classes": [4]}], "replicates": 3},
            "`replicates` must be a multiple of the number of forget requests, 2, but got 3",
        ),
    ],
)
def test_refusals(values, changes, message):
    if changes == {"method": "finetune"}:
        changes = {"method": "finetune", "published": ["ResNet9/casia-webface/100"], "space": "antisample"}
        message = "is for the method 'antisample', not 'finetune'"
    with pytest.raises(ConfigError, match=message):
        parse_study({**values, **changes})


def test_a_starting_point_outside_an_own_space_is_refused(values, tmp_path):
    own = {"unlearn_scale_lr": {"low": 0.1, "high": 1.0, "why": "small steps only"}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"method": "antisample", "parameters": own}))
    with pytest.raises(ConfigError, match=r"does not contain unlearn_scale_lr = 1.6"):
        parse_study({**values, "space": str(tmp_path / "own.yaml")})


def test_a_space_that_reaches_beyond_what_the_method_takes_is_refused_with_every_rule_it_breaks(values, tmp_path):
    own = {
        "p": {"low": 0.0, "high": 1.5, "why": "Reaches too far."},
        "local_variance": {"low": -1, "high": 20, "why": "Begins too low."},
        "epochs": {"low": 1, "high": 5, "why": "Lacks `integer`."},
        "size_multiplier": {"low": 0, "high": 3, "integer": True, "why": "Begins too low."},
        "batchnorm_mode": {"choices": ["eval", "train", "off"], "why": "Has a choice too many."},
        "unlearn_scale_lr": {"low": 0.1, "high": 6.0, "why": "Is as it should be."},
        "tail_randomized": {"low": 0, "high": 3, "integer": True, "why": "Is wrong, and fixed."},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"method": "antisample", "parameters": own}, sort_keys=False))
    changes = {"space": str(tmp_path / "own.yaml"), "fixed": {"tail_randomized": 20}, "n_trials": 0}
    with pytest.raises(ConfigError) as caught:
        parse_study({**values, **changes})
    assert list(caught.value.problems) == [
        "`n_trials` must be greater than or equal to 1, but got 0.",
        "`space` 'own': `parameters.p` must be less than or equal to 1, but got 1.5.",
        "`space` 'own': `parameters.local_variance` must be greater than 0, but got -1.0.",
        "`space` 'own': `parameters.epochs` must be a whole number, but got 2.528.",
        "`space` 'own': `parameters.size_multiplier` must be greater than or equal to 1, but got 0.",
        "`space` 'own': `parameters.batchnorm_mode` must be 'eval' or 'train', but got 'off'.",
    ]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("{p: {choices: [1e-3, 0.001], why: x}}", "must not hold text, but got '1e-3'; write it as 0.001."),
        ("{p: {choices: ['1', 1], why: x}}", "must not hold text, but got '1'; write it as 1.0."),
        ("{p: {low: -5, high: 1, why: x}}", "`parameters.p` must be greater than or equal to 0, but got -5.0."),
        ("{1: {low: 0, high: 1, why: x}}", "`parameters` must have text as keys, but got 1."),
        ("{}", "`parameters` must have at least 1 value, but got {}."),
        ("{p: {choices: [2020-01-01, 1], why: x}}", "must be a number, text, true or false, but got 2020-01-01."),
    ],
)
def test_a_space_is_refused_with_one_sentence_for_one_mistake(values, tmp_path, parameters, problem):
    (tmp_path / "own.yaml").write_text(f"method: antisample\nparameters: {parameters}\n")
    with pytest.raises(ConfigError) as caught:
        parse_study({**values, "space": str(tmp_path / "own.yaml")})
    (said,) = caught.value.problems
    assert said.endswith(problem)


def test_a_method_without_hyperparameters_cannot_be_searched(values):
    with pytest.raises(
        ConfigError, match="'mask' has no hyperparameters, so there is nothing to search; `antisample"
    ):
        TrialPlan.of(parse_study({**values, "method": "mask", "published": []}))


@pytest.mark.parametrize("method", [name for name in method_names() if name != "mask"])
def test_every_packaged_space_holds_what_its_method_takes(method):
    assert find_space(method, None, {}).whole.method == method


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone.yaml: the study file does not exist"):
        load_study(tmp_path / "gone.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"bad.yaml: not readable as YAML"):
        load_study(tmp_path / "bad.yaml")


def test_several_forget_requests_get_a_replicate_each_unless_told_otherwise(values):
    requests = [{"classes": [3]}, {"classes": [0, "one"]}]
    config = parse_study({**values, "forget": requests})
    assert (config.replicates, len(TrialPlan.of(config).trial_seeds)) == (2, 2)
    assert [TrialPlan.of(config).request_of(replicate) for replicate in range(4)] == [0, 1, 0, 1]
    assert TrialPlan.of(config).unlearn_config({}, 7, 1).forget.classes == ("0", "one")
    again = parse_study(yaml.safe_load(config.to_yaml()))
    assert again == config


def test_seeds_of_trials_and_of_confirmations_differ(values):
    config = parse_study({**values, "replicates": 3, "confirm_seeds": 3})
    assert len({*TrialPlan.of(config).trial_seeds, *TrialPlan.of(config).confirmation_seeds}) == 6
    assert TrialPlan.of(parse_study({**values, "replicates": 5})).trial_seeds[:3] == TrialPlan.of(config).trial_seeds


def test_a_study_or_file_that_is_not_there_may_be_one_beside_it(values, config, tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"does not exist\. Did you mean '.*/mine\.yaml'\?$"):
        load_study(tmp_path / "mien.yaml")
    with pytest.raises(ConfigError, match=r"does not exist\.$"):
        load_study(tmp_path / "other.yaml")
    with pytest.raises(ConfigError, match=r"does not exist\.$"):
        load_study(tmp_path / "no folder" / "mine.yaml")
    config.directory.mkdir()
    (config.directory / "study.yaml").write_text(config.to_yaml())
    with pytest.raises(DataError, match=r"expected study\.yaml\. Did you mean '.*/made'\?$"):
        study_config(tmp_path / "mad")
    (tmp_path / "mode").mkdir()
    with pytest.raises(DataError, match=r"expected study\.yaml\.$"):
        study_config(tmp_path / "mode")
