"""The weights that training starts from: random ones, torchvision's ImageNet weights, or those of a file."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from antisample.checkpoints.checkpoint import load_checkpoint
from antisample.checkpoints.fitting import named_weights
from antisample.checkpoints.unfitting import check_weights
from antisample.errors import ConfigError, DataError
from antisample.models import build_model
from antisample.models.imagenet import IMAGENET_MODELS, fetch_weights, has_imagenet_weights, imagenet_url
from antisample.seeds import derive

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InitialWeights:
    """What a model holds before its first training step.

    Attributes:
        state_dict: Weights on the CPU that fit the model, never changed; None for random ones.
        origin: Where they come from, in words for people.
        notes: Sentences about how their file was read, such as prefixes removed from its names.
    """

    state_dict: dict[str, Tensor] | None = None
    origin: str = "random weights"
    notes: tuple[str, ...] = ()

    def fresh_model(
        self,
        name: str,
        n_classes: int,
        in_channels: int,
        seed: int,
        arguments: Mapping[str, Any] | None = None,
        image_size: Sequence[int] | None = None,
    ) -> nn.Module:
        """Builds an untrained model that holds these weights; torch's global random state stays as it is.

        Args:
            name: As `antisample.models.build_model` takes it.
            n_classes: Number of outputs, as given to `find_initial_weights`.
            in_channels: Channels of the input, likewise.
            seed: Decides random weights.
            arguments: As `antisample.models.build_model` takes it.
            image_size: Likewise.

        Returns:
            The model, on the CPU.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "initial weights"))
            model = build_model(name, n_classes, in_channels, arguments, image_size)
        if self.state_dict is not None:
            model.load_state_dict(self.state_dict)
        return model


RANDOM_WEIGHTS = InitialWeights()
"""What a model starts from unless told otherwise."""


def find_initial_weights(
    wanted: str,
    model_name: str,
    n_classes: int,
    in_channels: int,
    arguments: Mapping[str, Any] | None = None,
    image_size: Sequence[int] | None = None,
) -> InitialWeights:
    """Finds initial weights and fits them to a model.

    Weights for colour images are fitted to grey ones by the mean over the input channels of the first convolution,
    and weights for more classes by keeping the first rows of the last linear layer, as the published experiments
    keep 10 or 300 of ImageNet's 1000. All else must agree. Counters of batches, which files of old versions of torch
    lack, start at 0.

    Args:
        wanted: `random`; `imagenet`, torchvision's IMAGENET1K_V1 weights from torch hub's cache, downloaded into it
            where they are missing; or the path of a safetensors or torch file.
        model_name: As `antisample.models.build_model` takes it.
        n_classes: Number of outputs, at least 1.
        in_channels: 1 for grey images, 3 for colour.
        arguments: As `antisample.models.build_model` takes it.
        image_size: Likewise.

    Returns:
        The weights. Where those of ImageNet cannot be downloaded they are random; `origin` and a warning say so.

    Raises:
        ConfigError: If the model has no ImageNet weights, or there is no file of that name.
        DataError: If the file is damaged, of another architecture, or has fewer classes than the model.
    """
    build = partial(build_model, model_name, n_classes, in_channels, arguments, image_size)
    if wanted == "random":
        return RANDOM_WEIGHTS
    if wanted != "imagenet":
        path = Path(wanted).expanduser()
        if not path.exists():
            raise ConfigError(
                f"`model.initial_weights` must be `random`, `imagenet` or the path of a weights file, "
                f"but got {wanted!r}, which does not exist."
            )
        weights, notes = _read(path, build, n_classes)
        return InitialWeights(weights, f"weights of {path.name}", notes)
    if not has_imagenet_weights(model_name):
        raise ConfigError(
            f"`model.initial_weights` must be `random` or a path unless the model is one of "
            f"{', '.join(IMAGENET_MODELS)}, but got 'imagenet' for {model_name!r}."
        )
    try:
        path = fetch_weights(imagenet_url(model_name))
    except (OSError, HTTPException) as error:
        reason = str(error).strip("<>")
        origin = f"random weights, since the ImageNet weights could not be downloaded ({reason})"
        _logger.warning("%s starts from %s.", model_name, origin)
        return InitialWeights(None, origin)
    weights, _ = _read(path, build, n_classes)
    return InitialWeights(weights, "ImageNet weights (torchvision IMAGENET1K_V1)")


def _read(path: Path, build: Callable[[], nn.Module], n_classes: int) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Reads weights and fits them to the model; also what was changed, in sentences."""
    with torch.random.fork_rng(devices=[]):
        model = build()
    own = model.state_dict()
    named, notes = named_weights(model, load_checkpoint(path), str(path))
    weights = {name: tensor.detach() for name, tensor in named.items()}
    first = next((name for name, part in model.named_modules() if isinstance(part, nn.Conv2d)), "") + ".weight"
    if first in own and first in weights and own[first].shape[1] == 1 and weights[first].dim() == 4:
        weights[first] = weights[first].float().mean(dim=1, keepdim=True)
    last = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)][-1:]
    for name in (f"{layer}.{kind}" for layer in last for kind in ("weight", "bias")):
        if name in own and name in weights and weights[name].dim() == own[name].dim() and len(own[name]) == n_classes:
            if len(weights[name]) < n_classes:
                raise DataError(
                    f"{path}: initial weights must have at least the {n_classes} classes of the data, "
                    f"but got {len(weights[name])}."
                )
            weights[name] = weights[name][:n_classes].clone()
    check_weights(model, weights, str(path))
    return weights, notes
