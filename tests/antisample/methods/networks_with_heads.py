"""Networks of 8 x 8 grey images that end in different ways."""

import torch
from torch import nn


class Biased(nn.Module):
    """A body and a head with a bias, and nothing behind it."""

    bias = True

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Linear(64, 32)
        self.head = nn.Linear(32, num_classes, bias=self.bias)

    def forward(self, images):
        return self.head(self.body(images.flatten(1)).relu())


class Biasless(Biased):
    bias = False


class LogSoftmax(Biased):
    def forward(self, images):
        return super().forward(images).log_softmax(1)


class Tempered(Biased):
    def forward(self, images):
        return super().forward(images) / 2.5


class Clamped(Biased):
    """What comes behind the head does not show on most images."""

    def forward(self, images):
        return super().forward(images).clamp(-50, 50)


class InPlace(Biased):
    """What comes behind the head changes the head's own output."""

    def forward(self, images):
        return super().forward(images).mul_(2.0)


class Shared(Biased):
    """Its head's weight is used before the head, too."""

    def forward(self, images):
        features = self.body(images.flatten(1)).relu()
        return self.head(features + (features @ self.head.weight.T @ self.head.weight) / 32)


class ByHand(nn.Module):
    """Its last weights belong to no layer."""

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Linear(64, 32)
        self.rows = nn.Parameter(torch.randn(num_classes, 32) / 6)

    def forward(self, images):
        return nn.functional.linear(self.body(images.flatten(1)).relu(), self.rows)


class Parametrised(Biased):
    """The weight of its head is computed anew each time."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        nn.utils.parametrizations.weight_norm(self.head)


class Averaged(nn.Module):
    """A 1x1 convolution with a bias gives the logits at every position."""

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Conv2d(1, 16, 3, padding=1)
        self.head = nn.Conv2d(16, num_classes, 1)

    def forward(self, images):
        return self.head(self.body(images).relu()).mean((2, 3))


class OnePosition(Averaged):
    def forward(self, images):
        return self.head(self.body(images).relu().mean((2, 3), keepdim=True)).flatten(1)


class TwoHeads(Biased):
    """The head that counts is called before another one."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.auxiliary = nn.Linear(32, num_classes)

    def forward(self, images):
        features = self.body(images.flatten(1)).relu()
        return {"logits": self.head(features), "auxiliary": self.auxiliary(features)}
