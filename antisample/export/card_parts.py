"""The parts of a card: what it states of request, data, models, figures, time and surroundings."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from antisample.checkpoints.channel_values import channel_values, check_lengths
from antisample.data.forget_request import Duplicates
from antisample.plugins.discovery import Plugin, PluginKind
from antisample.types import SplitName, Splits
from antisample.validation.settings import Settings

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""What `antisample` makes of data, splits and weights: 16 bytes, hexadecimal."""

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]

MOST_THREADS = 4096


class CopiesFound(Settings):
    """Copies of the images to forget among the other images, and what was done about them.

    Attributes:
        retain: Among the images to retain.
        validation: Among validation images; of classes to forget, none count.
        test: Likewise, of test images.
        exact: How many of all these are the same, pixel by pixel.
        duplicates: `report`: they stayed where they were; `forget`: those to retain were forgotten, too, and the
            others left out; `refuse`: there were none.
    """

    retain: Count
    validation: Count
    test: Count
    exact: Count
    duplicates: Duplicates

    @classmethod
    def of(cls, splits: Splits) -> "CopiesFound | None":
        """Reads them off the splits of a request; None if nobody has looked for any."""
        facts = splits.copies
        if facts is None:
            return None
        return cls(
            retain=facts.retain,
            validation=facts.validation,
            test=facts.test,
            exact=facts.exact,
            duplicates=facts.duplicates,
        )


class RequestFacts(Settings):
    """What was to be forgotten, and what that meant on the data.

    Attributes:
        in_words: The request as it was made.
        classes: Names of the classes to forget, or of those that the samples belong to.
        labels: Their labels.
        images: Training images to forget.
        validation: Validation images of the classes to forget; none where samples are forgotten.
        test: Likewise.
        never_seen: Images asked for that the original model was not trained on.
        kind: Whether whole classes were to be forgotten, or single images of them.
        image_digests: Digests of the pixels of the images asked for, sorted; see `image_digest`. None of more than
            100,000 images.
        reference: Of the request, as whoever answers it calls it; empty where nothing was noted.
        operator: Who carried it out; likewise.
        copies: Copies of the images to forget; None in cards of versions that did not look for any.
    """

    in_words: str
    classes: tuple[str, ...]
    labels: tuple[int, ...] = ()
    images: Count
    validation: Count = 0
    test: Count = 0
    never_seen: Count = 0
    kind: Literal["classes", "samples"] = "classes"
    image_digests: tuple[Fingerprint, ...] = ()
    reference: str = ""
    operator: str = ""
    copies: CopiesFound | None = None

    @model_validator(mode="after")
    def _a_label_for_each_class(self) -> "RequestFacts":
        if self.labels and len(self.labels) != len(self.classes):
            raise ValueError(
                f"`labels` must be one for each of `classes`, but got {len(self.labels)} and {len(self.classes)}"
            )
        return self


class DataFacts(Settings):
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
        class_names: Names of the model's outputs, in their order.
    """

    name: str
    fingerprint: Fingerprint
    splits_fingerprint: Fingerprint
    retain: Count
    validation: Count
    validation_from: SplitName
    test: Count
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()


class OriginalFacts(Settings):
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


class ModelFile(Settings):
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


class SpreadFigure(Settings):
    """A figure over several runs.

    Attributes:
        mean: The mean.
        std: Sample standard deviation.
        n: How many runs.
    """

    mean: float
    std: float
    n: int = Field(ge=1)


class CardMetric(Settings):
    """One metric of the models that are compared.

    Attributes:
        name: `<part>/<metric>`; docs/metrics.md defines each.
        images: How many images it stands on, where it has a number of its own.
        original: Before.
        unlearned: Of this model.
        retrained: Of a model that never saw what was to be forgotten, where there is one.
        mask: Of the original with a mask over the forgotten classes, which costs nothing; None for samples.
        untrained: Of the same network with fresh weights.
        spread: Of the same hyperparameters over several seeds, where that is known.
        limits: Between which values the one of this model lies with 95 % confidence, for the images that were drawn;
            of accuracies, and of `probe_left`.
    """

    name: str
    images: Count | None = None
    original: float
    unlearned: float
    retrained: float | None = None
    mask: float | None = None
    untrained: float | None = None
    spread: SpreadFigure | None = None
    limits: tuple[float, float] | None = None


class TimeFacts(Settings):
    """How long it took.

    Attributes:
        unlearning_s: Preparation and training.
        evaluation_s: Measuring.
        retraining_s: What training the retrained reference took, where there is one.
        request_s: Worker seconds of the whole request, where the model comes from a study of it: trials, runs of
            finalists and runs with fresh seeds, with their evaluation.
        request_retrainings: The same as a multiple of one retraining, where that is known.
    """

    unlearning_s: Seconds
    evaluation_s: Seconds
    retraining_s: Seconds | None = None
    request_s: Seconds | None = None
    request_retrainings: Seconds | None = None


class PluginFacts(Settings):
    """A plug-in that the work used: a method, metric family or data set of another package.

    Attributes:
        kind: What it adds.
        name: What the configuration calls it.
        distribution: Name of the package that provides it.
        version: Version of that package.
    """

    kind: PluginKind
    name: str
    distribution: str
    version: str

    def plugin(self) -> Plugin:
        """The same as the core knows plug-ins."""
        return Plugin(self.kind, self.name, self.distribution, self.version)


class EnvironmentFacts(Settings):
    """Where it was done.

    Attributes:
        versions: Of the program and what it computes with.
        plugins: The plug-ins that were used; none in cards of versions that knew none.
        device: Where was computed.
        machine: Operating system and processor.
        threads: Threads of the processor that torch used; other numbers may give other last digits.
        not_deterministic: Operations in the work that may give other bits next time; empty: the weights are
            repeatable on the same hardware.
    """

    versions: dict[str, str]
    plugins: tuple[PluginFacts, ...] = ()
    device: str
    machine: str
    threads: int = Field(ge=1, le=MOST_THREADS)
    not_deterministic: tuple[str, ...] = ()
