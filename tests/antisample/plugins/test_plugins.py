"""Plug-ins as a user has them: a package with metadata on the path of imports (tests/plugin_package)."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from antisample.config import UnlearnConfig, plugins_used
from antisample.datasets import dataset_names, load_dataset
from antisample.datasets.config import DataConfig
from antisample.errors import ConfigError
from antisample.export.card_file import read_card
from antisample.methods import find_method, method_config, method_names
from antisample.metrics import EvaluationConfig, family_names, metric_names
from antisample.plugins.discovery import Plugin, declared_plugins, rediscover
from antisample.plugins.requirements import changed_versions, check_plugins
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import make_sampler, sampler_names, sampler_plugin

TOY = Plugin("method", "toy", "antisample-toy", "1.0")


def in_python(*arguments, path=""):
    """Runs Python in a process of its own, with a folder of packages behind our own."""
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[3]}:{path}"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def package(folder: Path, name: str, version: str, entry_points: str, source: str | None = None) -> Path:
    """Writes an installed package by hand: its module, if it has one, and its metadata."""
    folder.mkdir(exist_ok=True)
    if source is not None:
        (folder / f"{name.replace('-', '_')}.py").write_text(source)
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    return folder


@pytest.fixture
def on_path(monkeypatch):
    """Makes the packages of a folder importable for the length of a test."""
    before = set(sys.modules)

    def add(folder: Path) -> None:
        monkeypatch.syspath_prepend(str(folder))
        rediscover()

    yield add
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.startswith("antisample_toy"):
            del sys.modules[name]
    rediscover()


@pytest.fixture
def toy(on_path, toy_packages):
    on_path(toy_packages)


@pytest.fixture
def installed(on_path, tmp_path):
    """Installs one package that declares entry points and has a module `extra`."""

    def install(entry_points, source="", name="extra", version="2.0", folder="extra"):
        on_path(package(tmp_path / folder, name, version, entry_points, source))

    return install


@pytest.fixture
def values(cache_dir):
    return {
        "data": {"source": "digits", "cache_dir": str(cache_dir)},
        "model": {"name": "SmallCNN"},
        "forget": {"classes": [3]},
    }


def test_importing_antisample_looks_for_no_plug_in_and_imports_none(toy_packages):
    code = (
        "import sys, antisample, antisample.config, antisample.datasets, antisample.metrics, antisample.methods\n"
        "import tuning, tuning.strategies.samplers\n"
        "from antisample.plugins.discovery import declared_plugins\n"
        "assert declared_plugins.cache_info().currsize == 0, 'looked for at import'\n"
        "from antisample.methods import find_method\n"
        "find_method('finetune')\n"
        "assert declared_plugins.cache_info().currsize == 1, 'not looked for'\n"
        "assert 'antisample_toy' not in sys.modules, 'imported without being asked for'\n"
        "find_method('toy')\n"
        "assert 'antisample_toy' in sys.modules\n"
    )
    done = in_python("-c", code, path=toy_packages)
    assert done.returncode == 0, done.stderr


def test_plug_ins_stand_behind_our_own_names(toy):
    assert method_names()[-1] == "toy"
    assert family_names()[-1] == "toy_margin"
    assert dataset_names()[-1] == "toy-stripes"
    assert sampler_names()[-1] == "toy_sampler"
    assert metric_names()[-1] == "test/forget_margin"


def test_a_method_is_configured_by_its_name(toy, values):
    config = UnlearnConfig.parse({**values, "method": {"name": "toy", "epochs": 3}})
    assert type(config.method).__name__ == "ToyConfig"
    assert config.method == method_config("toy", epochs=3)
    assert UnlearnConfig.parse(config.model_dump(mode="json")) == config
    assert config.model_dump(mode="json")["method"]["epochs"] == 3
    with pytest.raises(ConfigError, match=r"`method.epochs` must be greater than or equal to 1, but got 0"):
        UnlearnConfig.parse({**values, "method": {"name": "toy", "epochs": 0}})


def test_a_study_searches_a_method_with_a_space_of_its_own(toy, values, tmp_path):
    space = tmp_path / "toy.yaml"
    space.write_text(
        "method: toy\nparameters:\n  unlearn_scale_lr: {low: 0.1, high: 9, log: true, why: The step size.}\n"
    )
    study = {**values, "name": "s", "runs_dir": str(tmp_path), "method": "toy"}
    config = parse_study({**study, "space": str(space)})
    plan = TrialPlan.of(config)
    assert plan.starting_points[0][1] == {"unlearn_scale_lr": 1.6}
    assert type(plan.starting_config().method).__name__ == "ToyConfig"
    with pytest.raises(ConfigError, match="`space` must be the path of a YAML file: the method 'toy' comes without"):
        parse_study(study)


def test_a_data_set_is_read_whatever_the_spelling_of_its_name(toy, tmp_path):
    data = load_dataset("TOY_stripes", cache_dir=tmp_path)
    assert (data.name, data.n_classes, data.train.images.shape) == ("toy-stripes", 8, (160, 1, 8, 8))


def test_a_sampler_is_made_by_its_name(toy, tmp_path, values):
    space = TrialPlan.of(parse_study({**values, "name": "s", "runs_dir": str(tmp_path)})).space
    assert type(make_sampler("toy_sampler", space, 8, 0, 0)).__name__ == "RandomSampler"
    assert sampler_plugin("toy_sampler").package == "antisample-toy 1.0"
    assert sampler_plugin("auto") is sampler_plugin("tpe") is sampler_plugin("optuna:X") is None


def test_a_plug_in_that_cannot_be_imported_is_named_and_skipped_until_it_is_asked_for(toy, values, caplog):
    with caplog.at_level(logging.WARNING):
        assert "broken" not in method_names()
        assert "broken" not in method_names()
    skipped = "Skipping the method 'broken' of antisample-toy 1.0: RuntimeError: the toy is broken."
    assert [record.getMessage() for record in caplog.records].count(skipped) == 1
    reason = "'broken' of antisample-toy 1.0 cannot be used: RuntimeError: the toy is broken"
    with pytest.raises(ConfigError, match=reason):
        find_method("broken")
    with pytest.raises(ConfigError, match=reason):
        UnlearnConfig.parse({**values, "method": {"name": "broken"}})
    assert find_method("toy") is find_method("toy")


def test_a_name_of_ours_stays_ours(toy, caplog):
    with caplog.at_level(logging.WARNING):
        assert type(find_method("finetune")).__name__ == "FineTune"
    assert "Ignoring the method 'finetune' of antisample-toy 1.0: antisample has a method of that name" in caplog.text
    assert method_names().count("finetune") == 1


def test_a_data_set_that_is_spelled_like_ours_is_ignored(installed, caplog):
    installed("[antisample.datasets]\nCIFAR-10 = extra:build\n", "build = None\n")
    with caplog.at_level(logging.WARNING):
        assert "CIFAR-10" not in dataset_names()
    assert "Ignoring the data set 'CIFAR-10' of extra 2.0" in caplog.text


def test_two_plug_ins_of_one_name_are_refused(toy, installed, caplog):
    installed("[antisample.methods]\ntoy = extra:Toy\n")
    with caplog.at_level(logging.WARNING):
        assert "toy" not in method_names()
    reason = "antisample-toy 1.0 and extra 2.0 declare the same name; uninstall one of them"
    assert reason in caplog.text
    with pytest.raises(ConfigError, match=reason):
        find_method("toy")


METHOD = """
from typing import Literal
from antisample.methods import MethodConfig
class Config(MethodConfig):
    name: Literal["extra"] = "extra"
    {field}
class Extra:
    config_type = {config_type}
    {prepare}
"""
PREPARE = "def prepare(self, context, config): ..."


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def Other(): ...", "AttributeError: module 'extra' has no attribute 'Extra'"),
        ("Extra = 5", "its `config_type` must be a subclass of `MethodConfig`"),
        (METHOD.format(field="", config_type="dict", prepare=PREPARE), "must be a subclass of `MethodConfig`"),
        (METHOD.format(field="", config_type="Config", prepare=""), "it must have a method `prepare`"),
        (METHOD.format(field="size: int", config_type="Config", prepare=PREPARE), "ValidationError"),
        (
            METHOD.replace('"extra"', '"other"').format(field="", config_type="Config", prepare=PREPARE),
            "the default of `name` in its configuration must be 'extra', but is 'other'",
        ),
    ],
)
def test_what_is_no_method_is_refused_with_the_reason(installed, source, reason):
    installed("[antisample.methods]\nextra = extra:Extra\n", source)
    sys.modules.pop("extra", None)
    with pytest.raises(ConfigError) as caught:
        find_method("extra")
    (problem,) = caught.value.problems
    assert problem.startswith("`method` 'extra' of extra 2.0 cannot be used: ")
    assert reason in problem


FAMILY = """
class Extra:
    names, parts = {names}, {parts}
    def problems(self, dataset, splits): return []
    def compute(self, subject, part): return {{}}
"""


@pytest.mark.parametrize(
    ("names", "parts", "reason"),
    [
        ("()", "('test',)", "its `names` must be a tuple of at least one name"),
        ("['a']", "('test',)", "its `names` must be a tuple of at least one name"),
        ("('a',)", "('tset',)", "its `parts` must be a tuple of"),
        ("('a', 'forget_accuracy')", "('test',)", "it computes forget_accuracy, as 'classification' of antisample"),
    ],
)
def test_what_is_no_metric_family_is_refused_with_the_reason(installed, names, parts, reason):
    installed("[antisample.metrics]\nextra = extra:Extra\n", FAMILY.format(names=names, parts=parts))
    sys.modules.pop("extra", None)
    assert "extra" not in family_names()
    with pytest.raises(ValueError, match=r"'extra' of extra 2\.0 cannot be used: ") as caught:
        EvaluationConfig(final=("extra",))
    assert reason in str(caught.value)


def test_two_families_of_one_metric_are_not_computed_together(toy, installed):
    installed(
        "[antisample.metrics]\nextra = extra:Extra\n", FAMILY.format(names="('forget_margin',)", parts="('test',)")
    )
    sys.modules.pop("extra", None)
    EvaluationConfig(final=("extra",))
    with pytest.raises(ValueError, match="must not compute the same metric, but forget_margin is computed twice"):
        EvaluationConfig(final=("extra", "toy_margin"))


def test_families_keep_our_order_with_plug_ins_last(toy):
    assert EvaluationConfig(final=("toy_margin", "zrf", "membership")).final == ("membership", "zrf", "toy_margin")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("build = 5", "cannot be called"),
        ("def build(root, download): return 5", "the methods `identity` and `decode`"),
    ],
)
def test_what_is_no_data_set_is_refused_with_the_reason(installed, tmp_path, source, reason):
    installed("[antisample.datasets]\nextra = extra:build\n", source)
    sys.modules.pop("extra", None)
    with pytest.raises(ConfigError, match=f"`data.source` 'extra' .*{reason}"):
        load_dataset("extra", cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("build = 5", "it must be called with the number of startup trials and a seed"),
        ("def build(startup, seed): return 5", "must be an Optuna sampler, but got int"),
        ("def build(startup, seed): return 1 / 0", "cannot be built: ZeroDivisionError"),
        ("def build(seed): ...", "cannot be built: TypeError"),
    ],
)
def test_what_is_no_sampler_is_refused_with_the_reason(installed, values, tmp_path, source, reason):
    installed("[antisample.samplers]\nextra = extra:build\n", source)
    sys.modules.pop("extra", None)
    space = TrialPlan.of(parse_study({**values, "name": "s", "runs_dir": str(tmp_path)})).space
    with pytest.raises(ConfigError, match=reason):
        make_sampler("extra", space, 8, 0, 0)


def test_what_a_configuration_uses_is_listed_with_package_and_version(toy):
    evaluation = EvaluationConfig(final=("toy_margin", "zrf"))
    used = plugins_used("toy", evaluation, DataConfig(source="toyStripes"))
    assert [plugin.describe() for plugin in used] == [
        "the method 'toy' of antisample-toy 1.0",
        "the metric family 'toy_margin' of antisample-toy 1.0",
        "the data set 'toy-stripes' of antisample-toy 1.0",
    ]
    assert plugins_used("finetune", EvaluationConfig(), DataConfig(source="digits")) == ()


def test_packages_that_are_missing_are_named_with_their_versions():
    needed = [TOY, Plugin("metric", "toy_margin", "antisample-toy", "1.0"), Plugin("method", "x", "other", "3")]
    with pytest.raises(ConfigError) as caught:
        check_plugins(needed, "The study runs/x")
    assert caught.value.problems == (
        "The study runs/x needs the package antisample-toy 1.0 (method 'toy', metric family 'toy_margin'), which is "
        "not installed here.",
        "The study runs/x needs the package other 3 (method 'x'), which is not installed here.",
    )


def test_another_version_is_refused_where_it_must_be_the_same(toy):
    check_plugins([TOY], "It", same_version=True)
    check_plugins([Plugin("method", "toy", "Antisample_Toy", "1.0")], "It", same_version=True)
    older = Plugin("method", "toy", "antisample-toy", "0.9")
    check_plugins([older], "It")
    assert changed_versions([older]) == ["antisample-toy 0.9 was used before, and 1.0 is installed now"]
    assert changed_versions([TOY]) == []
    message = "antisample-toy 0.9 (method 'toy'), which is installed as 1.0 here"
    with pytest.raises(ConfigError) as caught:
        check_plugins([older], "It", same_version=True)
    assert message in str(caught.value)


def test_a_card_says_which_package_is_needed_to_read_it(tmp_path):
    facts = {"kind": "method", "name": "toy", "distribution": "antisample-toy", "version": "1.0"}
    card = {"config": {"method": {"name": "toy"}, "data": {"source": "digits"}}, "environment": {"plugins": [facts]}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(
        ConfigError, match=r"card\.json: The card needs the package antisample-toy 1\.0 \(method 'toy'"
    ):
        read_card(tmp_path / "card.json")


def test_metadata_that_cannot_be_read_costs_the_plug_ins_and_nothing_else(installed, caplog, tmp_path):
    installed("this is no list of entry points\n[[[")
    with caplog.at_level(logging.WARNING):
        assert find_method("finetune") is not None
        assert declared_plugins("method") == ()
    shutil.rmtree(tmp_path / "extra")


def test_a_suite_fails_for_what_is_not_registered(tmp_path):
    """That the suites pass for plug-ins, tests/test_guides.py shows."""
    (tmp_path / "test_absent.py").write_text(
        "from antisample.testing import MetricConformance\n"
        "class TestAbsent(MetricConformance):\n"
        "    name = 'absent'\n"
    )
    done = in_python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "registered", tmp_path)
    assert "1 failed" in done.stdout, done.stdout
    assert "assert 'absent' in ('classification', " in done.stdout  # assertions show their values


@pytest.mark.parametrize("package", ["antisample", "tuning"])
def test_without_pytest_the_suites_say_what_is_missing(package):
    done = in_python("-c", f"import sys; sys.modules['pytest'] = None; import {package}.testing")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: {package}.testing needs pytest, which is not installed; install it with "
        "`pip install pytest`."
    )
