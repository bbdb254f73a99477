"""What a card states of request, data and original model, read off the inputs of an unlearning."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from antisample.config import UnlearnConfig
from antisample.data.image_digests import MOST_LISTED, image_digests
from antisample.export.card import images_of
from antisample.inputs import UnlearnInputs, by_position
from antisample.metrics import left_out_notes
from antisample.metrics.forgetting import Forgetting
from antisample.metrics.share_limits import share_limits
from antisample.types import IndexArray, SplitName

_SHARES = ("forget_accuracy", "retain_accuracy", "earlier_forget_accuracy")
_DEVIATIONS = 1.96  # of 95 %, as in `share_limits`


def request_values(config: UnlearnConfig, inputs: UnlearnInputs) -> dict[str, Any]:
    """The values of `RequestFacts`."""
    dataset, splits = inputs.dataset, inputs.splits
    forgetting = Forgetting.of(dataset, splits)
    asked: dict[SplitName, IndexArray] = {"train": splits.forget}
    if splits.by_samples:
        request, unseen, _ = by_position(config)
        asked = {"train": np.union1d(splits.forget, np.array(request.samples, np.int64)), **unseen}
    is_listed = sum(map(len, asked.values())) <= MOST_LISTED
    return {
        "in_words": config.forget.describe(),
        "classes": forgetting.names,
        "labels": forgetting.labels,
        "images": forgetting.train,
        "validation": forgetting.validation,
        "test": forgetting.test,
        "never_seen": splits.never_seen,
        "kind": "samples" if splits.by_samples else "classes",
        "image_digests": image_digests((dataset.split(part), places) for part, places in asked.items())
        if is_listed
        else (),
        "reference": config.request.reference if config.request is not None else "",
        "operator": config.request.operator if config.request is not None else "",
    }


def data_values(inputs: UnlearnInputs) -> dict[str, Any]:
    """The values of `DataFacts`."""
    dataset, splits = inputs.dataset, inputs.splits
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "splits_fingerprint": splits.fingerprint,
        "retain": len(splits.retain),
        "validation": len(splits.validation),
        "validation_from": splits.validation_from,
        "test": len(splits.test),
        "notes": (*dataset.notes, *splits.notes, *left_out_notes(inputs.left_out, splits)),
        "class_names": dataset.class_names,
    }


def metric_limits(values: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """The 95 % limits of the figures that have any; see `CardMetric.limits`.

    Args:
        values: Of the unlearned model, by metric.
        counts: See `UnlearnMetrics.counts`.
    """
    limits = {}
    for name, value in values.items():
        part, _, metric = name.partition("/")
        images = images_of(name, counts)
        if metric in _SHARES and images:
            limits[name] = share_limits(value, images)
        elif metric == "probe_left" and f"{part}/probe_error" in values:
            half = _DEVIATIONS * values[f"{part}/probe_error"]
            limits[name] = (value - half, value + half)
    return limits


def limitations(config: UnlearnConfig, inputs: UnlearnInputs) -> tuple[str, ...]:
    """What the figures of an unlearning do not show, in sentences."""
    splits, families = inputs.splits, inputs.families(config)
    if config.method.name == "retrain":
        start = inputs.original.initial.origin
        told = [f"The model was trained without the images, and is as free of them as what it started from: {start}."]
    else:
        told = [
            "The model has learned from the images and was changed afterwards. This is approximate: no certificate, "
            "and no bound in the sense of differential privacy or certified removal."
        ]
    told.append("The figures are those of the tests that are named here; a stronger attack may find more.")
    told.append(
        "The images themselves, their backups, embeddings and caches, the original model, and models made from it "
        "are not affected."
    )
    if splits.by_samples:
        told.append("Single images were forgotten: how much of them is left inside the network was not measured.")
    elif "probe" not in families:
        told.append("How much of the classes is left inside the network was not measured (`probe`).")
    if not inputs.references:
        told.append("It was not compared with a model that was retrained without the images (`retrained`).")
    if splits.earlier and "earlier" not in families:
        told.append("Whether what was forgotten earlier is still forgotten was not measured.")
    if config.model.accept_original:
        told.append("The original model was used whatever it knew of the data (`model.accept_original`).")
    return tuple(told)
