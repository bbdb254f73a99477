"""Weights on their way to another process."""

import pickle

import numpy as np
import torch

from antisample.methods import OriginalModel
from antisample.models.mapped_weights import as_bytes, as_tensors
from antisample.types import Preprocessing

WEIGHTS = {
    "float": torch.randn(3, 4),
    "half": torch.randn(5).to(torch.bfloat16),
    "turned": torch.randn(3, 4).T,
    "count": torch.tensor(7),
    "empty": torch.empty(0, 3),
    "mask": torch.tensor([True, False]),
}


def same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert (other[name].dtype, other[name].shape) == (tensor.dtype, tensor.shape)
        assert other[name].equal(tensor)


def test_a_model_comes_back_as_it_was():
    model = OriginalModel("name", WEIGHTS, Preprocessing((0.5,), (0.1,)), "fingerprint")
    again = pickle.loads(pickle.dumps(model))
    same(WEIGHTS, again.state_dict)
    assert (again.name, again.preprocessing, again.initial) == (model.name, model.preprocessing, model.initial)


def test_nothing_is_copied_and_views_of_what_is_read_only_can_be_read():
    arrays = as_bytes(WEIGHTS)
    assert np.shares_memory(arrays["float"][0], WEIGHTS["float"].numpy())
    for content, _, _ in arrays.values():
        content.flags.writeable = False
    tensors = as_tensors(arrays)
    same(WEIGHTS, tensors)
    assert tensors["float"].data_ptr() == WEIGHTS["float"].data_ptr()
