"""The one training loop: pretraining, fine-tuning, unlearning and retraining all run through `Trainer`."""

import copy
import math
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from antisample.data.loader import TrainingData
from antisample.device import Precision, differentiable, mixed_precision
from antisample.errors import DivergedError
from antisample.seeds import derive
from antisample.storage.state_file import load_state, save_state
from antisample.training.adam import Adam
from antisample.training.augmentation import FlipShift
from antisample.training.cuda_graph import CudaGraphStep, can_be_captured
from antisample.training.distillation import BatchLoss
from antisample.training.learning_rate import Schedule
from antisample.training.malloc import keep_freed_memory
from antisample.training.sgd import Sgd
from antisample.validation.settings import Settings

BatchNormMode = Literal["eval", "train"]
Loss = Callable[[Tensor, Tensor], Tensor]
Augmentation = Callable[[Tensor, torch.Generator], Tensor]
EpochListener = Callable[[int, int, float], None]

_SAVE_EVERY_S = 20.0


class TrainingRecipe(Settings):
    """How a model is trained from scratch: AdamW with a one-cycle learning rate.

    Attributes:
        epochs: Passes over the data.
        batch_size: Images per step.
        max_learning_rate: Peak of the one-cycle schedule.
        weight_decay: Decoupled weight decay of AdamW.
        horizontal_flip: Whether to mirror a random half of each batch.
        max_shift: Largest random shift of a batch in each direction, in pixels, wrapping around.
        seed: Seed of initial weights, batch order and augmentation.
    """

    epochs: int = Field(default=12, ge=1)
    batch_size: int = Field(default=128, ge=2)
    max_learning_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    horizontal_flip: bool = False
    max_shift: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)


class Trainer:
    """Trains a model for a number of epochs, by default with cross-entropy.

    Every random draw depends on `seed` and the number of the epoch, so a run that continues from `state_dict` ends
    with the weights of one that never stopped. On a CPU the process keeps the memory it frees from now on
    (`antisample.training.malloc`).

    Args:
        model: Trained in place.
        optimizer: Over the model's parameters.
        data: What to train on.
        epochs: How many epochs `run_epoch` may be called, at least 1.
        batch_size: Images per step.
        seed: Seed of order, dropout and augmentation.
        mode: `eval` freezes batch-normalisation statistics and switches dropout off; `train` does not.
        schedule: Changes the learning rate of torch's optimisers after every step; constant if None.
        rates: The learning rate of every step of our own optimisers; constant if None.
        augment: Applied to the retain images of every batch.
        loss: Maps logits [b, classes], float32, and labels [b] to the mean loss of a batch. See `can_be_captured`.
        batch_loss: Instead of `loss`, where the loss depends on more than that.
        precision: Of the network's forward and backward pass.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | Adam | Sgd,
        data: TrainingData,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        mode: BatchNormMode,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
        rates: Schedule | None = None,
        augment: Augmentation | None = None,
        loss: Loss = nn.functional.cross_entropy,
        batch_loss: BatchLoss | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.model, self.optimizer, self.data = model, optimizer, data
        self.epochs, self.batch_size, self.seed, self.mode = epochs, batch_size, seed, mode
        self.augment, self.loss, self.batch_loss, self.precision = augment, loss, batch_loss, precision
        self.epochs_done = 0
        self.schedule, self.rates = schedule, rates
        self._generator = torch.Generator(data.images.device)
        if data.images.device.type == "cpu":
            keep_freed_memory()

    def run_epoch(self) -> float:
        """Trains one epoch.

        Returns:
            The mean loss over the epoch's images.

        Raises:
            DivergedError: If the loss is not finite; the model is then of no use.
        """
        epoch, device = self.epochs_done, self.data.images.device
        self.model.train(self.mode == "train")
        total = torch.zeros((), device=device)
        captured = self._captured
        self._generator.manual_seed(derive(self.seed, "augmentation", epoch))
        batches = torch.split(self.data.order(self.batch_size, self.seed, epoch), self.batch_size)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), differentiable(self.model):
            torch.manual_seed(derive(self.seed, "dropout", epoch))
            for step, positions in enumerate(batches, start=epoch * len(batches)):
                if self.mode == "train" and len(positions) == 1:
                    continue  # batch statistics of one image are undefined
                if self.rates is not None and isinstance(self.optimizer, Adam | Sgd):
                    self.optimizer.rate.set(self.rates.rate(step))
                loss = captured(self._step, positions) if captured else self._step(positions)
                total += loss * len(positions)
        self.epochs_done += 1
        if self.epochs_done == self.epochs:
            self.__dict__.pop("_captured", None)  # with the activations of a step
        mean = float(total) / len(self.data)
        if not math.isfinite(mean):
            raise DivergedError(f"The training loss of epoch {self.epochs_done} is {mean}; lower the learning rate.")
        return mean

    def _step(self, positions: Tensor) -> Tensor:
        """Trains on the batch at `positions` of the data and returns its loss, without waiting for the device."""
        inputs, labels = self.data.at(positions, self._augmented if self.augment is not None else None)
        with mixed_precision(inputs.device, self.precision):
            logits = self.model(inputs)
        loss = self._loss(inputs, logits.to(inputs.dtype), labels, positions)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return loss.detach()

    def _augmented(self, images: Tensor) -> Tensor:
        return images if self.augment is None else self.augment(images, self._generator)

    def _loss(self, inputs: Tensor, logits: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        if self.batch_loss is None:
            return self.loss(logits, labels)
        return self.batch_loss(inputs, logits, labels, self.data.is_retain(positions))

    @cached_property
    def _captured(self) -> CudaGraphStep | None:
        """The step as a CUDA graph, where it is the same operations every time."""
        fixed = self.schedule is None and isinstance(self.augment, FlipShift | None)
        loss = self.loss if self.batch_loss is None else self.batch_loss.__call__
        if self.data.images.device.type != "cuda" or not fixed or not can_be_captured(self.model, loss):
            return None
        if not isinstance(self.optimizer, Adam | Sgd):
            return None
        if self.rates is not None:
            self.optimizer.rate.keep_on(self.data.images.device)
        return CudaGraphStep(self.batch_size, self._generator)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue after the last finished epoch."""
        return {
            "epochs_done": self.epochs_done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule is not None else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state_dict` of a trainer that was built with the same arguments."""
        self.epochs_done = state["epochs_done"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])


def train_from_scratch(model: nn.Module, data: TrainingData, recipe: TrainingRecipe, seed: int) -> Trainer:
    """A trainer that follows `recipe`; `seed` stands in for the recipe's own."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.max_learning_rate, weight_decay=recipe.weight_decay, fused=True)
    steps = recipe.epochs * math.ceil(len(data) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.max_learning_rate, total_steps=steps)
    return Trainer(
        model,
        optimizer,
        data,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=seed,
        mode="train",
        schedule=schedule,
        augment=_augmentation(recipe),
    )


def train_resumably(trainer: Trainer, partial: Path, on_epoch: EpochListener | None = None) -> float:
    """Runs all epochs; a training that was interrupted continues after the last epoch it saved.

    Args:
        trainer: At epoch 0.
        partial: Where the state of an unfinished training is kept; gone at the end. The name has to tell trainings
            apart, since a state is taken up unseen.
        on_epoch: Called after each epoch with the epoch, their number and the mean loss.

    Returns:
        Seconds of training, those before an interruption included.

    Raises:
        DivergedError: If the loss is not finite.
    """
    elapsed_s = 0.0
    state = load_state(partial, trainer.data.labels.device)
    if state is not None:
        fresh = copy.deepcopy(trainer.state_dict())
        try:
            trainer.load_state_dict(state["trainer"])
            elapsed_s = state["elapsed_s"]
        except (RuntimeError, KeyError, TypeError, ValueError):
            trainer.load_state_dict(fresh)  # of another model: the training begins anew
    saved = time.perf_counter()
    while trainer.epochs_done < trainer.epochs:
        started = time.perf_counter()
        loss = trainer.run_epoch()
        elapsed_s += time.perf_counter() - started
        if on_epoch is not None:
            on_epoch(trainer.epochs_done, trainer.epochs, loss)
        if time.perf_counter() - saved >= _SAVE_EVERY_S and trainer.epochs_done < trainer.epochs:
            save_state(partial, {"trainer": trainer.state_dict(), "elapsed_s": elapsed_s})
            saved = time.perf_counter()
    partial.unlink(missing_ok=True)
    return elapsed_s


def _augmentation(recipe: TrainingRecipe) -> Augmentation | None:
    if not recipe.horizontal_flip and recipe.max_shift == 0:
        return None

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        if recipe.horizontal_flip:
            mirrored = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
            images = torch.where(mirrored, images.flip(-1), images)
        if recipe.max_shift:
            limits = (-recipe.max_shift, recipe.max_shift + 1)
            rows, columns = torch.randint(*limits, (2,), generator=generator, device=images.device).tolist()
            images = images.roll((rows, columns), (-2, -1))
        return images

    return augment
