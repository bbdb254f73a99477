"""What unlearnings share: data, splits, original model, reference and neighbours, loaded once and checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from antisample.config import UnlearnConfig
from antisample.device import choose_device
from antisample.generation.neighbour_table import NeighbourTable, neighbour_tables
from antisample.inputs.listening import SILENT, LoadingListener
from antisample.inputs.opening import open_dataset, request_data
from antisample.inputs.request import RequestData
from antisample.methods import OriginalModel
from antisample.metrics import (
    EARLIER_FAMILIES,
    EvaluationSubject,
    Predictions,
    ProbeAnchors,
    RetrainedReference,
    left_out_notes,
    needing_reference,
)
from antisample.metrics.base import StageFeatures
from antisample.metrics.original_accuracy import OriginalAccuracy, check_original
from antisample.metrics.probe_cache import kept_anchors
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.metrics.similarity import known_features
from antisample.models.pretrain import original_model
from antisample.types import Dataset, SplitName, Splits


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
