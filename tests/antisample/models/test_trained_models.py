"""Models that several train at the same time: one of them is everybody's."""

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from antisample.checkpoints.checkpoint import (
    Checkpoint,
    load_checkpoint,
    pack_checkpoint,
    save_checkpoint,
    weights_fingerprint,
)
from antisample.metrics import EvaluationConfig
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.models import build_model
from antisample.models.config import ModelConfig
from antisample.models.pretrain import original_model, pretrained_path
from antisample.models.trained_models import find_or_train
from antisample.storage.cache import Cache

CPU = torch.device("cpu")
MODEL = ModelConfig.model_validate({"name": "SmallCNN", "recipe": {"epochs": 1, "batch_size": 128}})


def weights(seed, **metadata):
    """What another process may have trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Checkpoint(dict(build_model("SmallCNN", 10, 1).state_dict()), metadata)


def digest(checkpoint):
    return weights_fingerprint(checkpoint.state_dict)


def test_of_several_trainings_at_once_all_take_the_model_that_was_kept_first(tmp_path):
    path, together = tmp_path / "models" / "model.safetensors", Barrier(4)

    def find(trained):
        def train():
            together.wait()
            return trained

        return find_or_train(Cache(tmp_path), path, digest, train)

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(find, [weights(seed) for seed in range(4)]))
    assert found == {digest(load_checkpoint(path))}
    assert list(path.parent.iterdir()) == [path]


def test_an_original_model_that_another_study_kept_meanwhile_is_taken(digits_inputs, tmp_path):
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    path, other = pretrained_path(MODEL, dataset, splits, tmp_path), weights(7, mean="[0.5]", std="[0.25]")
    found = original_model(MODEL, dataset, splits, tmp_path, CPU, lambda *_: save_checkpoint(path, other))
    assert found.fingerprint == digest(other)
    assert found.preprocessing.mean == (0.5,)
    again = original_model(MODEL, dataset, splits, tmp_path, CPU, lambda *_: pytest.fail("trained again"))
    assert again.fingerprint == found.fingerprint


def test_a_damaged_file_that_another_left_meanwhile_is_replaced(digits_inputs, tmp_path):
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    path = pretrained_path(MODEL, dataset, splits, tmp_path)
    path.parent.mkdir(parents=True)
    found = original_model(MODEL, dataset, splits, tmp_path, CPU, lambda *_: path.write_bytes(b"damaged"))
    assert digest(load_checkpoint(path)) == found.fingerprint


def test_a_reference_that_another_study_kept_meanwhile_is_taken(digits_config, digits_inputs, tmp_path):
    recipe = digits_config.model.recipe.model_copy(update={"epochs": 1})
    training = ReferenceTraining(
        recipe, digits_inputs.dataset, digits_inputs.splits, digits_inputs.original, tmp_path, seed=0
    )
    other = weights(7, elapsed_s="12.5")
    found = training.reference(CPU, EvaluationConfig(), lambda *_: save_checkpoint(training.path(), other))
    assert found.elapsed_s == 12.5
    torch.testing.assert_close(dict(training.model(CPU).state_dict()), other.state_dict)


@pytest.fixture
def machines(s3, tmp_path, request):
    """The caches of two machines with one object store."""
    one = Cache.at(s3.address(request.node.name))
    return tuple(dataclasses.replace(one, folder=tmp_path / name) for name in ("one", "two"))


@pytest.mark.integration
def test_a_model_that_another_machine_kept_meanwhile_is_taken_from_the_object_store(machines):
    first, second = machines

    def keep(cache, seed):
        return find_or_train(cache, cache.folder / "model.safetensors", digest, lambda: weights(seed))

    def slow():
        keep(first, 1)
        return weights(2)

    found = find_or_train(second, second.folder / "model.safetensors", digest, slow)
    assert found == digest(weights(1)) == keep(second, 3)


@pytest.mark.integration
def test_a_training_is_not_lost_where_the_object_store_cannot_be_asked_at_its_end(machines, s3, caplog):
    cache, _ = machines
    path = cache.folder / "model.safetensors"
    with s3.refusing(), caplog.at_level(logging.WARNING):
        assert cache.add(path, pack_checkpoint(weights(1)))
    assert "Could not check whether another machine has made model.safetensors" in caplog.text
    assert digest(load_checkpoint(path)) == digest(weights(1))
