"""What a card and the files beside it say of each other: all that can be checked without the data."""

from pathlib import Path

from antisample.checkpoints.checkpoint import load_checkpoint, weights_fingerprint
from antisample.errors import AntisampleError, ConfigError, DataError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import CARD_FILES, card_config, file_digest, parse_json
from antisample.export.card_text import card_text
from antisample.storage.regular_files import read_start

_MOST_TEXT = 64 * 2**20


def card_problems(card: UnlearningCard, folder: Path) -> list[str]:
    """Where a card and its files disagree, one sentence each; empty if they agree.

    Nothing is measured, so that figures are not compared with the model; see `verify_card` for that.

    Args:
        card: As it was read.
        folder: Holds the model's files and card.md.
    """
    return [*_model_problems(card, folder), *_request_problems(card), *_text_problems(card, folder)]


def weights_file(card: UnlearningCard) -> str:
    """Name of the file that holds the weights.

    Raises:
        DataError: If the card names none.
    """
    for file in card.files:
        if file.format == "safetensors":
            return file.file
    raise DataError("The card names no safetensors file.")


def _model_problems(card: UnlearningCard, folder: Path) -> list[str]:
    problems = []
    for file in card.files:
        try:
            digest = file_digest(folder / file.file)
        except OSError:
            problems.append(f"{file.file} is not beside the card.")
            continue
        if digest != file.sha256:
            problems.append(f"{file.file} is not the file that the card describes: its SHA-256 differs.")
    if problems:
        return problems
    try:
        checkpoint = load_checkpoint(folder / weights_file(card))
        if weights_fingerprint(checkpoint.state_dict) != card.fingerprint:
            problems.append("`fingerprint` is not that of the weights in the model file.")
        made = card_config(parse_json(checkpoint.metadata.get("unlearning", "")))
    except (AntisampleError, ValueError) as error:
        text = error.problems[0] if isinstance(error, ConfigError) else str(error)
        return [*problems, f"the model file does not tell how it was made: {text}"]
    if made.model_dump(mode="json") != card.config.model_dump(mode="json"):
        problems.append("`config` is not what the model file says of how it was made.")
    return problems


def _request_problems(card: UnlearningCard) -> list[str]:
    config, request = card.config, card.request
    problems = []
    if request.in_words != config.forget.describe():
        problems.append("`request.in_words` is not what `config.forget` asks for.")
    names = card.data.class_names
    if (
        names
        and request.labels
        and tuple(names[label] for label in request.labels if label < len(names)) != (request.classes)
    ):
        problems.append("`request.labels` do not belong to `request.classes`.")
    if card.seed != config.seed:
        problems.append("`seed` is not that of `config`.")
    return problems


def _text_problems(card: UnlearningCard, folder: Path) -> list[str]:
    path = folder / CARD_FILES[1]
    if not path.is_file():
        return []
    try:
        stated = read_start(path, _MOST_TEXT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return [f"{path.name} cannot be read."]
    return [] if stated == card_text(card) else [f"{path.name} does not say what card.json says."]
