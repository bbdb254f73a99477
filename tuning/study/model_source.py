"""The original model of a study that has begun: its normalisation is the one it began with."""

from antisample.checkpoints.checkpoint import load_checkpoint
from antisample.models.config import ModelConfig
from tuning.study.attributes import ORIGINAL, PREPROCESSING
from tuning.study.reader import StudyReader


def noted_model(study: StudyReader) -> ModelConfig:
    """The configuration of the original model, with the normalisation that the study began with.

    A checkpoint that states none is tried with the usual ones when a study begins; studies from before that was done
    took the mean and deviation of the training images.

    Raises:
        DataError: If the checkpoint cannot be read.
    """
    model = study.config.model
    if model.checkpoint is None or model.mean is not None or model.normalisation is not None:
        return model
    noted = study.noted(PREPROCESSING)
    if noted is not None:
        return model.model_copy(update={"mean": tuple(noted["mean"]), "std": tuple(noted["std"])})
    if (
        study.noted(ORIGINAL) is None
        or load_checkpoint(model.checkpoint).preprocessing(str(model.checkpoint)) is not None
    ):
        return model
    return model.model_copy(update={"normalisation": "data"})
