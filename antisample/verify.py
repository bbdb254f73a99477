"""Verifying an unlearning card: the model is measured again, and every figure of the card is held against that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antisample.card import UnlearningCard
from antisample.card_file import file_digest
from antisample.checkpoint import load_checkpoint, load_weights, weights_fingerprint
from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.device import choose_device
from antisample.errors import DataError
from antisample.inputs import SILENT, LoadingListener, load_inputs
from antisample.metrics.retrained import reference_values
from antisample.models import arranged
from antisample.unlearning import evaluate_finished

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Check:
    """One statement of a card.

    Attributes:
        what: What it is about: `unlearned test/retain_accuracy`, `data fingerprint`.
        stated: What the card says.
        found: What is the case.
        holds: Whether these agree.
    """

    what: str
    stated: float | str
    found: float | str | None
    holds: bool


def verify_card(
    card: UnlearningCard,
    folder: Path,
    tolerance: float = TOLERANCE,
    listener: LoadingListener = SILENT,
) -> list[Check]:
    """Evaluates the model beside a card again, with the card's data, and compares.

    Times are not checked. The original model and the retrained reference come from checkpoint or cache; where the
    cache has lost them they are trained again.

    Args:
        card: What is stated.
        folder: Holds the model's files.
        tolerance: Figures hold if they differ by at most this much; other hardware rounds otherwise.
        listener: Is told what happens while data and original model are loaded.

    Returns:
        A check for each file, fingerprint and figure.

    Raises:
        AntisampleError: If data or model file cannot be read.
    """
    checks = []
    for file in card.files:
        path = folder / file.file
        digest = file_digest(path) if path.is_file() else None
        checks.append(Check(f"file {file.file}", file.sha256, digest, digest == file.sha256))
    weights = next((file for file in card.files if file.format == "safetensors"), None)
    if weights is None:
        raise DataError("The card names no safetensors file, so there is no model to evaluate.")
    state_dict = load_checkpoint(folder / weights.file).state_dict
    checks.append(_same("weights", card.fingerprint, weights_fingerprint(state_dict)))
    config = _as_it_was(card)
    device = choose_device(config.device)
    with deterministic(card.environment.threads):
        inputs = load_inputs(config, listener)
        checks += [
            _same("data", card.data.fingerprint, inputs.dataset.fingerprint),
            _same("splits", card.data.splits_fingerprint, inputs.splits.fingerprint),
            _same("original model", card.original.fingerprint, inputs.original.fingerprint),
        ]
        model = inputs.original.untrained(inputs.dataset)
        load_weights(model, state_dict, str(folder / weights.file))
        model = arranged(model, config.model.name, inputs.dataset.train.images.shape[1:], device)
        found = {
            "unlearned": evaluate_finished(model, inputs, config).values,
            "original": evaluate_finished(inputs.original.build(inputs.dataset, device), inputs, config).values,
            "retrained": reference_values(inputs.reference, inputs.splits, config.evaluation),
        }
    for role, values in found.items():
        for metric in card.metrics:
            stated = getattr(metric, role)
            if stated is not None:
                value = values.get(metric.name)
                holds = value is not None and abs(value - stated) <= tolerance
                checks.append(Check(f"{role} {metric.name}", stated, value, holds))
    return checks


def _as_it_was(card: UnlearningCard) -> UnlearnConfig:
    """The card's configuration; the original's normalisation is the card's, and it was accepted when it was made."""
    model = card.config.model
    stated: dict[str, Any] = {"accept_original": True}
    if model.mean is None and model.normalisation is None and model.checkpoint is not None:
        stated |= {"mean": card.original.mean, "std": card.original.std}
    return card.config.model_copy(update={"model": model.model_copy(update=stated)})


def _same(what: str, stated: str, found: str) -> Check:
    return Check(f"{what} fingerprint", stated, found, stated == found)
