"""Training by CUDA graphs."""

import copy

import pytest
import torch
from torch import nn

from antisample.data.loader import Normaliser, TrainingData
from antisample.determinism import deterministic
from antisample.methods.neggrad_plus import neggrad_plus_loss
from antisample.models import build_model, model_names, optimise_for
from antisample.training.adam import Adam
from antisample.training.cuda_graph import can_be_captured
from antisample.training.trainer import Trainer
from antisample.types import Preprocessing


def trainer(model, mode, precision="float32"):
    device = torch.device("cuda")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (150, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = (images.float().mean((1, 2, 3)) > 127.5).long()
    extra = torch.randn(20, 3, 32, 32, generator=generator)
    normalise = Normaliser(Preprocessing((0.5,) * 3, (0.25,) * 3), device)
    images, labels, extra = (tensor.to(device) for tensor in (images, labels, extra))
    data = TrainingData(images, labels, normalise, extra, labels[:20])
    model = optimise_for(copy.deepcopy(model).to(device), device)
    return Trainer(
        model,
        Adam(model.parameters(), 1e-3),
        data,
        epochs=3,
        batch_size=16,
        seed=1,
        mode=mode,
        precision=precision,
    )


def weights(run):
    return torch.cat([value.flatten().double() for value in run.model.state_dict().values()])


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", ["ResNet18", "MobileNet_v2", "ResNet9", "AllCNN", "SmallCNN"])  # some have dropout
def test_a_captured_training_is_the_same_training(name, mode, precision):
    torch.manual_seed(0)
    model = build_model(name, 2, 3)
    captured, plain = (trainer(model, mode, precision) for _ in range(2))
    plain._captured = None
    with deterministic():
        losses = [(captured.run_epoch(), plain.run_epoch()) for _ in range(2)]
    assert captured._captured._graph is not None
    assert torch.equal(weights(captured), weights(plain))
    assert all(one == other for one, other in losses)


@pytest.mark.gpu
def test_a_captured_training_goes_on_from_its_state():
    torch.manual_seed(0)
    model = build_model("AllCNN", 2, 3)
    whole, first, second = (trainer(model, "train") for _ in range(3))
    with deterministic():
        for _ in range(3):
            whole.run_epoch()
        first.run_epoch()
        second.run_epoch()
        second.load_state_dict(copy.deepcopy(first.state_dict()))
        second.run_epoch()
        second.run_epoch()
    assert torch.equal(weights(whole), weights(second))


class AsksTheImages(nn.Module):
    """What it does depends on what it sees."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3 * 32 * 32, 2)

    def forward(self, images):
        return self.linear(images.flatten(1) * (2 if images.mean() > 0 else 3))


def masked(logits, labels):
    return nn.functional.cross_entropy(logits[labels > 0], labels[labels > 0])


@pytest.mark.parametrize("name", model_names())
def test_networks_and_losses_of_this_package_can_be_captured(name):
    model = optimise_for(build_model(name, 2, 3), torch.device("cpu"))
    assert can_be_captured(model, nn.functional.cross_entropy)
    assert can_be_captured(model, neggrad_plus_loss(0.9, 2))


def test_what_is_not_known_is_not_captured_unless_it_says_so():
    own = nn.Sequential(nn.Conv2d(3, 3, 1), AsksTheImages())
    assert not can_be_captured(own, nn.functional.cross_entropy)
    assert not can_be_captured(nn.Flatten(), masked)
    assert not can_be_captured(nn.Sequential(nn.BatchNorm2d(3, momentum=None)), nn.functional.cross_entropy)
    own.capturable = True
    assert can_be_captured(own, nn.functional.cross_entropy)
    assert not can_be_captured(own, masked)
    masked.capturable = True
    assert can_be_captured(own, masked)
    del masked.capturable
