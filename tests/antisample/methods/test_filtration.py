"""Linear filtration, against its equations."""

import dataclasses

import numpy as np
import pytest
import torch

from antisample.data.loader import to_device
from antisample.errors import ConfigError
from antisample.methods import UnlearnContext, find_method, method_config
from antisample.methods.filtration import class_means, filtration_matrix

CPU = torch.device("cpu")
MEANS = torch.tensor([[4.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0]], dtype=torch.float64)


def matrix(variant, means=MEANS, forgotten=(1,), seed=0):
    return filtration_matrix(means, list(forgotten), variant, torch.Generator().manual_seed(seed))


@pytest.fixture
def context(digits_inputs):
    return UnlearnContext(digits_inputs.dataset, digits_inputs.splits, digits_inputs.original, CPU, seed=1)


def logits_of(model, context, positions):
    images, _ = to_device(context.dataset.train, positions, CPU)
    with torch.inference_mode():
        return model.eval()(context.normaliser()(images))


def test_zeroing_by_hand():
    """Classes with the means 2 and 3 of their own logits, and nothing else: the matrix drops a row and a column."""
    means = torch.diag(torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64))
    assert matrix("zeroing", means).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_means_that_stay_are_kept_and_the_forgotten_one_becomes_what_the_variant_says():
    kept = MEANS[[0, 2]]
    for variant in ("zeroing", "randomisation"):
        mapped = matrix(variant) @ MEANS
        torch.testing.assert_close(mapped[:, [0, 2]], kept[:, [0, 2]])
        assert mapped[:, 1].abs().max() < 1e-12 if variant == "zeroing" else mapped[:, 1].abs().max() > 0.1
    assert torch.equal(matrix("randomisation", seed=3), matrix("randomisation", seed=3))
    assert not torch.equal(matrix("randomisation", seed=3), matrix("randomisation", seed=4))


@pytest.mark.parametrize("forgotten", [(1,), (2,), (0, 3)])
def test_normalisation_is_a_mask_under_softmax(forgotten):
    generator = torch.Generator().manual_seed(5)
    means = torch.randn(5, 5, generator=generator, dtype=torch.float64) + 4 * torch.eye(5, dtype=torch.float64)
    logits = torch.randn(50, 5, generator=generator, dtype=torch.float64)
    kept = [label for label in range(5) if label not in forgotten]
    filtered = logits @ matrix("normalisation", means, forgotten).T
    assert not torch.allclose(filtered, logits[:, kept])
    torch.testing.assert_close(filtered.softmax(1), logits[:, kept].softmax(1))


@pytest.mark.parametrize("variant", ["zeroing", "randomisation"])
def test_the_network_gives_the_filtered_logits_of_the_original(context, variant):
    config = method_config("filtration", variant=variant, images_per_class=1000)
    model = find_method("filtration").prepare(context, config).model
    positions = np.sort(np.concatenate([context.splits.forget, context.splits.retain]))
    labels = torch.from_numpy(context.dataset.train.labels[positions])
    before = logits_of(context.original.build(context.dataset, CPU), context, positions)
    after = logits_of(model, context, positions)
    kept = [label for label in range(10) if label != 3]
    assert (after[:, 3] == -1e4).all()
    means, filtered = class_means(before, labels, 10), class_means(after[:, kept], labels, 10)
    torch.testing.assert_close(filtered[:, kept], means[kept][:, kept], rtol=1e-3, atol=1e-3)
    if variant == "zeroing":
        torch.testing.assert_close(filtered[:, 3], torch.zeros(9), rtol=0, atol=1e-3)
    right = (after.argmax(1) == labels)[labels != 3].float().mean()
    assert right > 0.9
    named = model.state_dict()
    assert all(
        torch.equal(named[name], value)
        for name, value in context.original.state_dict.items()
        if not name.startswith("classifier.2")
    )


def test_the_means_are_taken_over_as_many_images_of_a_class_as_it_says(context):
    def made(images_per_class):
        config = method_config("filtration", images_per_class=images_per_class)
        return find_method("filtration").prepare(context, config).model.state_dict()["classifier.2.weight"]

    assert not torch.equal(made(5), made(1000))
    assert torch.equal(made(1000), made(2000))


def test_means_without_an_inverse_and_classes_without_images_are_refused(context):
    with pytest.raises(ConfigError, match="mean logits of 3 classes, but its rank is 1"):
        matrix("zeroing", torch.ones(3, 3, dtype=torch.float64))
    labels = context.dataset.train.labels
    splits = dataclasses.replace(
        context.splits, retain=context.splits.retain[labels[context.splits.retain] != 7], fingerprint="without 7"
    )
    with pytest.raises(ConfigError, match="training images of every class, but '7' has none"):
        find_method("filtration").prepare(dataclasses.replace(context, splits=splits), method_config("filtration"))
