"""The images that a request asks for, by position, whichever way it names them."""

from collections.abc import Mapping, Sequence

import numpy as np

from antisample.config import UnlearnConfig
from antisample.data.forget_request import ForgetRequest
from antisample.datasets import training_files
from antisample.datasets.groups import GroupImages, group_images
from antisample.errors import ConfigError
from antisample.types import Dataset, EarlierImages, IndexArray, SplitName


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


def without_forgotten(
    request: ForgetRequest, dataset: Dataset, earlier: Sequence[EarlierImages], in_words: str
) -> tuple[ForgetRequest, tuple[str, ...]]:
    """The request for a group without those of its images that the model has forgotten before.

    Whoever names a person cannot know which images of them went with a class or another request; a request that lists
    its images is refused instead, by `make_splits`.

    Args:
        request: Of a group, by position.
        dataset: With the model's labels.
        earlier: What the model has forgotten before.
        in_words: The request as it was made.

    Returns:
        The request, and what there is to say.

    Raises:
        ConfigError: If the model has forgotten all of them.
    """
    asked = np.array(request.samples, np.int64)
    classes = [label for each in earlier for label in each.classes]
    samples = np.concatenate([np.zeros(0, np.int64), *(each.samples for each in earlier)])
    gone = np.isin(dataset.train.labels[asked], classes) | np.isin(asked, samples)
    if not gone.any():
        return request, ()
    if gone.all():
        raise ConfigError(
            f"`forget` must name what the model has not forgotten yet, but all {len(asked):,} training images with "
            f"{in_words} have been forgotten by earlier requests."
        )
    kept = tuple(map(int, asked[~gone]))
    note = f"{gone.sum():,} of the {len(asked):,} training images with {in_words} were forgotten by earlier requests."
    return ForgetRequest(samples=kept, duplicates=request.duplicates), (note,)


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
