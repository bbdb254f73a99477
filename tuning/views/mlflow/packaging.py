"""Makes the MLflow model of the chosen trial, in the study's directory."""

import shutil
import warnings
from importlib.metadata import version

import mlflow.pytorch
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from torch import Tensor, nn

from antisample.data.loader import Normaliser
from antisample.inputs import UnlearnInputs
from antisample.storage.regular_files import check_inside
from antisample.types import Preprocessing
from tuning.study.artifacts import StudyFiles
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.views.mlflow.logged_model import keep_only, model_folder

_EXAMPLES = 4


class Packed(nn.Module):
    """A classifier that takes pixels as they are, and normalises them itself.

    Args:
        classifier: Maps normalised images to logits.
        preprocessing: What it expects.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, classifier: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.classifier = classifier
        scale = Normaliser(preprocessing, torch.device("cpu")).scale.view(1, -1, 1, 1)
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
        self.register_buffer("scale", scale)
        self.register_buffer("shift", -mean / std)

    def forward(self, pixels: Tensor) -> Tensor:
        """Maps float32 [n, c, h, w], values in [0, 255], to logits [n, classes]."""
        return self.classifier(pixels * self.scale + self.shift)  # type: ignore[no-any-return]


def pack_model(study: StudyReader, inputs: UnlearnInputs, record: TrialRecord | None = None) -> str | None:
    """Writes the chosen trial's model as an MLflow model, with signature and input example.

    It is an exported graph, which MLflow loads without executing code from the file.

    Args:
        study: Has a chosen trial, whose model is there.
        inputs: Of the study's first forget request.
        record: Another trial, in the place of the chosen one, whose MLflow model stays.

    Returns:
        Why it could not be made; None if it is there.
    """
    packed = find_outcome(study).chosen if record is None else record
    if packed is None:
        return None
    folder = model_folder(study.config.directory, packed.number)
    weights = None if folder.is_dir() else StudyFiles.of(study.config).load_weights(packed.number)
    if weights is None:
        return None
    dataset = inputs.dataset
    model = inputs.original.with_weights(dataset, weights)
    example = np.asarray(dataset.test.images[:_EXAMPLES], np.float32)
    pixels, logits = (-1, *example.shape[1:]), (-1, dataset.n_classes)
    takes, gives = (Schema([TensorSpec(np.dtype("float32"), shape)]) for shape in (pixels, logits))
    unfinished = folder.with_suffix(".partial")
    try:
        check_inside(folder, study.config.directory)
    except OSError as error:
        return str(error.strerror)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.pytorch.save_model(
                Packed(model, inputs.original.preprocessing).eval(),
                str(unfinished),
                signature=ModelSignature(takes, gives),
                input_example=example,
                pip_requirements=[f"{package}=={version(package)}" for package in ("torch", "mlflow")],
                metadata={"classes": list(dataset.class_names), "trial": packed.number},
                serialization_format="pt2",
            )
    except Exception as error:  # whatever a network of the user's own does in an export, the study is done
        shutil.rmtree(unfinished, ignore_errors=True)
        return " ".join(str(error).split())[:300] or type(error).__name__
    unfinished.rename(folder)
    if record is None:
        keep_only(folder)
    return None
