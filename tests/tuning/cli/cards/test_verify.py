"""Nothing that a card states goes unchecked in silence: it is computed, compared, or listed as not checked."""

import copy
import io
import json
import os
import re
import shutil
import sys
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from antisample.errors import AntisampleError, ConfigError, DataError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import file_digest, read_card, write_card
from antisample.export.card_parts import PluginFacts
from antisample.export.verification.measured import measure_card
from antisample.export.verification.repeated import RepeatedCard, repeated_checks
from antisample.export.verification.statements import Verification
from antisample.export.verification.verify import verify_measured
from antisample.inputs import SILENT
from tuning import cli
from tuning.cli.cards.origin import origin_checks
from tuning.config.loading import parse_study
from tuning.study.attributes import FINGERPRINTS, ID, ORIGINAL, PREPROCESSING
from tuning.study.study import Study
from tuning.views.terminal.verdict import print_verification, verification_as_json

RECIPE = ["--set", "model.recipe.epochs=6", "--set", "model.recipe.batch_size=64", "--set", "method.epochs=1"]


def unlearned(folder: Path, *arguments: str) -> Path:
    """The folder of a card that `antisample unlearn` wrote, called in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["antisample", "unlearn", *map(str, arguments), "--out", "out"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return folder / "out"


class Made:
    """A card, measured once, that is changed and verified without measuring again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = read_card(folder / "card.json")
        self.values = json.loads((folder / "card.json").read_text())
        with chdir(folder.parent):  # where its command was given
            self.measured = measure_card(self.card, folder, SILENT)
        self.changed_file = folder.parent / "changed.json"
        self.truth = self.verified(self.values)

    def verified(self, values) -> Verification | None:
        """What verifying a card of these values says; None if it is refused."""
        self.changed_file.write_text(values if isinstance(values, str) else json.dumps(values))
        try:
            card = read_card(self.changed_file)
            with chdir(self.folder.parent):
                return verify_measured(card, self.measured) + origin_checks(card, self.folder)
        except AntisampleError:
            return None

    def is_noticed(self, values) -> bool:
        """Whether the changed card is refused, differs, or has the change among what was not checked."""
        found = self.verified(values)
        return found is None or not found.holds or found.unchecked != self.truth.unchecked

    def means_the_same(self) -> bool:
        """Whether the card that was changed last says what the true one says: a default left out, a class twice."""
        return read_card(self.changed_file) == self.card


@pytest.fixture(scope="module")
def alone(tmp_path_factory, cache_dir) -> Made:
    """A card of an unlearning without a study, with a reference and every family of metrics but `relearn`."""
    arguments = ["--dataset", "digits", "--model", "SmallCNN", "--forget", "3", "--seed", "4", *RECIPE]
    arguments += ["--set", f"data.cache_dir={cache_dir}", "--set", "evaluation.final=[membership, zrf, retrained]"]
    return Made(unlearned(tmp_path_factory.mktemp("alone"), *arguments))


@pytest.fixture(scope="module")
def of_a_study(tmp_path_factory, cache_dir, alone) -> Made:
    """A card of the only trial of a study of two replicates, whose figures are made up."""
    folder = tmp_path_factory.mktemp("studied")
    config = parse_study(
        {
            "name": "made",
            "runs_dir": str(folder),
            "data": {"source": "digits", "cache_dir": str(cache_dir)},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
            "forget": {"classes": [3]},
            "fixed": {"epochs": 1},
            "replicates": 2,
            "evaluation": {"final": []},
            "device": "cpu",
        }
    )
    config.directory.mkdir()
    study = Study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    study.note(ID, "an id")
    card = alone.card
    study.note(
        FINGERPRINTS,
        {
            "data": card.data.fingerprint,
            "splits": card.data.splits_fingerprint,
            "model": card.original.fingerprint,
        },
    )
    study.note(PREPROCESSING, {"mean": list(card.original.mean), "std": list(card.original.std)})
    names = ("forget_accuracy", "retain_accuracy", "forget_confidence")
    metrics = {f"{part}/{name}": 0.5 for part in ("validation", "test") for name in names}
    study.note(ORIGINAL, metrics)
    study.ask("a")
    study.complete("a", metrics, {}, spread=dict.fromkeys(metrics, 0.125))
    return Made(unlearned(folder, "--study", "made", "--trial", "0"))


@pytest.fixture(params=["alone", "of_a_study"])
def made(request) -> Made:
    return request.getfixturevalue(request.param)


def leaves(value, path=()):
    """Paths of all single values, lists and dictionaries without any among them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    paths = [leaf for key, one in inner for leaf in leaves(one, (*path, key))]
    return paths or [path]


def containers(value, path=()):
    """Paths of all dictionaries and lists that hold something."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [each for key, one in inner for each in containers(one, (*path, key))]
    return [path, *found] if inner and value else found


def at(values, path):
    for key in path:
        values = values[key]
    return values


def with_value(values, path, new):
    """A copy with another value at a path."""
    changed = copy.deepcopy(values)
    at(changed, path[:-1])[path[-1]] = new
    return changed


def another(values, path):
    """One other value of the kind that stands at a path."""
    return next(new for new in others(at(values, path)) if new != at(values, path))


def others(value):
    """Other values of the same kind, and of others."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, 0 if value else 7]
    if isinstance(value, float):
        return [value + 0.01, value / 2 + 0.3]
    if isinstance(value, str):
        flipped = ("0" if value[:1] != "0" else "1") + value[1:]
        return [flipped, value + "x", ""]
    if value is None:
        return [1, 0.25, "x", True, [0.5], {"mean": 0.5, "std": 0.1, "n": 2}]
    return [["x"], [1], {"x": 1}]


_GIVEN = ("retraining_s", "request_s", "request_retrainings")


def test_a_true_card_holds_and_says_what_it_does_not_check(made):
    assert made.truth.differing == ()
    unchecked = {statement.what for statement in made.truth.unchecked}
    assert unchecked == {
        *("created", "time.unlearning_s", "time.evaluation_s"),
        *("hyperparameters and seed", "environment.not_deterministic"),
        *(f"time.{name}" for name in _GIVEN if getattr(made.card.time, name) is not None),
    }


def test_no_value_of_a_card_can_be_changed_unnoticed(alone):
    unnoticed = [
        (path, new)
        for path in leaves(alone.values)
        for new in others(at(alone.values, path))
        if new != at(alone.values, path) and not alone.is_noticed(with_value(alone.values, path, new))
    ]
    assert unnoticed == []


def test_no_value_of_a_trials_card_can_be_changed_unnoticed(of_a_study):
    """Every kind of value once, since the study is read each time."""
    values = of_a_study.values
    paths = [path for path in leaves(values) if path[0] != "metrics" or path[1] == 0]
    unnoticed = [path for path in paths if not of_a_study.is_noticed(with_value(values, path, another(values, path)))]
    assert unnoticed == []


def test_no_key_can_be_left_out_or_added_unnoticed(alone):
    unnoticed = []
    for path in containers(alone.values):
        inner = at(alone.values, path)
        if path[:1] == ("metrics",) and len(path) > 1 and path[1] > 1:
            continue  # the first two have everything that the others have
        for key in list(inner) if isinstance(inner, dict) else range(len(inner)):
            changed = copy.deepcopy(alone.values)
            del at(changed, path)[key]
            if not alone.is_noticed(changed) and not alone.means_the_same():
                unnoticed.append((*path, key))
        changed = copy.deepcopy(alone.values)
        if isinstance(inner, dict):
            at(changed, path)["added"] = "x"
        else:
            at(changed, path).append(copy.deepcopy(inner[-1]))
        if not alone.is_noticed(changed) and not alone.means_the_same():
            unnoticed.append((*path, "added"))
    assert unnoticed == []


@pytest.mark.parametrize("key", ["version", "seed", "images", "unlearned", "torch"])
def test_a_key_that_stands_twice_is_refused(alone, key):
    text = json.dumps(alone.values)
    twice = text.replace(f'"{key}": ', f'"{key}": 1, "{key}": ', 1)
    assert twice != text
    assert alone.verified(twice) is None


def test_metrics_that_lack_stand_twice_or_belong_to_no_card_are_named(made):
    metrics = made.values["metrics"]
    first, name = metrics[0], metrics[0]["name"]
    for changed, what in [
        (metrics[1:], f"metric {name}"),
        ([*metrics, first], f"metric {name}"),
        ([*metrics, {**first, "name": "test/made_up"}], "unlearned test/made_up"),
        ([*metrics, {**first, "name": "nowhere"}], "unlearned nowhere"),
        ([], "metrics"),
    ]:
        found = made.verified({**made.values, "metrics": changed})
        assert {"metrics", what} <= {check.what for check in found.differing}


@pytest.mark.parametrize(
    ("path", "new", "named"),
    [
        (("request", "in_words"), "5", "request.in_words"),
        (("request", "classes"), ["5"], "request.classes"),
        (("request", "labels"), [5], "request.labels"),
        (("request", "images"), 118, "request.images"),
        (("request", "test"), 36, "request.test"),
        (("data", "retain"), 1, "data.retain"),
        (("data", "validation_from"), "test", "data.validation_from"),
        (("original", "mean"), [0.5], "original.mean"),
        (("original", "std"), [0.5], "original.std"),
        (("original", "initial_weights"), "ImageNet weights", "original.initial_weights"),
        (("seed",), 5, "seed"),
        (("config", "seed"), 5, "seed"),
        (("config", "method", "epochs"), 9, "config.method.epochs in the model file"),
        (("config", "evaluation", "final"), [], "config.evaluation.final in the model file"),
        (("environment", "threads"), 64, "threads of the command"),
        (("command",), "rm -rf /", "command"),
    ],
)
def test_what_differs_has_its_name(alone, path, new, named):
    found = alone.verified(with_value(alone.values, path, new))
    names = {check.what for check in found.differing}
    assert named in names


def test_an_origin_is_held_against_the_study(of_a_study):
    values = of_a_study.values
    for path, new, named in [
        (("origin", "study"), "another", "origin.study of the study"),
        (("origin", "trial"), 7, "origin.trial"),
        (("origin", "trial from"), "sampler", "origin.trial from of the study"),
        (("config", "method", "epochs"), 7, "config.method.epochs of the study"),
        (("seed",), 7, "seed of the study"),
        (("data", "fingerprint"), "0" * 32, "data fingerprint of the study"),
        (("spread_over",), "the 5 seeds of the search", "spread_over"),
        (("metrics", 0, "spread", "std"), 0.25, f"spread {values['metrics'][0]['name']}"),
        (("metrics", 0, "spread", "n"), 3, f"spread {values['metrics'][0]['name']}"),
        (("metrics", 0, "spread"), None, f"spread {values['metrics'][0]['name']}"),
    ]:
        found = of_a_study.verified(with_value(values, path, new))
        assert named in {check.what for check in found.differing}, path


def test_without_the_study_its_statements_are_not_checked(of_a_study, tmp_path):
    shutil.copytree(of_a_study.folder, tmp_path / "sent")
    values = {**of_a_study.values, "folder": "/of/another/machine"}
    (tmp_path / "sent" / "card.json").write_text(json.dumps(values))
    card = read_card(tmp_path / "sent" / "card.json")
    found = origin_checks(card, tmp_path / "sent")
    assert found.holds
    assert {"origin.study", "origin.trial", "origin.trial from", "spreads", "folder"} == {
        statement.what for statement in found.unchecked
    }
    given = origin_checks(card, tmp_path / "sent", of_a_study.folder.parent / "made")
    assert given.holds
    assert {statement.what for statement in given.unchecked} == {"folder"}


def test_card_md_must_say_what_card_json_says(alone, tmp_path):
    folder = Path(shutil.copytree(alone.folder, tmp_path / "out"))
    text = (folder / "card.md").read_text()

    def named() -> list[str]:
        measured = measure_card(alone.card, folder, SILENT)
        found = verify_measured(alone.card, measured)
        return [check.what for check in found.differing] + [s.what for s in found.unchecked if s.what == "card.md"]

    assert named() == []
    (folder / "card.md").write_text(text.replace("digits", "cifar10", 1))
    assert [what.partition(" line ")[0] for what in named()] == ["card.md"]
    (folder / "card.md").unlink()
    assert named() == ["card.md"]


def test_a_repetition_shows_whether_hyperparameters_and_seed_gave_the_weights(call, alone, tmp_path, monkeypatch):
    """The model file is made anew so that it says the same as the changed card."""
    monkeypatch.chdir(alone.folder.parent)
    code, out, err = call("verify", "out/card.json", "--repeat", "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert "hyperparameters and seed" in {check["what"] for check in answer["checks"]}
    assert not {"hyperparameters and seed", "environment.not_deterministic"} & {
        statement["what"] for statement in answer["not_checked"]
    }
    folder = Path(shutil.copytree(alone.folder, tmp_path / "out"))
    values = copy.deepcopy(alone.values)
    values["seed"] = values["config"]["seed"] = 5
    values["command"] = values["command"].replace("--seed 4", "--seed 5")
    model = load_checkpoint(folder / "model.safetensors")
    metadata = {**model.metadata, "unlearning": json.dumps(values["config"])}
    save_checkpoint(folder / "model.safetensors", Checkpoint(model.state_dict, metadata))
    values["files"][0]["sha256"] = file_digest(folder / "model.safetensors")
    (folder / "card.json").write_text(json.dumps(values))
    (folder / "card.md").unlink()
    code, out, _ = call("verify", folder / "card.json", "--json")
    assert code == 0
    assert "hyperparameters and seed" in {statement["what"] for statement in json.loads(out)["not_checked"]}
    code, out, _ = call("verify", folder / "card.json", "--repeat", "--json")
    assert code == 1
    failed = [check["what"] for check in json.loads(out)["checks"] if not check["holds"]]
    assert failed == ["hyperparameters and seed"]


@pytest.mark.parametrize(
    ("request_flags", "final", "unchecked"),
    [
        (["--forget", "3, 8", "--forget", "1"], "[]", set()),
        (["--forget-samples", "ids.txt"], "[membership]", {"samples of the command"}),
    ],
)
def test_cards_of_other_requests_hold_too(tmp_path, cache_dir, request_flags, final, unchecked):
    (tmp_path / "ids.txt").write_text(
        "1 2 3 50 51 52 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115"
    )
    arguments = ["--dataset", "digits", "--model", "SmallCNN", *request_flags, *RECIPE, "--accept-original"]
    arguments += ["--set", f"data.cache_dir={cache_dir}", "--set", f"evaluation.final={final}"]
    if "--forget-samples" in request_flags:
        arguments += ["--method", "finetune"]
    made = Made(unlearned(tmp_path, *arguments))
    assert made.truth.differing == ()
    assert unchecked <= {statement.what for statement in made.truth.unchecked}
    for path, new in [
        (("config", "forget"), {"classes": ["5"]}),
        (("config", "forget"), {"samples": [1, 2]}),
        (("request", "classes"), ["5"] * len(made.values["request"]["classes"])),
        (("request", "images"), 1),
        (("request", "never_seen"), 100),
        (("metrics", 0, "retrained"), 0.5),
    ]:
        assert made.verified(with_value(made.values, path, new)).differing, path


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{}", "is not UTF-8"),
        (b"", "is not readable as JSON"),
        (b"[]", "holds keys and values"),
        (b'"card"', "holds keys and values"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "a number of thousands of digits"),
        (nested(60).encode(), "nested deeper than 50 levels"),
        (nested(100_000).encode(), "nested deeper than 50 levels"),
        (b'{"seed": 1, "seed": 2}', "the key 'seed' twice"),
        (b" " * (32 * 2**20 + 1), "is larger than 32 MB"),
    ],
)
def test_a_file_that_is_no_card_is_one_sentence(tmp_path, content, message):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_card(tmp_path / "card.json")
    assert "\n" not in str(caught.value)


def test_a_pipe_or_a_device_is_no_card(tmp_path):
    os.mkfifo(tmp_path / "card.json")
    for path in (tmp_path / "card.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataError, match="not a regular file"):
            read_card(path)


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (("environment", "threads"), 0, "`environment.threads` must be greater than or equal to 1, but got 0"),
        (("environment", "threads"), 10**30, "`environment.threads` must be"),
        (("environment", "threads"), 2**40, "`environment.threads` must be less than or equal to 4096"),
        (("environment", "threads"), True, "`environment.threads` must be"),
        (("seed",), 10**30, "`seed` must fit into 64 bits"),
        (("seed",), "four", "`seed` must be a whole number"),
        (("request", "images"), -1, "`request.images` must be"),
        (("request", "labels"), [3, 4], "must be one for each of `classes`"),
        (("request", "in_words"), "\ud800", "`request.in_words` must be valid UTF-8"),
        (("files", 0, "file"), "a\0b", "`files.0.file` must be valid UTF-8"),
        (("metrics", 0, "unlearned"), float("nan"), "`metrics.0.unlearned` must be a finite number"),
        (("time", "unlearning_s"), -1, "`time.unlearning_s` must be"),
        (("config", "forget"), {"samples": "/dev/zero"}, "`config.forget.samples` must be a list of samples"),
        (("config", "data", "image_size"), 10**9, "`config.data.image_size` must be"),
        (("config",), "x", "`config` must contain keys and values"),
        (("metrics",), None, "`metrics` must be a list, but got nothing"),
    ],
)
def test_values_that_no_card_has_are_one_sentence(alone, path, new, message):
    alone.changed_file.write_text(json.dumps(with_value(alone.values, path, new)))
    with pytest.raises(ConfigError) as caught:
        read_card(alone.changed_file)
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("environment", "threads"), 4096),
        (("environment", "device"), ""),
        (("request", "classes"), ["n" * 5000]),
        (("data", "name"), "\x1b[2J" + "n" * 5000),
        (("files", 0, "largest_difference"), 1e308),
        (("time", "retraining_s"), 0),
        (("command",), "antisample unlearn --study '" + "n" * 5000),
        (("command",), "antisample unlearn --study " + "n" * 5000),
        (("command",), "antisample unlearn --model x --dataset digits --forget 3 --set a=[[[ --threads 1 --out x"),
        (("folder",), "n" * 5000),
        (("origin",), {"study": "n" * 5000, "trial": 10**15}),
        (("origin",), {"study": "no trial"}),
    ],
)
def test_odd_values_that_a_card_may_have_are_shown_as_text(alone, path, new):
    found = alone.verified(with_value(alone.values, path, new))
    console = Console(file=io.StringIO(), width=80)
    print_verification(console, found)
    text = console.file.getvalue()
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.split())) < 600
    json.dumps(verification_as_json(Path("card.json"), found)).encode()


def test_card_md_shows_markup_and_control_characters_as_text(alone, tmp_path):
    hostile = "\x1b[2J<script>alert(1)</script> ![x](http://a.b/c) | **b** `c`\n# d"
    values = copy.deepcopy(alone.values)
    values["request"] |= {"in_words": hostile, "classes": [hostile]}
    values["data"] |= {"name": hostile, "notes": [hostile]}
    values["original"] |= {"initial_weights": hostile, "notes": [hostile]}
    values["origin"] = {hostile: hostile}
    values |= {"created": hostile, "folder": hostile, "command": hostile, "spread_over": hostile}
    values["environment"] |= {"machine": hostile, "device": hostile, "versions": {hostile: hostile}}
    values["environment"]["not_deterministic"] = [hostile]
    values["files"][0]["file"] = "a`<b>`\n.safetensors"
    values["metrics"][0]["name"] = f"test/{hostile}"
    write_card(tmp_path, UnlearningCard.model_validate(values))
    text = (tmp_path / "card.md").read_text()
    assert text.replace("\n", "").isprintable()
    assert "\n# d" not in text
    outside = re.sub(r"(`+).*?[^`]\1(?!`)", "", re.sub(r"(?s)```+\n.*?\n```+", "", text).replace("\\`", ""))
    assert "<" not in outside
    assert "](" not in outside.replace("\\](", "")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3, 7, 8}


def test_on_other_hardware_a_repetition_is_held_against_accuracies(alone):
    stated = alone.card
    values = {metric.name: metric.unlearned for metric in stated.metrics}
    near = RepeatedCard("0" * 32, {**values, "test/retain_accuracy": values["test/retain_accuracy"] - 0.03}, ())
    far = RepeatedCard("0" * 32, {**values, "test/retain_accuracy": values["test/retain_accuracy"] - 0.07}, ())
    assert [check.what for check in repeated_checks(stated, alone.measured, near).differing] == [
        "hyperparameters and seed"
    ]
    versions = {**stated.environment.versions, "torch": "1.0"}
    environment = stated.environment.model_copy(update={"versions": versions})
    elsewhere = stated.model_copy(update={"environment": environment})
    found = repeated_checks(elsewhere, alone.measured, near)
    assert found.holds
    (weights, _) = found.unchecked
    assert weights.what == "hyperparameters and seed"
    assert "other versions may change the last digits; accuracies may differ by 0.05" in weights.why
    assert [check.what for check in repeated_checks(elsewhere, alone.measured, far).differing] == [
        "repeated test/retain_accuracy"
    ]


def test_a_study_can_be_named_for_cards_of_its_trials_alone(call, alone, of_a_study, tmp_path):
    code, _, err = call("verify", alone.folder / "card.json", "--study", of_a_study.folder.parent / "made")
    assert (code, "the origin of this card names no study" in err) == (2, True)
    code, _, err = call("verify", of_a_study.folder / "card.json", "--study", tmp_path)
    assert (code, "contains no study" in err) == (2, True)


TOY = {"kind": "method", "name": "toy", "distribution": "antisample-toy", "version": "1.0"}


@pytest.mark.parametrize("stated", [[TOY], [TOY, TOY], [{**TOY, "kind": "dataset", "name": "stripes"}]])
def test_a_plug_in_that_the_configuration_does_not_use_differs(alone, stated):
    values = copy.deepcopy(alone.values)
    values["environment"]["plugins"] = stated
    verification = alone.verified(values)
    assert f"plug-in of the {'data set' if stated[0]['kind'] == 'dataset' else 'method'} {stated[0]['name']}" in {
        check.what for check in verification.differing
    }


def test_a_card_from_before_plug_ins_holds(alone):
    values = copy.deepcopy(alone.values)
    assert values["environment"].pop("plugins") == []
    assert alone.verified(values).holds


def test_the_package_of_a_plug_in_is_compared_and_another_version_is_listed(alone):
    def said(stated, here):
        card = alone.card.model_copy(
            update={"environment": alone.card.environment.model_copy(update={"plugins": tuple(stated)})}
        )
        there = alone.measured.environment.model_copy(update={"plugins": tuple(here)})
        found = verify_measured(card, replace(alone.measured, environment=there))
        checks = [(check.stated, check.holds) for check in found.checks if check.what.startswith("plug-in")]
        return checks, [(each.stated, each.why) for each in found.unchecked if each.what.startswith("plug-in")]

    toy, newer = PluginFacts(**TOY), PluginFacts(**{**TOY, "version": "2.0"})
    assert said([toy], [toy]) == ([("antisample-toy 1.0", True)], [])
    assert said([toy], [newer]) == ([], [("antisample-toy 1.0", "this machine has antisample-toy 2.0")])
    assert said([], [toy]) == ([], [(None, "the card does not say")])
    assert said([toy, toy], [toy])[0] == [("antisample-toy 1.0", True), ("2, some of them twice", False)]
