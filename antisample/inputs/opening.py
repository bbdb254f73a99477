"""From a configuration to its data, what will be forgotten of it, and what cannot be measured on it."""

from collections.abc import Mapping
from dataclasses import replace

from antisample.config import UnlearnConfig
from antisample.data.drawing import SplitConfig
from antisample.data.earlier_requests import EarlierRequests
from antisample.data.splits import make_splits
from antisample.datasets import load_dataset
from antisample.datasets.config import IN_MEMORY, DataConfig
from antisample.duplicates.settling import settle_copies
from antisample.errors import ConfigError
from antisample.inputs.asked_images import by_position, without_forgotten
from antisample.inputs.listening import SILENT, LoadingListener
from antisample.inputs.request import RequestData
from antisample.methods import OriginalModel
from antisample.metrics import (
    EARLIER_FAMILIES,
    is_default,
    left_out_families,
    needing_stages,
    skipped,
    unmeasured_earlier,
)
from antisample.models.original_network import stages_of
from antisample.types import Dataset, EarlierImages


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
    if config.forget.column is not None:
        request, gone = without_forgotten(request, dataset, earlier, config.forget.describe())
        notes += gone
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
