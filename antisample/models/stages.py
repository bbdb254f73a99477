"""The stages of a network: modules whose outputs say how far an image has come, from pixels to the head."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from antisample.errors import ConfigError, in_one_line
from antisample.models.kernels.fused_conv import absorbs_norms_outside, without_absorbed_norms
from antisample.models.masked_outputs import bare_network
from antisample.seeds import undisturbed
from antisample.validation.settings import shown

MOST_STAGES = 4
_PACKAGED = {
    "smallcnn": ("features.2", "features.6", "features.10"),
    "resnet9": ("conv1", "conv2", "res1", "conv3", "conv4", "res2"),
    "allcnn": ("features.1", "features.5", "features.9"),
    "resnet18": ("layer1", "layer2", "layer3", "layer4"),
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.18"),
}
_TORCHVISION = {
    "AlexNet": r"features\.(2|5|12)",
    "ConvNeXt": r"features\.[1357]",
    "DenseNet": r"features\.denseblock\d+",
    "EfficientNet": r"features\.\d+",
    "GoogLeNet": r"conv3|inception(3b|4e|5b)",
    "Inception3": r"Conv2d_4a_3x3|Mixed_(5d|6e|7c)",
    "MNASNet": r"layers\.(8|9|10|11|12|13)",
    "MaxVit": r"blocks\.\d+",
    "MobileNetV2": r"features\.(3|6|13|18)",
    "MobileNetV3": r"features\.\d+",
    "RegNet": r"trunk_output\.block\d+",
    "ResNet": r"layer\d+",
    "ShuffleNetV2": r"stage[234]|conv5",
    "SqueezeNet": r"features\.\d+",
    "SwinTransformer": r"features\.[1357]",
    "VisionTransformer": r"encoder\.layers\.encoder_layer_\d+",
}
_VGG = "VGG"


def stage_names(
    name: str, build: Callable[[], nn.Module], image_shape: Sequence[int], asked: Sequence[str] = ()
) -> tuple[str, ...]:
    """Finds the stages of a network.

    They are known for registered networks and the families of torchvision, also where such a network is a part of
    another one, and stated by those of timm (`feature_info`). Of any other network they are the last layers with
    weights before the head, which is the last one that is called. There are at most four, evenly spaced, unless the
    user names them.

    Args:
        name: What the network is built by.
        build: Builds it with fresh weights; not called where that is not needed.
        image_shape: Of one image, [channels, h, w].
        asked: `model.stages`: dotted names of modules; empty for those above.

    Returns:
        Dotted names of modules, in the order that they are called in.

    Raises:
        ConfigError: If there is no such module, if one is not called in a forward pass, gives no tensor with a row
            for each image or holds the head, or if no layer with weights comes before the head.
    """
    if not asked and name.lower() in _PACKAGED:
        return _PACKAGED[name.lower()]
    with undisturbed(torch.device("cpu"), seed=0):
        model = build().eval()
        modules = dict(model.named_modules())
        unknown = [each for each in asked if not each or each not in modules]
        if unknown:
            raise ConfigError(
                f"`model.stages` must name modules of the network {name}, but {shown(unknown[0])} is none of them; "
                f"it has {', '.join(part for part, _ in model.named_children())}."
            )
        calls = _calls(model, name, torch.randn(2, *image_shape))
    layers = [each for each in calls if any(weight.dim() > 1 for weight in modules[each].parameters(recurse=False))]
    named = list(asked) or _of_family(model)
    if named:
        _check(name, named, calls, layers)
        ordered = [each for each in calls if each in named]
        return tuple(ordered) if asked else _spread(ordered)
    before_head = tuple(each for each in layers[:-1] if calls[each])[-MOST_STAGES:]
    if not before_head:
        raise ConfigError(
            f"The network {name} has no stages: none of its layers with weights is called before its head. Name "
            "modules in `model.stages`."
        )
    return before_head


def stage_layers(model: nn.Module, stages: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What belongs to each stage: the modules with weights or buffers of their own that come after the stage before.

    Args:
        model: The network; its modules are registered in the order that they are called in.
        stages: Of `stage_names`.

    Returns:
        For each stage, dotted names of modules; those behind the last stage belong to none.
    """
    layers: list[list[str]] = [[] for _ in stages]
    names = [name for name, _ in model.named_modules()]
    ends = [max(i for i, name in enumerate(names) if _is_in(name, stage)) for stage in stages]
    for position, (name, module) in enumerate(model.named_modules()):
        stage = next((i for i, end in enumerate(ends) if position <= end), None)
        if stage is not None and (module._parameters or module._buffers):
            layers[stage].append(name)
    return tuple(map(tuple, layers))


class StageOutputs(AbstractContextManager["StageOutputs"]):
    """Gives the pooled outputs of stages: within the block, each call is one forward pass.

    A normalisation that a convolution has taken in (see `optimise_for`) is put back, in a copy, where it lies outside
    of a stage that ends with the convolution, so outputs are those of the network as it was built.

    Args:
        model: The network, in any mode, which is restored at the end; evaluated in eval mode.
        stages: Of `stage_names`.
        with_gradients: Whether outputs are to be differentiated.

    Attributes:
        model: What is evaluated: the bare network, or that copy of it.
        widths: Numbers of outputs of each stage, after the first call.
    """

    def __init__(self, model: nn.Module, stages: Sequence[str], *, with_gradients: bool = False) -> None:
        model = bare_network(model)
        apart = any(absorbs_norms_outside(model.get_submodule(stage)) for stage in stages)
        self.model = without_absorbed_norms(model) if apart else model
        self._stages = tuple(stages)
        self.widths: tuple[int, ...] = ()
        self._with_gradients = with_gradients
        self._outputs: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []
        self._modes: dict[nn.Module, bool] = {}

    def __enter__(self) -> "StageOutputs":
        self._modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        self._handles = [
            self.model.get_submodule(stage).register_forward_hook(partial(self._keep, stage))
            for stage in self._stages
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        for module, mode in self._modes.items():
            module.training = mode

    def __call__(self, images: Tensor) -> Tensor:
        """Maps normalised images [n, channels, h, w] to the outputs of all stages side by side, float32 [n, d]."""
        self._outputs.clear()
        with nullcontext() if self._with_gradients else torch.inference_mode():
            self.model(images)
        outputs = [self._outputs[stage] for stage in self._stages]
        self.widths = tuple(each.shape[1] for each in outputs)
        return torch.cat(outputs, dim=1)

    def _keep(self, stage: str, module: nn.Module, inputs: Any, output: Any) -> None:
        del module, inputs
        self._outputs[stage] = pooled(output)


def pooled(output: Tensor) -> Tensor:
    """The mean over positions, float32 [n, d].

    Args:
        output: [n, d]; [n, tokens, d]; [n, d, h, w] or, where sides of a square come first, [n, h, w, d].
    """
    values = output.float()
    if values.dim() == 3:
        return values.mean(dim=1)
    if values.dim() == 4 and values.shape[1] == values.shape[2] != values.shape[3]:  # images are square
        return values.mean(dim=(1, 2))
    return values.flatten(2).mean(dim=2) if values.dim() > 3 else values


def _calls(model: nn.Module, name: str, images: Tensor) -> dict[str, bool]:
    """Modules in the order that their last calls end in, and whether each gives a tensor with a row an image."""
    calls: dict[str, bool] = {}

    def note(part: str, module: nn.Module, inputs: Any, output: Any) -> None:
        del module, inputs
        calls.pop(part, None)
        is_tensor = isinstance(output, Tensor) and output.is_floating_point()
        calls[part] = is_tensor and output.dim() > 1 and len(output) == len(images)

    handles = [module.register_forward_hook(partial(note, part)) for part, module in model.named_modules()]
    try:
        with torch.no_grad():
            model(images)
    except (Exception, SystemExit) as error:  # whatever a network of the user's may raise
        raise ConfigError(f"The network {name} cannot be evaluated: {in_one_line(error)}.") from error
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _of_family(model: nn.Module) -> list[str]:
    """The stages of the first part of a network whose family is known, the network itself included; empty if none."""
    for prefix, part in model.named_modules():
        start = f"{prefix}." if prefix else ""
        info = getattr(part, "feature_info", None)
        entries = list(info) if isinstance(info, Iterable) else []
        stated = [each["module"] for each in entries if isinstance(each, dict) and each.get("module")]
        if stated:
            return [f"{start}{each}" for each in stated]
        for kind in type(part).__mro__:
            if kind.__module__.startswith("torchvision.models"):
                if kind.__name__ == _VGG:
                    pools = (each for each, module in part.named_modules() if isinstance(module, nn.MaxPool2d))
                    return [start + each for each in pools]
                if kind.__name__ in _TORCHVISION:
                    pattern = _TORCHVISION[kind.__name__]
                    return [start + each for each, _ in part.named_modules() if re.fullmatch(pattern, each)]
    return []


def _check(name: str, named: Sequence[str], calls: dict[str, bool], layers: Sequence[str]) -> None:
    """Raises ConfigError if a stage cannot be one."""
    for stage in named:
        problem = None
        if stage not in calls:
            problem = "is not called in a forward pass"
        elif not calls[stage]:
            problem = "gives no tensor with a row for each image"
        elif layers and _is_in(layers[-1], stage):
            problem = "holds its head, before which stages must come"
        if problem is not None:
            raise ConfigError(
                f"The stage {shown(stage)} of the network {name} {problem}. Name other modules in `model.stages`."
            )


def _is_in(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _spread(names: Sequence[str]) -> tuple[str, ...]:
    """At most four of them, evenly spaced, the last one included."""
    wanted = min(MOST_STAGES, len(names))
    return tuple(names[math.ceil((i + 1) * len(names) / wanted) - 1] for i in range(wanted))
