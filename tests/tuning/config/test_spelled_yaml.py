"""Names in study files, in `--set` and on the command line mean what is written there."""

import os

import pytest
import yaml
from pydantic import ValidationError

from antisample.errors import ConfigError
from cluster import ClusterError, load_cluster
from search_spaces import SpaceError, load_space
from tuning.config.loading import load_study, override_value
from tuning.config.spelled_yaml import kind_of, load_spelled
from tuning.config.study import StudyConfig

SPELLINGS = ["no", "yes", "on", "off", "true", "False", "y", "~", "null", "001", "010", "0o7", "0x1F", "1_000", "1.0"]
SPELLINGS += ["1e3", "1:30", "2024-01-01", ".5", ".inf", ".nan", "+3", "-1", "=", "<<", "cat"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_class_name_keeps_its_spelling(name):
    values = load_spelled(f"forget: {{classes: [{name}]}}\nmethod: x{name}\n", StudyConfig)
    assert values == {"forget": {"classes": [name]}, "method": f"x{name}"}
    several = load_spelled(f"forget:\n- classes:\n  - {name}\n- samples: [{name}]\n", StudyConfig)
    assert several == {"forget": [{"classes": [name]}, {"samples": [name]}]}


@pytest.mark.parametrize("name", SPELLINGS)
def test_so_it_does_in_set(name):
    values = {}
    override_value(values, f"forget.classes=[{name}]", StudyConfig)
    assert values == {"forget": {"classes": [name]}}
    override_value(values, f"data.source={name}", StudyConfig)
    assert values["data"] == {"source": name}


def test_numbers_switches_and_nothing_are_as_before():
    text = (
        "n_trials: 7\nlog_model: no\ntime_budget_min: 1.5\nspace: null\nfixed: {p: 0.5, batchnorm_mode: eval, x: on}"
    )
    assert load_spelled(text, StudyConfig) == yaml.safe_load(text)
    assert load_spelled("", StudyConfig) is None
    assert load_spelled("[0.5, 0.5]", kind_of(kind_of(StudyConfig, "model"), "mean")) == [0.5, 0.5]


def test_quotes_anchors_and_merged_keys_work():
    text = "a: &a {classes: ['no', \"a, b\", ' l']}\nforget: {<<: *a}\nname: 'x'\n"
    assert load_spelled(text, StudyConfig)["forget"] == {"classes": ["no", "a, b", " l"]}


def test_a_study_from_before_means_what_it_meant(values, tmp_path):
    path = tmp_path / "study.yaml"
    for classes in ("[3]", "['3']", "\n  - 3"):
        path.write_text(yaml.safe_dump({key: value for key, value in values.items() if key != "forget"}))
        path.write_text(path.read_text() + f"forget:\n  classes: {classes}\n")
        assert load_study(path).forget[0].classes == ("3",)
    assert load_study(path) == load_study(path, ["forget.classes=3"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_trials: 1\nseed: 2\nn_trials: 3\n", "the key `n_trials` occurs twice, in lines 1 and 3"),
        ("forget: {classes: [a], classes: [b]}", "the key `classes` occurs twice, in line 1"),
        ("fixed:\n  p: 1\n  'p': 2\n", "the key `p` occurs twice"),
        ("name: !!python/object/apply:os.getcwd []", "not readable as YAML"),
        ("name: !!python/name:os.getcwd x", "not readable as YAML"),
        ("a: &a [*a]", "not readable as YAML"),
        ("forget: {classes: &a [*a]}", "not readable as YAML"),
        ("seed: 2024-13-45", "not readable as YAML"),
        ("{", "not readable as YAML"),
        ("name: q\n? [a]\n: b\n", "a key must be text, in line 2"),
        ("forget: {? {classes: x} : b}", "a key must be text"),
        ("fixed: {? [a] : b}", "not readable as YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        load_spelled(text, StudyConfig)


def test_a_key_that_stands_twice_is_refused_in_every_yaml_file(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("method: antisample\nparameters:\n  p: {low: 0, high: 1, low: 0.5, why: x}\n")
    with pytest.raises(SpaceError, match="`low` occurs twice"):
        load_space(path)
    path.write_text("launcher: local\nnum_cpus: 1\nnum_cpus: 2\n")
    with pytest.raises(ClusterError, match="`num_cpus` occurs twice, in lines 2 and 3"):
        load_cluster(path)


def test_a_key_that_stands_twice_in_set_is_refused():
    with pytest.raises(ConfigError, match=r"`--set fixed=\{a: 1, a: 2\}`: the key `a` occurs twice"):
        override_value({}, "fixed={a: 1, a: 2}", StudyConfig)


def test_python_is_as_strict_as_files(values):
    for classes in ([True], [1.0]):
        with pytest.raises(ValidationError, match="must be class names or labels"):
            StudyConfig.model_validate({**values, "forget": {"classes": classes}})


@pytest.mark.parametrize("text", ["name: a\0b\n", "name: " + "x" * 2_000_001], ids=["null bytes", "too long"])
def test_a_text_that_the_loader_takes_at_no_price_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    for read, error in ((load_study, ConfigError), (load_space, SpaceError), (load_cluster, ClusterError)):
        with pytest.raises(error, match="not readable as YAML") as refused:
            read(path)
        assert len(str(refused.value)) < 400


def test_a_file_larger_than_any_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "file.yaml"
    path.touch()
    os.truncate(path, 2**40)
    for read, error in ((load_study, ConfigError), (load_space, SpaceError), (load_cluster, ClusterError)):
        with pytest.raises(error, match=r"larger than 8 MB|at most 2,000,000 characters|too large"):
            read(path)
