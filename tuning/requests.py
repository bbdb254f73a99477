"""The forget requests of a study: what they share, and figures over all of them."""

from collections.abc import Sequence
from statistics import fmean

from antisample.errors import ConfigError
from antisample.forgetting import Forgetting
from antisample.inputs import SILENT, LoadingListener, UnlearnInputs, load_inputs, open_dataset, request_splits
from antisample.metrics import PARTS, image_counts
from antisample.types import Splits, UnlearnMetrics
from antisample.unlearning import evaluate_original
from tuning.config import StudyConfig

RequestInputs = tuple[UnlearnInputs, ...]


def load_requests(config: StudyConfig, listener: LoadingListener = SILENT) -> RequestInputs:
    """Loads the inputs of every forget request, in the order of `config.forget`; data and original model once.

    Args:
        config: The study.
        listener: Is told what happens; each request has a retrained reference of its own.

    Raises:
        AntisampleError: If a request does not fit the data or the original model, or a file cannot be used.
    """
    configs = [config.starting_config(request) for request in range(len(config.forget))]
    dataset = open_dataset(config.data, config.split)
    splits: list[Splits] = []
    problems: list[str] = []
    for each in configs:
        try:
            splits.append(request_splits(each, dataset))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    listener.data_loaded(dataset, [Forgetting.of(dataset, each) for each in splits])
    first = load_inputs(configs[0], listener, (dataset, splits[0]))
    pairs = zip(configs[1:], splits[1:], strict=True)
    return (first, *(load_inputs(each, listener, (dataset, of_it), first) for each, of_it in pairs))


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
