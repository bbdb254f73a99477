"""What is the case beside a card: its files, data and original model, read, and every figure measured again."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antisample.checkpoints.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_weights,
    weights_bytes,
    weights_fingerprint,
)
from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.device import choose_device
from antisample.errors import ConfigError, DataError, in_one_line
from antisample.export.card import UnlearningCard
from antisample.export.card_file import CARD_FILES, environment_facts, file_digest
from antisample.export.card_parts import EnvironmentFacts
from antisample.export.formats import EXPORT_FILES
from antisample.inputs import LoadingListener, UnlearnInputs, load_inputs
from antisample.metrics.retrained import reference_values
from antisample.models import optimised_for
from antisample.models.in_memory import is_in_memory
from antisample.unlearning import evaluate_baselines, evaluate_finished

_MOST_TEXT = 64 * 2**20
# Other formats hold the same weights, in types of twice the size perhaps, and the network beside them.
_MOST_TIMES, _MOST_BESIDE = 4, 100 * 2**20
_THREADS = 64


@dataclass(frozen=True)
class MeasuredCard:
    """What is the case, whatever the card says of it.

    Attributes:
        digests: SHA-256 of each file that the card names; None where there is none.
        unnamed: Files of models beside the card that it does not name.
        text: Content of card.md; None where it is missing or no text of a card's size.
        has_text: Whether there is a card.md.
        model: The unlearned model as its file holds it.
        fingerprint: Digest of its weights.
        config: With which it was measured.
        inputs: Data, splits, original model and reference.
        is_normalisation_open: Whether neither configuration, checkpoint nor images say what the original model
            expects, so that the card's mean and deviation were taken.
        values: Metrics by role (`original`, `unlearned`, `retrained`) and name.
        counts: Images behind them.
        environment: Of this machine.
    """

    digests: Mapping[str, str | None]
    unnamed: tuple[str, ...]
    text: str | None
    has_text: bool
    model: Checkpoint
    fingerprint: str
    config: UnlearnConfig
    inputs: UnlearnInputs
    is_normalisation_open: bool
    values: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, int]
    environment: EnvironmentFacts


def measure_card(
    card: UnlearningCard, folder: Path, listener: LoadingListener, cache_dir: Path | str | None = None
) -> MeasuredCard:
    """Reads what a card speaks of and measures both models; see `verify_card`.

    Raises:
        AntisampleError: If data or model file cannot be read, or take more memory than there is.
    """
    try:
        return _measured(card, folder, listener, cache_dir)
    except MemoryError as error:
        raise DataError(f"The data of the card does not fit into memory ({in_one_line(error)}).") from error


def _measured(
    card: UnlearningCard, folder: Path, listener: LoadingListener, cache_dir: Path | str | None
) -> MeasuredCard:
    if is_in_memory(card.config.model.name):
        raise DataError(
            "The card was made of a model and data in memory, which no file names, so nothing can be measured again. "
            "Whoever has these objects can repeat the call that the card states and compare the fingerprints of the "
            "two cards."
        )
    weights = next((file for file in card.files if file.format == "safetensors"), None)
    if weights is None:
        raise DataError("The card names no safetensors file, so there is no model to evaluate.")
    checkpoint = load_checkpoint(folder / weights.file)
    most = _MOST_TIMES * weights_bytes(checkpoint.state_dict) + _MOST_BESIDE
    digests = {file.file: _digest(folder / file.file, most) for file in card.files}
    models = [folder / name for name in (weights.file, "model.safetensors", *EXPORT_FILES.values())]
    unnamed = tuple(path.name for path in models if path.name not in digests and path.exists())
    device = choose_device(card.config.device)
    with deterministic(threads_here(card)):
        config = _accepted(card.config, cache_dir)
        inputs, is_open = _inputs(card, config, listener)
        model = inputs.original.fitting(inputs.dataset, checkpoint.state_dict)
        load_weights(model, checkpoint.state_dict, str(folder / weights.file))
        model = optimised_for(model, config.model.name, inputs.dataset.train.images.shape[1:], device)
        unlearned = evaluate_finished(model, inputs, config)
        original = evaluate_finished(inputs.original.build(inputs.dataset, device), inputs, config)
        values = {
            "unlearned": unlearned.values,
            "original": original.values,
            "retrained": reference_values(inputs.reference, inputs.splits, config.evaluation),
            **{name: measured.values for name, measured in evaluate_baselines(inputs, config).items()},
        }
        environment = environment_facts(config, [])
    text = folder / CARD_FILES[1]
    return MeasuredCard(
        config=config,
        digests=digests,
        unnamed=unnamed,
        text=_text(text),
        has_text=text.exists() or text.is_symlink(),
        model=checkpoint,
        fingerprint=weights_fingerprint(checkpoint.state_dict),
        inputs=inputs,
        is_normalisation_open=is_open,
        values=values,
        counts=unlearned.counts,
        environment=environment,
    )


def threads_here(card: UnlearningCard) -> int:
    """As many threads as the card says, or as many as this machine can be asked for."""
    return min(card.environment.threads, max(_THREADS, 2 * (os.cpu_count() or 1)))


def _accepted(config: UnlearnConfig, cache_dir: Path | str | None) -> UnlearnConfig:
    """The configuration of a card, whose original model was accepted when the card was made, with a cache of ours."""
    data = config.data if cache_dir is None else config.data.model_copy(update={"cache_dir": cache_dir})
    model = config.model.model_copy(update={"accept_original": True})
    return config.model_copy(update={"model": model, "data": data})


def _inputs(card: UnlearningCard, config: UnlearnConfig, listener: LoadingListener) -> tuple[UnlearnInputs, bool]:
    """The inputs as the configuration gives them; with the card's normalisation only where nothing else says one."""
    model = config.model
    is_stated = model.mean is not None or model.normalisation is not None or model.checkpoint is None
    try:
        return load_inputs(config, listener), False
    except ConfigError:
        if is_stated or load_checkpoint(Path(str(model.checkpoint))).preprocessing() is not None:
            raise
    stated: dict[str, Any] = {"mean": card.original.mean, "std": card.original.std}
    return load_inputs(config.model_copy(update={"model": model.model_copy(update=stated)}), listener), True


def _digest(path: Path, most: int) -> str | None:
    """The digest of a file that may hold the weights in one way or another; None where there is none."""
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > most:
            raise DataError(f"{path}: larger than a file with these weights, {most / 1e6:,.0f} MB.")
        return file_digest(path)
    except OSError:
        return None


def _text(path: Path) -> str | None:
    """A text file of a bounded size; None where there is none."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_TEXT:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
