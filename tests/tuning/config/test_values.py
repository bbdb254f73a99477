import re

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from antisample.config import UnlearnConfig, validation_problems
from antisample.errors import ConfigError
from antisample.methods import find_method, method_names
from antisample.toy.types import ToyConfig
from tuning.config.loading import load_study, parse_study
from tuning.config.study import StudyConfig
from tuning.reproduction.config import ReproductionConfig

PYDANTIC = re.compile(
    r"Input|String should|validation error|valid dictionary|NoneType|PosixPath|<class|\[type=|None\b"
)
NOT_FINITE = [float("nan"), float("inf"), -float("inf")]
NO_TEXT = ["a\0b", "\ud800"]
WRONG = [*NOT_FINITE, *NO_TEXT, None, "", True, -1, 10**30, [1], {"a": 1}, "x" * 3000, {1: 2}, [], 3.5, b"x"]
PLACES = ("forget.samples",)  # a path of a file that is not there, which is no matter of validation


def paths(model, before=()):
    for name, field in model.model_fields.items():
        yield (*before, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from paths(field.annotation, (*before, name))


def changed(values, path, value):
    key, *rest = path
    return {**values, key: changed(values.get(key, {}), rest, value) if rest else value}


def problems(parse, values):
    try:
        parse(values)
    except ConfigError as error:
        return error.problems
    return ()


def parsed_toy(values):
    try:
        return ToyConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(validation_problems(error)) from error


TASK = {"data": {"source": "digits"}, "model": {"name": "SmallCNN"}}
FORGET = {"forget": {"classes": [3]}}
KINDS = {
    "study": (StudyConfig, {"name": "made", **TASK, **FORGET}, parse_study),
    "unlearning": (UnlearnConfig, {**TASK, **FORGET, "method": {"name": "antisample"}}, UnlearnConfig.parse),
    "reproduction": (ReproductionConfig, {"out": "out", **TASK}, ReproductionConfig.parse),
    "toy": (ToyConfig, {}, parsed_toy),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_refuses_what_is_no_use_in_words_of_our_own(kind):
    model, values, parse = KINDS[kind]
    assert not problems(parse, values)
    for path in paths(model):
        if ".".join(path) in PLACES:
            continue
        for wrong in WRONG:
            said = problems(parse, changed(values, path, wrong))
            for problem in said:
                text = problem.replace("'None'", "").replace("None (NoneType)", "")
                assert PYDANTIC.search(text) is None, problem
                assert problem.isprintable(), problem
                assert len(problem) < 4000, problem
            assert said or not any(wrong is one for one in (*NOT_FINITE, *NO_TEXT)), (path, wrong)


@pytest.mark.parametrize("method", method_names())
def test_hyperparameters_refuse_it_too_in_fixed_and_in_a_single_unlearning(method):
    for name in find_method(method).config_type.model_fields.keys() - {"name"}:
        for wrong in (*NOT_FINITE, *NO_TEXT, "x" * 3000, {}):
            values = {**TASK, **FORGET, "method": {"name": method, name: wrong}}
            said = " ".join(problems(UnlearnConfig.parse, values))
            assert f"`method.{name}` must" in said
            assert PYDANTIC.search(said) is None
            values = {"name": "made", **TASK, **FORGET, "method": method, "fixed": {name: wrong}}
            assert "`fixed" in " ".join(problems(parse_study, values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_budget_min: .inf", "`time_budget_min` must be a finite number, but got inf."),
        ("time_budget_min: .nan", "`time_budget_min` must be a finite number, but got nan."),
        ("time_budget_min: 1.0e+300", "`time_budget_min` must be less than or equal to 10000000"),
        ("n_trials: 1000000000000000000000000000000", "`n_trials` must fit into 64 bits"),
        ("n_trials: yes", "`n_trials` must be a whole number, but got True."),
        (f"n_trials: {'9' * 5000}", "not readable as YAML"),
        ("n_trials:", "`n_trials` must be a whole number, but got nothing."),
        ("seed: 9223372036854775808", "`seed` must fit into 64 bits"),
        ("replicates: 1000000000000", "`replicates` must be less than or equal to 10000"),
        ("resources: {gpus_per_trial: .inf}", "`resources.gpus_per_trial` must be a finite number"),
        ("resources: {checkpoint_every_s: .nan}", "`resources.checkpoint_every_s` must be a finite number"),
        ("resources: {cpus_per_trial: 99999999999999999999}", "`resources.cpus_per_trial` must fit into 64 bits"),
        ("constraints: [{metric: elapsed_s, at_most: .inf}]", "`constraints.0.at_most` must be a finite number"),
        ("objectives: [{metric: validation/mia_loss, direction: minimize, reference: -.inf}]",
         "`objectives.0.reference` must be a finite number, but got -inf."),
        ("fixed: {p: .nan}", "`fixed.p` must be a finite number, but got nan."),
        ("fixed: {epochs: 100000000000000000000}", "must fit into 64 bits"),
        ("fixed: {p: [1]}", "`fixed.p` must be a number, a whole number, text or true or false, but got [1]."),
        ("model: {name: SmallCNN, mean: [.nan], std: [1]}", "`model.mean` must be from 0 to 1, of pixels scaled"),
        ("model: {name: SmallCNN, recipe: {max_learning_rate: .inf}}", "`model.recipe.max_learning_rate` must be"),
        ("evaluation: {batch_size: 9223372036854775808}", "`evaluation.batch_size` must fit into 64 bits"),
        ('device: "a\\0b"', "`device` must be valid UTF-8 without null bytes"),
        ('runs_dir: "\\uD800"', "`runs_dir` must be valid UTF-8 without null bytes"),
        ("sampler: [tpe]", "`sampler` must be text, but got ['tpe']."),
    ],
)  # fmt: skip
def test_yaml_that_is_valid_and_no_use_is_refused_before_the_start(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    rest = {key: value for key, value in {"name": "made", **TASK, **FORGET}.items() if not text.startswith(f"{key}:")}
    path.write_text(f"{yaml.safe_dump(rest)}{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    assert message in str(caught.value)


def test_a_name_that_is_too_long_is_called_that(values):
    for name in ("x" * 201, "x" * 100_000):
        (problem,) = problems(parse_study, {**values, "name": name})
        assert problem == f"`name` is too long: it names files, so it may have 200 characters, but has {len(name)}."
    (problem,) = problems(parse_study, {**values, "study_name": "x" * 201})
    assert problem.startswith("`study_name` is too long: it may have 200 characters")
    (problem,) = problems(parse_study, {**values, "name": "a b"})
    assert problem.startswith("`name` must start with a letter or digit and only contain letters, digits, dots")


def test_one_wrong_type_is_one_problem(values):
    assert len(problems(parse_study, {**values, "fixed": {"p": None}})) == 1
    assert len(problems(parse_study, {**values, "forget": {"classes": 1.5}})) == 1
    assert problems(parse_study, {**values, "data": {"source": "digits", "cache_dir": 5}}) == (
        "`data.cache_dir` must be a path, but got 5.",
    )
