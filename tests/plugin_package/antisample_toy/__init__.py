"""A method, a metric and a data set as another package would ship them."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from antisample.data.loader import TrainingData, to_device
from antisample.datasets import DecodedData
from antisample.methods import MethodConfig, UnlearnContext
from antisample.methods.finetune import FineTuneSettings, fine_tuner
from antisample.metrics import EvaluationSubject
from antisample.training.trainer import Trainer
from antisample.types import Dataset, ImageSet, SplitName, Splits


class ToyConfig(FineTuneSettings):
    """Configuration of the method `toy`."""

    name: Literal["toy"] = "toy"


class Toy:
    """Fine-tunes on all retain images."""

    config_type: ClassVar[type[MethodConfig]] = ToyConfig

    def prepare(self, context: UnlearnContext, config: ToyConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        images, labels = to_device(context.dataset.train, context.splits.retain, context.device)
        return fine_tuner(context, config, TrainingData(images, labels, context.normaliser()))


class Margin:
    """How much more probable the most probable class of forget images is than their own, in [0, 1]."""

    names: ClassVar[tuple[str, ...]] = ("forget_margin",)
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset, splits
        return []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        predictions = subject.predictions(part)
        forget = predictions.forget_mask(subject.splits.forget_classes)
        margin = predictions.probabilities.max(axis=1) - predictions.confidence()
        return {"forget_margin": float(margin[forget].mean(dtype="float64"))}


class Stripes:
    """Eight kinds of vertical stripes, as grey images of 8 x 8 pixels."""

    def identity(self) -> Sequence[str]:
        """See `DatasetSource.identity`."""
        return ["stripes"]

    def decode(self, image_size: int | None) -> DecodedData:
        """See `DatasetSource.decode`."""
        size = image_size or 8
        labels = np.arange(160) % 8
        images = np.zeros((160, 1, size, size), np.uint8)
        for position, label in enumerate(labels):
            images[position, 0, :, label % size] = 200 + position % 50
        return DecodedData(ImageSet(images, labels), ImageSet(images[:80], labels[:80]), tuple("abcdefgh"))


def stripes(root: Path | None, download: bool) -> Stripes:
    """Makes the data set; neither a folder nor a download is needed."""
    del root, download
    return Stripes()
