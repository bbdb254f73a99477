"""The levers of fine-tuning: the defaults are the published recipe to the bit, and each lever does what it says."""

import copy
import dataclasses
import itertools

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from antisample.methods import UnlearnContext, find_method, method_config
from antisample.testing.digits import digits_inputs

LEVERS = {
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
    "cosine": {"schedule": "cosine"},
    "warm-up": {"warmup": 0.3},
    "shift": {"augment": "shift", "max_shift": 1},
    "flip_shift": {"augment": "flip_shift"},
    "distillation": {"distillation": 0.5},
    "reinitialise": {"reinitialise": 1},
}
FINE_TUNING = ("antisample", "finetune", "random_labels", "neggrad_plus", "gradient_ascent")


@pytest.fixture
def context():
    inputs = digits_inputs()
    return UnlearnContext(inputs.dataset, inputs.splits, inputs.original, torch.device("cpu"), seed=11)


def prepared(context, name="finetune", **values):
    return find_method(name).prepare(context, method_config(name, **values))


def trained(run, epochs=1):
    for _ in range(epochs):
        run.run_epoch()
    return torch.cat([value.flatten().double() for value in run.model.state_dict().values()])


def as_published(context, name):
    """The loop before there were levers: Adam at a constant rate, no augmentation, every image counts the same."""
    config = method_config(name)
    run = prepared(context, name)
    data, model = run.data, context.original.build(context.dataset, context.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.unlearn_scale_lr * 1e-3, fused=True)
    model.eval()
    for epoch in range(2):
        for positions in data.order(config.batch_size, context.seed, epoch).split(config.batch_size):
            images, labels = data.at(positions)
            optimizer.zero_grad()
            run.loss(model(images), labels).backward()
            optimizer.step()
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


@pytest.mark.parametrize("name", FINE_TUNING)
def test_the_defaults_are_the_published_recipe_to_the_bit(context, name):
    assert torch.equal(trained(prepared(context, name), 2), as_published(context, name))


@pytest.mark.parametrize(
    ("name", "lever"),
    [*itertools.product(["finetune"], LEVERS), *itertools.product(FINE_TUNING[:4], ["distillation"])],
)
def test_a_lever_changes_the_training_and_an_interruption_does_not(context, name, lever):
    values = {"epochs": 2, **LEVERS[lever]}
    whole = prepared(context, name, **values)
    first, second = prepared(context, name, **values), prepared(context, name, **values)
    expected = trained(whole, 2)
    first.run_epoch()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert torch.equal(trained(second), expected)
    assert not torch.equal(expected, trained(prepared(context, name, epochs=2), 2))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_last_stages_and_the_head_start_anew_and_the_others_stay(context, n):
    run, original = prepared(context, reinitialise=n), context.original.state_dict
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, original[name])}
    convolutions = [0, 4, 8]  # of SmallCNN, each with a normalisation behind it
    anew = {f"features.{layer}.weight" for layer in convolutions[3 - n :]}
    assert anew | {"classifier.2.weight", "classifier.2.bias"} <= changed
    assert not any(name.startswith(f"features.{layer}.") for layer in convolutions[: 3 - n] for name in changed)
    norms = {f"features.{layer + 1}.running_mean" for layer in convolutions[3 - n :]}
    assert norms <= changed
    again = prepared(context, reinitialise=n).model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in run.model.state_dict().items())


def test_more_stages_than_there_are_means_all(context):
    everything, more = (prepared(context, reinitialise=n).model.state_dict() for n in (3, 9))
    assert all(torch.equal(value, more[name]) for name, value in everything.items())


def test_anti_samples_of_weight_zero_teach_nothing(context):
    ignored = trained(prepared(context, "antisample", anti_sample_weight=0.0, epochs=1))
    run = prepared(context, "antisample", epochs=1)
    run.loss = lambda logits, labels: (
        nn.functional.cross_entropy(logits, labels, reduction="none") * (labels != 3)
    ).mean()
    torch.testing.assert_close(ignored, trained(run))


def test_distillation_masks_forgotten_classes_and_none_where_samples_are_forgotten(context):
    def lost(by_samples):
        splits = dataclasses.replace(context.splits, by_samples=by_samples)
        run = prepared(dataclasses.replace(context, splits=splits), distillation=1.0, batchnorm_mode="eval")
        images, _ = run.data.at(torch.arange(5))
        return run.batch_loss._distillation.targets(images)[:, 3]

    assert (lost(by_samples=False) == 0).all()
    assert (lost(by_samples=True) > 0).all()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("finetune", {"momentum": 0.9}, "`momentum` must be 0 with the optimizer adam, but got 0.9"),
        ("antisample", {"momentum": 0.5, "optimizer": "adamw"}, "`momentum` must be 0 with the optimizer adamw"),
        ("gradient_ascent", {"augment": "shift"}, "`augment` must be none with the method gradient_ascent"),
        ("gradient_ascent", {"distillation": 0.5}, "`distillation` must be 0 with the method gradient_ascent"),
        ("finetune", {"anti_sample_weight": 2.0}, "anti_sample_weight"),
        ("unsir", {"schedule": "cosine"}, "schedule"),
        ("finetune", {"warmup": 1.0}, "warmup"),
        ("finetune", {"optimizer": "lion"}, "optimizer"),
    ],
)
def test_a_lever_that_does_not_fit_is_refused(name, values, message):
    with pytest.raises(ValidationError, match=message):
        method_config(name, **values)
