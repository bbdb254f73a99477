"""One network on trial: each thing that is done to networks, tried on three images."""

from collections.abc import Callable
from dataclasses import dataclass

import safetensors.torch
import torch
from torch import Tensor, nn

from antisample.checkpoints.checkpoint import Checkpoint, pack_checkpoint
from antisample.device import differentiable
from antisample.errors import ConfigError, in_one_line
from antisample.models.custom.network_state import buffer_shapes, contents, difference_in_use
from antisample.models.in_memory import is_in_memory
from antisample.models.kernels.arrange import optimised_for
from antisample.seeds import undisturbed
from antisample.training.adam import Adam

_TOLERANCE = 1e-3  # of the largest answer; more than other kernels make, less than another network does
_SIZES = tuple(dict.fromkeys((1, 2, 3, 4, 8, 16, 32, 64, 128, 10, 20, 50, 100, 256, 200, 250, *range(1, 129))))
_MOST_PIXELS = 2**25  # of the images that are shown in search of a number that a network takes


@dataclass(frozen=True)
class NetworkTrial:
    """Asks a network, trains it and has it saved, and says what is wrong with it.

    Attributes:
        name: What it is built by.
        images: Normalised, float32 [3, channels, h, w]; the network is used on their device.
        n_classes: Numbers that it has to give for each image.
        data: Name of the data set, for messages.
    """

    name: str
    images: Tensor
    n_classes: int
    data: str

    def refused(self, cause: str) -> ConfigError:
        """The error that names a cause."""
        return ConfigError(f"`model.name` {self.name!r} {cause}.")

    def built(self, build: Callable[[], nn.Module], seed: int) -> nn.Module:
        """A network whose random weights depend on the seed."""
        with undisturbed(self.images.device, seed):
            return build()

    def optimised_for(self, model: nn.Module) -> nn.Module:
        """The network as it will be used, on the images' device."""
        try:
            return optimised_for(model, self.name, self.images.shape[1:], self.images.device)
        except (Exception, SystemExit) as error:  # whatever a network of the user's may raise
            raise self.refused(f"cannot be used on {self.images.device}: {in_one_line(error)}") from error

    def predicted(self, model: nn.Module, count: int) -> Tensor:
        """Answers about the first images, as they are computed in an evaluation."""
        model.eval()
        with torch.inference_mode():
            logits = self.answers(model, count, "eval")
        if not torch.isfinite(logits).all():
            raise self.refused(f"gives non-finite outputs for the images of {self.data}")
        return logits.float()

    def answers(self, model: nn.Module, count: int, mode: str) -> Tensor:
        """What the network gives in the mode that it is in, of the shape that it must have."""
        images = self.images[:count].clone()  # a network may normalise them in place, as it may do with any batch
        try:
            logits = model(images)
        except (Exception, SystemExit) as error:  # whatever a network of the user's may raise
            raise self.refused(self._why_not(model, count, mode, in_one_line(error))) from error
        shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if shape != [count, self.n_classes]:
            wanted = f"logits [n, classes], here [{count}, {self.n_classes}]"
            problem = f"must return {wanted}, for the images of {self.data}, but returned {shape}"
            if count == 1 and shape == [self.n_classes]:
                problem = (
                    f"returns {shape} instead of {[1, self.n_classes]} for a single image, which the last batch of "
                    "an epoch may consist of; `squeeze()` without a dimension does that"
                )
            elif isinstance(logits, Tensor) and shape[:1] != [count]:
                problem = self._fixed_size(model, count) or problem
            raise self.refused(problem + (" in train mode" if mode == "train" else ""))
        if not logits.is_floating_point():
            raise self.refused(f"must return floating-point logits, but returned {logits.dtype}")
        return logits  # type: ignore[no-any-return]

    def step(self, model: nn.Module, optimizer: Adam, mode: str, count: int) -> None:
        """A step of a training, as `antisample.training.trainer.Trainer` does it."""
        before = contents(model)
        model.train(mode == "train")
        with differentiable(model):
            logits = self.answers(model, count, mode)
        if not logits.requires_grad:
            raise self.refused(
                f"gives logits without gradients in {mode} mode, in which it is trained: it computes them under "
                "`torch.no_grad` or `torch.inference_mode`, or detaches them"
            )
        labels = torch.arange(count, device=logits.device) % self.n_classes
        try:
            loss = nn.functional.cross_entropy(logits.to(self.images.dtype), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        except (Exception, SystemExit) as error:  # whatever a network of the user's may raise
            if problem := difference_in_use(before, contents(model)):
                raise self.refused(problem) from error
            raise self.refused(f"cannot be trained in {mode} mode: {in_one_line(error)}") from error
        gradients = [(key, value.grad) for key, value in model.named_parameters() if value.grad is not None]
        if not gradients:
            raise self.refused("gives logits that do not depend on its weights")
        sparse = next((key for key, gradient in gradients if gradient.is_sparse), None)
        if sparse is not None:
            raise self.refused(f"has sparse gradients, those of {sparse!r}, which Adam cannot use")
        try:
            optimizer.step()
        except Exception as error:  # types of weights that no kernel of torch's is made for
            raise self.refused(f"cannot be trained by Adam: {in_one_line(error)}") from error

    def repeatable(self, model: nn.Module) -> Tensor:
        """Answers about two images, the same each time."""
        with undisturbed(self.images.device, 1):
            answers = self.predicted(model, 2)
        before = buffer_shapes(model)
        with undisturbed(self.images.device, 1):
            again = self.predicted(model, 2)
        if problem := difference_in_use(before, buffer_shapes(model)):
            raise self.refused(problem)
        if not alike(again, answers):
            raise self.refused("gives different outputs for the same images in eval mode")
        with undisturbed(self.images.device, 2):
            again = self.predicted(model, 2)
        if not alike(again, answers):
            raise self.refused(
                "draws random numbers in eval mode, as dropout without `training=self.training` does, so its outputs "
                "differ each time"
            )
        return answers

    def reloaded(self, model: nn.Module, other: nn.Module) -> nn.Module:
        """The other network, on the device, with the weights of the first, which have been on disk as it were."""
        try:
            content = pack_checkpoint(Checkpoint(dict(model.state_dict())))
        except Exception as error:  # types that no file of weights can hold
            raise self.refused(f"cannot be saved: {in_one_line(error)}") from error
        try:
            other.load_state_dict(safetensors.torch.load(content))
        except Exception as error:  # whatever a network of the user's may raise
            raise self.refused(f"cannot load its own weights: {in_one_line(error)}") from error
        return other.to(self.images.device)

    def _why_not(self, model: nn.Module, count: int, mode: str, reason: str) -> str:
        """Why the network cannot take the images, by what it can take."""
        weights = next((value for value in model.parameters() if value.is_floating_point()), None)
        if weights is not None and weights.dtype != self.images.dtype:
            kind = str(weights.dtype).removeprefix("torch.")
            return (
                f"has weights in {kind}, but is given images in float32; call `.float()` where it is built ({reason})"
            )
        if (fixed := self._fixed_size(model, count)) is not None:
            return fixed
        if count == 1:
            return f"does not accept a single image, which the last batch of an epoch may consist of: {reason}"
        shape = [count, *self.images.shape[1:]]
        when = " in train mode" if mode == "train" else ""
        is_shape = any(word in reason for word in ("channel", "shape", "size"))
        hint = "; `data.image_size` resizes images, and `model.arguments` are passed to the builder"
        if is_in_memory(self.name):
            hint = "; images are [n, channels, height, width]"
        return f"does not accept the images of {self.data}, {shape}{when}: {reason}{hint if is_shape else ''}"

    def _fixed_size(self, model: nn.Module, count: int) -> str | None:
        """Says for which number of images a network was written that does not take this one; None if for none."""
        model.eval()
        left = _MOST_PIXELS
        for size in (count, *_SIZES):
            left -= size * self.images[0].numel()
            if left < 0:
                return None
            if self._takes(model, size):
                problem = f"accepts batches of {size} images but not of {count}; it must accept batches of any size"
                return None if size == count else f"{problem}; `view(len(images), -1)` works for all sizes"
        return None

    def _takes(self, model: nn.Module, count: int) -> bool:
        repeats = -(-count // len(self.images))
        images = self.images.repeat(repeats, 1, 1, 1)[:count]
        try:
            with torch.no_grad():
                answers = model(images)
        except (Exception, SystemExit):  # whatever a network of the user's may raise
            return False
        return isinstance(answers, Tensor) and list(answers.shape) == [count, self.n_classes]


def alike(answers: Tensor, others: Tensor) -> bool:
    """Whether two networks, or one of them twice, give the same answers but for rounding."""
    return bool((answers - others).abs().max() <= _TOLERANCE * others.abs().max().clamp_min(1e-6))


def gives_probabilities(answers: Tensor) -> bool:
    """Whether all rows are probabilities."""
    sums = answers.sum(dim=1)
    return bool((answers >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
