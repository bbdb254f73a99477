"""ZRF: how much the model's answers on forget images look like those of a network that never learned anything."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from antisample.metrics.base import EvaluationSubject
from antisample.models.predictions import predict
from antisample.seeds import derive
from antisample.types import Dataset, SplitName, Splits


class Zrf:
    """Zero retrain forgetting (Chundawat et al., AAAI 2023, eq. 6): 1 - mean JS divergence to a random network.

    The incompetent teacher is the same architecture with fresh weights, drawn from the evaluation seed.
    """

    names: ClassVar[tuple[str, ...]] = ("zrf",)
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset, splits
        return []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        dataset, splits, settings = subject.dataset, subject.splits, subject.settings
        images, forget = subject.forget_positions(part)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(settings.seed, "incompetent teacher"))
            teacher = subject.original.untrained(dataset).to(subject.device)
        ignorant = predict(teacher, images, forget, subject.normaliser(), subject.device, subject.eval_batch_size)
        answers = subject.predictions(part)
        own = answers.probabilities[answers.forget_mask(splits.forget_classes)]
        return {"zrf": 1 - float(js_divergence(own, ignorant.probabilities).mean())}


def js_divergence(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Jensen-Shannon divergence in bits of each pair of rows, in [0, 1]: the mean KL divergence to their average.

    Args:
        first: Probabilities, [n, classes].
        second: Probabilities, [n, classes].

    Returns:
        float64, [n].
    """
    p, q = first.astype(np.float64), second.astype(np.float64)
    middle = (p + q) / 2

    def divergence_to_middle(r: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ratio = np.divide(r, middle, out=np.ones_like(r), where=r > 0)  # 0 log 0 counts as 0
        return np.asarray((r * np.log2(ratio)).sum(axis=1))

    return np.clip((divergence_to_middle(p) + divergence_to_middle(q)) / 2, 0.0, 1.0)
