"""All-CNN (Springenberg et al., 2015) with batch normalisation, as used in the unlearning literature."""

from torch import Tensor, nn

from antisample.models.networks.padding import PadTo32


def _block(in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class AllCNN(nn.Module):
    """Convolutions only: strides take the place of pooling, an average over positions that of hidden layers.

    Images of 28 pixels are padded by 2 on each side, as published.

    Args:
        n_classes: Number of outputs, at least 1.
        in_channels: Channels of the input.
    """

    def __init__(self, n_classes: int, in_channels: int) -> None:
        super().__init__()
        self.pad = PadTo32()
        self.features = nn.Sequential(
            _block(in_channels, 96),
            _block(96, 96),
            _block(96, 192, stride=2),
            nn.Dropout(0.5),
            _block(192, 192),
            _block(192, 192),
            _block(192, 192, stride=2),
            nn.Dropout(0.5),
            _block(192, 192),
            _block(192, 192, kernel_size=1),
        )
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [n, channels, h, w] to logits [n, classes]."""
        logits: Tensor = self.classifier(self.features(self.pad(images)))
        return logits
