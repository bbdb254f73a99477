"""The head of a network: the last layer with weights, whose outputs are the logits. It is found by a forward pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from antisample.errors import ConfigError
from antisample.models.masked_outputs import largest_logit

_TOLERANCE = 1e-4  # of the largest logit; other kernels round otherwise


@dataclass(frozen=True)
class Head:
    """The layer that gives the logits.

    Attributes:
        name: Of the module, with dots: `classifier.2`.
        has_bias: Whether it has one.
        is_output: Whether its output is the network's output, and nothing comes behind it.
        decides: Whether the softmax of the network's output is that of the layer's: what comes behind it, such as an
            average over positions or a log-softmax, changes no answer.
        is_shared: Whether another part of the network uses its weights.
    """

    name: str
    has_bias: bool
    is_output: bool
    decides: bool
    is_shared: bool

    def layer(self, model: nn.Module) -> nn.Linear | nn.Conv2d:
        """The layer in a network."""
        return model.get_submodule(self.name)  # type: ignore[return-value]


def find_head(model: nn.Module, images: Tensor, n_classes: int) -> Head | None:
    """Finds the head of a network, whoever wrote it: a linear layer, or a convolution of one pixel.

    Args:
        model: Maps images to logits; left as it is.
        images: A few, normalised, on the device of the model.
        n_classes: Number of logits.

    Returns:
        The layer; None if no layer of these kinds, called once, gives a number per class.
    """
    layers = {name: module for name, module in model.named_modules() if _may_be_head(module, n_classes)}
    calls: list[tuple[str, Tensor, Tensor]] = []

    def noting(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module
            calls.append((name, inputs[0].clone(), output.clone()))  # what comes behind may work in place

        return note

    hooks = [module.register_forward_hook(noting(name)) for name, module in layers.items()]
    try:
        with evaluating(model):
            logits = model(images.clone())
            made = list(calls)
            heads = [
                _described(name, layers[name], inputs, output, logits)
                for name, inputs, output in reversed(made)
                if [call[0] for call in made].count(name) == 1
            ]
            head = next((each for each in heads if each.decides), heads[0] if heads else None)
            if head is None:
                return None
            before = next(inputs for name, inputs, _ in made if name == head.name)
            return _with_sharing(head, model, images, before, calls)
    finally:
        for hook in hooks:
            hook.remove()


def needed_head(model: nn.Module, images: Tensor, n_classes: int, method: str, model_name: str) -> Head:
    """Finds the head for a method that edits it alone.

    Args:
        model: See `find_head`.
        images: Likewise.
        n_classes: Likewise.
        method: Of unlearning, for the message.
        model_name: Likewise.

    Raises:
        ConfigError: If there is none, if what comes behind it changes the answers, or if its weights are used
            elsewhere.
    """
    head = find_head(model, images, n_classes)
    start = f"The method {method!r} changes the last layer alone, but "
    if head is None:
        raise ConfigError(
            f"{start}no linear layer or 1x1 convolution of {model_name!r} gives one output per class, so it "
            "cannot be used with this network."
        )
    if not head.decides:
        raise ConfigError(
            f"{start}what follows the last layer of {model_name!r}, {head.name!r}, changes its logits, so "
            "it cannot be used with this network."
        )
    if head.is_shared:
        raise ConfigError(
            f"{start}{model_name!r} uses the weights of its last layer, {head.name!r}, in another place too, so it "
            "cannot be used with this network."
        )
    return head


def head_weights(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a head: [classes, features] and [classes], views of its parameters, outside autograd."""
    weight, bias = layer.get_parameter("weight").detach(), layer._parameters["bias"]
    flat = weight if weight.dim() == 2 else weight[:, :, 0, 0]
    return flat, None if bias is None else bias.detach()


def head_inputs(model: nn.Module, head: Head, batches: Iterable[Tensor]) -> Tensor:
    """What the head is given for images, averaged over positions: [n, features], float32, in eval mode.

    Its logits, averaged likewise, are `torch.nn.functional.linear` of it.

    Args:
        model: The network; left as it is.
        head: Its head.
        batches: Normalised images.
    """
    inputs: list[Tensor] = []
    layer = head.layer(model)
    hook = layer.register_forward_pre_hook(lambda module, given: inputs.append(_pooled(module, given[0]).float()))
    try:
        with evaluating(model):
            for images in batches:
                model(images)
    finally:
        hook.remove()
    return torch.cat(inputs)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block the model is in eval mode and nothing is noted for gradients."""
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(mode)


def _may_be_head(module: nn.Module, n_classes: int) -> bool:
    """Whether it is a layer of a head's kind and size, with a weight that is not computed anew each time."""
    if not isinstance(module, nn.Linear | nn.Conv2d) or "weight" not in module._parameters:
        return False
    if isinstance(module, nn.Conv2d):
        plain = set(module.kernel_size) == set(module.stride) == {1} and module.groups == 1
        return plain and module.padding in ((0, 0), "valid", "same") and module.weight.shape[0] == n_classes
    return module.weight.shape[0] == n_classes


def _described(name: str, layer: nn.Module, inputs: Tensor, output: Tensor, logits: Tensor) -> Head:
    weight, bias = head_weights(layer)
    expected = nn.functional.linear(_pooled(layer, inputs), weight, bias)
    flat = output.flatten(1)
    apart = (logits - expected) if logits.shape == expected.shape else None
    scale = _TOLERANCE * max(1.0, largest_logit(expected))
    decides = apart is not None and bool((apart - apart.mean(dim=1, keepdim=True)).abs().max() <= scale)
    is_output = decides and flat.shape == logits.shape and bool(torch.equal(flat, logits))
    return Head(name, bias is not None, is_output, decides, is_shared=False)


def _with_sharing(
    head: Head, model: nn.Module, images: Tensor, before: Tensor, calls: list[tuple[str, Tensor, Tensor]]
) -> Head:
    """Whether the layer is given something else as soon as its weights are others."""
    parameters = list(head.layer(model).parameters())
    kept = [parameter.detach().clone() for parameter in parameters]
    calls.clear()
    try:
        for parameter in parameters:
            parameter.zero_()
        model(images.clone())
    finally:
        for parameter, values in zip(parameters, kept, strict=True):
            parameter.copy_(values)
    after = next((inputs for name, inputs, _ in calls if name == head.name), None)
    same = after is not None and after.shape == before.shape and bool(torch.equal(after, before))
    return replace(head, is_shared=not same)


def _pooled(layer: nn.Module, inputs: Tensor) -> Tensor:
    """The inputs of a layer, averaged over positions: [n, features]."""
    if isinstance(layer, nn.Conv2d):
        return inputs.flatten(2).mean(dim=2) if inputs.dim() == 4 else inputs
    return inputs.flatten(1, -2).mean(dim=1) if inputs.dim() > 2 else inputs
