"""A model in memory as the original model: copied, tried out, and its normalisation known."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from antisample.checkpoints.checkpoint import weights_fingerprint
from antisample.data.loader import Normaliser, to_device
from antisample.errors import ConfigError, in_one_line
from antisample.models.custom.outputs import logits_of, take_logits
from antisample.models.custom.suitability import check_network
from antisample.models.in_memory import fresh_copy, name_in_memory
from antisample.models.initial_weights import InitialWeights
from antisample.models.original import OriginalModel
from antisample.models.pretrain import tried_normalisation
from antisample.objects.dataset import ObjectData
from antisample.seeds import undisturbed
from antisample.types import Dataset, Preprocessing, Splits

_UNKNOWN = InitialWeights(origin="random weights, since what the model was trained from is not known")


def copied_network(model: object) -> nn.Module:
    """A copy of a model on the CPU, without gradients; the model stays as it is, wherever it is.

    Raises:
        ConfigError: If it is no network, cannot be copied, or has weights without values.
    """
    if not isinstance(model, nn.Module):
        hint = "; give an instance, not its class" if isinstance(model, type) and issubclass(model, nn.Module) else ""
        raise ConfigError(f"`model` must be a torch.nn.Module, but got {_kind(model)}{hint}.")
    original: nn.Module = getattr(model, "_orig_mod", model)  # what torch.compile was given
    if any(isinstance(module, torch.jit.ScriptModule) for module in original.modules()):
        raise ConfigError(
            "`model` is a TorchScript module, which cannot be trained here; give the Python module that it was made "
            "from."
        )
    tensors = dict(original.named_parameters()) | dict(original.named_buffers())
    lazy = [name for name, each in tensors.items() if torch.nn.parameter.is_lazy(each)]
    if lazy:
        raise ConfigError(f"`model` has a lazy layer that has seen no image, so {lazy[0]!r} has no values yet.")
    meta = [name for name, each in tensors.items() if each.is_meta]
    if meta:
        raise ConfigError(f"`model` has a weight on the meta device, {meta[0]!r}, which has no values.")
    try:
        copied = copy.deepcopy(original).cpu()
    except Exception as error:  # whatever a network of the user's may raise
        raise ConfigError(f"`model` cannot be copied: {in_one_line(error)}.") from error
    copied.zero_grad(set_to_none=True)
    return copied


def output_count(network: nn.Module, data: ObjectData) -> int:
    """How many classes a network tells apart, as it says of two training images.

    Raises:
        ConfigError: If it cannot be asked, or gives something else than a row of numbers for each image.
    """
    preprocessing = data.preprocessing or Preprocessing((0.0,) * _channels(data), (1.0,) * _channels(data))
    device = torch.device("cpu")
    positions = np.linspace(0, len(data.train) - 1, 2).astype(np.int64)
    images, _ = to_device(data.train, positions, device)
    given = Normaliser(preprocessing, device)(images)
    asked = copy.deepcopy(network).eval()
    try:
        with undisturbed(device), torch.inference_mode():
            output = logits_of(asked(given.clone()))
    except (Exception, SystemExit) as error:  # whatever a network of the user's may raise
        raise ConfigError(_refusal(asked, given, in_one_line(error))) from error
    if not isinstance(output, Tensor):
        raise ConfigError(f"`model` must give logits [n, classes], but gave {_kind(output)}.")
    if output.dim() != 2 or len(output) != len(given) or output.shape[1] < 2:
        raise ConfigError(
            f"`model` must give logits [n, classes] of at least two classes, but gave {list(output.shape)} for "
            f"images {list(given.shape)}."
        )
    return int(output.shape[1])


def original_in_memory(network: nn.Module, dataset: Dataset, preprocessing: Preprocessing) -> OriginalModel:
    """The original model, tried out as it will be used.

    Args:
        network: Of `copied_network`.
        dataset: The data.
        preprocessing: What turns its images into the model's input.

    Raises:
        ConfigError: If it cannot be trained, evaluated or saved; see `check_network`.
    """
    name, device = name_in_memory(network), torch.device("cpu")
    positions = np.linspace(0, len(dataset.train) - 1, 3).astype(np.int64)
    images, _ = to_device(dataset.train, positions, device)

    def build() -> nn.Module:
        model = fresh_copy(network)
        model.register_forward_hook(take_logits)
        return model

    normalised = Normaliser(preprocessing, device)(images)
    notes = check_network(name, build, normalised, dataset.n_classes, dataset.name)
    weights = {key: value.detach().clone() for key, value in network.state_dict().items()}
    return OriginalModel(
        name, weights, preprocessing, weights_fingerprint(weights), _UNKNOWN, notes=notes, network=network
    )


def found_normalisation(network: nn.Module, dataset: Dataset, splits: Splits) -> tuple[Preprocessing, str]:
    """The usual normalisation under which a model recognises most, and a sentence that says so.

    Raises:
        ConfigError: If the images do not decide.
    """
    model = copy.deepcopy(network)
    model.register_forward_hook(take_logits)
    return tried_normalisation(model, name_in_memory(network), dataset, splits, torch.device("cpu"), "The model")


def _channels(data: ObjectData) -> int:
    return int(data.train.images.shape[1])


def _refusal(network: nn.Module, images: Tensor, reason: str) -> str:
    weights = next((each for each in network.parameters() if each.is_floating_point()), None)
    if weights is not None and weights.dtype != images.dtype:
        kind = str(weights.dtype).removeprefix("torch.")
        return f"`model` must have weights in float32, but has some in {kind}; give `copy.deepcopy(model).float()`."
    shape = list(images.shape)
    last = " If the channels come last, give `images.transpose(0, 3, 1, 2)`." if shape[3] in (1, 3, 4) else ""
    return f"`model` does not accept the images of train, {shape} ([n, channels, height, width]): {reason}.{last}"


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
