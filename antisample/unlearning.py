"""One unlearning: `unlearn(config)` yields a report an epoch and leaves the unlearned model."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from antisample.config import UnlearnConfig
from antisample.datasets import load_dataset, training_files
from antisample.device import choose_device
from antisample.errors import ConfigError
from antisample.forget_request import ForgetRequest
from antisample.kept_predictions import kept_predictions
from antisample.methods import OriginalModel, UnlearnContext, find_method
from antisample.metrics import PARTS, RetrainedReference, Subject, evaluate, left_out_families
from antisample.neighbour_table import NeighbourTable, neighbour_tables
from antisample.pretrain import original_model
from antisample.reference import ReferenceTraining
from antisample.splits import make_splits
from antisample.train import EpochListener
from antisample.types import Dataset, Splits, StepReport, UnlearnMetrics


@dataclass(frozen=True)
class UnlearnInputs:
    """What many unlearnings share: loaded once, passed to each.

    Attributes:
        dataset: The data.
        splits: Forget, retain, validation and test.
        original: The model that has to forget.
        reference: The retrained reference, where a metric needs it.
        neighbours: By label to forget, the farthest retain images, where the method needs them.
        left_out: Metric families of the default that this data is too small for, and why, in a sentence.
    """

    dataset: Dataset
    splits: Splits
    original: OriginalModel
    reference: RetrainedReference | None = None
    neighbours: Mapping[int, NeighbourTable] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What people are told of these inputs, in sentences: how the checkpoint was read, and what is left out."""
        return (*self.original.notes, *self.left_out.values())

    def families(self, config: UnlearnConfig) -> tuple[str, ...]:
        """The metric families that a finished model is measured by."""
        return ("classification", *(name for name in config.evaluation.final if name not in self.left_out))


def load_inputs(
    config: UnlearnConfig,
    on_epoch: EpochListener | None = None,
    on_reference_epoch: EpochListener | None = None,
    shared: UnlearnInputs | None = None,
) -> UnlearnInputs:
    """Loads data and original model; trains the latter where there is neither checkpoint nor cache.

    The retrained reference is trained likewise if `evaluation.final` names `retrained`, and farthest neighbours are
    found if the method needs them.

    Args:
        config: All of it is read but the seed and the method's hyperparameters.
        on_epoch: Told about each epoch where the original model has to be trained.
        on_reference_epoch: Told about each epoch where the retrained reference has to be trained.
        shared: The inputs of another forget request, whose data and original model are these, too.

    Returns:
        The inputs.

    Raises:
        AntisampleError: If the configuration does not fit the data, or a file cannot be used.
    """
    data = config.data
    if shared is not None:
        dataset = shared.dataset
    else:
        dataset = load_dataset(
            data.source,
            root=data.root,
            download=data.download,
            image_size=data.image_size,
            cache_dir=data.cache_dir,
        )
    if config.forget.samples and not config.method.forgets_samples:
        raise ConfigError(f"The method {config.method.name!r} forgets classes, so `forget.samples` cannot be given.")
    splits = make_splits(
        dataset, _by_position(config), config.split, has_checkpoint=config.model.checkpoint is not None
    )
    left_out = left_out_families(config.evaluation.final, dataset, splits)
    device = choose_device(config.device)
    if shared is not None:
        original = shared.original
    else:
        original = original_model(config.model, dataset, splits, data.cache_dir, device, on_epoch)
    reference = None
    if "retrained" in config.evaluation.final:
        recipe = config.model.recipe
        training = ReferenceTraining(recipe, dataset, splits, original, data.cache_dir, recipe.seed)
        reference = training.reference(device, config.evaluation, on_reference_epoch)
    neighbours = {}
    if config.method.needs_neighbours:
        neighbours = neighbour_tables(dataset, splits, original.preprocessing, device, data.cache_dir)
    return UnlearnInputs(dataset, splits, original, reference, neighbours, left_out)


def _by_position(config: UnlearnConfig) -> ForgetRequest:
    """The request with positions in the place of files."""
    request = config.forget
    if not any(isinstance(sample, str) for sample in request.samples):
        return request
    positions = {file: i for i, file in enumerate(training_files(config.data.source, config.data.root))}
    names = [str(sample).removeprefix("train/") for sample in request.samples if isinstance(sample, str)]
    unknown = [name for name in names if name not in positions]
    if unknown:
        raise ConfigError(
            f"`forget.samples` must name files in the training split of {config.data.source}, such as "
            f"{next(iter(positions))}, but got {', '.join(map(repr, unknown[:5]))}."
        )
    kept = [sample for sample in request.samples if isinstance(sample, int)]
    return ForgetRequest(samples=(*kept, *(positions[name] for name in names)))


class Unlearning(Iterator[StepReport]):
    """An unlearning under way: iterate for a report an epoch; `model` is the network as it is now.

    Preparation (generating anti-samples, say) happens at the first `next`. Every report holds validation metrics;
    the last one holds train and test metrics too, which nothing before it can see.

    Args:
        config: What to do.
        inputs: Shared inputs; loaded from `config` if None.
    """

    def __init__(self, config: UnlearnConfig, inputs: UnlearnInputs | None = None) -> None:
        self.config = config
        self.inputs = inputs if inputs is not None else load_inputs(config)
        self._run: Any = None
        self._elapsed_s = self._evaluation_s = 0.0

    @property
    def model(self) -> nn.Module:
        """The network after the last finished epoch, on the device."""
        return self._prepared().model  # type: ignore[no-any-return]

    def __next__(self) -> StepReport:
        """Does one epoch and evaluates.

        Returns:
            The report of the epoch.

        Raises:
            StopIteration: After the last epoch.
            DivergedError: If loss or metrics are not finite.
        """
        run = self._prepared()
        if run.epochs_done >= run.epochs:
            raise StopIteration
        started = time.perf_counter()
        loss = run.run_epoch()
        self._elapsed_s += time.perf_counter() - started
        last = run.epochs_done >= run.epochs
        started = time.perf_counter()
        metrics = evaluate_finished(run.model, self.inputs, self.config) if last else self._evaluate(run.model)
        self._evaluation_s += time.perf_counter() - started
        return StepReport(run.epochs_done, last, self._elapsed_s, self._evaluation_s, loss, metrics)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to continue after the last finished epoch."""
        return {
            "run": self._prepared().state_dict(),
            "elapsed_s": self._elapsed_s,
            "evaluation_s": self._evaluation_s,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a state saved under the same configuration."""
        self._prepared().load_state_dict(state["run"])
        self._elapsed_s, self._evaluation_s = state["elapsed_s"], state["evaluation_s"]

    def _prepared(self) -> Any:
        if self._run is None:
            started = time.perf_counter()
            context = UnlearnContext(
                self.inputs.dataset,
                self.inputs.splits,
                self.inputs.original,
                choose_device(self.config.device),
                self.config.seed,
                self.config.precision,
                self.inputs.neighbours,
            )
            self._run = find_method(self.config.method.name).prepare(context, self.config.method)
            self._elapsed_s += time.perf_counter() - started
        return self._run

    def _evaluate(self, model: nn.Module) -> UnlearnMetrics:
        return evaluate(subject_of(model, self.inputs, self.config), ("validation",))


def subject_of(model: nn.Module, inputs: UnlearnInputs, config: UnlearnConfig) -> Subject:
    """A model as the subject of metrics."""
    return Subject(model, inputs.dataset, inputs.splits, inputs.original, config.evaluation, inputs.reference)


def evaluate_finished(model: nn.Module, inputs: UnlearnInputs, config: UnlearnConfig) -> UnlearnMetrics:
    """Measures a finished model by everything that `config.evaluation` asks for, on every part."""
    return evaluate(subject_of(model, inputs, config), PARTS, inputs.families(config))


def evaluate_original(inputs: UnlearnInputs, config: UnlearnConfig) -> UnlearnMetrics:
    """Measures the original as `evaluate_finished` does, by predictions that are kept in the cache."""
    subject = subject_of(inputs.original.build(inputs.dataset, choose_device(config.device)), inputs, config)
    known = kept_predictions(subject, inputs.original.fingerprint, config.data.cache_dir)
    return evaluate(subject.knowing(known), PARTS, inputs.families(config))


def unlearn(config: UnlearnConfig, inputs: UnlearnInputs | None = None) -> Unlearning:
    """Makes a trained classifier forget.

    Args:
        config: What to forget from which model, and how.
        inputs: Data and original model, where they are loaded already.

    Returns:
        An iterator that yields one report an epoch; its `model` is the unlearned network when it is exhausted.

    Raises:
        AntisampleError: If the configuration does not fit the data, or a file cannot be used.

    Example:
        >>> run = unlearn(config)  # doctest: +SKIP
        >>> for report in run:
        ...     print(report.step, report.metrics.values["validation/forget_accuracy"])
    """
    return Unlearning(config, inputs)
