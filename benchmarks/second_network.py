"""A network of another kind than the convolutions that are recorded: `second_network:perceptron`."""

from torch import Tensor, nn


class Perceptron(nn.Module):
    """Two residual layers of 128 units with batch normalisation, 43 thousand parameters for images of 8 pixels.

    Args:
        n_inputs: Numbers of an image.
        n_classes: Number of outputs.
    """

    def __init__(self, n_inputs: int, n_classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, 128), nn.BatchNorm1d(128), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(128, 128), nn.BatchNorm1d(128), nn.ReLU()) for _ in range(2)
        )
        self.classifier = nn.Linear(128, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [n, channels, h, w] to logits [n, classes]."""
        hidden = self.first(images)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        logits: Tensor = self.classifier(hidden)
        return logits


def perceptron(n_classes: int, in_channels: int) -> Perceptron:
    """The network for the digits, 8 x 8 pixels."""
    return Perceptron(64 * in_channels, n_classes)
