import copy
import math

import pytest
import torch
from torch import nn

from antisample.data.loader import Normaliser, TrainingData
from antisample.errors import DivergedError
from antisample.models import build_model
from antisample.training import trainer as train
from antisample.training.trainer import Trainer, TrainingRecipe, train_from_scratch, train_resumably
from antisample.types import Preprocessing

CPU = torch.device("cpu")
NORMALISE = Normaliser(Preprocessing((0.5,), (0.25,)), CPU)


def data(n=70, extra=0):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8, generator=generator)
    labels = (images.float().mean((1, 2, 3)) > 127).long()
    more = (torch.randn(extra, 1, 8, 8, generator=generator), torch.ones(extra, dtype=torch.int64)) if extra else ()
    return TrainingData(images, labels, NORMALISE, *more)


def trainer(model, training_data, epochs=3, **changes):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    steps = epochs * math.ceil(len(training_data) / 16)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    arguments = {"epochs": epochs, "batch_size": 16, "seed": 5, "mode": "train", "schedule": schedule, **changes}
    return Trainer(model, optimizer, training_data, **arguments)


def weights(model):
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def test_the_normaliser_follows_its_definition():
    pixels = torch.tensor([[[[0, 255], [51, 102]]]], dtype=torch.uint8)
    torch.testing.assert_close(NORMALISE(pixels), (pixels / 255 - 0.5) / 0.25)


def test_an_epoch_holds_every_image_once_with_its_label():
    training_data = data(50, extra=13)
    seen = [training_data.at(positions) for positions in training_data.order(16, seed=1, epoch=0).split(16)]
    assert [len(labels) for _, labels in seen] == [16, 16, 16, 15]
    images = torch.cat([batch for batch, _ in seen]).flatten(1)
    expected = torch.cat([NORMALISE(training_data.images), training_data.extra_images]).flatten(1)
    labels = torch.cat([batch for _, batch in seen])
    for image, label in zip(expected, training_data.labels, strict=True):
        matches = (images == image).all(1)
        assert matches.sum() == 1
        assert labels[matches].item() == label


def test_the_order_depends_on_seed_and_epoch():
    def order(seed, epoch):
        return data().order(8, seed, epoch).tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


@pytest.mark.parametrize("name", ["SmallCNN", "AllCNN"])  # AllCNN has dropout
def test_a_resumed_training_ends_with_the_same_weights(name):
    torch.manual_seed(0)
    model = build_model(name, 2, 1)
    whole, first, second = (copy.deepcopy(model) for _ in range(3))
    straight = trainer(whole, data())
    for _ in range(3):
        straight.run_epoch()
    before = trainer(first, data())
    before.run_epoch()
    after = trainer(second, data())
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    after.run_epoch()
    after.run_epoch()
    assert torch.equal(weights(whole), weights(second))


def test_eval_mode_trains_weights_and_freezes_batch_norm_statistics():
    model = build_model("SmallCNN", 2, 1)
    before = copy.deepcopy(model.state_dict())
    trainer(model, data(), mode="eval", schedule=None).run_epoch()
    after = model.state_dict()
    assert torch.equal(before["features.1.running_mean"], after["features.1.running_mean"])
    assert not torch.equal(before["features.0.weight"], after["features.0.weight"])
    trainer(model, data(), mode="train", schedule=None).run_epoch()
    assert not torch.equal(before["features.1.running_mean"], model.state_dict()["features.1.running_mean"])


def test_the_loss_is_the_mean_over_images_not_batches():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    training_data = data(50)
    run = Trainer(
        model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        training_data,
        epochs=1,
        batch_size=16,
        seed=0,
        mode="train",
    )
    with torch.no_grad():
        expected = nn.functional.cross_entropy(model(NORMALISE(training_data.images)), training_data.labels)
    assert run.run_epoch() == pytest.approx(float(expected), rel=1e-5)


def test_divergence_is_an_error():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    nn.init.constant_(model[1].weight, float("nan"))
    with pytest.raises(DivergedError, match="training loss of epoch 1 is nan"):
        trainer(model, data()).run_epoch()


def test_a_single_image_left_over_is_skipped_in_train_mode():
    model = build_model("SmallCNN", 2, 1)
    assert trainer(model, data(33), batch_size=32).run_epoch() > 0


def test_training_from_scratch_learns():
    torch.manual_seed(0)
    model = build_model("SmallCNN", 2, 1)
    recipe = TrainingRecipe(epochs=8, batch_size=16, horizontal_flip=True, max_shift=1)
    run = train_from_scratch(model, data(200), recipe, seed=0)
    losses = [run.run_epoch() for _ in range(run.epochs)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("damage", [False, True])
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(tmp_path, monkeypatch, damage):
    def fresh():
        torch.manual_seed(1)
        return train_from_scratch(build_model("SmallCNN", 2, 1), data(), TrainingRecipe(epochs=4, batch_size=16), 3)

    class StoppedError(Exception):
        pass

    def interrupt(epoch, epochs, loss):
        told.append(epoch)
        if len(told) == 3:
            raise StoppedError

    monkeypatch.setattr(train, "_SAVE_EVERY_S", 0.0)
    partial, told = tmp_path / "cache" / "model.partial", []
    whole, first, second = fresh(), fresh(), fresh()
    train_resumably(whole, tmp_path / "other.partial")
    with pytest.raises(StoppedError):
        train_resumably(first, partial, interrupt)
    assert partial.is_file()
    if damage:
        partial.write_bytes(partial.read_bytes()[:50])
    elapsed_s = train_resumably(second, partial, interrupt)
    assert told == ([1, 2, 3, 1, 2, 3, 4] if damage else [1, 2, 3, 3, 4])
    assert torch.equal(weights(second.model), weights(whole.model))
    assert elapsed_s > 0
    assert list(tmp_path.rglob("*")) == [partial.parent]
