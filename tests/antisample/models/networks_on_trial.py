"""Networks as people write them, of 8 x 8 grey images; `test_suitability.py` says which of them can be used."""

import collections
import dataclasses
import functools
import random

import torch
from torch import nn
from torch.nn.functional import dropout
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

Outputs = collections.namedtuple("Outputs", "logits aux_logits")


@dataclasses.dataclass
class Result:
    loss: object
    logits: torch.Tensor


class Plain(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Linear(64, 32)
        self.head = nn.Linear(32, num_classes)

    def features(self, images):
        return self.body(images.flatten(1)).relu()

    def forward(self, images):
        return self.head(self.features(images))


class Lazy(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.norm, self.head = nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.LazyLinear(num_classes)

    def forward(self, images):
        return self.head(self.norm(self.conv(images)).relu().flatten(1))


class LazyAuxiliary(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body = nn.LazyLinear(32)
        self.auxiliary = nn.Sequential(nn.LazyLinear(16), nn.LazyBatchNorm1d(), nn.Linear(16, num_classes))

    def forward(self, images):
        features = self.features(images)
        logits = self.head(features)
        return (logits, self.auxiliary(features)) if self.training else logits


class LazyUnused(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.unused = nn.LazyLinear(3)


class Auxiliary(Plain):
    def forward(self, images):
        logits = super().forward(images)
        return Outputs(logits, 2 * logits) if self.training else logits


class Answer(Plain):
    def forward(self, images):
        return Result(None, super().forward(images))


class Mapped(Plain):
    def forward(self, images):
        return {"features": images, "logits": super().forward(images)}


class Listed(Plain):
    def forward(self, images):
        return [super().forward(images), images]


class Nested(Plain):
    def forward(self, images):
        return ((super().forward(images), images), images)


class FeaturesFirst(Plain):
    def forward(self, images):
        features = self.features(images)
        return features, self.head(features)


class GivesNothing(Plain):
    def forward(self, images):
        super().forward(images)


class PartlyFrozen(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body.requires_grad_(False)


class FixedFeatures(PartlyFrozen):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        state = torch.Generator().manual_seed(5)
        with torch.no_grad():
            self.body.weight.copy_(torch.randn(32, 64, generator=state) / 8)
            self.body.bias.zero_()


class FrozenInteger(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.count = nn.Parameter(torch.tensor(3), requires_grad=False)


def frozen(num_classes):
    return Plain(num_classes).requires_grad_(False)


class Parameterless(nn.Module):
    def forward(self, images):
        return images.flatten(1)[:, :10]


class WithoutGradients(Plain):
    @torch.no_grad()
    def forward(self, images):
        return super().forward(images)


class Inferring(Plain):
    def forward(self, images):
        with torch.inference_mode():
            return super().forward(images)


class Detached(Plain):
    def forward(self, images):
        return super().forward(images).detach()


class GradientsInTraining(Plain):
    def forward(self, images):
        with torch.set_grad_enabled(self.training):
            return super().forward(images)


class BackboneWithoutGradients(Plain):
    def features(self, images):
        with torch.no_grad():
            return super().features(images)


class Fixed32(Plain):
    def forward(self, images):
        return self.head(self.body(images.view(32, -1)))


class Fixed2(Plain):
    def forward(self, images):
        return self.head(self.body(images.view(2, -1)))


class FixedOutput(Plain):
    def forward(self, images):
        return super().forward(images).reshape(64, -1)


class Squeezing(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, num_classes, 8)

    def forward(self, images):
        return self.conv(images).squeeze()


class Bank(Plain):
    def __init__(self, num_classes, persistent=True):
        super().__init__(num_classes)
        self.register_buffer("bank", torch.zeros(0, 32), persistent)

    def forward(self, images):
        features = self.features(images)
        self.bank = torch.cat([self.bank, features.detach()])
        return self.head(features)


class BankWithGradients(Bank):
    def forward(self, images):
        features = self.features(images)
        self.bank = torch.cat([self.bank, features])
        return self.head(features + self.bank.mean(0))


class BankInTraining(Bank):
    def forward(self, images):
        return super().forward(images) if self.training else Plain.forward(self, images)


class UnsavedBank(Bank):
    def __init__(self, num_classes):
        super().__init__(num_classes, persistent=False)


class UnsavedBankInTraining(UnsavedBank):
    def forward(self, images):
        return super().forward(images) if self.training else Plain.forward(self, images)


class NormalisingInPlace(Plain):
    def forward(self, images):
        return super().forward(images.sub_(0.1).div_(0.5))


class Exiting(Plain):
    def forward(self, images):
        raise SystemExit(len(images) + 1)


class ExitingInTraining(Plain):
    def forward(self, images):
        if self.training:
            raise SystemExit("not for training")
        return super().forward(images)


class NewBuffers(Plain):
    def forward(self, images):
        features = self.features(images)
        self.register_buffer(f"kept{len(list(self.buffers()))}", features.detach())
        return self.head(features)


class TensorState(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.temperature = 2.0

    def get_extra_state(self):
        return torch.tensor(self.temperature)

    def set_extra_state(self, state):
        self.temperature = float(state)

    def forward(self, images):
        return self.temperature * super().forward(images)


class OtherState(TensorState):
    def get_extra_state(self):
        return {"temperature": self.temperature}


class StateOneWay(Plain):
    def get_extra_state(self):
        return torch.tensor(1.0)


class HeadOnly(Plain):
    def state_dict(self, *arguments, **named):
        return {key: value for key, value in super().state_dict(*arguments, **named).items() if "head" in key}


class ComplexBuffer(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("phases", torch.ones(32, dtype=torch.complex64))

    def features(self, images):
        return (self.body(images.flatten(1)) * self.phases).abs()


class Complex(ComplexBuffer):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.phases = nn.Parameter(self._buffers.pop("phases"))


def script(num_classes):
    return torch.jit.script(Plain(num_classes))


class ScriptedPart(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body = torch.jit.script(self.body)


def quantised(num_classes):
    return torch.ao.quantization.quantize_dynamic(Plain(num_classes), {nn.Linear}, dtype=torch.qint8)


def doubled(num_classes):
    return Plain(num_classes).double()


def halved(num_classes):
    return Plain(num_classes).half()


class Bfloat16(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.bfloat16()

    def forward(self, images):
        return super().forward(images.bfloat16())


class Double(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.double()

    def forward(self, images):
        return super().forward(images.double())


class Probabilities(Plain):
    def forward(self, images):
        return super().forward(images).softmax(dim=1)


class NotFinite(Plain):
    def forward(self, images):
        return super().forward(images) / 0


class Seven(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes - 3)


class Map(nn.Module):
    def __init__(self, num_classes, channels=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, num_classes, 8)

    def forward(self, images):
        return self.conv(images)


class Integers(Plain):
    def forward(self, images):
        return super().forward(images).long()


class Colour(Map):
    def __init__(self, num_classes):
        super().__init__(num_classes, 3)


class Large(nn.Sequential):
    def __init__(self, num_classes):
        super().__init__(nn.Flatten(), nn.Linear(784, num_classes))


class TwoInputs(Plain):
    def forward(self, images, other):
        return super().forward(images + other)


class RandomWidth(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        width = random.randint(10, 10_000)
        self.first, self.second = nn.Linear(64, width), nn.Linear(width, num_classes)

    def forward(self, images):
        return self.second(self.first(images.flatten(1)))


class InAList(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.layers = [nn.Linear(64, 64)]

    def forward(self, images):
        return super().forward(self.layers[0](images.flatten(1)))


class Counter(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.passes = 0

    def forward(self, images):
        self.passes += 1
        return super().forward(images) * self.passes


class CounterInTraining(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.passes = 1

    def forward(self, images):
        self.passes += self.training
        return super().forward(images) * self.passes


class Counting(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("passes", torch.tensor(0))

    def forward(self, images):
        self.passes = self.passes + 1
        return super().forward(images)


class RunningMean(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("mean", torch.zeros(32))

    def features(self, images):
        features = super().features(images)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * features.detach().mean(0)
        return features - self.mean


class AlwaysDropping(Plain):
    def features(self, images):
        return dropout(super().features(images))


class Dropping(Plain):
    def features(self, images):
        return dropout(super().features(images), training=self.training)


class Sparse(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.embed, self.head = nn.Embedding(256, 8, sparse=True), nn.Linear(512, num_classes)

    def forward(self, images):
        return self.head(self.embed(images.abs().mul(10).long().clamp(0, 255)).flatten(1))


class Unused(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.unused = nn.Linear(3, 3)


class WeightNorm(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body = weight_norm(self.body)


class SpectralNorm(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body = spectral_norm(self.body)


class Parametrized(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body = parametrizations.weight_norm(self.body)


def parallel(num_classes):
    return nn.DataParallel(Plain(num_classes))


class Tied(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
        self.second.weight = self.first.weight

    def forward(self, images):
        return super().forward(self.second(self.first(images.flatten(1)).relu()))


class Transposed(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body.weight = nn.Parameter(torch.randn(64, 32).div(8).t())


class Expanded(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("shift", torch.zeros(1).expand(32))


def on_gpu(num_classes):
    return Plain(num_classes).cuda()


class ImagesToGpu(Plain):
    def forward(self, images):
        return super().forward(images.cuda())


def meta(num_classes):
    with torch.device("meta"):
        return Plain(num_classes)


ONE, MEAN = Plain(10), torch.zeros(1)
PART, STATISTICS = nn.Linear(64, 64), nn.BatchNorm1d(64, affine=False)


def same(num_classes):
    return ONE


@functools.cache
def cached(num_classes):
    return Plain(num_classes)


class SharedPart(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.shared = PART

    def forward(self, images):
        return super().forward(self.shared(images.flatten(1)))


class SharedStatistics(SharedPart):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.shared = STATISTICS


class SharedConstant(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("mean", MEAN)

    def forward(self, images):
        return super().forward(images - self.mean)


class TrainsWithoutReturning(Plain):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.norm = nn.BatchNorm1d(32)

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()

    def features(self, images):
        return self.norm(super().features(images))


class NoEvalMode(Plain):
    def train(self, mode=True):
        if not mode:
            raise NotImplementedError("no eval mode")
        return super().train(mode)


class OneByOne(nn.Sequential):
    def __init__(self, num_classes):
        layers = nn.Conv2d(1, 16, 8), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(16, num_classes)
        super().__init__(*layers)


class ViewInTraining(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3), nn.Linear(288, num_classes)

    def forward(self, images):
        features = self.conv(images)
        return self.head(features.view(len(images), -1) if self.training else features.flatten(1))


class Closure(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3), nn.Linear(288, num_classes)
        self.features = lambda images: self.conv(images).relu()

    def forward(self, images):
        return self.head(self.features(images).flatten(1))


class HookOnItself(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3), nn.Linear(288, num_classes)
        self.conv.register_forward_hook(lambda *call: setattr(self, "kept", call[2]))

    def forward(self, images):
        self.conv(images)
        return self.head(self.kept.flatten(1))


class Recurrent(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.rows, self.head = nn.GRU(8, 32, batch_first=True), nn.Linear(32, num_classes)

    def forward(self, images):
        return self.head(self.rows(images.squeeze(1))[0][:, -1])


class InPlace(Plain):
    def features(self, images):
        return self.body(images.flatten(1)).sigmoid().add_(1).exp().mul_(2)
