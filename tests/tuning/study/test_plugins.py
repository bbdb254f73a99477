"""A study that uses plug-ins: what it notes, and who refuses to go on without them (tests/plugin_package)."""

import sys

import pytest

from antisample.errors import ConfigError
from antisample.plugins.discovery import Plugin, rediscover
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.study.attributes import ID, PLUGINS
from tuning.study.directory import open_study, study_config
from tuning.study.plugins import check_noted_plugins, note_plugins, noted_plugins, study_plugins
from tuning.study.study import Study
from tuning.trust.consent import remember_study
from tuning.trust.study_id import remember_id
from tuning.worker.fingerprints import check_node

NAMES = [("method", "toy"), ("metric", "toy_margin"), ("dataset", "toy-stripes"), ("sampler", "toy_sampler")]
SPACE = "method: toy\nparameters:\n  unlearn_scale_lr: {low: 0.1, high: 9, log: true, why: The step size.}\n"


@pytest.fixture
def values(values, storage):
    return {**values, "storage": storage}


@pytest.fixture
def plugins(toy_packages, monkeypatch):
    """The toy package, until the test calls `uninstall`."""

    def uninstall():
        monkeypatch.undo()
        for name in [name for name in sys.modules if name.startswith("antisample_toy")]:
            del sys.modules[name]
        rediscover()

    monkeypatch.syspath_prepend(str(toy_packages))
    rediscover()
    yield uninstall
    uninstall()


@pytest.fixture
def config(values, tmp_path, plugins):
    (tmp_path / "space.yaml").write_text(SPACE)
    return parse_study(
        {
            **values,
            "method": "toy",
            "space": str(tmp_path / "space.yaml"),
            "published": [],
            "sampler": "toy_sampler",
            "data": {"source": "toyStripes"},
            "evaluation": {"final": ["toy_margin"]},
        }
    )


def begun(study: Study) -> Study:
    """A study with its notes and its file, as a driver leaves it."""
    note_plugins(study)
    (study.config.directory / "study.yaml").write_text(study.config.to_yaml())
    remember_id(study.config.directory, study.noted(ID))
    remember_study(study.noted(ID), study.config)
    return study


def test_it_notes_its_plug_ins_with_package_and_version(config, driven_study):
    study = begun(driven_study(config))
    assert study.noted(PLUGINS) == [
        {"kind": kind, "name": name, "distribution": "antisample-toy", "version": "1.0"} for kind, name in NAMES
    ]
    assert noted_plugins(study) == study_plugins(study.plan)
    assert [plugin.kind for plugin in study.plan.plugins] == ["method", "metric", "dataset"]
    assert check_noted_plugins(study) == []


def test_a_study_without_plug_ins_has_no_note(values, driven_study):
    study = driven_study(parse_study(values))
    note_plugins(study)
    assert study.noted(PLUGINS) is None


def test_where_a_package_is_missing_its_name_and_version_are_said(config, driven_study, plugins):
    study = begun(driven_study(config))
    plugins()
    needed = (
        "needs the package antisample-toy 1.0 (method 'toy', metric family 'toy_margin', data set 'toy-stripes', "
    )
    with pytest.raises(ConfigError) as caught:
        open_study(config.directory)
    assert caught.value.problems[0].startswith(f"The study {config.directory} {needed}")
    with pytest.raises(ConfigError) as caught:
        check_noted_plugins(study, unneeded=("method", "metric", "dataset"))
    assert "antisample-toy 1.0 (sampler 'toy_sampler'), which is not installed here." in str(caught.value)


def test_another_version_is_said_and_taken(config, driven_study):
    study = begun(driven_study(config))
    study.note(PLUGINS, [{**plugin, "version": "0.9"} for plugin in study.noted(PLUGINS)])
    (line,) = check_noted_plugins(study)
    assert line == "Another version of a plug-in: antisample-toy 0.9 was used before, and 1.0 is installed now"
    note_plugins(study)
    assert check_noted_plugins(study) == []


def test_without_a_note_the_unknown_name_is_said_as_ever(config, driven_study, plugins):
    study = driven_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    remember_id(config.directory, study.noted(ID))
    plugins()
    with pytest.raises(ConfigError, match="`method` must be one of"):
        study_config(config.directory)


@pytest.mark.parametrize(
    "damage",
    [5, [5], [{"kind": "method"}], [{**dict.fromkeys(("name", "distribution", "version"), "x"), "kind": "x"}]],
)
def test_a_damaged_note_is_no_reason_for_a_traceback(config, driven_study, plugins, damage):
    study = begun(driven_study(config))
    study.note(PLUGINS, damage)
    plugins()
    with pytest.raises(ConfigError, match="`method` must be one of"):
        study_config(config.directory)


def test_a_worker_refuses_another_version_and_a_missing_package(config, plugins):
    (method, *_) = TrialPlan.of(config).plugins
    check_node([method])
    with pytest.raises(
        ConfigError, match=r"needs the package antisample-toy 2\.0 \(method 'toy'\), which is installed as"
    ):
        check_node([Plugin("method", "toy", "antisample-toy", "2.0")])
    plugins()
    with pytest.raises(
        ConfigError, match=r"The worker on \S+ needs the package antisample-toy 1\.0 \(method 'toy'\)"
    ):
        check_node([method])
