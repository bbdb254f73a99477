"""The forget requests of a study: what they share, and figures over all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.inputs import (
    SILENT,
    LoadingListener,
    RequestData,
    UnlearnInputs,
    load_inputs,
    open_dataset,
    request_data,
)
from antisample.metrics import PARTS, image_counts, metric_names
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.models.original import OriginalModel
from antisample.types import Dataset, UnlearnMetrics
from antisample.unlearning import evaluate_baselines, evaluate_original, evaluate_references, reference_floor
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan

RequestInputs = tuple[UnlearnInputs, ...]


@dataclass(frozen=True)
class ObjectsInMemory:
    """Data and model that were handed over as objects, and that no configuration names.

    Attributes:
        dataset: The data.
        original: The model.
    """

    dataset: Dataset
    original: OriginalModel


def load_requests(
    plan: TrialPlan,
    listener: LoadingListener = SILENT,
    train_references: Callable[[Sequence[ReferenceTraining]], None] = lambda _: None,
    objects: ObjectsInMemory | None = None,
) -> RequestInputs:
    """Loads the inputs of every forget request, in the order of `config.forget`; data and original model once.

    Args:
        plan: Of the study.
        listener: Is told what happens; each request has retrained references of its own.
        train_references: See `load_inputs`.
        objects: Data and model, where the configuration names none.

    Raises:
        AntisampleError: If a request does not fit the data or the original model, a file cannot be used, or a metric
            that the study needs cannot be computed on this data.
    """
    configs = _starting_configs(plan)
    requests = find_requests(plan, listener, objects)
    listener.data_loaded(requests)
    original = objects.original if objects is not None else None
    first = load_inputs(configs[0], listener, requests[0], None, train_references, original)
    others = zip(configs[1:], requests[1:], strict=True)
    return (first, *(load_inputs(each, listener, request, first, train_references) for each, request in others))


def labels_of(inputs: RequestInputs) -> list[list[int]]:
    """The labels of the classes of each request."""
    return [[int(label) for label in each.splits.forget_classes] for each in inputs]


def _starting_configs(plan: TrialPlan) -> list[UnlearnConfig]:
    return [plan.starting_config(request) for request in range(len(plan.config.forget))]


def find_requests(
    plan: TrialPlan, listener: LoadingListener = SILENT, objects: ObjectsInMemory | None = None
) -> list[RequestData]:
    """Data and splits of every forget request, in the order of `config.forget`.

    Args:
        plan: Of the study.
        listener: Is told of the search for copies.
        objects: See `load_requests`.

    Raises:
        AntisampleError: If the data cannot be read, or with every problem of the requests; see `load_requests`.
    """
    config, configs = plan.config, _starting_configs(plan)
    dataset = open_dataset(config.data, config.split, config.after) if objects is None else objects.dataset
    original = objects.original if objects is not None else None
    requests: list[RequestData] = []
    problems: list[str] = []
    for each in configs:
        try:
            requests.append(request_data(each, dataset, listener, original))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    # What one request lacks no mean over the requests can hold.
    left_out = {name: reason for each in reversed(requests) for name, reason in each.left_out.items()}
    _check_needed(config, left_out)
    return [replace(each, left_out=left_out) for each in requests]


def _check_needed(config: StudyConfig, left_out: dict[str, str]) -> None:
    """Raises ConfigError if objectives or constraints stand on metrics that are left out."""
    needed = {f"The objective {objective.metric!r}": objective.metric for objective in config.objectives}
    needed |= {f"The constraint on {limit.metric!r}": limit.metric for limit in config.constraints}
    problems = [
        f"{what} cannot be computed on this data. {reason}"
        for what, metric in needed.items()
        for name, reason in left_out.items()
        if metric in metric_names((name,))
    ]
    if problems:
        raise ConfigError(problems)


def counts_of(config: StudyConfig, inputs: RequestInputs) -> dict[str, int]:
    """Images behind a trial's figures, by part: those of all requests together."""
    return summed([image_counts(each.dataset, each.splits, config.evaluation, PARTS) for each in inputs])


def original_metrics(plan: TrialPlan, inputs: RequestInputs) -> UnlearnMetrics:
    """Measures the original model: the means over the requests, as for a trial."""
    measured = [evaluate_original(each, plan.starting_config(request)) for request, each in enumerate(inputs)]
    return UnlearnMetrics(mean([each.values for each in measured]), summed([each.counts for each in measured]))


def baseline_metrics(plan: TrialPlan, inputs: RequestInputs) -> dict[str, dict[str, float]]:
    """Measures what a result is held against, as means over the requests; see `evaluate_baselines`.

    Returns:
        Metrics of these and of the retrained `reference` where there is one; of several, of `reference 1`,
        `reference 2` and so on, and as the `floor` what compares with a reference, between two of them.
    """
    measured = [evaluate_baselines(each, plan.starting_config(request)) for request, each in enumerate(inputs)]
    baselines = {name: mean([each[name].values for each in measured]) for name in measured[0]}
    return baselines | _reference_metrics(plan, inputs)


def _reference_metrics(plan: TrialPlan, inputs: RequestInputs) -> dict[str, dict[str, float]]:
    """Metrics of the retrained references, and how far they are from each other."""
    configs = [plan.starting_config(i) for i in range(len(inputs))]
    by_request = [evaluate_references(each, config) for each, config in zip(inputs, configs, strict=True)]
    rows = [mean([metrics.values for metrics in of_seed]) for of_seed in zip(*by_request, strict=True)]
    if len(rows) < 2:
        return {"reference": rows[0]} if rows else {}
    floor = mean([reference_floor(each, config) for each, config in zip(inputs, configs, strict=True)])
    return {**{f"reference {i}": row for i, row in enumerate(rows, start=1)}, "floor": floor}


def mean(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric."""
    return {name: fmean(values[name] for values in metrics) for name in metrics[0]}


def summed(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """The sum of each count."""
    return {name: sum(values[name] for values in counts) for name in counts[0]}
