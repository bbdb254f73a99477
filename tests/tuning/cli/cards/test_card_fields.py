"""What a card says besides figures: digests of images, whose request it was, limits, limitations, no local path."""

import copy
import json
import sys

import pytest
import yaml

from antisample.config import UnlearnConfig
from antisample.data.image_digests import image_digest
from antisample.errors import ConfigError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import read_card
from antisample.export.card_text import card_text
from antisample.export.local_paths import relative_path
from antisample.export.verification.measured import measure_card
from antisample.export.verification.verify import verify_measured
from antisample.inputs import SILENT
from antisample.metrics.share_limits import share_limits
from tuning import cli
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan

RECIPE = ["--set", "model.recipe.epochs=6", "--set", "model.recipe.batch_size=64", "--set", "method.epochs=1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache_dir):
    """A card whose command was given with absolute paths."""
    folder = tmp_path_factory.mktemp("fields")
    words = ["unlearn", "--dataset", "digits", "--model", "SmallCNN", "--forget", "3", *RECIPE]
    words += ["--set", f"data.cache_dir={cache_dir}", "--out", str(folder / "deep" / "out")]
    words += ["--reference", "A-17: 2026/3", "--operator", "D. Protector"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["antisample", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return folder / "deep" / "out"


@pytest.fixture(scope="module")
def measured(made):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.parents[1])
        return measure_card(read_card(made / "card.json"), made, SILENT)


def texts(value):
    """All texts in nested values."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def test_no_path_of_this_machine_is_in_it(made, tmp_path_factory):
    for name in ("card.json", "card.md"):
        assert str(tmp_path_factory.getbasetemp()) not in (made / name).read_text()
    values = json.loads((made / "card.json").read_text())
    assert [text for text in texts(values) if text.startswith("/") or " /" in text or "=/" in text] == []
    assert values["folder"] == "../.."
    assert "/tmp/" not in (made / "model.safetensors").read_bytes()[:100_000].decode("latin-1")


def test_it_verifies_wherever_one_stands(made, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, printed, _ = call("verify", made / "card.json", "--json")
    assert code == 0, printed
    assert not any(tmp_path.iterdir())


def test_forgotten_images_have_digests(made, digits_inputs):
    request = read_card(made / "card.json").request
    train = digits_inputs.dataset.train
    splits = digits_inputs.splits
    assert set(request.image_digests) == {image_digest(train, int(place)) for place in splits.forget}
    assert image_digest(train, int(splits.retain[0])) not in request.image_digests


def test_reference_and_operator_stand_on_the_card(made):
    card = read_card(made / "card.json")
    assert (card.request.reference, card.request.operator) == ("A-17: 2026/3", "D. Protector")
    text = (made / "card.md").read_text()
    assert "| Request | A-17: 2026/3 |" in text
    assert "--reference" in card.command


def test_a_study_notes_the_request_for_its_models(values):
    config = parse_study({**values, "request": {"reference": "A-17"}})
    assert TrialPlan.of(config).starting_config().request.reference == "A-17"
    assert parse_study(json.loads(json.dumps(config.model_dump(mode="json")))) == config
    assert "request" not in TrialPlan.of(parse_study(values)).starting_config().model_dump()


@pytest.mark.parametrize("text", ["two\nlines", "\u202eturned", "x" * 201])
def test_a_reference_is_one_line(digits_config, text):
    with pytest.raises(ConfigError, match=r"`request.reference`"):
        UnlearnConfig.parse({**digits_config.model_dump(), "request": {"reference": text}})


def test_figures_have_limits(made):
    metrics = {metric.name: metric for metric in read_card(made / "card.json").metrics}
    forget = metrics["test/forget_accuracy"]
    assert forget.limits == pytest.approx(share_limits(forget.unlearned, forget.images))
    left, error = metrics["test/probe_left"], metrics["test/probe_error"].unlearned
    assert left.limits == pytest.approx((left.unlearned - 1.96 * error, left.unlearned + 1.96 * error))
    assert metrics["test/forget_loss"].limits is None


def test_the_text_has_the_front_matter_of_a_model_card(made):
    text = (made / "card.md").read_text()
    _, front, rest = text.split("---\n", 2)
    parsed = yaml.safe_load(front)
    (model,) = parsed["model-index"]
    (result,) = model["results"]
    assert parsed["tags"] == ["machine-unlearning", "image-classification"]
    assert model["name"] == "SmallCNN without 3"
    assert [metric["name"] for metric in result["metrics"]] == ["Retain accuracy", "Forget accuracy"]
    assert rest.lstrip().startswith("# Unlearning card")
    for line in ("| forget accuracy |", "| probe left: 1 as in the original", "no certificate"):
        assert line in rest


def test_front_matter_holds_no_markup_of_a_strangers(made):
    card = read_card(made / "card.json")
    evil = 'x"\n---\n# not a heading: {a: b} \u202e'
    data = card.data.model_copy(update={"name": evil})
    text = card_text(card.model_copy(update={"data": data}))
    assert yaml.safe_load(text.split("---\n", 2)[1])["model-index"][0]["results"][0]["dataset"]["name"].startswith(
        "x"
    )
    assert "\n# not a heading" not in text


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("request", "reference"), "A-18"),
        (("request", "operator"), ""),
        (("request", "kind"), "samples"),
        (("request", "image_digests"), []),
        (("request", "image_digests", 0), "0" * 32),
        (("data", "class_names"), ["0"]),
        (("limitations",), []),
        (("limitations", 0), "The model is certified."),
        (("config", "request", "reference"), "A-18"),
        (("config", "request"), {}),
        (("metrics", 0, "limits"), [0.0, 0.01]),
        (("metrics", 0, "limits"), None),
    ],
)
def test_each_of_them_is_verified(made, measured, path, new):
    values = copy.deepcopy(json.loads((made / "card.json").read_text()))
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    verification = verify_measured(UnlearningCard.model_validate(values), measured)
    named = [check.what for check in verification.differing if not check.what.startswith("card.md")]
    assert named, "not by card.md alone, which could be changed as well"


def test_the_true_card_holds(made, measured):
    assert verify_measured(read_card(made / "card.json"), measured).differing == ()


def test_cards_of_before_are_written_as_before(made):
    values = json.loads((made / "card.json").read_text())
    for name in ("limitations",):
        del values[name]
    for name in ("kind", "image_digests", "reference", "operator"):
        del values["request"][name]
    for metric in values["metrics"]:
        del metric["limits"]
    values["folder"] = "/home/me"
    text = card_text(UnlearningCard.model_validate(values))
    assert text.startswith("# Unlearning card")
    assert "In `/home/me`:" in text
    assert "## What this does not show" not in text


@pytest.mark.parametrize(
    ("path", "relative"),
    [
        ("/a/b/c", "./c"),
        ("/a/x", "../x"),
        ("/a", ".."),
        ("/a/b", "./."),
        ("c", "c"),
        ("s3://bucket/cache", "s3://bucket/cache"),
        ("imagenet", "imagenet"),
    ],
)
def test_paths_are_relative(tmp_path, path, relative):
    base = type(tmp_path)("/a/b")
    assert relative_path(path, base) == relative
