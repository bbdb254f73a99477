"""Weights as arrays of bytes, which Ray hands to processes as views of one shared memory; tensors it would copy."""

import warnings
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WeightBytes = dict[str, tuple[npt.NDArray[np.uint8], torch.dtype, tuple[int, ...]]]


def as_bytes(weights: Mapping[str, Tensor]) -> WeightBytes:
    """Tensors as bytes, type and shape, by name; contiguous tensors on the CPU are not copied."""
    return {
        name: (tensor.contiguous().reshape(-1).view(torch.uint8).numpy(), tensor.dtype, tuple(tensor.shape))
        for name, tensor in weights.items()
    }


def as_tensors(arrays: WeightBytes) -> dict[str, Tensor]:
    """What `as_bytes` was given, as views of the bytes; where these are read-only the tensors must not be changed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return {
            name: torch.from_numpy(content).view(dtype).reshape(shape)
            if content.size
            else torch.empty(shape, dtype=dtype)
            for name, (content, dtype, shape) in arrays.items()
        }
