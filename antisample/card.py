"""The unlearning card: what was done to a model, how, and what came of it. `UnlearningCard` is its schema."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from antisample.channel_values import channel_values, check_lengths
from antisample.config import UnlearnConfig
from antisample.types import PartName

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""What `antisample` makes of data, splits and weights: 16 bytes, hexadecimal."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RequestFacts(_Part):
    """What was to be forgotten, and what that meant on the data.

    Attributes:
        in_words: The request as it was made.
        classes: Names of the classes to forget, or of those that the samples belong to.
        labels: Their labels.
        images: Training images to forget.
        validation: Validation images of the classes to forget; none where samples are forgotten.
        test: Likewise.
        never_seen: Images asked for that the original model was not trained on.
    """

    in_words: str
    classes: tuple[str, ...]
    labels: tuple[int, ...] = ()
    images: int
    validation: int = 0
    test: int = 0
    never_seen: int = 0


class DataFacts(_Part):
    """Which images.

    Attributes:
        name: Of the data set.
        fingerprint: Digest of all pixels and labels.
        splits_fingerprint: Digest of what was to forget, to retain, validation and test.
        retain: Training images to keep.
        validation: Images that decisions were taken on.
        validation_from: The split that these come from.
        test: Images for the report alone.
        notes: What there is to know of how it was read, in sentences.
    """

    name: str
    fingerprint: Fingerprint
    splits_fingerprint: Fingerprint
    retain: int
    validation: int
    validation_from: PartName
    test: int
    notes: tuple[str, ...] = ()


class OriginalFacts(_Part):
    """The model that had to forget.

    Attributes:
        fingerprint: Digest of its weights.
        mean: What it expects of its input, a value a channel.
        std: Likewise.
        initial_weights: What its training started from, as far as that is known.
        notes: What there is to know of how it was read, in sentences.
    """

    fingerprint: Fingerprint
    mean: tuple[float, ...]
    std: tuple[float, ...]
    initial_weights: str
    notes: tuple[str, ...] = ()

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _values_a_channel(cls, values: Any, info: ValidationInfo) -> tuple[float, ...]:
        return channel_values(str(info.field_name), values)

    @model_validator(mode="after")
    def _mean_with_std(self) -> "OriginalFacts":
        check_lengths(self.mean, self.std)
        return self


class ModelFile(_Part):
    """A file that holds the unlearned model.

    Attributes:
        file: Its name, beside the card.
        format: How it is written.
        sha256: Digest of the file.
        largest_difference: Of a logit to the model's, on real images; None for the weights themselves.
    """

    file: str = Field(pattern=r"^[^/\\]+$")
    format: Literal["safetensors", "torch.export", "onnx"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    largest_difference: float | None = None


class SpreadFigure(_Part):
    """A figure over several runs.

    Attributes:
        mean: The mean.
        std: Sample standard deviation.
        n: How many runs.
    """

    mean: float
    std: float
    n: int


class CardMetric(_Part):
    """One metric of the models that are compared.

    Attributes:
        name: `<part>/<metric>`; docs/metrics.md defines each.
        images: How many images it stands on, where it has a number of its own.
        original: Before.
        unlearned: Of this model.
        retrained: Of a model that never saw what was to be forgotten, where there is one.
        spread: Of the same hyperparameters over several seeds, where that is known.
    """

    name: str
    images: int | None = None
    original: float
    unlearned: float
    retrained: float | None = None
    spread: SpreadFigure | None = None


class TimeFacts(_Part):
    """How long it took.

    Attributes:
        unlearning_s: Preparation and training.
        evaluation_s: Measuring.
        retraining_s: What training the retrained reference took, where there is one.
    """

    unlearning_s: float
    evaluation_s: float
    retraining_s: float | None = None


class EnvironmentFacts(_Part):
    """Where it was done.

    Attributes:
        versions: Of the program and what it computes with.
        device: Where was computed.
        machine: Operating system and processor.
        threads: Threads of the processor that torch used; other numbers may give other last digits.
        not_deterministic: Operations in the work that may give other bits next time; empty: the weights are
            repeatable on the same hardware.
    """

    versions: dict[str, str]
    device: str
    machine: str
    threads: int = Field(ge=1)
    not_deterministic: tuple[str, ...] = ()


class UnlearningCard(_Part):
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
        time: How long it took.
        environment: Where.
        folder: Where the command was given; relative paths start there.
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
    time: TimeFacts
    environment: EnvironmentFacts
    folder: str
    command: str
