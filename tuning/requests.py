"""The forget requests of a study: what they share, and figures over all of them."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from antisample.errors import ConfigError
from antisample.metrics import PARTS, image_counts, metric_names
from antisample.train import EpochListener
from antisample.types import UnlearnMetrics
from antisample.unlearning import UnlearnInputs, evaluate_original, load_inputs
from tuning.config import StudyConfig

RequestInputs = tuple[UnlearnInputs, ...]


def load_requests(
    config: StudyConfig, on_epoch: EpochListener | None = None, on_reference_epoch: EpochListener | None = None
) -> RequestInputs:
    """Loads the inputs of every forget request, in the order of `config.forget`; data and original model once.

    Args:
        config: The study.
        on_epoch: See `load_inputs`.
        on_reference_epoch: See `load_inputs`; each request has a retrained reference of its own.

    Raises:
        AntisampleError: If a request does not fit the data, a file cannot be used, or a metric that the study needs
            cannot be computed on this data.
    """
    first = load_inputs(config.starting_config(), on_epoch, on_reference_epoch)
    others = (
        load_inputs(config.starting_config(request), None, on_reference_epoch, shared=first)
        for request in range(1, len(config.forget))
    )
    inputs = (first, *others)
    # What one request lacks no mean over the requests can hold.
    left_out = {name: reason for each in reversed(inputs) for name, reason in each.left_out.items()}
    _check_needed(config, left_out)
    return tuple(replace(each, left_out=left_out) for each in inputs)


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


def original_metrics(config: StudyConfig, inputs: RequestInputs) -> UnlearnMetrics:
    """Measures the original model: the means over the requests, as for a trial."""
    found = [evaluate_original(each, config.starting_config(request)) for request, each in enumerate(inputs)]
    return UnlearnMetrics(mean([each.values for each in found]), summed([each.counts for each in found]))


def mean(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric."""
    return {name: fmean(values[name] for values in metrics) for name in metrics[0]}


def summed(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """The sum of each count."""
    return {name: sum(values[name] for values in counts) for name in counts[0]}
