"""The unlearning card: what was done to a model, how, and what came of it. `UnlearningCard` is its schema."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from antisample.config import UnlearnConfig
from antisample.export.card_parts import (
    CardMetric,
    DataFacts,
    EnvironmentFacts,
    Fingerprint,
    ModelFile,
    OriginalFacts,
    RequestFacts,
    TimeFacts,
)
from antisample.validation.settings import Settings


class UnlearningCard(Settings):
    """The whole card.

    Attributes:
        version: Of this schema.
        created: When, ISO 8601, UTC.
        request: What was to be forgotten.
        data: On which images.
        original: From which model.
        origin: Where the hyperparameters come from.
        seed: Of the unlearning.
        config: Everything that the unlearning needed: data, model, request, method with its hyperparameters.
        fingerprint: Digest of the unlearned weights.
        files: What holds the model.
        metrics: What was measured.
        spread_over: What the spread is over, in words; empty where none is known.
        limitations: What the figures do not show, in sentences; none in cards of versions that did not say.
        time: How long it took.
        environment: Where.
        folder: Where the command was given, as seen from the card's own folder; relative paths start there. In cards
            of earlier versions, an absolute path.
        command: The exact command that repeats it.
    """

    version: Literal[1] = 1
    created: str
    request: RequestFacts
    data: DataFacts
    original: OriginalFacts
    origin: dict[str, str | int]
    seed: int
    config: UnlearnConfig
    fingerprint: Fingerprint
    files: tuple[ModelFile, ...] = Field(min_length=1)
    metrics: tuple[CardMetric, ...]
    spread_over: str = ""
    limitations: tuple[str, ...] = ()
    time: TimeFacts
    environment: EnvironmentFacts
    folder: str
    command: str


def images_of(metric: str, counts: Mapping[str, int]) -> int | None:
    """How many images a metric stands on, of the counts of `UnlearnMetrics`; None without a number of its own."""
    if "probe" in metric:  # it draws images of its own
        return None
    return counts.get(metric.partition("_")[0])
