"""Single images of a real network: which ones are kept, and what the study says of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from antisample.models.predictions import Predictions
from antisample.testing.digits import digits_config, digits_inputs
from antisample.types import ImageSet
from antisample.unlearning import subject_of
from tuning.driver.gallery import take_gallery
from tuning.study.attributes import GALLERIES
from tuning.study.pictures import image_file, kept_gallery, kept_image


@pytest.fixture
def judged():
    """What the original model of the digits says of the test images."""
    inputs, config = digits_inputs(), digits_config()
    subject = subject_of(inputs.original.build(inputs.dataset, torch.device("cpu")), inputs, config)
    return inputs, subject.predictions("test")


def confident(answers, row, label, probability):
    """The same answers, but for one image that gets this class with this probability."""
    rest = (1 - probability) / (answers.probabilities.shape[1] - 1)
    probabilities = answers.probabilities.copy()
    probabilities[row] = rest
    probabilities[row, label] = probability
    return Predictions(probabilities, answers.losses, answers.labels, answers.forget)


def test_the_most_confident_images_come_first_with_their_pictures(judged, small_study):
    inputs, before = judged
    (record, *_), test = small_study.records(), inputs.dataset.test
    forget = np.flatnonzero(before.labels == 3)
    retain = np.flatnonzero((before.labels != 3) & before.correct())
    after = before
    for row in forget:
        after = confident(after, row, 8, 0.9)
    after = confident(confident(after, forget[4], 3, 0.7), forget[2], 3, 0.95)
    wrong = (int(before.labels[retain[5]]) + 1) % 10
    after = confident(after, retain[5], wrong, 0.8)
    kept = take_gallery(small_study, record, inputs, before, after)
    assert [image["probability"] for image in kept["recognised"]] == pytest.approx([0.95, 0.7])
    assert (
        {image["true"] for image in kept["recognised"]} == {image["predicted"] for image in kept["recognised"]} == {3}
    )
    assert (kept["n_recognised"], kept["n_forget"]) == (2, len(forget))
    assert (kept["n_lost"], kept["n_right_before"]) == (1, len(retain))
    assert kept["lost"][0]["predicted"] == wrong
    small_study.note(GALLERIES, {str(record.number): kept})
    assert kept_gallery(small_study, record) == kept
    for group, place, row in (("recognised", 0, forget[2]), ("recognised", 1, forget[4]), ("lost", 0, retain[5])):
        picture = np.asarray(Image.open(image_file(small_study, record, group, place)))
        assert (picture == test.images[inputs.splits.test[row]][0]).all()
        assert kept_image(small_study, record, group, place)


def test_eight_images_at_most_are_kept_and_large_ones_are_made_smaller(judged, small_study):
    inputs, before = judged
    record, test = small_study.records()[0], inputs.dataset.test
    large = ImageSet(test.images.repeat(16, axis=2).repeat(16, axis=3), test.labels)
    inputs = replace(inputs, dataset=replace(inputs.dataset, test=large))
    kept = take_gallery(small_study, record, inputs, before, before)
    assert len(kept["recognised"]) == 8 < kept["n_recognised"]
    assert (kept["lost"], kept["n_lost"]) == ([], 0)
    assert Image.open(image_file(small_study, record, "recognised", 7)).size == (96, 96)


def test_samples_to_forget_are_training_images_and_come_first(judged, small_study):
    inputs, _ = judged
    record, dataset = small_study.records()[0], inputs.dataset
    splits = replace(inputs.splits, forget=inputs.splits.forget[:3], by_samples=True)
    inputs = replace(inputs, splits=splits)
    before = subject_of(inputs.original.build(dataset, torch.device("cpu")), inputs, digits_config()).predictions(
        "test"
    )
    after = confident(before, 1, 3, 0.999999)
    first_right = int(np.flatnonzero(before.correct()[3:])[0])
    wrong = (int(before.labels[3 + first_right]) + 1) % 10
    after = confident(after, 3 + first_right, wrong, 0.999999)
    kept = take_gallery(small_study, record, inputs, before, after)
    assert kept["n_forget"] == 3
    assert kept["lost"][0]["predicted"] == wrong
    place = [image["probability"] for image in kept["recognised"]].index(
        max(i["probability"] for i in kept["recognised"])
    )
    picture = np.asarray(Image.open(image_file(small_study, record, "recognised", place)))
    assert any((picture == dataset.train.images[position][0]).all() for position in splits.forget)
    picture = np.asarray(Image.open(image_file(small_study, record, "lost", 0)))
    assert (picture == dataset.test.images[splits.test[first_right]][0]).all()


def test_a_picture_that_is_no_png_or_a_link_is_not_kept(small_study, tmp_path):
    record = small_study.records()[0]
    path = image_file(small_study, record, "lost", 0)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"secret")
    assert kept_image(small_study, record, "lost", 0) is None
    path.unlink()
    Image.new("L", (8, 8)).save(tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    assert kept_image(small_study, record, "lost", 0) is None
