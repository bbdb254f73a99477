"""The files that hold an unlearned model."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from antisample.checkpoints.checkpoint import Checkpoint, save_checkpoint
from antisample.data.loader import Normaliser, to_device
from antisample.export.card_file import file_digest
from antisample.export.card_parts import ModelFile
from antisample.export.formats import EXPORT_FILES, ExportError, ExportFormat, export_model
from antisample.inputs import UnlearnInputs
from antisample.models.masked_outputs import outputs_metadata
from antisample.unlearning import Unlearning

WEIGHTS_FILE = "model.safetensors"
"""The file that holds the weights of an unlearned model."""

_COMPARED_IMAGES = 64


def write_model(
    running: Unlearning, out: Path, formats: Iterable[ExportFormat]
) -> tuple[tuple[ModelFile, ...], list[str]]:
    """Writes an unlearned model as safetensors and in other formats.

    Args:
        running: At its end.
        out: The folder to write to; made if missing.
        formats: Which others.

    Returns:
        The files, and why some formats could not be written.

    Raises:
        DataError: If the folder cannot be written.
    """
    config, inputs = running.config, running.inputs
    preprocessing = inputs.original.preprocessing
    metadata = {
        "model": config.model.name,
        "mean": json.dumps(preprocessing.mean),
        "std": json.dumps(preprocessing.std),
        "unlearning": config.model_dump_json(),
        **outputs_metadata(running.model),
    }
    path = out / WEIGHTS_FILE
    state_dict = {name: tensor.cpu() for name, tensor in running.model.state_dict().items()}
    save_checkpoint(path, Checkpoint(state_dict, metadata))
    files = [ModelFile(file=path.name, format="safetensors", sha256=file_digest(path))]
    for name in EXPORT_FILES.values():
        (out / name).unlink(missing_ok=True)  # of an earlier model
    problems: list[str] = []
    images = _real_images(inputs)
    for form in formats:
        path = out / EXPORT_FILES[form]
        model = inputs.original.with_weights(inputs.dataset, state_dict)
        try:
            difference = export_model(model, images, preprocessing, form, path)
        except ExportError as error:
            problems.append(str(error))
            continue
        digest = file_digest(path)
        files.append(ModelFile(file=path.name, format=form, sha256=digest, largest_difference=difference))
    return tuple(files), problems


def _real_images(inputs: UnlearnInputs) -> torch.Tensor:
    """Some images of the test split as the model takes them, on the CPU."""
    test = inputs.dataset.test
    positions = np.linspace(0, len(test) - 1, min(_COMPARED_IMAGES, len(test))).astype(np.int64)
    device = torch.device("cpu")
    images, _ = to_device(test, positions, device)
    return Normaliser(inputs.original.preprocessing, device)(images)
