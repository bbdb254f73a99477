"""Our Adam against torch's own, step by step."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from antisample.training.adam import Adam
from antisample.training.sgd import Sgd


def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))
    return model.to(memory_format=torch.channels_last)


def train(model, optimizer, steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        images, labels = torch.randn(7, 3, 8, 8, generator=generator), torch.randint(5, (7,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("lr", [1e-4, 6e-3])
@pytest.mark.parametrize("frozen", [False, True])
def test_every_step_is_that_of_torch(lr, frozen):
    theirs, ours = network(), network()
    for model in (theirs, ours):
        model[0].bias.requires_grad_(not frozen)
    expected = train(theirs, torch.optim.Adam(theirs.parameters(), lr=lr, fused=True), 10)
    assert all(map(torch.equal, train(ours, Adam(ours.parameters(), lr), 10), expected))


@pytest.mark.parametrize("decay", [0.01, 0.5])
def test_weights_decay_as_torch_lets_them(decay):
    for theirs_type, decoupled in ((torch.optim.Adam, False), (torch.optim.AdamW, True)):
        theirs, ours = network(), network()
        optimizer = theirs_type(theirs.parameters(), lr=1e-3, weight_decay=decay, fused=True)
        expected = train(theirs, optimizer, 10)
        own = Adam(ours.parameters(), 1e-3, weight_decay=decay, decoupled=decoupled)
        assert all(map(torch.equal, train(ours, own, 10), expected))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_every_step_of_sgd_is_that_of_torch(momentum):
    theirs, ours = network(), network()
    arguments = {"lr": 0.05, "momentum": momentum, "weight_decay": 5e-4}
    expected = train(theirs, torch.optim.SGD(theirs.parameters(), fused=True, **arguments), 10)
    assert all(map(torch.equal, train(ours, Sgd(ours.parameters(), **arguments), 10), expected))


def test_a_parameter_without_gradient_stays_and_keeps_its_count():
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = Adam([used, unused], 0.1)
    used.square().sum().backward()
    optimizer.step()
    assert torch.equal(unused, torch.ones(2))
    assert [float(step) for step in optimizer.state_dict()["steps"]] == [1, 0]
    assert not torch.equal(used, torch.ones(2))


def test_it_continues_from_its_state():
    whole, cut = network(), network()
    expected = train(whole, Adam(whole.parameters(), 1e-3), 6)
    first = Adam(cut.parameters(), 1e-3)
    generator_steps = 3
    train(cut, first, generator_steps)
    state = copy.deepcopy(first.state_dict())
    second = Adam(cut.parameters(), 1e-3)
    second.load_state_dict(state)
    generator = torch.Generator().manual_seed(1)
    for step in range(6):
        images, labels = torch.randn(7, 3, 8, 8, generator=generator), torch.randint(5, (7,), generator=generator)
        if step < generator_steps:
            continue
        second.zero_grad()
        nn.functional.cross_entropy(cut(images), labels).backward()
        second.step()
    assert all(map(torch.equal, cut.parameters(), expected))


@pytest.mark.integration
def test_unlearning_loads_no_compiler():
    """It takes four seconds; nothing that a worker does with a network of ours needs it."""
    code = (
        "import sys, torch; from antisample.training.adam import Adam;"
        "from antisample.models import build_model, optimise_for;"
        "model = optimise_for(build_model('SmallCNN', 3, 1), torch.device('cpu')).eval();"
        "optimizer = Adam(model.parameters(), 1e-3); optimizer.zero_grad();"
        "model(torch.zeros(2, 1, 8, 8)).sum().backward(); optimizer.step();"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
