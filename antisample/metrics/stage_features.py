"""The pooled outputs of a network's stages, for images of the data."""

import numpy as np
import torch
from torch import nn

from antisample.errors import DivergedError
from antisample.metrics.base import EvaluationSubject
from antisample.metrics.logistic_probe import Features
from antisample.models.stages import StageOutputs
from antisample.types import ImageSet, IndexArray


def stage_features(
    subject: EvaluationSubject, model: nn.Module, stages: tuple[str, ...], images: ImageSet, positions: IndexArray
) -> Features:
    """The pooled outputs of all stages for the images at `positions`, side by side, float32 [n, d].

    Raises:
        DivergedError: If they are not finite.
    """
    return np.concatenate(features_by_stage(subject, model, stages, images, positions), axis=1)


def features_by_stage(
    subject: EvaluationSubject, model: nn.Module, stages: tuple[str, ...], images: ImageSet, positions: IndexArray
) -> tuple[Features, ...]:
    """The pooled outputs of each stage for the images at `positions`, float32 [n, d].

    Raises:
        DivergedError: If they are not finite.
    """
    normalise, size = subject.normaliser(), subject.eval_batch_size
    with StageOutputs(model, stages) as outputs:
        batches = [
            outputs(normalise(torch.from_numpy(images.images[chosen]).to(subject.device))).cpu().numpy()
            for chosen in (positions[start : start + size] for start in range(0, len(positions), size))
        ]
        ends = np.cumsum(outputs.widths)[:-1]
    features = np.concatenate(batches)
    if not np.isfinite(features).all():
        raise DivergedError("The outputs of the network's stages are not finite.")
    return tuple(np.split(features, ends, axis=1))
