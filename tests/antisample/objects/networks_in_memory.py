"""Digits as objects, and a network that was trained on them, made once."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

TRAINED = 1200


@cache
def digits():
    """uint8 [1797, 1, 8, 8] and labels."""
    data = load_digits()
    return (data.images * 255 / 16).round().astype(np.uint8)[:, None], data.target


def halves(images=None):
    pixels, labels = digits()
    images = pixels if images is None else images
    return (images[:TRAINED], labels[:TRAINED]), (images[TRAINED:], labels[TRAINED:])


def floats():
    return digits()[0].astype(np.float32) / 255


@cache
def _weights():
    network = small_network()
    images, labels = torch.from_numpy(floats()[:TRAINED]), torch.from_numpy(digits()[1][:TRAINED])
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(8):
            for some in torch.randperm(TRAINED).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(images[some]), labels[some]).backward()
                optimizer.step()
    return network.state_dict()


def small_network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
        )


def trained_network():
    network = small_network()
    network.load_state_dict(_weights())
    return network
