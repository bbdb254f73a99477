"""Requests in sequence: a card after another, from the command line, and the ledger of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError, DataError
from antisample.export.card_file import read_card, write_card
from antisample.export.chain import begun_after, earlier_requests
from antisample.export.ledger import read_ledger
from antisample.export.verification.verify import verify_card
from antisample.inputs import open_dataset, request_data
from antisample.unlearning import unlearn
from tuning.apply import Provenance, apply_config
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.driver.settling import settled
from tuning.views.terminal.progress import Progress


def values_of(config, forget, **other):
    stated = {"data": config.data, "model": config.model, "device": "cpu", "forget": forget}
    return {**stated, "method": {"name": "antisample", "epochs": 1}, **other}


def done(values, out):
    config = UnlearnConfig.parse(begun_after(values))
    apply_config(config, out, Progress(quiet=True), Provenance("", {"origin": "defaults"}))
    return out / "card.json"


def after(config, card, forget, **other):
    return values_of(config, forget, after=str(card), model={"name": "SmallCNN"}, **other)


@pytest.fixture(scope="module")
def chain(digits_config, tmp_path_factory):
    """Three requests: a class, samples, and another class."""
    folder = tmp_path_factory.mktemp("requests")
    first = done(values_of(digits_config, {"classes": [3]}), folder / "first")
    samples = [int(place) for place in request_of(digits_config, first).splits.retain[:12]]
    plain = {"evaluation": {"final": []}}
    second = done(after(digits_config, first, {"samples": samples}, **plain), folder / "second")
    third = done(after(digits_config, second, {"classes": ["7"]}, **plain), folder / "third")
    return first, second, third


def request_of(digits_config, card, forget=None, **other):
    config = UnlearnConfig.parse(begun_after(after(digits_config, card, forget or {"classes": [8]}, **other)))
    return request_data(config, open_dataset(config.data, config.split, config.after))


@pytest.fixture(scope="module")
def where():
    """Where the commands of the chain were given."""
    return Path.cwd()


@pytest.fixture
def copied(chain, tmp_path):
    """A copy of the chain's folder, to change."""
    shutil.copytree(chain[0].parents[1], tmp_path / "copy")
    return [tmp_path / "copy" / card.parent.name / "card.json" for card in chain]


def rewritten(path, change):
    """Changes a card and its text for people, as somebody who wants to deceive would."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    write_card(path.parent, read_card(path))


def test_a_card_carries_the_chain(chain):
    first, second, third = map(read_card, chain)
    requests = third.config.after.requests
    assert [each.in_words for each in requests] == [first.request.in_words, second.request.in_words]
    assert [each.model for each in requests] == [first.fingerprint, second.fingerprint]
    assert requests[0] == second.config.after.requests[0] == earlier_requests(chain[0], first).requests[0]
    assert (third.original.fingerprint, second.original.fingerprint) == (second.fingerprint, first.fingerprint)
    assert len(requests[1].samples) == 12
    text = (chain[2].parent / "card.md").read_text()
    assert text.count("| Forgotten earlier |") == 2


def test_what_was_forgotten_is_used_for_nothing_and_measured(chain, digits_config):
    data = request_of(digits_config, chain[2])
    labels = data.dataset.train.labels
    used = np.concatenate([data.splits.forget, data.splits.retain, data.splits.validation])
    assert not {3, 7} & set(labels[used])
    assert len(data.splits.earlier[1].samples) == 12
    assert not set(data.splits.earlier[1].samples) & set(used)
    card = read_card(chain[2])
    metrics = {metric.name: metric for metric in card.metrics}
    measured = metrics["validation/earlier_forget_accuracy"]
    assert measured.images == 12 + int((labels[data.splits.earlier_validation] == 3).sum())
    assert measured.mask is not None
    assert "validation/earlier_probe" not in metrics, "nobody asked for probes"
    second = {metric.name for metric in read_card(chain[1]).metrics}
    assert "validation/earlier_excess" in second


def test_every_card_of_a_chain_verifies(chain, where, monkeypatch):
    for card in chain[1:]:
        monkeypatch.chdir(where)
        verification = verify_card(read_card(card), card.parent)
        assert verification.holds, verification.differing
        assert any("digest of the earlier card" in check.what for check in verification.checks)


def test_a_probe_of_earlier_classes_is_held_to_the_limit_of_their_card(chain, digits_config):
    config = UnlearnConfig.parse(begun_after(after(digits_config, chain[0], {"classes": [8]})))
    *_, last = unlearn(config)
    limit = config.after.requests[0].most_probe
    figures = last.metrics.values
    assert 0.5 < figures["validation/earlier_probe"] <= 1
    assert figures["validation/earlier_probe_excess"] == pytest.approx(figures["validation/earlier_probe"] - limit)
    excess = figures["validation/earlier_forget_accuracy"] - config.after.requests[0].most_accuracy["validation"]
    assert figures["validation/earlier_excess"] == pytest.approx(excess)


@pytest.mark.parametrize(
    "method", ["random_labels", "filtration", "head", "mask", "finetune", "unsir", "neggrad_plus", "retrain"]
)
def test_every_method_goes_on_where_the_data_lacks_a_class(chain, digits_config, lacking, method):
    epochs = {} if method in ("filtration", "mask", "unsir") else {"epochs": 1}
    stated = {"data": {"source": str(lacking), "cache_dir": digits_config.data.cache_dir}}
    plain = {"method": {"name": method, **epochs}, "evaluation": {"final": ["mask"]}}
    config = UnlearnConfig.parse(
        begun_after({**after(digits_config, chain[0], {"classes": ["7"]}, **plain), **stated})
    )
    *_, last = unlearn(config)
    assert last.metrics.values["validation/retain_accuracy"] > 0.3
    assert "validation/earlier_forget_accuracy" not in last.metrics.values


@pytest.fixture(scope="module")
def lacking(digits_inputs, tmp_path_factory):
    """The digits as a folder of images, without the digit 3."""
    folder = tmp_path_factory.mktemp("digits") / "digits"
    for split, images in (("train", digits_inputs.dataset.train), ("test", digits_inputs.dataset.test)):
        for place, (pixels, label) in enumerate(zip(images.images, images.labels, strict=True)):
            if label != 3:
                path = folder / split / str(label) / f"{place:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[0], "L").save(path)
    return folder


def test_the_data_may_no_longer_hold_what_was_forgotten(chain, digits_config, lacking):
    data = {"source": str(lacking), "cache_dir": digits_config.data.cache_dir}
    config = UnlearnConfig.parse(begun_after({**after(digits_config, chain[0], {"classes": ["7"]}), "data": data}))
    request = request_data(config, open_dataset(config.data, config.split, config.after))
    assert request.dataset.class_names == tuple("0123456789")
    assert set(request.dataset.train.labels[request.splits.forget]) == {7}
    assert request.splits.validation_from == "test"
    assert set(request.left_out) == {"earlier", "earlier_probe"}
    *_, last = unlearn(config)
    assert last.metrics.values["validation/probe_left"] <= 1.5, "the probe tells the remaining nine apart"


def test_a_study_after_a_card_limits_what_a_trial_may_recall(chain, digits_config, digits_inputs, values):
    study = {
        **values,
        "data": digits_config.data.model_dump(mode="json"),
        "model": {"name": "SmallCNN"},
        "forget": {"classes": [8]},
        "after": str(chain[0].with_name("model.safetensors")),
        "published": [],
    }
    config = parse_study(study)
    assert config.model.checkpoint == chain[0].with_name("model.safetensors")
    assert config.model.recipe == digits_config.model.recipe, "what a retraining needs comes from the card"
    again = parse_study(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert again == config
    assert TrialPlan.of(config).starting_config().after == config.after
    limits = {str(each) for each in settled(config, (digits_inputs,))[0].constraints}
    assert {"validation/earlier_excess <= 0", "validation/earlier_probe_excess <= 0"} <= limits
    own = parse_study({**study, "constraints": [{"metric": "validation/earlier_forget_accuracy", "at_most": 0.2}]})
    limits = {str(each) for each in settled(own, (digits_inputs,))[0].constraints}
    assert "validation/earlier_excess <= 0" not in limits


class TestWhatIsRefused:
    def test_a_class_that_was_forgotten(self, chain, digits_config):
        with pytest.raises(ConfigError, match="must name what the model has not forgotten yet, but got 3"):
            request_of(digits_config, chain[1], {"classes": ["3"]})

    def test_a_sample_that_was_forgotten(self, chain, digits_config):
        sample = read_card(chain[1]).config.forget.samples[0]
        with pytest.raises(ConfigError, match="has forgotten, such as image"):
            request_of(digits_config, chain[1], {"samples": [sample]})

    def test_a_card_of_another_model(self, chain, digits_config):
        stated = {**after(digits_config, chain[0], {"classes": [7]}), "model": {"name": "ResNet9"}}
        with pytest.raises(ConfigError, match=r"must name a card of the model 'ResNet9', but .* is of 'SmallCNN'"):
            begun_after(stated)

    def test_a_checkpoint_beside_the_card(self, chain, digits_config):
        stated = {
            **after(digits_config, chain[0], {"classes": [7]}),
            "model": {"name": "SmallCNN", "checkpoint": "x"},
        }
        with pytest.raises(ConfigError, match=r"`model.checkpoint` cannot be given with `after`"):
            begun_after(stated)

    @pytest.mark.parametrize("name", ["missing.json", "missing.safetensors", "."])
    def test_nothing_there(self, chain, digits_config, name):
        with pytest.raises(
            ConfigError, match=r"`after` must name the card of an unlearned model, a file, but got '/"
        ):
            begun_after(after(digits_config, chain[0].parent / name, {"classes": [7]}))

    def test_a_model_file_without_its_card(self, copied, digits_config):
        copied[0].unlink()
        with pytest.raises(ConfigError, match=r"must name a model file with its card, but there is no .*card\.json"):
            begun_after(after(digits_config, copied[0].with_name("model.safetensors"), {"classes": [7]}))

    def test_another_model_file_beside_a_card(self, copied, digits_config):
        other = copied[0].with_name("other.safetensors")
        shutil.copy(copied[0].with_name("model.safetensors"), other)
        with pytest.raises(DataError, match="does not name it"):
            begun_after(after(digits_config, other, {"classes": [7]}))

    def test_something_that_is_no_card(self, tmp_path, digits_config):
        path = tmp_path / "card.json"
        path.write_text("[]")
        with pytest.raises(DataError, match="not a card"):
            begun_after(after(digits_config, path, {"classes": [7]}))

    def test_another_model_under_the_same_name(self, copied, digits_config):
        shutil.copy(copied[1].with_name("model.safetensors"), copied[0].with_name("model.safetensors"))
        with pytest.raises(DataError, match="not the file that the card describes: its SHA-256 differs"):
            begun_after(after(digits_config, copied[0], {"classes": [7]}))

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda card: card["config"].update(seed=5), "`config` is not what the model file says"),
            (lambda card: card["config"]["forget"].update(classes=["4"]), "`config` is not what the model file says"),
            (lambda card: card["request"].update(in_words="4"), "`request.in_words` is not what `config.forget`"),
            (lambda card: card["request"].update(classes=["4"]), "`request.labels` do not belong"),
            (lambda card: card.update(fingerprint="0" * 32), "`fingerprint` is not that of the weights"),
        ],
    )
    def test_a_tampered_card(self, copied, digits_config, change, told):
        rewritten(copied[0], change)
        with pytest.raises(DataError, match=f"the card cannot be relied on.*{told}"):
            begun_after(after(digits_config, copied[0], {"classes": [7]}))

    def test_a_card_whose_text_for_people_says_something_else(self, copied, digits_config):
        values = json.loads(copied[0].read_text())
        next(each for each in values["metrics"] if each["name"] == "validation/forget_accuracy")["unlearned"] = 0.9
        copied[0].write_text(json.dumps(values))
        with pytest.raises(DataError, match=r"Card.md does not say what card.json says"):
            begun_after(after(digits_config, copied[0], {"classes": [7]}))

    def test_nothing_is_written(self, call, chain, tmp_path, digits_config):
        out = tmp_path / "out"
        words = ["unlearn", "--method", "mask", "--dataset", "digits", "--model", "SmallCNN", "--forget", "3"]
        words += ["--set", f"data.cache_dir={digits_config.data.cache_dir}", "--out", out]
        code, _, told = call(*words, "--after", chain[0])
        assert (code, told.count("Error:"), out.exists()) == (2, 1, False)
        code, _, told = call(*words, "--after", tmp_path / "none.json")
        assert (code, "which is not there" in told, out.exists()) == (2, True, False)
        assert "Traceback" not in told


class TestLedger:
    def test_requests_stand_in_their_order(self, chain, call):
        folder = chain[0].parents[1]
        assert [(each.path, each.place, each.problems) for each in read_ledger(folder)] == [
            (card, place, ()) for place, card in enumerate(chain, start=1)
        ]
        code, printed, _ = call("ledger", folder)
        assert code == 0
        assert printed.index("first") < printed.index("second") < printed.index("third")
        assert "3 cards: nothing was changed." in printed
        code, printed, _ = call("ledger", folder, "--json")
        listed = json.loads(printed)
        assert [each["after"] for each in listed] == [None, str(chain[0]), str(chain[1])]
        assert [each["kind"] for each in listed] == ["classes", "samples", "classes"]
        assert all(each["holds"] for each in listed)

    def test_a_changed_card_is_found_by_the_next_one_however_well_it_was_changed(self, copied, call):
        rewritten(copied[0], lambda card: card["metrics"][0].update(unlearned=0.0123))
        entries = read_ledger(copied[0].parents[1])
        assert [len(each.problems) for each in entries] == [0, 1, 0]
        assert "which was changed since: its SHA-256 differs" in entries[1].problems[0]
        assert [each.place for each in entries] == [1, 2, 3]
        code, printed, _ = call("ledger", copied[0].parents[1])
        assert (code, "3 cards: 1 cannot be relied on." in printed) == (1, True)

    def test_a_changed_model_is_found(self, copied):
        model = copied[1].with_name("model.safetensors")
        content = bytearray(model.read_bytes())
        content[-1] ^= 1
        model.write_bytes(content)
        _, second, _ = read_ledger(copied[0].parents[1])
        assert "its SHA-256 differs" in second.problems[0]

    def test_a_missing_card_is_found(self, copied):
        shutil.rmtree(copied[0].parent)
        second, third = read_ledger(copied[0].parents[1])
        assert "is missing, or was changed with its model" in second.problems[0]
        assert third.problems == ()

    def test_a_chain_that_was_rewritten_is_found(self, copied):
        def forged(card):
            card["config"]["after"]["requests"][0]["most_accuracy"]["validation"] = 1.0

        rewritten(copied[2], forged)
        third = read_ledger(copied[0].parents[1])[2]
        assert any("what it says of earlier requests is not what" in problem for problem in third.problems)

    def test_a_card_that_cannot_be_read_is_listed(self, copied, call):
        copied[1].write_text("{")
        code, printed, _ = call("ledger", copied[0].parents[1], "--json")
        assert code == 1
        assert [each["holds"] for each in json.loads(printed)] == [True, False, False]

    def test_a_folder_without_cards(self, tmp_path, call):
        code, _, told = call("ledger", tmp_path)
        assert (code, "there is no card.json in it" in told) == (2, True)
        assert call("ledger", tmp_path / "none")[0] == 2

    def test_all_are_measured_again(self, copied, call):
        code, printed, told = call("ledger", copied[0].parents[1], "--measure", "--json")
        assert code == 0, printed + told
