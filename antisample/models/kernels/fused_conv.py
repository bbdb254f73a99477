"""The same network, arranged for speed: what changes is how it is computed, never what.

Unlearning as published freezes batch normalisation (eval mode). A frozen normalisation is a factor and a summand a
channel, which the convolution before it can take into its own weight and bias: training then passes over each
activation two times less, and weights, gradients and state dictionary stay those of the network as it was built.
"""

import copy
from collections import Counter

import torch
from torch import Tensor, fx, nn

from antisample.models.kernels.activations import InPlaceReLU6
from antisample.models.kernels.depthwise_conv import depthwise_convolution
from antisample.models.kernels.patch_conv import patch_convolution
from antisample.models.kernels.tracing import trace

_USUAL_BATCH = 128
# Below, the ten or so short kernels that a weight is normalised by take longer than passing over the output.
_MIN_OUTPUTS_ON_GPUS = 2**22


class OptimisedConv2d(nn.Conv2d):
    """A Conv2d that does the work of the frozen normalisation behind it, and multiplies patches where that is faster.

    Attributes:
        max_positions: See `patch_convolution`; 0 always convolves.
        min_outputs: With fewer numbers in its output, it normalises these instead of its weight; on CPUs as many as
            the weight has.
        followers: The normalisation it takes in while that is frozen; empty or one. A tuple, because a module as an
            attribute would become a child.
    """

    max_positions: int = 0
    min_outputs: int = 0
    followers: tuple[nn.BatchNorm2d, ...] = ()

    def forward(self, images: Tensor) -> Tensor:
        """Maps [n, in channels, h, w] to [n, out channels, h', w']."""
        frozen = [norm for norm in self.followers if not norm.training]
        if self.min_outputs and frozen and self._outputs(images) < self.min_outputs:
            out = self._convolved(images, self.weight, self.bias)
            for norm in frozen:
                # On GPUs not by cuDNN, whose frozen normalisation in float32 takes ten times as long.
                statistics = (norm.running_mean, norm.running_var)
                out = torch.native_batch_norm(out, norm.weight, norm.bias, *statistics, False, 0.0, norm.eps)[0]
            return out
        weight, bias = self.weight, self.bias
        for norm in frozen:
            if norm.running_mean is not None and norm.running_var is not None:
                factor = (norm.running_var + norm.eps).rsqrt()
                factor = factor if norm.weight is None else norm.weight * factor
                mean = norm.running_mean if bias is None else norm.running_mean - bias
                bias = -mean * factor if norm.bias is None else norm.bias - mean * factor
                weight = weight * factor.view(-1, 1, 1, 1)
        return self._convolved(images, weight, bias)

    def _outputs(self, images: Tensor) -> int:
        """Numbers in the output, as if padded to keep the size; on CPUs of a usual batch.

        So what is predicted there does not depend on how many images are evaluated at once.
        """
        n = len(images) if images.is_cuda else _USUAL_BATCH
        positions = (images.shape[2] // self.stride[0]) * (images.shape[3] // self.stride[1])
        return n * self.out_channels * positions

    def _convolved(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor
        if self.groups > 1 and images.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):  # oneDNN takes several times longer in bfloat16
                out = self._convolved(images.float(), weight, bias)
            return out.to(torch.get_autocast_dtype("cpu"))
        if self.max_positions:
            by_hand = patch_convolution if self.groups == 1 else depthwise_convolution
            product = by_hand(images, weight, self, self.max_positions)
            if product is not None:
                return product if bias is None else product + bias.to(product.dtype).view(-1, 1, 1)
        out = self._conv_forward(images, weight, bias)
        return out


class AbsorbedBatchNorm2d(nn.BatchNorm2d):
    """A BatchNorm2d that, while frozen, leaves its work to the convolution before it."""

    def forward(self, images: Tensor) -> Tensor:
        """Maps [n, channels, h, w] to the same shape."""
        return super().forward(images) if self.training else images


def optimise_for(model: nn.Module, device: torch.device) -> nn.Module:
    """Arranges a network in place: channels last, frozen normalisations inside convolutions, and on CPUs patches.

    Args:
        model: Any network, in one mode throughout; parameters and their names stay.
        device: Where it runs.

    Returns:
        The same model.
    """
    model.to(memory_format=torch.channels_last)
    norms = _norms_behind_convolutions(model)
    convolutions: dict[nn.Module, OptimisedConv2d] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and _is_plain(child):
                convolutions[child] = _optimised(child)
                convolutions[child].max_positions = 4 if device.type == "cpu" else 0
                convolutions[child].min_outputs = (
                    child.weight.numel() if device.type == "cpu" else _MIN_OUTPUTS_ON_GPUS
                )
                setattr(parent, name, convolutions[child])
            elif type(child) is nn.ReLU6 and child.inplace and device.type == "cpu":
                setattr(parent, name, InPlaceReLU6(inplace=True).train(child.training))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in norms:
                absorbed = _absorbed(norms[child][0])
                convolutions[norms[child][1]].followers = (absorbed,)
                setattr(parent, name, absorbed)
    return model


def _norms_behind_convolutions(model: nn.Module) -> dict[nn.Module, tuple[nn.BatchNorm2d, nn.Conv2d]]:
    """Normalisations that alone take the output of a convolution, both called once, each with the convolution."""
    graph = trace(model)
    if graph is None:
        return {}
    nodes = list(graph.nodes)
    modules = {node: model.get_submodule(str(node.target)) for node in nodes if node.op == "call_module"}
    calls = Counter(modules.values())
    pairs: dict[nn.Module, tuple[nn.BatchNorm2d, nn.Conv2d]] = {}
    for node, norm in modules.items():
        source = node.args[0] if node.args else None
        conv = modules.get(source) if isinstance(source, fx.Node) else None
        if (
            type(norm) is nn.BatchNorm2d
            and isinstance(conv, nn.Conv2d)
            and _is_plain(conv)
            and isinstance(source, fx.Node)
            and len(source.users) == calls[norm] == calls[conv] == 1
            and norm.track_running_stats
        ):
            pairs[norm] = (norm, conv)
    return pairs


def _is_plain(conv: nn.Conv2d) -> bool:
    """Whether it is nothing but a convolution: no subclass, no hooks, no weight that is computed anew each time."""
    hooks = conv._forward_hooks or conv._forward_pre_hooks
    return type(conv) is nn.Conv2d and not hooks and isinstance(conv.weight, nn.Parameter)


def _optimised(conv: nn.Conv2d) -> OptimisedConv2d:
    made = OptimisedConv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        conv.padding,  # type: ignore[arg-type]
        conv.dilation,  # type: ignore[arg-type]
        conv.groups,
        conv.bias is not None,
        conv.padding_mode,
        device="meta",
    )
    made.weight, made.bias = conv.weight, conv.bias
    return made.train(conv.training)


def _absorbed(norm: nn.BatchNorm2d) -> AbsorbedBatchNorm2d:
    made = AbsorbedBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, device="meta")
    made._parameters, made._buffers = norm._parameters, norm._buffers
    return made.train(norm.training)


def absorbs_norms_outside(part: nn.Module) -> bool:
    """Whether a convolution in a part of an arranged network does the work of a normalisation outside of the part."""
    inside = set(part.modules())
    convolutions = [module for module in inside if isinstance(module, OptimisedConv2d)]
    return any(norm not in inside for convolution in convolutions for norm in convolution.followers)


def without_absorbed_norms(model: nn.Module) -> nn.Module:
    """A copy of an arranged network in which normalisations do their own work again, as in the network as built."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, OptimisedConv2d):
            module.followers = ()
        elif isinstance(module, AbsorbedBatchNorm2d):
            module.__class__ = nn.BatchNorm2d  # type: ignore[assignment]
    return copied
