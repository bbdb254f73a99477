"""UNSIR (Tarun et al., IEEE TNNLS 2023): learn noise that the network finds least like the class, impair, repair."""

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from antisample.data.loader import TrainingData, to_device
from antisample.device import Precision, differentiable
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.finetune import retain_subset
from antisample.seeds import derive, torch_stream
from antisample.training.adam import Adam
from antisample.training.trainer import BatchNormMode, Trainer


class UnsirConfig(MethodConfig):
    """Configuration of the method `unsir`; the defaults are the published values.

    Attributes:
        noise_images: Noise images learned per forgotten class; published 256.
        noise_epochs: Rounds of learning the noise; published 5.
        noise_steps: Steps per round; published 8.
        noise_lr: Learning rate of Adam on the noise; published 0.1.
        noise_penalty: Weight of the noise images' mean squared norm; published 0.1.
        noise_copies: How often each noise image occurs in the impairing epoch; published 20.
        impair_lr: Learning rate of Adam in the epoch on noise and retain images; published 0.02.
        repair_lr: Learning rate of Adam in the epoch on retain images only; published 0.01.
        batch_size: Images per step; published 256.
        retain_fraction: Share of each retain class to train on, in (0, 1].
        batchnorm_mode: `train` is published; `eval` freezes batch-normalisation statistics.
    """

    name: Literal["unsir"] = "unsir"
    forgets_samples: ClassVar[bool] = False  # its noise drives out a class as a whole
    noise_images: int = Field(default=256, ge=1)
    noise_epochs: int = Field(default=5, ge=1)
    noise_steps: int = Field(default=8, ge=1)
    noise_lr: float = Field(default=0.1, gt=0)
    noise_penalty: float = Field(default=0.1, ge=0)
    noise_copies: int = Field(default=20, ge=1)
    impair_lr: float = Field(default=0.02, gt=0)
    repair_lr: float = Field(default=0.01, gt=0)
    batch_size: int = Field(default=256, ge=2)
    retain_fraction: float = Field(default=1.0, gt=0, le=1)
    batchnorm_mode: BatchNormMode = "train"


class UnsirRun:
    """Two epochs, impair and repair, each with an optimizer of its own.

    Args:
        model: Trained in place.
        stages: A trainer of one epoch each, over the same model.
    """

    def __init__(self, model: nn.Module, stages: list[Trainer]) -> None:
        self.model, self.stages = model, stages
        self.epochs, self.epochs_done = len(stages), 0

    def run_epoch(self) -> float:
        """See `UnlearningRun.run_epoch`."""
        loss = self.stages[self.epochs_done].run_epoch()
        self.epochs_done += 1
        return loss

    def state_dict(self) -> dict[str, Any]:
        """See `UnlearningRun.state_dict`; between the epochs there is nothing but the weights."""
        return {"epochs_done": self.epochs_done, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `UnlearningRun.load_state_dict`."""
        self.epochs_done = state["epochs_done"]
        self.model.load_state_dict(state["model"])


class Unsir:
    """Noise that maximises the loss of a class, labelled with that class, overwrites what the network knew of it."""

    config_type: ClassVar[type[MethodConfig]] = UnsirConfig

    def prepare(self, context: UnlearnContext, config: UnsirConfig) -> UnsirRun:
        """See `UnlearningMethod.prepare`."""
        images, labels = to_device(
            context.dataset.train, retain_subset(context, config.retain_fraction), context.device
        )
        classes = context.splits.forget_classes
        noise = [learn_noise(context, config, label).repeat(config.noise_copies, 1, 1, 1) for label in classes]
        noise_labels = [labels.new_full((len(n),), c) for n, c in zip(noise, classes, strict=True)]
        impair = TrainingData(images, labels, context.normaliser(), torch.cat(noise), torch.cat(noise_labels))
        repair = TrainingData(images, labels, context.normaliser())
        model = context.original.build(context.dataset, context.device)
        stages = impair_and_repair(
            model,
            impair,
            repair,
            impair_lr=config.impair_lr,
            repair_lr=config.repair_lr,
            batch_size=config.batch_size,
            seed=context.seed,
            mode=config.batchnorm_mode,
            precision=context.precision,
        )
        return UnsirRun(model, stages)


def learn_noise(context: UnlearnContext, config: UnsirConfig, label: int) -> Tensor:
    """Learns images that the original model, in eval mode, is least ready to call `label`.

    Args:
        context: Model, device and seed.
        config: How long and how fast.
        label: The class to forget.

    Returns:
        float32, [noise_images, c, h, w], normalised; it minimises noise_penalty x mean squared norm - cross-entropy.
    """
    model = context.original.build(context.dataset, context.device).requires_grad_(False)
    model.eval()
    return optimise_noise(
        model,
        label,
        (config.noise_images, *context.dataset.train.images.shape[1:]),
        steps=config.noise_epochs * config.noise_steps,
        learning_rate=config.noise_lr,
        penalty=config.noise_penalty,
        generator=torch_stream(context.device, context.seed, "noise", label),
    )


def optimise_noise(
    model: nn.Module,
    label: int,
    shape: tuple[int, ...],
    *,
    steps: int,
    learning_rate: float,
    penalty: float,
    generator: torch.Generator,
) -> Tensor:
    """Moves standard normal noise to where a network is least ready to call it `label`.

    Args:
        model: The network; it should be in eval mode with frozen weights, and is not changed.
        label: The class to forget.
        shape: Shape of the noise, [n, ...], as the network takes it.
        steps: Steps of Adam, at least 0.
        learning_rate: Of Adam, larger than 0.
        penalty: Weight of the mean squared norm, at least 0; 0 lets the noise run off as far as the steps reach.
        generator: On the device of the model.

    Returns:
        float32, `shape`; the loss is penalty x mean squared norm - cross-entropy, both means over the n rows.
    """
    noise = torch.randn(shape, generator=generator, device=generator.device).requires_grad_()
    optimizer = Adam([noise], learning_rate)
    labels = torch.full((shape[0],), label, device=generator.device)
    for _ in range(steps):
        norm = noise.square().flatten(1).sum(dim=1).mean()
        with differentiable(model):
            loss = penalty * norm - nn.functional.cross_entropy(model(noise.clone()), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return noise.detach()


def impair_and_repair(
    model: nn.Module,
    impair: TrainingData,
    repair: TrainingData,
    *,
    impair_lr: float,
    repair_lr: float,
    batch_size: int,
    seed: int,
    mode: BatchNormMode,
    precision: Precision = "float32",
) -> list[Trainer]:
    """One epoch on noise and retain data, then one on retain data alone; each has an Adam of its own.

    Args:
        model: Trained in place, first by the one trainer and then by the other.
        impair: Retain data and noise labelled with the class to forget.
        repair: Retain data.
        impair_lr: Learning rate of the first epoch.
        repair_lr: Learning rate of the second.
        batch_size: Rows a step.
        seed: Seed of both orders.
        mode: Whether batch-normalisation statistics are frozen, `eval`, or not.
        precision: Of the training.

    Returns:
        The two trainers, at epoch 0.
    """
    return [
        Trainer(
            model,
            Adam(model.parameters(), learning_rate),
            data,
            epochs=1,
            batch_size=batch_size,
            seed=derive(seed, stage),
            mode=mode,
            precision=precision,
        )
        for stage, learning_rate, data in (("impair", impair_lr, impair), ("repair", repair_lr, repair))
    ]
