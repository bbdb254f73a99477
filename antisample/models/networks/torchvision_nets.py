"""torchvision's ResNet18 and MobileNet_v2, trained from scratch, for colour or grey images."""

from importlib import import_module
from types import ModuleType

from torch import nn


def resnet18(n_classes: int, in_channels: int) -> nn.Module:
    """Torchvision's resnet18; for grey images the first convolution takes one channel."""
    model: nn.Module = _torchvision_models().resnet18(num_classes=n_classes)
    if in_channels != 3:
        model.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return model


def mobilenet_v2(n_classes: int, in_channels: int) -> nn.Module:
    """Torchvision's mobilenet_v2; for grey images the first convolution takes one channel."""
    model: nn.Module = _torchvision_models().mobilenet_v2(num_classes=n_classes)
    if in_channels != 3:
        stem: nn.Sequential = model.get_submodule("features.0")  # type: ignore[assignment]
        stem[0] = nn.Conv2d(in_channels, 32, kernel_size=3, stride=2, padding=1, bias=False)
    return model


def _torchvision_models() -> ModuleType:
    """Torchvision loads torch's compiler, which takes seconds that no other model has to wait for."""
    return import_module("torchvision.models")
