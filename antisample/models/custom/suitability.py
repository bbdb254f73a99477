"""Whether a network can be used: it is trained, evaluated, saved, built again and loaded, before any of that is done.

What is wrong with a network of somebody's own shows here, in one sentence, and not in the middle of a training.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from antisample.errors import ConfigError
from antisample.models.custom.network_state import (
    buffer_shapes,
    contents,
    difference_in_use,
    difference_of_builds,
    network_notes,
    shared_weights,
    weights_problem,
)
from antisample.models.custom.network_trial import NetworkTrial, alike, gives_probabilities
from antisample.models.custom.outputs import describe_outputs
from antisample.seeds import undisturbed
from antisample.training.adam import Adam

_LEARNING_RATE = 1e-3


def check_network(
    name: str, build: Callable[[], nn.Module], images: Tensor, n_classes: int, data: str
) -> tuple[str, ...]:
    """Tries a network out as it will be used, on the images' device.

    A registered network is asked about two images. One of the user's own is trained by a step with each of two
    numbers of images in both modes and evaluated in between, and then saved, built again and loaded. torch's random
    state, and that of Python and NumPy, stays as it is.

    Args:
        name: What it is built by.
        build: Builds it with fresh weights.
        images: Normalised, float32 [3, channels, h, w].
        n_classes: Numbers that it has to give for each image.
        data: Name of the data set, for messages.

    Returns:
        What people should know about the network, in whole sentences.

    Raises:
        ConfigError: If it cannot be used; one sentence names the cause.
        torch.OutOfMemoryError: If the GPU has no memory left.
    """
    trial = NetworkTrial(name, images, n_classes, data)
    try:
        with undisturbed(images.device):
            if ":" not in name:
                trial.predicted(build().to(images.device), 2)
                return ()
            return _checked(trial, build)
    except ConfigError as error:
        if isinstance(error.__cause__, torch.OutOfMemoryError):
            raise error.__cause__ from None  # says nothing about the network: others may use the GPU
        raise


def _checked(trial: NetworkTrial, build: Callable[[], nn.Module]) -> tuple[str, ...]:
    first, second = (trial.built(build, seed) for seed in (1, 2))
    if problem := weights_problem(first) or difference_of_builds(first, second):
        raise trial.refused(problem)
    shared = shared_weights(first, second)
    before = contents(first)
    first = trial.optimised_for(first)
    buffers = buffer_shapes(first)
    outputs: list[str] = []
    hook = first.register_forward_hook(lambda *call: outputs.extend(describe_outputs(call[2])), prepend=True)
    probabilities = gives_probabilities(trial.predicted(first, 2))
    optimizer = Adam(first.parameters(), _LEARNING_RATE)
    for mode, count in (("eval", 2), ("eval", 3), ("train", 2), ("train", 3), ("eval", 1)):
        trial.step(first, optimizer, mode, count)
        trial.predicted(first, 1)  # as after each epoch: what it leaves may stand in the way of the next step
        problem = difference_in_use(before, contents(first)) or difference_in_use(buffers, buffer_shapes(first))
        if problem is not None:
            raise trial.refused(problem)
    hook.remove()
    changed = [key for key, value in shared.items() if not torch.equal(value, first.state_dict()[key].cpu())]
    if changed:
        raise trial.refused(
            f"returns networks that share {changed[0]!r}, so that training one changes the other; it must create all "
            "weights again each time"
        )
    answers = trial.repeatable(first)
    again = trial.predicted(trial.reloaded(first, second), 2)
    if not alike(again, answers):
        raise trial.refused(
            "gives different outputs when it is built again with the same weights, so its outputs depend on "
            "something that is in neither its parameters nor its buffers"
        )
    return (*dict.fromkeys(outputs), *network_notes(first, probabilities))
