"""ResNet9, the small residual network common in the unlearning literature (after Page, DAWNBench 2018)."""

from torch import Tensor, nn

from antisample.models.networks.padding import PadTo32


def _block(in_channels: int, out_channels: int, *, pool: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class ResNet9(nn.Module):
    """Two plain and two residual stages, then one linear layer.

    Images of 28 pixels are padded by 2 on each side, as published. The last pooling takes the maximum over what
    is left of the image, which at 32 pixels is the published 4 x 4 pooling.

    Args:
        n_classes: Number of outputs, at least 1.
        in_channels: Channels of the input.
    """

    def __init__(self, n_classes: int, in_channels: int) -> None:
        super().__init__()
        self.pad = PadTo32()
        self.conv1 = _block(in_channels, 64)
        self.conv2 = _block(64, 128, pool=True)
        self.res1 = nn.Sequential(_block(128, 128), _block(128, 128))
        self.conv3 = _block(128, 256, pool=True)
        self.conv4 = _block(256, 512, pool=True)
        self.res2 = nn.Sequential(_block(512, 512), _block(512, 512))
        self.classifier = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(512, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [n, channels, h, w] to logits [n, classes]."""
        out = self.conv2(self.conv1(self.pad(images)))
        out = self.res1(out) + out
        out = self.conv4(self.conv3(out))
        out = self.res2(out) + out
        logits: Tensor = self.classifier(out)
        return logits
