"""The paper's toy problem: a tiny network forgets one of four Gaussians in the plane, where one can see what happens.

Anti-sample against UNSIR, with the original and a retrained network as references. The published figures stand on one
seed, and the data behind them are not known; `ToyConfig` says what was chosen in their place.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from antisample.errors import ConfigError
from antisample.generate import convex_combinations, draw_anti_samples, farthest_neighbours
from antisample.loader import Normaliser, TrainingData
from antisample.methods.unsir import impair_and_repair, optimise_noise
from antisample.seeds import derive, numpy_stream, torch_stream
from antisample.train import Trainer, TrainingRecipe, train_from_scratch
from antisample.types import Preprocessing

ToyNetwork = Literal["original", "retrained", "antisample", "unsir"]

_CPU = torch.device("cpu")


class ToyConfig(BaseModel):
    """The toy problem. Hyperparameters of both methods are the published ones; layout, batch size and recipe are ours.

    The Gaussians stand on the corners of a square, 5.7 standard deviations apart, so that even the best classifier
    errs on 0.4 % of the points. They were fixed before either method was run.

    Attributes:
        centres: Mean of each class; the position is the label.
        std: Standard deviation of each class in both directions.
        points_a_class: Training points a class; as many test points are drawn afresh.
        hidden: Width of the hidden layer; published 5.
        forget_class: The class to forget; published 0.
        recipe: How the original and the retrained network are trained.
        batch_size: Points a step of both methods; 128 as in the published runs on images.
        local_variance: See `draw_anti_samples`; published 3.
        size_multiplier: See `draw_anti_samples`; published 5.
        p: See `draw_anti_samples`; published 0.5.
        eps: See `draw_anti_samples`; published 0.1.
        tail_randomized: See `farthest_neighbours`; published 150.
        no_generated_data: Anti-samples; published 80.
        epochs: Epochs on retain points and anti-samples; published 1.
        unlearn_lr: Learning rate of Adam in these epochs; published 0.3.
        noise_points: Noise points of UNSIR, each of which occurs once in an impairing epoch; published 256.
        noise_epochs: Rounds of learning the noise; published 50.
        noise_steps: Steps a round; published 8.
        noise_lr: Learning rate of Adam on the noise; published 0.1.
        noise_penalty: Weight of the mean squared norm, as UNSIR has it for images: 0.1.
        unsir_pairs: Pairs of one impairing and one repairing epoch; published 3.
        impair_lr: Learning rate of Adam in an impairing epoch; published 0.3.
        repair_lr: Learning rate of Adam in a repairing epoch; published 0.15.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    centres: tuple[tuple[float, float], ...] = ((-2, -2), (2, -2), (-2, 2), (2, 2))
    std: float = Field(default=0.7, gt=0)
    points_a_class: int = Field(default=200, ge=2)
    hidden: int = Field(default=5, ge=1)
    forget_class: int = Field(default=0, ge=0)
    recipe: TrainingRecipe = TrainingRecipe(epochs=40, batch_size=32, max_learning_rate=0.03, weight_decay=0.0)
    batch_size: int = Field(default=128, ge=2)
    local_variance: float = 3.0
    size_multiplier: int = 5
    p: float = 0.5
    eps: float = 0.1
    tail_randomized: int = 150
    no_generated_data: int = 80
    epochs: int = Field(default=1, ge=1)
    unlearn_lr: float = Field(default=0.3, gt=0)
    noise_points: int = Field(default=256, ge=1)
    noise_epochs: int = Field(default=50, ge=1)
    noise_steps: int = Field(default=8, ge=1)
    noise_lr: float = Field(default=0.1, gt=0)
    noise_penalty: float = Field(default=0.1, ge=0)
    unsir_pairs: int = Field(default=3, ge=1)
    impair_lr: float = Field(default=0.3, gt=0)
    repair_lr: float = Field(default=0.15, gt=0)


@dataclass(frozen=True)
class Points:
    """Labelled points.

    Attributes:
        points: float32, [n, 2].
        labels: int64, [n].
    """

    points: Tensor
    labels: Tensor


@dataclass(frozen=True)
class ToyOutcome:
    """One network and what it gets right on the test points.

    Attributes:
        model: In eval mode; maps float32 [n, 2] to logits [n, classes].
        retain_accuracy: On the test points of the classes to keep, in [0, 1].
        forget_accuracy: On those of the class to forget, in [0, 1].
    """

    model: nn.Module
    retain_accuracy: float
    forget_accuracy: float


@dataclass(frozen=True)
class ToyResult:
    """Everything that one seed gave.

    Attributes:
        seed: The seed.
        config: What was run.
        train: Points that networks were trained on, all classes.
        test: Fresh points, all classes.
        anti_samples: float32, [no_generated_data, 2].
        noise: UNSIR's, float32, [noise_points, 2].
        outcomes: By network.
    """

    seed: int
    config: ToyConfig
    train: Points
    test: Points
    anti_samples: Tensor
    noise: Tensor
    outcomes: dict[ToyNetwork, ToyOutcome]


@dataclass(frozen=True)
class ToyRow:
    """One accuracy of one network over seeds.

    Attributes:
        network: Which network.
        metric: `retain_accuracy` or `forget_accuracy`, on test points.
        seeds: How many seeds.
        mean: The mean, in [0, 1].
        std: Sample standard deviation; 0 for a single seed.
        min: The lowest.
        max: The highest.
    """

    network: ToyNetwork
    metric: Literal["retain_accuracy", "forget_accuracy"]
    seeds: int
    mean: float
    std: float
    min: float
    max: float


def run_toy(seed: int, config: ToyConfig | None = None) -> ToyResult:
    """Draws the points, trains the references and lets both methods forget.

    Args:
        seed: Of points, initial weights, orders and noise, at least 0.
        config: The published configuration by default.

    Returns:
        The same result for the same arguments.

    Raises:
        ConfigError: If the seed or a hyperparameter is out of its range.
        DivergedError: If a training loss is not finite.
    """
    config = config or ToyConfig()
    if seed < 0:
        raise ConfigError(f"`seed` must be at least 0, but got {seed}.")
    if config.forget_class >= len(config.centres):
        raise ConfigError(f"`forget_class` must be below {len(config.centres)}, but got {config.forget_class}.")
    train, test = (_draw_points(config, seed, part) for part in ("train", "test"))
    kept = train.labels != config.forget_class
    retain, forget = Points(train.points[kept], train.labels[kept]), train.points[~kept]
    original = _train(config, train, seed, "original")
    anti_samples = _anti_samples(config, forget, retain.points, seed)
    noise = optimise_noise(
        original,
        config.forget_class,
        (config.noise_points, 2),
        steps=config.noise_epochs * config.noise_steps,
        learning_rate=config.noise_lr,
        penalty=config.noise_penalty,
        generator=torch_stream(_CPU, seed, "noise"),
    )
    models: dict[ToyNetwork, nn.Module] = {
        "original": original,
        "retrained": _train(config, retain, seed, "retrained"),
        "antisample": _fine_tune(config, original, _joined(retain, anti_samples, config.forget_class), seed),
        "unsir": _unsir(config, original, retain, noise, seed),
    }
    outcomes = {name: _judge(model, test, config.forget_class) for name, model in models.items()}
    return ToyResult(seed, config, train, test, anti_samples, noise, outcomes)


def summarise_toy(results: Sequence[ToyResult]) -> list[ToyRow]:
    """Mean and spread over seeds.

    Args:
        results: One for each seed, at least one.

    Returns:
        Two rows for each network, retain accuracy first.

    Raises:
        ConfigError: If there is no result.
    """
    if not results:
        raise ConfigError("`results` must hold at least 1 result, but got 0.")
    rows = []
    for network in results[0].outcomes:
        outcomes = [result.outcomes[network] for result in results]
        rows += [
            _row(network, "retain_accuracy", [outcome.retain_accuracy for outcome in outcomes]),
            _row(network, "forget_accuracy", [outcome.forget_accuracy for outcome in outcomes]),
        ]
    return rows


def _row(network: ToyNetwork, metric: Literal["retain_accuracy", "forget_accuracy"], values: list[float]) -> ToyRow:
    std = stdev(values) if len(values) > 1 else 0.0
    return ToyRow(network, metric, len(values), mean(values), std, min(values), max(values))


def _draw_points(config: ToyConfig, seed: int, part: str) -> Points:
    labels = np.repeat(np.arange(len(config.centres)), config.points_a_class)
    noise = numpy_stream(seed, "toy points", part).normal(scale=config.std, size=(len(labels), 2))
    return Points(torch.from_numpy(np.array(config.centres)[labels] + noise).float(), torch.from_numpy(labels))


def _train(config: ToyConfig, points: Points, seed: int, purpose: str) -> nn.Module:
    """A network trained from fresh weights, frozen and in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, purpose, "initial weights"))
        model = nn.Sequential(nn.Linear(2, config.hidden), nn.ReLU(), nn.Linear(config.hidden, len(config.centres)))
    return _run(train_from_scratch(model, _training_data(points), config.recipe, derive(seed, purpose)))


def _anti_samples(config: ToyConfig, forget: Tensor, retain: Tensor, seed: int) -> Tensor:
    generator = torch_stream(_CPU, seed, "anti-samples")
    samples = draw_anti_samples(
        forget,
        retain,
        farthest_neighbours(forget, retain, config.tail_randomized, _identity),
        local_variance=config.local_variance,
        size_multiplier=config.size_multiplier,
        p=config.p,
        eps=config.eps,
        normalise=_identity,
        generator=generator,
    )
    return convex_combinations(samples, config.no_generated_data, 1.0, generator)


def _fine_tune(config: ToyConfig, original: nn.Module, points: Points, seed: int) -> nn.Module:
    model = _thawed(original)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.unlearn_lr)
    data, order = _training_data(points), derive(seed, "fine-tuning")
    return _run(
        Trainer(model, optimizer, data, epochs=config.epochs, batch_size=config.batch_size, seed=order, mode="eval")
    )


def _unsir(config: ToyConfig, original: nn.Module, retain: Points, noise: Tensor, seed: int) -> nn.Module:
    model = _thawed(original)
    for pair in range(config.unsir_pairs):
        for trainer in impair_and_repair(
            model,
            _training_data(_joined(retain, noise, config.forget_class)),
            _training_data(retain),
            impair_lr=config.impair_lr,
            repair_lr=config.repair_lr,
            batch_size=config.batch_size,
            seed=derive(seed, "unsir", pair),
            mode="train",
        ):
            trainer.run_epoch()
    return model.eval().requires_grad_(False)


def _run(trainer: Trainer) -> nn.Module:
    for _ in range(trainer.epochs):
        trainer.run_epoch()
    return trainer.model.eval().requires_grad_(False)


def _thawed(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).requires_grad_(True)


def _joined(retain: Points, generated: Tensor, label: int) -> Points:
    labels = retain.labels.new_full((len(generated),), label)
    return Points(torch.cat([retain.points, generated]), torch.cat([retain.labels, labels]))


def _training_data(points: Points) -> TrainingData:
    """Points are already in the network's space: no pixels, nothing to normalise."""
    unused = Normaliser(Preprocessing((0.0,), (1.0,)), _CPU)
    no_pixels, no_labels = torch.empty(0, 2, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)
    return TrainingData(no_pixels, no_labels, unused, points.points, points.labels)


def _judge(model: nn.Module, test: Points, forget_class: int) -> ToyOutcome:
    with torch.inference_mode():
        right = (model(test.points).argmax(dim=1) == test.labels).double()
    forget = test.labels == forget_class
    return ToyOutcome(model, float(right[~forget].mean()), float(right[forget].mean()))


def _identity(points: Tensor) -> Tensor:
    return points
