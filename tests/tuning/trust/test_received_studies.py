"""A study or card that somebody has sent names code and addresses; none is used before the user has agreed to it."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest
import yaml

from antisample.datasets.config import DataConfig
from antisample.export.card_file import read_card
from antisample.models.config import ModelConfig
from tuning.config.loading import parse_study, read_values
from tuning.study.attributes import ID
from tuning.trust.addresses import folders, own_cache_dir
from tuning.trust.consent import remember_card, remember_study
from tuning.trust.module_files import module_files
from tuning.trust.named_code import named_code
from tuning.trust.own_studies import agree, agreed
from tuning.trust.study_id import remember_id

CARD = {
    "created": "2026-01-01T00:00:00+00:00",
    "request": {"in_words": "3", "classes": ["3"], "images": 1},
    "data": {
        "name": "digits",
        "fingerprint": "0" * 32,
        "splits_fingerprint": "0" * 32,
        "retain": 1,
        "validation": 1,
        "validation_from": "train",
        "test": 1,
    },
    "original": {"fingerprint": "0" * 32, "mean": [0.3], "std": [0.3], "initial_weights": "random"},
    "origin": {"origin": "defaults"},
    "seed": 0,
    "config": {
        "data": {"source": "digits"},
        "model": {"name": "sent_package.networks:build"},
        "forget": {"classes": ["3"]},
    },
    "fingerprint": "0" * 32,
    "files": [{"file": "model.safetensors", "format": "safetensors", "sha256": "0" * 64}],
    "metrics": [],
    "time": {"unlearning_s": 1, "evaluation_s": 1},
    "environment": {"versions": {}, "device": "cpu", "machine": "x", "threads": 1},
    "folder": ".",
    "command": "x",
}


@pytest.fixture
def sent(small_study, tmp_path, monkeypatch):
    """The folder of a study whose model and sampler lie in a package beside it, which says when it is imported."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("sent_package")]:
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "sent_package"
    package.mkdir()
    (package / "__init__.py").write_text("open('imported', 'w').close()\n")
    (package / "networks.py").write_text("def build(n_classes, in_channels):\n    raise KeyError('was called')\n")
    (package / "samplers.py").write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    directory = small_study.config.directory
    values = yaml.safe_load((directory / "study.yaml").read_text())
    values |= {"model": {"name": "sent_package.networks:build"}, "n_trials": 3, "device": "cpu"}
    (directory / "study.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    remember_id(directory, "an id")
    return directory


def name_sampler(directory: Path) -> None:
    values = yaml.safe_load((directory / "study.yaml").read_text())
    values |= {"model": {"name": "SmallCNN"}, "sampler": "sent_package.samplers:Mine"}
    (directory / "study.yaml").write_text(yaml.safe_dump(values))


def test_a_report_imports_nothing(call, sent, tmp_path):
    for change in (lambda _: None, name_sampler):
        change(sent)
        code, out, err = call("report", sent)
        assert (code, "Trial" in out or "trial" in out) == (0, True), err
        assert not (tmp_path / "imported").exists()


COMMANDS = [
    ["resume", "made"],
    ["run", "made/study.yaml"],
    ["run", "made/study.yaml", "--set", "n_trials=9", "--set", "model.arguments={depth: 3}"],
    ["pretrain", "made/study.yaml"],
    ["unlearn", "--study", "made", "--trial", "0", "--out", "out"],
    ["verify", "card.json"],
    ["mlflow", "sync", "made", "--register", "mine", "--trial", "0", "--tracking-uri", "sqlite:///x.db"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_would_import_says_so_and_asks(call, sent, tmp_path, words):
    code, out, err = call(*words)
    assert code == 2, out + err
    file = tmp_path / "sent_package" / "networks.py"
    assert f"`model.name` 'sent_package.networks:build' names the module 'sent_package.networks' ({file})" in err
    assert "`--allow-code`" in err
    assert "ANTISAMPLE_ALLOW_CODE=sent_package.networks" in err
    assert not (tmp_path / "imported").exists()
    assert not (tmp_path / "out").exists()


def test_a_sampler_is_code_too(call, sent, tmp_path):
    name_sampler(sent)
    code, _, err = call("resume", sent)
    assert (code, "`sampler` 'sent_package.samplers:Mine' names the module" in err) == (2, True)
    assert not (tmp_path / "imported").exists()


@pytest.mark.integration
def test_who_agrees_is_told_what_is_imported_and_where_it_lies(call, sent, tmp_path, monkeypatch):
    file = tmp_path / "sent_package" / "networks.py"
    study = ["run", "made/study.yaml", "--set", "name=another", "--set", "tracking_uri=none"]
    agreements = [
        (["--allow-code"], ""),
        (["--set", "model.name=sent_package.networks:build"], ""),
        (["--set", "model={name: 'sent_package.networks:build'}"], ""),
        ([], "sent_package.networks"),
        ([], "other, sent_package.networks:build"),
    ]
    for flags, listed in agreements:
        monkeypatch.setenv("ANTISAMPLE_ALLOW_CODE", listed)
        code, out, err = call(*study, *flags)
        assert code == 2
        assert f"names the module 'sent_package.networks' ({file}), which is imported now." in out.replace("\n", " ")
        assert "KeyError: 'was called'" in err, err
        assert (tmp_path / "imported").exists()
    monkeypatch.setenv("ANTISAMPLE_ALLOW_CODE", "sent_package, sent")
    assert "`--allow-code`" in call(*study)[2]


def test_a_study_that_was_made_here_is_not_asked_about(call, sent, tmp_path, make_study, config, monkeypatch):
    own = config.model_copy(update={"model": ModelConfig(name="sent_package.networks:build"), "n_trials": 3})
    remember_study(make_study(own).noted(ID), own)
    code, out, err = call("unlearn", "--study", "made", "--trial", "0", "--out", "out")
    assert (code, "KeyError: 'was called'" in err) == (2, True), err
    assert "which is imported now" in out
    # whoever sends the folder back can change what is in it, or send a module of the same name
    values = yaml.safe_load((sent / "study.yaml").read_text())
    values["model"]["arguments"] = {"repository": "evil"}
    (sent / "study.yaml").write_text(yaml.safe_dump(values))
    assert "`--allow-code`" in call("unlearn", "--study", "made", "--trial", "0", "--out", "out")[2]
    values["model"].pop("arguments")
    (sent / "study.yaml").write_text(yaml.safe_dump(values))
    for name in [name for name in sys.modules if name.startswith("sent_package")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent_package").rename(tmp_path / "sent" / "sent_package")
    monkeypatch.syspath_prepend(str(tmp_path / "sent"))
    assert "`--allow-code`" in call("unlearn", "--study", "made", "--trial", "0", "--out", "out")[2]


def test_what_was_agreed_to_is_kept_for_this_user_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert agree("a study", ["code 1"])
    assert agree("a study", ["code 2"])
    assert agreed("a study") == {"code 1", "code 2"}
    assert agreed("another") == agreed(None) == frozenset()
    (file,) = (tmp_path / "state" / "antisample" / "agreed").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    file.chmod(0o620)
    assert agreed("a study") == frozenset()
    file.chmod(0o600)
    file.write_text(json.dumps({"subject": "other", "agreed": ["code 1"]}))
    assert agreed("a study") == frozenset()
    file.write_text("[" * 100_000)
    assert agreed("a study") == frozenset()


def test_without_a_folder_for_state_the_user_is_asked(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert not agree("a study", ["code 1"])
    assert agreed("a study") == frozenset()
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert agree("a study", ["code 1"])
    assert not (tmp_path / "relative").exists()


def test_modules_are_located_without_an_import(tmp_path, monkeypatch):
    folder = tmp_path / "outer_package" / "inner" / "folder"
    folder.mkdir(parents=True)
    for part in (folder.parents[1], folder.parent):
        (part / "__init__.py").write_text("raise SystemExit\n")
    (folder / "module.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    outer = tmp_path / "outer_package"
    packages = (str(outer / "__init__.py"), str(outer / "inner" / "__init__.py"), str(folder))
    assert module_files("outer_package.inner.folder.module") == (*packages, str(folder / "module.py"))
    assert module_files("outer_package.inner.gone") == packages[:2]
    assert module_files("no_such_module") == module_files("") == module_files("../x") == ()
    assert module_files("os.path") == (os.__file__, os.path.__file__)
    assert module_files("_testcapi")  # a module in C, which nothing imports
    assert module_files("xxsubtype") == ("built in",)
    assert not [name for name in sys.modules if name.startswith("outer_package")]
    (tmp_path / "plain_folder").mkdir()
    (tmp_path / "plain_folder" / "module.py").touch()
    plain = tmp_path / "plain_folder"
    assert module_files("plain_folder.module") == (str(plain), str(plain / "module.py"))


def test_every_part_of_the_code_counts():
    def digest(**values):
        return named_code(ModelConfig(**{"name": "os:system", **values}))[0].digest()

    assert named_code(ModelConfig(name="SmallCNN")) == ()
    assert len({digest(), digest(arguments={"command": "x"}), digest(name="os:popen")}) == 3
    assert digest(checkpoint="x") == digest()


@pytest.fixture
def listener():
    """A host that somebody else has; it says whether anybody called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)

        class Host:
            place = f"127.0.0.1:{server.getsockname()[1]}"

            def was_called(self):
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    return False
                return True

        yield Host()


@pytest.fixture
def naming(small_study, tmp_path, monkeypatch):
    """Makes the study one that somebody has sent, and that names something."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, "swordfish")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    directory = small_study.config.directory
    remember_id(directory, "an id")

    def make(**changes):
        values = yaml.safe_load((directory / "study.yaml").read_text())
        (directory / "study.yaml").write_text(yaml.safe_dump({**values, **changes}))
        return parse_study(read_values(directory / "study.yaml"))

    return make


@pytest.mark.parametrize(
    "words",
    [
        ["report", "made"],
        ["resume", "made"],
        ["unlearn", "--study", "made", "--out", "out"],
        ["mlflow", "sync", "made"],
        ["mlflow", "rebuild", "made", "--tracking-uri", "sqlite:///x.db"],
    ],
    ids=" ".join,
)
def test_a_database_that_a_study_names_is_not_asked(call, naming, listener, words):
    address = f"postgresql://me@{listener.place}/db"
    naming(storage=address)
    code, out, err = call(*words)
    assert code == 2
    assert "you did not create this study on this machine" in err
    assert f"--storage {address}" in err
    assert not listener.was_called()
    assert "swordfish" not in out + err


@pytest.mark.integration
def test_the_database_of_a_warm_start_is_not_asked_either(call, naming, listener, study_values):
    naming(storage=f"postgresql://me@{listener.place}/db")
    code, _, err = call("run", study_values(), "--warm-start", "made")
    assert (code, f"--storage postgresql://me@{listener.place}/db" in err) == (2, True)
    assert not listener.was_called()


@pytest.fixture
def study_values(values, tmp_path, cache_dir):
    """A study of the user's own."""

    def write():
        own = {
            "name": "own",
            "tracking_uri": "none",
            "device": "cpu",
            "data": {"source": "digits", "cache_dir": str(cache_dir)},
        }
        own["model"] = {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({**values, **own}))
        return tmp_path / "own.yaml"

    return write


def test_a_database_that_the_user_names_is_asked_and_remembered(call, naming, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"postgresql://me@127.0.0.1:{server.getsockname()[1]}/db"
    naming(storage=address)
    for flags in (["--storage", address], []):
        code, _, err = call("report", "made", *flags)
        assert (code, f"{address}: cannot be opened" in err) == (2, True), err
    naming(storage=address.replace("/db", "/other"))
    assert "you did not create this study on this machine" in call("report", "made")[2]


def test_storage_must_fit_the_study(call, naming):
    naming()
    code, _, err = call("report", "made", "--storage", "postgresql://me@host/db")
    assert (code, "the trials of made are in its own journal" in err) == (2, True)


@pytest.mark.parametrize("words", [["resume", "made"], ["mlflow", "sync", "made"]], ids=" ".join)
def test_a_server_that_a_study_names_is_not_asked(call, naming, listener, words):
    naming(tracking_uri=f"http://{listener.place}")
    code, out, err = call(*words)
    assert code == 2
    assert f"names the MLflow server http://{listener.place}." in err
    assert f"`--tracking-uri http://{listener.place}`" in err
    assert not listener.was_called()
    assert "swordfish" not in out + err


@pytest.mark.parametrize(
    "words",
    [
        ["resume", "made"],
        ["unlearn", "--study", "made", "--out", "out"],
        ["verify", "card.json"],
        ["mlflow", "sync", "made", "--register", "mine", "--trial", "0"],
    ],
    ids=" ".join,
)
def test_an_object_store_gets_no_keys(call, naming, listener, tmp_path, words):
    store = f"s3://bucket/cache?endpoint_override={listener.place}&scheme=http"
    naming(data={"source": "digits", "cache_dir": store})
    card = {
        **CARD,
        "config": {**CARD["config"], "model": {"name": "SmallCNN"}, "data": {"source": "digits", "cache_dir": store}},
    }
    (tmp_path / "card.json").write_text(json.dumps(card))
    code, _, err = call(*words)
    assert code == 2
    assert f"`data.cache_dir` names the object store {store}" in err
    assert "`--allow-address '" in err
    assert not listener.was_called()


def test_a_report_is_copied_to_no_object_store_of_others(call, naming, listener):
    naming(storage_path=f"s3://bucket/studies?endpoint_override={listener.place}&scheme=http")
    code, _, err = call("report", "made", "--json")
    assert code == 0, err
    assert "Nothing was copied to s3://bucket/studies" in err
    assert not listener.was_called()


def test_a_report_is_copied_to_no_folder_that_others_chose(call, naming, make_study, tmp_path):
    config = naming(storage_path=str(tmp_path / "elsewhere"))
    code, _, err = call("report", "made", "--json")
    assert (code, f"Nothing was copied to {tmp_path / 'elsewhere'}" in err) == (0, True), err
    assert not (tmp_path / "elsewhere").exists()
    remember_study(make_study(config).noted(ID), config)
    code, _, err = call("report", "made", "--json")
    assert (code, err) == (0, "")
    assert list((tmp_path / "elsewhere").rglob("report.html"))


def test_a_card_is_verified_with_a_cache_that_others_did_not_choose(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    data = DataConfig(source="digits", cache_dir=tmp_path / "theirs")
    assert own_cache_dir(data, []) == Path("runs/cache")
    assert own_cache_dir(data, folders(data)) == tmp_path / "theirs"


@pytest.mark.integration
def test_addresses_of_own_studies_and_cards_are_used(call, naming, listener, make_study, tmp_path):
    server = f"http://{listener.place}"
    config = naming(tracking_uri=server)
    remember_study(make_study(config).noted(ID), config)
    assert "did not create" not in call("mlflow", "sync", "made")[2]
    assert listener.was_called()
    store = f"s3://bucket/cache?endpoint_override={listener.place}&scheme=http"
    card = {
        **CARD,
        "config": {**CARD["config"], "data": {"source": "digits", "cache_dir": store}},
        "fingerprint": "1" * 32,
    }
    (tmp_path / "card.json").write_text(json.dumps(card))
    remember_card(read_card(tmp_path / "card.json"))
    assert "object store" not in call("verify", "card.json")[2]
