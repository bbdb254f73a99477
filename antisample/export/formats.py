"""A model in formats that run without this program: kept only if they answer as the model does."""

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from antisample.errors import AntisampleError, ConfigError
from antisample.models.masked_outputs import largest_logit
from antisample.storage.atomic import atomic_write
from antisample.types import Preprocessing
from antisample.validation.spelling import did_you_mean

ExportFormat = Literal["torch.export", "onnx"]

EXPORT_FILES: dict[ExportFormat, str] = {"torch.export": "model.pt2", "onnx": "model.onnx"}
TOLERANCE = 1e-3
"""Largest difference of a logit that counts as equal, as a share of the largest logit of the images compared, masked
ones left out."""

_ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_EXAMPLES = 2


class ExportError(AntisampleError):
    """A network cannot be written in a format, or answers otherwise there."""


def check_formats(formats: Iterable[str]) -> tuple[ExportFormat, ...]:
    """Checks names of formats and that what they need is installed, before any work is done.

    Returns:
        The formats, each once.

    Raises:
        ConfigError: If a format is unknown or a package is missing.
    """
    checked: list[ExportFormat] = []
    for name in formats:
        export_format = next((export_format for export_format in EXPORT_FILES if export_format == name), None)
        if export_format is None:
            meant = did_you_mean(name, EXPORT_FILES)
            raise ConfigError(f"`--format` must be one of {', '.join(EXPORT_FILES)}, but got {name!r}.{meant}")
        checked += [export_format] if export_format not in checked else []
    missing = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None] if "onnx" in checked else []
    if missing:
        raise ConfigError(f"`--format onnx` needs {', '.join(missing)}: pip install 'antisample[onnx]'.")
    return tuple(checked)


def export_model(
    model: nn.Module, images: Tensor, preprocessing: Preprocessing, form: ExportFormat, path: Path
) -> float:
    """Writes a model for any batch size, and keeps the file only if it answers as the model does.

    Args:
        model: On the CPU; exported in eval mode.
        images: Real images, normalised, float32 [n, channels, h, w], n at least 3; both are asked about all of them.
        preprocessing: What the model expects of its input; noted in the file.
        form: The format.
        path: Where to.

    Returns:
        The largest difference of a logit.

    Raises:
        ExportError: If the network cannot be exported, or its answers differ.
        DataError: If the file cannot be written.
    """
    model.eval()
    notes = {"mean": json.dumps(preprocessing.mean), "std": json.dumps(preprocessing.std)}
    with torch.inference_mode():
        expected = model(images.clone()).float().numpy()
    with atomic_write(path) as unfinished:
        # torch.export refuses other names
        written = unfinished.with_name(f"{unfinished.name}{path.suffix}")
        try:
            with _quiet():
                exported = torch.export.export(
                    model, (images[:_EXAMPLES],), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
                )
                if form == "torch.export":
                    torch.export.save(exported, written, extra_files=notes)
                    answers = _torch_answers(written, images)
                else:
                    answers = _write_onnx(exported, images, notes, written)
        except OSError:
            written.unlink(missing_ok=True)
            raise
        except Exception as error:  # whatever torch's tracer may raise about a network of the user's
            written.unlink(missing_ok=True)
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise ExportError(
                f"{path}: the network cannot be written as {form} ({type(error).__name__}: {reason})."
            ) from error
        difference = float(np.abs(answers - expected).max())
        if not difference <= TOLERANCE * max(1.0, largest_logit(torch.from_numpy(expected))):
            written.unlink()
            raise ExportError(
                f"{path}: not kept, since its logits differ from the model's by up to {difference:.3g}."
            )
        written.replace(unfinished)
    return difference


def _torch_answers(path: Path, images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    module = torch.export.load(path).module()
    with torch.inference_mode():
        logits: Tensor = module(images)
        return logits.float().numpy()


def _write_onnx(
    exported: torch.export.ExportedProgram, images: Tensor, notes: dict[str, str], path: Path
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    import onnxruntime  # noqa: PLC0415  (an optional extra)

    program = torch.onnx.export(exported, input_names=["images"], output_names=["logits"], dynamo=True, verbose=False)
    if program is None:
        raise ExportError("torch.onnx.export gave nothing.")
    program.model.metadata_props.update(notes)
    program.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    return np.asarray(answers, np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters tell about themselves at length."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
