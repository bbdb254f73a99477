"""What unlearnings share: data, splits, original model, reference and neighbours, loaded once and checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

from antisample.config import UnlearnConfig
from antisample.data.earlier_requests import EarlierRequests
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import SplitConfig, make_splits
from antisample.datasets import load_dataset, training_files
from antisample.datasets.config import IN_MEMORY, DataConfig
from antisample.datasets.groups import GroupImages, group_images
from antisample.device import choose_device
from antisample.duplicates.settling import settle_copies
from antisample.errors import ConfigError
from antisample.generation.neighbour_table import NeighbourTable, neighbour_tables
from antisample.methods import OriginalModel
from antisample.metrics import (
    EARLIER_FAMILIES,
    EvaluationSubject,
    Predictions,
    ProbeAnchors,
    RetrainedReference,
    is_default,
    left_out_families,
    left_out_notes,
    needing_reference,
    needing_stages,
    skipped,
    unmeasured_earlier,
)
from antisample.metrics.base import StageFeatures
from antisample.metrics.forgetting import Forgetting
from antisample.metrics.original_accuracy import OriginalAccuracy, check_original
from antisample.metrics.probe_cache import kept_anchors
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.metrics.similarity import known_features
from antisample.models.original_network import stages_of
from antisample.models.pretrain import original_model
from antisample.types import Dataset, EarlierImages, IndexArray, SplitName, Splits


@dataclass(frozen=True)
class UnlearnInputs:
    """What many unlearnings share: loaded once, passed to each.

    Attributes:
        dataset: The data.
        splits: Forget, retain, validation and test.
        original: The model that has to forget.
        references: The retrained references, where a metric needs them.
        neighbours: By label to forget, the farthest retain images, where the method needs them.
        left_out: Metric families of the default that this data is too small for, and why, in a sentence.
        original_validation: The original's predictions of the validation part, where they are known.
        probe: What the probe says of the original and of an untrained network, where a metric needs it.
        original_features: The outputs of the original's stages for parts, where a metric compares them.
    """

    dataset: Dataset
    splits: Splits
    original: OriginalModel
    references: tuple[RetrainedReference, ...] = ()
    neighbours: Mapping[int, NeighbourTable] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    original_validation: Predictions | None = None
    probe: ProbeAnchors | None = None
    original_features: Mapping[SplitName, StageFeatures] = field(default_factory=dict)

    @property
    def reference(self) -> RetrainedReference | None:
        """The reference that models are compared with: the first one."""
        return self.references[0] if self.references else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of these inputs, in sentences: how they were read, and what is left out."""
        names = [self.dataset.class_names[label] for label in self.splits.forget_classes]
        return (
            *self.dataset.notes,
            *self.splits.notes,
            *([copies.describe()] if (copies := self.splits.copies) is not None and copies.total else ()),
            *left_out_notes(self.left_out, self.splits),
            *self.original.notes,
            *(self.probe.notes(names) if self.probe is not None else ()),
        )

    def families(self, config: UnlearnConfig) -> tuple[str, ...]:
        """The metric families that a finished model is measured by."""
        asked = dict.fromkeys((*config.evaluation.final, *(EARLIER_FAMILIES if self.splits.earlier else ())))
        return ("classification", *(name for name in asked if name not in self.left_out))


@dataclass(frozen=True)
class RequestData:
    """What is known of a forget request before any work.

    Attributes:
        dataset: The data.
        splits: Forget, retain, validation and test.
        left_out: See `UnlearnInputs`.
    """

    dataset: Dataset
    splits: Splits
    left_out: Mapping[str, str] = field(default_factory=dict)

    def forgetting(self) -> Forgetting:
        """What will be forgotten."""
        return Forgetting.of(self.dataset, self.splits)


class LoadingListener(Protocol):
    """Is told what happens while inputs are loaded; the methods of subclasses show it to a person."""

    def copies_searched(self, share: float, elapsed_s: float) -> None:
        """This share of the other images of a split was searched for copies of images to forget."""

    def data_loaded(self, requests: Sequence[RequestData]) -> None:
        """The data is there, and it is known what each request will forget; all work is still to come."""

    def original_loaded(self, original: OriginalModel, accuracy: OriginalAccuracy, request: Forgetting) -> None:
        """The original model is there and has been measured."""

    def training_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """An epoch of training the original model is done."""

    def reference_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """An epoch of training the retrained reference is done."""


class SilentLoading:
    """A `LoadingListener` that shows nothing."""

    def copies_searched(self, share: float, elapsed_s: float) -> None:
        """Nothing."""

    def data_loaded(self, requests: Sequence[RequestData]) -> None:
        """Nothing."""

    def original_loaded(self, original: OriginalModel, accuracy: OriginalAccuracy, request: Forgetting) -> None:
        """Nothing."""

    def training_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """Nothing."""

    def reference_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """Nothing."""


SILENT: LoadingListener = SilentLoading()


def open_dataset(data: DataConfig, split: SplitConfig, after: EarlierRequests | None = None) -> Dataset:
    """Opens the data set of a configuration, which may lack what was forgotten earlier; see `load_dataset`.

    Raises:
        ConfigError: If it was handed over as objects, which no configuration holds.
    """
    if data.source == IN_MEMORY:
        raise ConfigError(
            "Data and model were objects in memory, which no file names: use `tuning.search` or `antisample.forget` "
            "with the same objects."
        )
    return load_dataset(
        data.source,
        root=data.root,
        download=data.download,
        image_size=data.image_size,
        cache_dir=data.cache_dir,
        test_fraction=split.test_fraction,
        split_seed=split.seed,
        may_lack=after.forgotten if after is not None else (),
    )


def request_data(
    config: UnlearnConfig,
    dataset: Dataset,
    listener: LoadingListener = SILENT,
    original: OriginalModel | None = None,
) -> RequestData:
    """The splits of a forget request, copies of its images, and what cannot be measured on them.

    Args:
        config: Names the request.
        dataset: The data.
        listener: Is told of the search for copies.
        original: The original model, where it was handed over as an object.

    Raises:
        ConfigError: If the request does not fit the data or the method, or a metric cannot be computed.
    """
    if config.forget.by_samples and not config.method.forgets_samples:
        raise ConfigError(config.method.samples_refusal())
    has_checkpoint = config.model.checkpoint is not None or original is not None
    split, after = config.split, config.after
    earlier: tuple[EarlierImages, ...] = ()
    if after is not None:
        dataset = after.with_model_labels(dataset)
        split, earlier = after.split_of(dataset, split), after.images(dataset)
    request, unseen, notes = by_position(config)
    splits = make_splits(dataset, request, split, has_checkpoint=has_checkpoint, unseen=unseen, earlier=earlier)
    splits = settle_copies(
        dataset,
        replace(splits, notes=notes),
        config.forget.duplicates,
        config.data.cache_dir,
        listener.copies_searched,
    )
    left_out = left_out_families(config.evaluation.final, dataset, splits)
    left_out |= unmeasured_earlier(config.evaluation.final, dataset, splits)
    return RequestData(dataset, splits, left_out | _without_stages(config, dataset, left_out, original))


def _without_stages(
    config: UnlearnConfig, dataset: Dataset, left_out: Mapping[str, str], original: OriginalModel | None
) -> dict[str, str]:
    """Leaves out the probe of the default, and why, if the network is one of the user's own that has no stages.

    Raises:
        ConfigError: If the stages that the user names cannot be ones, or a family that reads stages was asked for.
    """
    families = config.evaluation.final
    measured = dict.fromkeys((*families, *(EARLIER_FAMILIES if config.after is not None else ())))
    read = [name for name in needing_stages(measured) if name not in left_out]
    if not config.model.stages and not (read and ":" in config.model.name):
        return {}
    try:
        if original is None:
            stages_of(config.model, dataset)
        else:
            original.stage_names(dataset)
    except ConfigError as error:
        if config.model.stages or not is_default(families):
            raise
        return {name: skipped(name, str(error).rstrip(".")) for name in read}
    return {}


def load_inputs(
    config: UnlearnConfig,
    listener: LoadingListener = SILENT,
    data: RequestData | None = None,
    shared: UnlearnInputs | None = None,
    train_references: Callable[[Sequence[ReferenceTraining]], None] = lambda _: None,
    original: OriginalModel | None = None,
) -> UnlearnInputs:
    """Loads data and original model; trains the latter where there is neither checkpoint nor cache.

    The original is measured on validation images before anything is built on it. Retrained references are trained
    likewise if a family of `evaluation.final` compares with them, the probe measures the original and an untrained
    network if it names `probe`, and farthest neighbours are found if the method needs them.

    Args:
        config: All of it is read but the seed and the method's hyperparameters.
        listener: Is told what happens.
        data: Of the request, where it is known and the listener has been told.
        shared: The inputs of another forget request, whose original model is this one's, too.
        train_references: May train references in its own way and leave them in the cache; others are trained here,
            one after the other.
        original: The original model, where it was handed over as an object; `data` is then given, too.

    Returns:
        The inputs.

    Raises:
        AntisampleError: If the configuration does not fit the data, a file cannot be used, or the original model
            knows nothing of the data or of what is to be forgotten; see `check_original`.
    """
    if data is None:
        data = request_data(config, open_dataset(config.data, config.split, config.after), listener)
        listener.data_loaded([data])
    dataset, splits = data.dataset, data.splits
    device, cache_dir = choose_device(config.device), config.data.cache_dir
    if shared is not None:
        original = shared.original
    elif original is None:
        original = original_model(config.model, dataset, splits, cache_dir, device, listener.training_epoch)
    validation = _validation_predictions(config, dataset, splits, original, device, shared)
    listener.original_loaded(original, OriginalAccuracy.of(validation, splits), data.forgetting())
    if not config.model.accept_original:
        check_original(validation, dataset, splits)
    final = config.evaluation.final
    trainings = reference_trainings(config, dataset, splits, original)
    train_references(trainings)
    references = tuple(
        training.reference(
            device,
            config.evaluation,
            listener.reference_epoch,
            with_features="reference_similarity" in final,
        )
        for training in trainings
    )
    neighbours = {}
    if config.method.needs_neighbours:
        neighbours = neighbour_tables(dataset, splits, original.preprocessing, device, cache_dir)
    subject = EvaluationSubject(original.build(dataset, device), dataset, splits, original, config.evaluation)
    is_probed = "probe" in final and "probe" not in data.left_out
    probe = kept_anchors(subject, cache_dir) if is_probed else None
    features = known_features(subject) if "similarity" in final else {}
    return UnlearnInputs(
        dataset, splits, original, references, neighbours, data.left_out, validation, probe, features
    )


def reference_trainings(
    config: UnlearnConfig, dataset: Dataset, splits: Splits, original: OriginalModel
) -> tuple[ReferenceTraining, ...]:
    """The trainings of the retrained references that metrics need, with seeds from the recipe's upwards."""
    if not needing_reference(config.evaluation.final):
        return ()
    recipe, cache_dir = config.model.recipe, config.data.cache_dir
    seeds = range(recipe.seed, recipe.seed + config.evaluation.reference_seeds)
    return tuple(ReferenceTraining(recipe, dataset, splits, original, cache_dir, seed) for seed in seeds)


def _validation_predictions(
    config: UnlearnConfig,
    dataset: Dataset,
    splits: Splits,
    original: OriginalModel,
    device: torch.device,
    shared: UnlearnInputs | None,
) -> Predictions:
    """The original's predictions of the validation part; those of another request over the same classes' images."""
    if shared is not None and shared.original_validation is not None and not splits.by_samples:
        return shared.original_validation
    subject = EvaluationSubject(original.build(dataset, device), dataset, splits, original, config.evaluation)
    return subject.predictions("validation")


def by_position(
    config: UnlearnConfig,
) -> tuple[ForgetRequest, Mapping[SplitName, IndexArray], tuple[str, ...]]:
    """The request with positions in the place of files and groups.

    Returns:
        The request; positions of its images outside the training split; what there is to say.
    """
    request, data, split = config.forget, config.data, config.split
    if request.column is not None:
        group = _group(config, request.column)
        unseen = {**group.positions}
        samples = tuple(map(int, unseen.pop("train")))
        return ForgetRequest(samples=samples, duplicates=request.duplicates), unseen, group.notes
    if not any(isinstance(sample, str) for sample in request.samples):
        return request, {}, ()
    files = training_files(data.source, data.root, test_fraction=split.test_fraction, split_seed=split.seed)
    positions = {file: i for i, file in enumerate(files)}
    names = [str(sample).removeprefix("train/") for sample in request.samples if isinstance(sample, str)]
    unknown = [name for name in names if name not in positions]
    if unknown:
        raise ConfigError(
            f"`forget.samples` must name files in the training split of {config.data.source}, such as "
            f"{next(iter(positions))}, but got {', '.join(map(repr, unknown[:5]))}."
        )
    kept = [sample for sample in request.samples if isinstance(sample, int)]
    by_position = (*kept, *(positions[name] for name in names))
    return ForgetRequest(samples=by_position, duplicates=request.duplicates), {}, ()


def _group(config: UnlearnConfig, column: str) -> GroupImages:
    """The images of the groups of a request."""
    data, split = config.data, config.split
    return group_images(
        data.source,
        data.root,
        column,
        config.forget.value,
        test_fraction=split.test_fraction,
        split_seed=split.seed,
    )
