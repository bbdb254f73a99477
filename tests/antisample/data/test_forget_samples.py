"""Forgetting single images of classes that are kept: splits, anti-samples, metrics, on real digits."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from antisample import UnlearnConfig, load_inputs, unlearn
from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.datasets import load_dataset
from antisample.errors import ConfigError
from antisample.methods import UnlearnContext, find_method, method_config, method_names
from antisample.metrics import EvaluationSubject, Predictions, evaluate, summarise
from antisample.metrics.membership import membership_inference
from antisample.models.pretrain import pretrained_path

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def ids(digits_inputs):
    """A fifth of all threes and eights; some of them are validation images."""
    labels = digits_inputs.dataset.train.labels
    return np.flatnonzero(np.isin(labels, (3, 8)))[::5].tolist()


@pytest.fixture(scope="module")
def config(digits_config, ids):
    return digits_config.model_copy(update={"forget": ForgetRequest(samples=ids)})


@pytest.fixture(scope="module")
def inputs(config):
    return load_inputs(config)


@pytest.fixture
def context(inputs):
    return UnlearnContext(inputs.dataset, inputs.splits, inputs.original, CPU, seed=11, neighbours=inputs.neighbours)


def test_a_request_names_classes_or_samples_and_says_it_as_it_was_written(tmp_path):
    (tmp_path / "ids.txt").write_text("7\n2\n7\n")
    request = ForgetRequest(samples=tmp_path / "ids.txt")
    assert request == ForgetRequest(samples=[2, 7]) == ForgetRequest(samples=np.array([7, 2]))
    assert request.model_dump(mode="json") == {"samples": [2, 7]}
    assert ForgetRequest(classes=[3]).model_dump(mode="json") == {"classes": ["3"]}
    assert request.describe().startswith("2 samples (")
    assert request.describe() != ForgetRequest(samples=[2, 8]).describe()
    for values in ({}, {"classes": [1], "samples": [1]}):
        with pytest.raises(ValidationError, match="must name either `classes`, `samples`, or"):
            ForgetRequest(**values)
    for values in ({"samples": []}, {"samples": [-1]}, {"samples": [1.5]}, {"samples": [True]}, {"samples": ["010"]}):
        with pytest.raises(ValidationError, match="samples"):
            ForgetRequest(**values)


def test_samples_leave_training_and_their_classes_stay(inputs, digits_inputs, ids):
    splits, labels = inputs.splits, inputs.dataset.train.labels
    assert splits.by_samples
    assert splits.forget_classes == (3, 8)
    assert set(splits.forget) <= set(ids)
    assert not set(splits.forget) & set(splits.retain)
    assert set(labels[splits.retain]) == set(range(10))
    by_class = digits_inputs.splits
    both = [np.sort(np.concatenate([each.forget, each.retain])) for each in (splits, by_class)]
    assert np.array_equal(*both)
    assert splits.fingerprint != by_class.fingerprint


def test_samples_that_the_model_has_never_seen_are_used_for_nothing(inputs, digits_inputs, ids):
    splits = inputs.splits
    unseen = set(ids) & set(digits_inputs.splits.validation)
    assert splits.never_seen == len(unseen) > 0
    assert len(splits.forget) + splits.never_seen == len(ids)
    assert not unseen & {*splits.forget, *splits.retain, *splits.validation}
    assert set(splits.validation) | unseen == set(digits_inputs.splits.validation)


def test_every_kind_of_request_shares_one_original_model(inputs, digits_inputs, config):
    assert inputs.original.fingerprint == digits_inputs.original.fingerprint
    paths = {
        pretrained_path(config.model, each.dataset, each.splits, config.data.cache_dir)
        for each in (inputs, digits_inputs)
    }
    assert len(paths) == 1


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda data, _: [len(data.train)], r"from 0 to 1436, but got 1437"),
        (lambda *_: ["3/a.png"], r"from 0 to 1436, but got '3/a.png'"),
        (lambda data, _: np.flatnonzero(data.train.labels == 4).tolist(), "but got all of 4; to forget a whole"),
        (lambda _, splits: splits.validation[:3].tolist(), "held out as validation"),
    ],
)
def test_samples_that_cannot_be_forgotten_are_refused(digits_inputs, choose, message):
    data = digits_inputs.dataset
    request = ForgetRequest(samples=choose(data, digits_inputs.splits))
    with pytest.raises(ConfigError, match=message):
        make_splits(data, request, SplitConfig(), has_checkpoint=False)


def test_each_class_gets_anti_samples_under_its_label_from_neighbours_of_other_classes(context, inputs):
    labels = inputs.dataset.train.labels
    assert set(inputs.neighbours) == {3, 8}
    for label, table in inputs.neighbours.items():
        assert np.array_equal(table.forget, inputs.splits.forget[labels[inputs.splits.forget] == label])
        assert label not in labels[table.farthest]
        assert set(table.farthest.ravel()) <= set(inputs.splits.retain)
    run = find_method("antisample").prepare(context, method_config("antisample", generated_fraction=2))
    generated = run.data.labels[len(run.data.images) :].tolist()
    for label, table in inputs.neighbours.items():
        assert generated.count(label) == 2 * len(table.forget)
    assert len(generated) == 2 * len(inputs.splits.forget)
    searched = find_method("antisample").prepare(
        dataclasses.replace(context, neighbours={}), method_config("antisample", generated_fraction=2)
    )
    assert torch.equal(run.data.extra_images, searched.data.extra_images)


def test_methods_that_use_forget_images_know_them_from_others_of_their_class(context, inputs):
    labels, forget = inputs.dataset.train.labels, inputs.splits.forget
    wrong = find_method("random_labels").prepare(context, method_config("random_labels"))
    drawn = wrong.data.labels[-len(forget) :].numpy()
    assert not (drawn == labels[forget]).any()
    assert set(drawn) == set(range(10))
    descent = find_method("neggrad_plus").prepare(context, method_config("neggrad_plus"))
    assert (descent.data.labels >= 10).sum() == len(forget)
    assert np.array_equal(descent.data.labels[-len(forget) :].numpy() - 10, labels[forget])


@pytest.mark.parametrize("name", [name for name in method_names() if method_config(name).forgets_samples])
def test_every_other_method_runs(context, name):
    run = find_method(name).prepare(context, method_config(name, epochs=1))
    assert np.isfinite(run.run_epoch())


def test_what_is_defined_for_classes_alone_is_refused(config):
    unsir = UnlearnConfig.parse({**config.model_dump(), "method": {"name": "unsir"}})
    with pytest.raises(ConfigError, match="'unsir' forgets classes"):
        load_inputs(unsir)
    relearn = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"final": ("relearn",)})})
    with pytest.raises(ConfigError, match="remove `relearn` from"):
        load_inputs(relearn)
    asked = config.evaluation.model_copy(update={"final": ("membership",)})
    few = config.model_copy(update={"forget": ForgetRequest(samples=config.forget.samples[:6]), "evaluation": asked})
    with pytest.raises(ConfigError, match="at least 10 samples to forget"):
        load_inputs(few)


def test_the_gap_is_measured_to_unseen_images_and_to_zero_for_classes():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.9, 0.1]], np.float32)
    labels = np.array([0, 0, 0, 0, 1, 0])
    losses = np.zeros(6, np.float32)
    forget = Predictions(probabilities[:2], losses[:2], labels[:2])
    others = Predictions(probabilities[2:], losses[2:], labels[2:])
    values = summarise(Predictions.of_samples(forget, others), (0,))
    assert (values["forget_accuracy"], values["retain_accuracy"], values["forget_gap"]) == (1.0, 0.5, 0.5)
    by_class = summarise(Predictions(probabilities, losses, labels), (0,))
    assert by_class["forget_gap"] == by_class["forget_accuracy"] == 0.8


def test_every_part_holds_the_samples_and_its_own_other_images(inputs, config):
    model = inputs.original.build(inputs.dataset, CPU)
    subject = EvaluationSubject(model, inputs.dataset, inputs.splits, inputs.original, config.evaluation)
    found = evaluate(subject, families=("classification", "membership", "zrf"))
    n = len(inputs.splits.forget)
    assert found.counts == {
        "validation/forget": n,
        "validation/retain": len(inputs.splits.validation),
        "train/forget": n,
        "train/retain": len(inputs.splits.retain),
        "test/forget": n,
        "test/retain": len(inputs.dataset.test),
    }
    values = found.values
    assert values["validation/forget_accuracy"] == values["train/forget_accuracy"] == values["test/forget_accuracy"]
    for part in ("validation", "test"):
        gap = abs(values[f"{part}/forget_accuracy"] - values[f"{part}/retain_accuracy"])
        assert values[f"{part}/forget_gap"] == pytest.approx(gap)
        assert 0 <= values[f"{part}/mia_loss"] <= 1


def test_an_attack_has_as_many_unseen_images_of_each_class_and_finds_members():
    rng = np.random.default_rng(0)

    def answers(n, losses):
        labels = np.repeat([0, 1], [n // 2, n - n // 2])
        own = np.exp(-losses)
        table = np.where(labels[:, None] == np.arange(2), own[:, None], 1 - own[:, None])
        return Predictions(table.astype(np.float32), losses.astype(np.float32), labels)

    samples = answers(60, rng.uniform(0, 0.01, 60))
    # All unseen images of class 1 have large losses, those of class 2 are of no forgotten class.
    kept = answers(40, rng.uniform(0, 2, 40))
    unseen = answers(80, rng.uniform(0.5, 2, 80))
    seen = Predictions.of_samples(samples, kept)
    held_out = Predictions.of_samples(samples, unseen)
    assert membership_inference(seen, held_out, (0, 1), 0)["mia_loss"] > 0.95
    alike = Predictions.of_samples(samples, answers(80, rng.uniform(0, 0.01, 80)))
    assert membership_inference(seen, alike, (0, 1), 0)["mia_loss"] < 0.7


def test_an_unlearning_with_a_retrained_reference_from_start_to_end(config):
    final = ("membership", "retrained")
    wanted = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"final": final})})
    inputs = load_inputs(wanted)
    values = list(unlearn(wanted, inputs))[-1].metrics.values
    assert values["test/retain_accuracy"] > 0.9
    assert values["test/retrained_gap"] < 0.2
    assert values["validation/forget_gap"] < 0.2


@pytest.fixture
def folder(tmp_path):
    """Real digits as an image folder; files are named against the order of their making."""
    data = load_dataset("digits", cache_dir=tmp_path / "cache")
    for split, images in (("train", data.train), ("test", data.test)):
        for at in range(len(images)):
            place = tmp_path / "images" / split / f"digit {images.labels[at]}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.images[at, 0]).save(place / f"{9999 - at}.png")
    return tmp_path / "images"


def test_images_of_a_folder_are_named_by_their_files(folder, digits_config, tmp_path):
    files = sorted(path.relative_to(folder / "train").as_posix() for path in (folder / "train").rglob("*.png"))
    wanted = [files[at] for at in range(0, 1400, 20)]
    request = ForgetRequest(samples=[f"train/{wanted[0]}", *wanted[1:], 1436])
    values = {**digits_config.model_dump(), "forget": request.model_dump(), "evaluation": {"final": []}}
    values["data"] = {"source": str(folder), "cache_dir": str(tmp_path / "cache")}
    inputs = load_inputs(UnlearnConfig.parse(values))
    splits, train = inputs.splits, inputs.dataset.train
    assert len(splits.forget) + splits.never_seen == 71
    for at in splits.forget:
        name = files[at]
        assert name in wanted or at == 1436
        assert np.array_equal(train.images[at, 0], np.array(Image.open(folder / "train" / name)))
    values["forget"] = {"samples": ["digit 3/gone.png"]}
    with pytest.raises(ConfigError, match=r"such as digit 0/\d+.png, but got 'digit 3/gone.png'"):
        load_inputs(UnlearnConfig.parse(values))
    values["data"] = digits_config.data
    with pytest.raises(ConfigError, match="only identified by position"):
        load_inputs(UnlearnConfig.parse(values))
