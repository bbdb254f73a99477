"""Requests in sequence, some of them for all images of a person."""

import csv

import numpy as np
import pytest
from PIL import Image

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.export.card_file import read_card
from antisample.export.chain import begun_after
from antisample.export.verification.verify import verify_card
from antisample.inputs import open_dataset, request_data
from tuning.apply import Provenance, apply_config
from tuning.views.terminal.progress import Progress

PEOPLE = 25
FIRST, SECOND = 17, 4


@pytest.fixture(scope="module")
def photos(digits_inputs, tmp_path_factory):
    """The digits as a folder of images; each is of one of 25 people, whatever its class and split."""
    folder = tmp_path_factory.mktemp("photos") / "photos"
    rows = []
    for split, images in (("train", digits_inputs.dataset.train), ("test", digits_inputs.dataset.test)):
        for place, (pixels, label) in enumerate(zip(images.images, images.labels, strict=True)):
            path = folder / split / str(label) / f"{place:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[0], "L").save(path)
            rows.append((path.relative_to(folder).as_posix(), place % PEOPLE))
    with (folder / "groups.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "person_id"), *rows])
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def stated(photos, cache, digits_config, forget, card=None):
    model = {"name": "SmallCNN"} if card is not None else digits_config.model
    after = {} if card is None else {"after": str(card)}
    plain = {"method": {"name": "finetune", "epochs": 1}, "evaluation": {"final": []}, "device": "cpu", **after}
    return {"data": {"source": str(photos), "cache_dir": cache}, "model": model, "forget": forget, **plain}


def person(number):
    return {"column": "person_id", "value": number}


@pytest.fixture(scope="module")
def chain(photos, cache, digits_config, tmp_path_factory):
    """A person, then a class, then another person, who is in images of that class, too."""
    folder, cards = tmp_path_factory.mktemp("requests"), [None]
    for number, forget in enumerate((person(FIRST), {"classes": ["3"]}, person(SECOND))):
        config = UnlearnConfig.parse(begun_after(stated(photos, cache, digits_config, forget, cards[-1])))
        out = folder / str(number)
        apply_config(config, out, Progress(quiet=True), Provenance("", {"origin": "defaults"}))
        cards.append(out / "card.json")
    return cards[1:]


@pytest.fixture
def asked(photos, cache, digits_config, chain):
    def data(card, forget):
        config = UnlearnConfig.parse(begun_after(stated(photos, cache, digits_config, forget, chain[card])))
        return request_data(config, open_dataset(config.data, config.split, config.after))

    return data


def people(photos, dataset, part):
    """Who is in each image of a split."""
    with (photos / "groups.csv").open() as file:
        listed = {row["file"]: int(row["person_id"]) for row in csv.DictReader(file)}
    count = len(dataset.split(part))
    files = sorted(name for name in listed if name.startswith(f"{part}/"))
    assert len(files) == count
    return np.array([listed[name] for name in files])


def test_a_person_stays_out_of_everything_in_all_later_requests(asked, photos):
    data = asked(0, {"classes": ["3"]})
    splits, train, test = data.splits, *(people(photos, data.dataset, part) for part in ("train", "test"))
    assert splits.validation_from == "train"
    for places in (splits.forget, splits.retain, splits.validation):
        assert FIRST not in train[places]
    assert FIRST not in test[splits.test]
    assert (test == FIRST).any()
    (earlier,) = splits.earlier
    assert set(train[earlier.samples]) == {FIRST}
    assert np.array_equal(earlier.samples, np.flatnonzero(train == FIRST))


def test_images_that_went_with_a_class_are_left_out_of_a_persons_request_and_that_is_said(asked, photos):
    data = asked(1, person(SECOND))
    splits, labels = data.splits, data.dataset.train.labels
    train = people(photos, data.dataset, "train")
    gone = (train == SECOND) & (labels == 3)
    assert gone.any()
    assert not set(splits.forget) & set(np.flatnonzero(gone))
    assert set(splits.forget) <= set(np.flatnonzero((train == SECOND) & (labels != 3)))
    said = (
        f"{gone.sum()} of the {(train == SECOND).sum()} training images with person_id = {SECOND} were forgotten by"
    )
    assert any(note.startswith(said) for note in splits.notes)


def test_a_person_who_was_forgotten_is_refused(asked):
    with pytest.raises(
        ConfigError,
        match=rf"not forgotten yet, but all \d+ training images with person_id = {SECOND} have been forgotten",
    ):
        asked(2, person(SECOND))


def test_the_cards_verify_and_the_earlier_images_are_measured(chain, monkeypatch):
    for card in chain:
        read = read_card(card)
        verification = verify_card(read, card.parent)
        assert verification.holds, verification.differing
    metrics = {metric.name: metric for metric in read_card(chain[2]).metrics}
    assert metrics["validation/earlier_forget_accuracy"].images
    assert [each.by_samples for each in read_card(chain[2]).config.after.requests] == [True, False]
