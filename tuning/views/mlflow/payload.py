"""What MLflow is told. All of it is a function of the study's directory, so that telling it again changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antisample.errors import DataError
from tuning.study.attributes import CLASS_NAMES, COPY_NAME, CREATED_MS, FINGERPRINTS, FORGETTING, ID, IMAGES, ORIGINAL
from tuning.study.history import SearchEnd, ends
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.reader import StudyReader
from tuning.study.spending import Spending
from tuning.trials.records import EpochRecord, TrialRecord
from tuning.views.baseline_texts import baseline_metrics
from tuning.views.mlflow.chosen import ChosenTrial, chosen_trials, last_seconds
from tuning.views.mlflow.parent import description
from tuning.views.mlflow.ui_state import shown_metrics
from tuning.views.plain_values import storable
from tuning.views.spending_text import spending_tag

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, RunTag

EXPERIMENT = "antisample"
STUDY_TAG, TRIAL_TAG = "antisample.study", "antisample.trial"
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
PLOTS = ("pareto.png", "depth.png", "hypervolume.png")
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000


@dataclass(frozen=True)
class StudyMetadata:
    """What is told about a study from its start.

    Attributes:
        study_id: Unique; the tag that its runs are found by.
        name: The name that the study, or the copy of one, was made with, even if its folder is called otherwise now.
        directory: The study's folder.
        created_ms: When the study was made, milliseconds since 1970.
        params: What was searched, on what; fixed for ever, as MLflow's parameters are.
        method_values: The values of the method's configuration that a trial has with its searched parameters.
        original: Metrics of the original model.
        data: What `data_set` takes of the images; None in studies from before it was noted.
        metrics: What the MLflow UI shows first; see `shown_metrics`.
        searched: Names of the parameters that are searched.
    """

    study_id: str
    name: str
    directory: Path
    created_ms: int
    params: dict[str, Any]
    method_values: Callable[[Mapping[str, Any]], dict[str, Any]]
    original: dict[str, float]
    data: dict[str, Any] | None
    metrics: tuple[str, ...]
    searched: tuple[str, ...]

    @classmethod
    def of(cls, study: StudyReader) -> "StudyMetadata":
        """Reads a study.

        Raises:
            DataError: If its search never began.
        """
        config, study_id = study.config, study.noted(ID)
        if study_id is None:
            raise DataError(f"{config.directory}: the search has not started, so there is nothing to send to MLflow.")
        return cls(
            study_id=study_id,
            name=study.noted(COPY_NAME, study.optuna_study().study_name),
            directory=config.directory.resolve(),
            created_ms=begun_ms(study),
            params={
                "data": config.data.source,
                "model": config.model.name,
                "method": config.method,
                "forget": "; ".join(request.describe() for request in config.forget),
                "space": config.space or config.method,
                "sampler": config.sampler,
                "seed": config.seed,
                **({"forgetting": "; ".join(noted)} if (noted := study.noted(FORGETTING)) else {}),
            },
            method_values=study.plan.method_values,
            original=study.noted(ORIGINAL, {}),
            data=_data(study),
            metrics=shown_metrics(config),
            searched=tuple(study.space.parameters),
        )

    def trial_params(self, record: TrialRecord) -> "list[Param]":
        """Parameters of a trial's run."""
        return params_of({**self.method_values(record.params), "seeds": list(record.seeds)})


def begun_ms(study: StudyReader) -> int:
    """When a study was made, milliseconds since 1970; those from before the note began with their first trial."""
    return study.noted(CREATED_MS, min((record.started_ms for record in study.records()), default=0))


def _data(study: StudyReader) -> dict[str, Any] | None:
    fingerprints, images = study.noted(FINGERPRINTS, {}), study.noted(IMAGES)
    if "data" not in fingerprints or images is None:
        return None
    source = str(study.config.data.source)
    return {
        "name": Path(source).name,
        "fingerprint": fingerprints["data"],
        "source": source,
        "images": images,
        "classes": len(study.noted(CLASS_NAMES, [])),
    }


@dataclass(frozen=True)
class SearchSummary:
    """What is told about a study whose search has come to an end.

    Attributes:
        ends: Each time the search ended; at least one.
        n_trials: How many trials were wanted; None where a budget alone said so.
        spending: What the request has cost.
        front: Content of `front.json`.
        description: The study in Markdown.
        begun_ms: When the study was made, milliseconds since 1970.
        baselines: Figures of what the result is held against, by `baseline/NAME/METRIC`.
        chosen: For each end, the trial that was chosen then; None if there was none.
    """

    ends: tuple[SearchEnd, ...]
    n_trials: int | None
    spending: Spending
    front: dict[str, Any]
    description: str
    begun_ms: int
    baselines: dict[str, float]
    chosen: "tuple[ChosenTrial | None, ...]"

    @classmethod
    def of(cls, study: StudyReader, outcome: Outcome | None = None) -> "SearchSummary | None":
        """Reads a study; None if its search has not come to an end."""
        search_ends = ends(study)
        if not search_ends:
            return None
        outcome = outcome or find_outcome(study)
        return cls(
            ends=search_ends,
            n_trials=study.config.n_trials,
            spending=outcome.spending,
            front=outcome.to_json(),
            description=description(study, outcome),
            begun_ms=begun_ms(study),
            baselines={f"baseline/{name}": value for name, value in baseline_metrics(outcome.baselines)},
            chosen=chosen_trials(study, search_ends),
        )

    def metrics(self, told: int) -> "list[Metric]":
        """Figures of the ends that come after the first `told` ones, and those of the baselines.

        The latter are the same points each time, of which MLflow keeps one.
        """
        from mlflow.entities import Metric  # noqa: PLC0415

        held_against = [Metric(name, value, self.begun_ms, 0) for name, value in self.baselines.items()]
        return (
            held_against
            + [
                Metric(name, value, end.timestamp_ms, end.trials)
                for end in self.ends[told:]
                for name, value in end.values.items()
            ]
            + [
                Metric(name, value, end.timestamp_ms, end.trials)
                for end, chosen in zip(self.ends[told:], self.chosen[told:], strict=True)
                if chosen is not None
                for name, value in chosen.metrics().items()
            ]
        )

    def tags(self) -> "list[RunTag]":
        """What may be another at every end."""
        from mlflow.entities import RunTag  # noqa: PLC0415

        chosen = self.chosen[-1]
        return [
            RunTag("antisample.chosen", "none" if chosen is None else str(chosen.record.number)),
            RunTag("antisample.origin", "none" if chosen is None else storable(f"chosen: {chosen.describe()}")),
            RunTag("antisample.confirmed", "none" if chosen is None else chosen.describe_confirmation()),
            RunTag("antisample.n_trials", "by the budget" if self.n_trials is None else str(self.n_trials)),
            RunTag("antisample.spent", spending_tag(self.spending)),
            RunTag("mlflow.note.content", _whole_lines(storable(self.description))),
        ]


def _whole_lines(text: str) -> str:
    """The beginning of a text that a tag can hold, without half a line of figures."""
    return text if len(text) <= _LONGEST_TAG else text[:_LONGEST_TAG].rpartition("\n")[0]


def params_of(values: Mapping[str, Any]) -> "list[Param]":
    """Parameters as MLflow keeps them."""
    from mlflow.entities import Param  # noqa: PLC0415

    return [Param(name, storable(str(value))[:_LONGEST_PARAM]) for name, value in values.items()]


def step_metrics(record: TrialRecord, steps: Sequence[EpochRecord]) -> "list[Metric]":
    """The points of a trial's curves at these steps; of several replicates, each has curves of its own."""
    from mlflow.entities import Metric  # noqa: PLC0415

    first: dict[int, int] = {}
    for each in record.steps:
        first.setdefault(each.replicate, each.step)

    def point(step: EpochRecord, name: str, value: float) -> Metric:
        if len(record.seeds) < 2:
            return Metric(name, value, step.timestamp_ms, step.step)
        epoch = step.step - first[step.replicate] + 1
        return Metric(f"replicate {step.replicate + 1}/{name}", value, step.timestamp_ms, epoch)

    return [
        point(step, name, value)
        for step in steps
        for name, value in {
            **step.metrics,
            "train_loss": step.train_loss,
            "elapsed_s": step.elapsed_s,
            "evaluation_s": step.evaluation_s,
        }.items()
    ]


def final_metrics(record: TrialRecord) -> "list[Metric]":
    """Means over the replicates, as far as the trial came; the curves of a single one end with its figures."""
    from mlflow.entities import Metric  # noqa: PLC0415

    if len(record.seeds) < 2 or not record.steps:
        return []
    end_ms = max(record.finished_ms or 0, record.steps[-1].timestamp_ms + 1)
    figures = {**record.figures, **last_seconds(record)}
    return [Metric(name, value, end_ms, record.fidelity) for name, value in figures.items()]


def final_tags(record: TrialRecord) -> "list[RunTag]":
    """What is known of a trial at its end."""
    from mlflow.entities import RunTag  # noqa: PLC0415

    facts: dict[str, Any] = {
        "antisample.state": record.state,
        "antisample.worker": record.worker,
        "antisample.error": record.error,
        "antisample.batch_halvings": record.batch_halvings or None,
        **{f"antisample.version.{name}": version for name, version in record.versions.items()},
    }
    return [RunTag(name, storable(str(value))[:_LONGEST_TAG]) for name, value in facts.items() if value is not None]
