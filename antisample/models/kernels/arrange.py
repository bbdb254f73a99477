"""A network where it runs, arranged for speed as far as it stays the same."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from antisample.models.kernels.fused_conv import optimise_for
from antisample.models.masked_outputs import largest_logit
from antisample.seeds import undisturbed

_TOLERANCE = 1e-2  # of the largest answer; products on GPUs are rounded to 10 bits


def optimised_for(model: nn.Module, name: str, image_shape: Sequence[int], device: torch.device) -> nn.Module:
    """Moves a network to a device and arranges it for speed, see `optimise_for`.

    A network of the user's own may depend on what is rearranged: `view` needs activations as they usually lie. So it
    is tried, and left as it is where it fails or gives other answers.

    Args:
        model: The network.
        name: What it was built by.
        image_shape: Of one image, [channels, h, w].
        device: Where it runs.

    Returns:
        The network, or a copy; state dictionaries are the same.
    """
    model = model.to(device)
    if ":" not in name:
        return optimise_for(model, device)
    images = torch.randn(2, *image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    mode = model.training
    model.eval()
    try:
        quick = optimise_for(copy.deepcopy(model), device)
        with torch.no_grad():
            ours, usual = quick(images.clone()), model(images.clone())
        same = bool((ours - usual).abs().max() <= _TOLERANCE * largest_logit(usual))
        same = same and _is_trained_itself(copy.deepcopy(quick), images, (model, quick))
    except (Exception, SystemExit):  # whatever a network of the user's may raise
        same = False
    arranged_model = quick if same else model
    arranged_model.train(mode)
    return arranged_model


def _is_trained_itself(copied: nn.Module, images: torch.Tensor, originals: Sequence[nn.Module]) -> bool:
    """Whether a copy can be trained by itself: functions in it may still refer to what it was copied from."""
    copied.train()
    with undisturbed(images.device):
        copied(images).sum().backward()
    parameters = [parameter for original in originals for parameter in original.parameters()]
    touched = [parameter for parameter in parameters if parameter.grad is not None]
    for parameter in touched:
        parameter.grad = None
    return not touched and all(parameter.is_leaf for parameter in copied.parameters())
