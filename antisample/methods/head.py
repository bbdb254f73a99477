"""Head distillation: the last layer alone is fitted, behind a frozen encoder (Jeon et al., arXiv 2405.17878)."""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from antisample.errors import DivergedError
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.editing import batches_at, example_images
from antisample.methods.finetune import retain_subset
from antisample.models.head import head_inputs, head_weights, needed_head
from antisample.seeds import numpy_stream, torch_stream
from antisample.training.adam import Adam


class HeadConfig(MethodConfig):
    """Configuration of the method `head`.

    Attributes:
        learning_rate: Of Adam.
        epochs: Passes over what the frozen encoder gives for the retain images, which is computed once.
        batch_size: Images per step.
        retain_fraction: Share of each retain class to fit on, in (0, 1].
    """

    name: Literal["head"] = "head"
    forgets_samples: ClassVar[bool] = False
    on_samples: ClassVar[str] = "fits the last layer to answers without whole classes"
    learning_rate: float = Field(default=1e-2, gt=0)
    epochs: int = Field(default=5, ge=1)
    batch_size: int = Field(default=128, ge=1)
    retain_fraction: float = Field(default=1.0, gt=0, le=1)


class HeadRun:
    """Fits the last layer of a network; the rest of it stays, bit by bit.

    Args:
        model: The network, whose last layer `weight` and `bias` are views of.
        weight: [classes, features].
        bias: [classes]; None for a layer without.
        features: What the layer is given, float32 [n, features].
        targets: The probabilities that it shall give, float32 [n, classes].
        config: How to fit.
        seed: Of the order.
    """

    def __init__(
        self,
        model: nn.Module,
        weight: Tensor,
        bias: Tensor | None,
        features: Tensor,
        targets: Tensor,
        config: HeadConfig,
        seed: int,
    ) -> None:
        self.model, self.features, self.targets = model, features, targets
        self.epochs, self.epochs_done = config.epochs, 0
        self._in_model = [each for each in (weight, bias) if each is not None]
        self._fitted = [each.float().clone().requires_grad_() for each in self._in_model]
        self._optimizer = Adam(self._fitted, config.learning_rate)
        self._batch_size, self._seed = config.batch_size, seed

    def run_epoch(self) -> float:
        """See `UnlearningRun.run_epoch`; the loss is the cross-entropy to the targets."""
        order = numpy_stream(self._seed, "order", self.epochs_done).permutation(len(self.features))
        total = torch.zeros((), device=self.features.device)
        for positions in torch.split(torch.from_numpy(order).to(self.features.device), self._batch_size):
            logits = nn.functional.linear(self.features[positions], *self._fitted)
            loss = nn.functional.cross_entropy(logits, self.targets[positions])
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            total += loss.detach() * len(positions)
        self.epochs_done += 1
        self._copy_to_model()
        mean = float(total) / len(self.features)
        if not np.isfinite(mean):
            raise DivergedError(f"The training loss of epoch {self.epochs_done} is {mean}; lower the learning rate.")
        return mean

    def state_dict(self) -> dict[str, Any]:
        """See `UnlearningRun.state_dict`."""
        return {
            "epochs_done": self.epochs_done,
            "fitted": [each.detach() for each in self._fitted],
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `UnlearningRun.load_state_dict`."""
        self.epochs_done = state["epochs_done"]
        with torch.no_grad():
            for own, kept in zip(self._fitted, state["fitted"], strict=True):
                own.copy_(kept)
        self._optimizer.load_state_dict(state["optimizer"])
        self._copy_to_model()

    def _copy_to_model(self) -> None:
        for own, fitted in zip(self._in_model, self._fitted, strict=True):
            own.copy_(fitted.detach())


class HeadDistillation:
    """Fits the last layer to what the original says of retain images when its forgotten logits are masked.

    The rows of the forgotten classes are drawn anew, as a fresh layer has them; the others start as they were. The
    layer learns from retain images alone never to answer a forgotten class, and the encoder keeps all it knew of it:
    what looks forgotten at the outputs need not be forgotten within.
    """

    config_type: ClassVar[type[MethodConfig]] = HeadConfig

    def prepare(self, context: UnlearnContext, config: HeadConfig) -> HeadRun:
        """See `UnlearningMethod.prepare`.

        Raises:
            ConfigError: If the network has no head.
        """
        dataset, forgotten = context.dataset, list(context.splits.forget_classes)
        model = context.original.build(dataset, context.device)
        head = needed_head(model, example_images(context), dataset.n_classes, config.name, context.original.name)
        features = head_inputs(model, head, batches_at(context, retain_subset(context, config.retain_fraction)))
        weight, bias = head_weights(head.layer(model))
        with torch.no_grad():
            logits = nn.functional.linear(features, weight.float(), None if bias is None else bias.float())
            logits[:, list(context.splits.gone_classes)] = -torch.inf
            targets = logits.softmax(dim=1)
            _draw_rows(weight, bias, forgotten, torch_stream(torch.device("cpu"), context.seed, "head"))
        return HeadRun(model, weight, bias, features, targets, config, context.seed)


def _draw_rows(weight: Tensor, bias: Tensor | None, rows: list[int], generator: torch.Generator) -> None:
    """Draws rows as torch's layers are initialised: uniformly within the root of the number of features, inverted."""
    bound = weight.shape[1] ** -0.5
    for part in (weight, bias):
        if part is not None:
            drawn = torch.empty(part[rows].shape).uniform_(-bound, bound, generator=generator)
            part[rows] = drawn.to(part)
