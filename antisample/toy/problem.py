"""The paper's toy problem: a tiny network forgets one of four Gaussians in the plane, where one can see what happens.

Anti-sample against UNSIR, with the original and a retrained network as references. The published figures stand on one
seed, and the data behind them are not known; `ToyConfig` says what was chosen in their place.
"""

import copy
from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np
import torch
from torch import Tensor, nn

from antisample.data.loader import Normaliser, TrainingData
from antisample.errors import ConfigError
from antisample.generation.anti_samples import convex_combinations, draw_anti_samples
from antisample.generation.neighbours import farthest_points
from antisample.methods.unsir import impair_and_repair, optimise_noise
from antisample.seeds import derive, numpy_stream, torch_stream
from antisample.toy.types import Points, ToyConfig, ToyMetric, ToyNetwork, ToyOutcome, ToyResult, ToyRow
from antisample.training.trainer import Trainer, train_from_scratch
from antisample.types import Preprocessing

__all__ = ["Points", "ToyConfig", "ToyNetwork", "ToyOutcome", "ToyResult", "ToyRow", "run_toy", "summarise_toy"]

_CPU = torch.device("cpu")


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


def _row(network: ToyNetwork, metric: ToyMetric, values: list[float]) -> ToyRow:
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
        farthest_points(forget, retain, config.tail_randomized),
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
