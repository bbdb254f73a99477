"""Torchvision's ImageNet weights: found in torch hub's cache or downloaded into it, and compared with their sum."""

import hashlib
from importlib import import_module
from pathlib import Path
from urllib.request import urlopen

import torch

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write

IMAGENET_MODELS = ("ResNet18", "MobileNet_v2")
"""Models whose layout is that of torchvision's published weights."""

_TIMEOUT_S = 10.0  # for each answer of the server, not for the whole file


def has_imagenet_weights(model_name: str) -> bool:
    """Whether the model is one of `IMAGENET_MODELS`, whatever the case of its name."""
    return model_name.lower() in (name.lower() for name in IMAGENET_MODELS)


def imagenet_url(model_name: str) -> str:
    """Where torchvision publishes the IMAGENET1K_V1 weights of one of `IMAGENET_MODELS`."""
    # Here, because importing torchvision's models takes seconds that random weights need not wait for.
    weights = import_module("torchvision.models").get_model_weights(model_name.lower())
    return str(weights.IMAGENET1K_V1.url)


def fetch_weights(url: str) -> Path:
    """Finds a published file in torch hub's cache, or downloads it into it.

    torch.hub's own function would print to standard output, wait for ever for a silent server, and trust whatever
    lies in the cache.

    Args:
        url: Its address; the name ends in the first digits of the SHA-256 sum, as in `resnet18-f37072fd.pth`.

    Returns:
        Where the file lies; it has the sum that its name tells.

    Raises:
        OSError: If it cannot be downloaded, or something else was received.
        http.client.HTTPException: If the connection ended early.
        DataError: If the file in the cache has another sum, or cannot be written.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    expected = path.stem.rpartition("-")[2]
    if path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[: len(expected)]
        if digest != expected:
            raise DataError(
                f"{path}: the SHA-256 sum of torchvision's weights must begin with {expected}, but got {digest}; "
                "remove the file to download it again."
            )
        return path
    with urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - an address that torchvision names
        content = response.read()
    digest = hashlib.sha256(content).hexdigest()[: len(expected)]
    if digest != expected:
        raise OSError(f"the SHA-256 sum of what was received begins with {digest}, not with {expected}")
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(content)
    return path
