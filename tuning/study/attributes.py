"""The attributes of a study: the facts about the whole of it that the journal keeps, each with its key and its type.

The keys are the file format: a study of an earlier version is read by them. A journal may have been edited, or come
from somebody else, so every value is checked when it is read.
"""

from collections import Counter
from functools import cached_property
from typing import Annotated, Any, Generic, NotRequired, TypeVar

from pydantic import AfterValidator, Field, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from antisample.plugins.discovery import PluginKind
from tuning.trials.value_types import STRICT, AnyText, Counts, Figures, Milliseconds, Text, Whole, adapter_of, misfit

T = TypeVar("T")


class StudyAttribute(Generic[T]):
    """One fact about a study.

    Args:
        key: In the journal.
        kind: What a search writes there; values are checked against it and never converted.
    """

    def __init__(self, key: str, kind: Any) -> None:
        self.key, self._kind = key, kind

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return adapter_of(self._kind)

    def problem(self, value: Any) -> str | None:
        """Why a value cannot be what a search wrote under this key; None if it can."""
        return misfit(self._adapter, value)


@with_config(STRICT)
class Preprocessing(TypedDict):
    """Mean and standard deviation of the original model's input, a value per channel."""

    mean: list[float]
    std: list[float]


@with_config(STRICT)
class Confirmation(TypedDict):
    """One run of the chosen or the published trial with a fresh seed."""

    number: Whole
    seed: Whole
    metrics: Figures
    counts: Counts
    elapsed_s: NotRequired[float]
    spent_s: NotRequired[float]
    ended_ms: NotRequired[Milliseconds]


@with_config(STRICT)
class FinalistRun(TypedDict):
    """One run of a finalist with a fresh seed: its metrics, or why it has none; see `RunResult` for the seconds."""

    number: Whole
    seed: Whole
    metrics: Figures
    elapsed_s: float
    error: NotRequired[Text]
    spent_s: NotRequired[float]
    ended_ms: NotRequired[Milliseconds]


@with_config(STRICT)
class End(TypedDict):
    """See `tuning.study.history.SearchEnd`."""

    timestamp_ms: Milliseconds
    trials: Whole
    chosen: Whole | None
    values: Figures


@with_config(STRICT)
class Drive(TypedDict):
    """When a driver worked on the study, and on how many workers; without an end if it died or still works."""

    begun_ms: Milliseconds
    workers: Whole
    ended_ms: NotRequired[Milliseconds]


@with_config(STRICT)
class SearchStop(TypedDict):
    """Why no more trials begin though `n_trials` are not finished; `budget` is the one that this was decided by."""

    reason: Text
    budget: float | Text


@with_config(STRICT)
class Place(TypedDict):
    """Where the study's directory stood when it was last opened for a search, and its number in the file system."""

    directory: AnyText
    inode: Whole


@with_config(STRICT)
class UsedPlugin(TypedDict):
    """See `antisample.plugins.discovery.Plugin`."""

    kind: PluginKind
    name: Text
    distribution: Text
    version: Text


@with_config(STRICT)
class WarmStarted(TypedDict):
    """See `tuning.study.warm_start.WarmStart`."""

    source: AnyText
    same_problem: bool
    n: Whole


@with_config(STRICT)
class RememberedConfiguration(TypedDict):
    """A configuration that did well before: what the study tries, and why.

    `why` says how near the earlier studies are; `ranks` are the mean ranks in (0, 1) by the names of the studies of
    each request, and `score` is what they come to; see `tuning.memory.scoring`.
    """

    origin: Text
    params: dict[Text, Any]
    why: Text
    ranks: Figures
    score: float


@with_config(STRICT)
class Remembered(TypedDict):
    """What a study took over when it began: `source` is its `memory`; `skipped` are sentences."""

    source: AnyText
    configurations: list[RememberedConfiguration]
    skipped: list[AnyText]


@with_config(STRICT)
class Retraining(TypedDict):
    """What a retraining without the forget set is: passes over so many images, and its seconds where it was done."""

    epochs: Whole
    retain_images: Whole
    seconds: NotRequired[float]


@with_config(STRICT)
class PriorTrial(TypedDict):
    """A finished trial of another study that the sampler learns from."""

    params: dict[Text, Any]
    values: list[float]
    constraints: NotRequired[Figures | None]


_Label = Annotated[int, Field(ge=0, lt=2**63)]
_Cell = Annotated[list[_Label], Field(min_length=3, max_length=3)]


@with_config(STRICT)
class JudgedImage(TypedDict):
    """An image's true class, the class that a model gives it, and the probability of that."""

    true: _Label
    predicted: _Label
    probability: Annotated[float, Field(ge=0, le=1)]


@with_config(STRICT)
class Gallery(TypedDict):
    """Test images that a model is most confident about: forget images that it recognises, and retain images lost.

    Lost are those that the original model recognises and this one does not. Pictures lie beside the study, in the
    same order; the counts are of all such images, and of those they are among.
    """

    recognised: list[JudgedImage]
    n_recognised: _Label
    n_forget: _Label
    lost: list[JudgedImage]
    n_lost: _Label
    n_right_before: _Label


def _with_the_same_metrics(runs: list[Confirmation]) -> list[Confirmation]:
    if len(Counter(frozenset(run["metrics"]) for run in runs)) > 1:
        raise ValueError("the runs have different metrics from the first")
    return runs


ID: StudyAttribute[str] = StudyAttribute("id", Text)
CREATED_MS: StudyAttribute[int] = StudyAttribute("created_ms", Milliseconds)
COPY_NAME: StudyAttribute[str] = StudyAttribute("copy_name", AnyText)
"""What a study that was copied with its folder is called since it is a study of its own."""
PLACE: StudyAttribute[Place] = StudyAttribute("place", Place)
SETTINGS: StudyAttribute[str] = StudyAttribute("settings", AnyText)
"""The configuration as YAML, of a study in a database."""
COMMAND: StudyAttribute[str] = StudyAttribute("command", AnyText)
ENVIRONMENT: StudyAttribute[dict[str, str]] = StudyAttribute("environment", dict[Text, AnyText])
PLUGINS: StudyAttribute[list[UsedPlugin]] = StudyAttribute("plugins", list[UsedPlugin])
"""The plug-ins that the study used when it last ran; missing where it never used any."""
FINGERPRINTS: StudyAttribute[dict[str, str]] = StudyAttribute("fingerprints", dict[Text, Text])
IMAGES: StudyAttribute[dict[str, int]] = StudyAttribute("images", Counts)
"""Images per split of the data set."""
CLASS_NAMES: StudyAttribute[list[str]] = StudyAttribute("class_names", list[AnyText])
FORGET_REQUESTS: StudyAttribute[list[list[int]]] = StudyAttribute(
    "forget_requests", Annotated[list[list[_Label]], Field(min_length=1)]
)
"""Labels to forget, per request."""
FORGETTING: StudyAttribute[list[str]] = StudyAttribute("forgetting", list[AnyText])
"""What each request forgets, described: classes, labels, images of each split."""
PREPROCESSING: StudyAttribute[Preprocessing] = StudyAttribute("preprocessing", Preprocessing)
NOTES: StudyAttribute[list[str]] = StudyAttribute("notes", list[AnyText])
"""What people should know of the data and of the original model, in sentences."""
ORIGINAL: StudyAttribute[dict[str, float]] = StudyAttribute("original", Figures)
"""Metrics of the original model."""
ORIGINAL_COUNTS: StudyAttribute[dict[str, int]] = StudyAttribute("original_counts", Counts)
BASELINES: StudyAttribute[dict[str, dict[str, float]]] = StudyAttribute("baselines", dict[Text, Figures])
"""Metrics of a mask, an untrained network and retrained references: `mask`, `untrained`, `reference`, or with several
`reference 1` and so on and `floor`, what compares with a reference between two of them, by `<part>/<name>_floor`."""
RETRAINING: StudyAttribute[Retraining] = StudyAttribute("retraining", Retraining)
TIMED_RETRAINING_S: StudyAttribute[float] = StudyAttribute(
    "timed_retraining_s", Annotated[float, Field(gt=0, allow_inf_nan=False)]
)
"""Seconds of one retraining, timed from a few steps; only in studies with a budget."""
DRIVES: StudyAttribute[list[Drive]] = StudyAttribute("drives", list[Drive])
SEARCH_STOP: StudyAttribute[SearchStop] = StudyAttribute("search_stop", SearchStop)
CONFIRMATIONS: StudyAttribute[list[Confirmation]] = StudyAttribute(
    "confirmations", Annotated[list[Confirmation], AfterValidator(_with_the_same_metrics)]
)
FINALIST_RUNS: StudyAttribute[list[FinalistRun]] = StudyAttribute("finalist_runs", list[FinalistRun])
CONFUSIONS: StudyAttribute[dict[str, list[list[int]]]] = StudyAttribute("confusions", dict[Text, list[_Cell]])
"""Confusion matrices as cells [true class, predicted class, images], by number of the trial and `original`."""
GALLERIES: StudyAttribute[dict[str, Gallery]] = StudyAttribute("galleries", dict[Text, Gallery])
"""What the report shows of single images, by number of the trial."""
ENDINGS: StudyAttribute[list[End]] = StudyAttribute("endings", list[End])
LEARNED: StudyAttribute[list[PriorTrial]] = StudyAttribute("learned", list[PriorTrial])
WARM_START: StudyAttribute[WarmStarted] = StudyAttribute("warm_start", WarmStarted)
MEMORY: StudyAttribute[Remembered] = StudyAttribute("memory", Remembered)
"""Missing in studies without memory."""
TRIAL_GPU_MEMORY: StudyAttribute[list[int] | None] = StudyAttribute("trial_gpu_memory", list[Whole] | None)
"""Bytes of GPU memory that a trial used, and those of the GPU."""
