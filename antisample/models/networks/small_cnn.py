"""A three-layer network for images of 8 to 32 pixels: a search over it takes minutes on two cores."""

from itertools import pairwise

from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Three convolutions with batch normalisation and one linear layer, 94 thousand parameters.

    Args:
        n_classes: Number of outputs, at least 1.
        in_channels: Channels of the input.
    """

    def __init__(self, n_classes: int, in_channels: int) -> None:
        super().__init__()
        widths = (in_channels, 32, 64, 128)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
            if after < widths[-1]:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [n, channels, h, w] to logits [n, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
