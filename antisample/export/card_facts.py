"""What a card states of request, data and original model, read off the inputs of an unlearning."""

from typing import Any

import numpy as np

from antisample.config import UnlearnConfig
from antisample.data.image_digests import MOST_LISTED, image_digests
from antisample.inputs import UnlearnInputs, by_position
from antisample.metrics import left_out_notes
from antisample.metrics.forgetting import Forgetting


def request_values(config: UnlearnConfig, inputs: UnlearnInputs) -> dict[str, Any]:
    """The values of `RequestFacts`."""
    dataset, splits = inputs.dataset, inputs.splits
    forgetting = Forgetting.of(dataset, splits)
    asked = splits.forget
    if splits.by_samples:
        asked = np.union1d(asked, np.array(by_position(config).samples, np.int64))
    return {
        "in_words": config.forget.describe(),
        "classes": forgetting.names,
        "labels": forgetting.labels,
        "images": forgetting.train,
        "validation": forgetting.validation,
        "test": forgetting.test,
        "never_seen": splits.never_seen,
        "kind": "samples" if splits.by_samples else "classes",
        "image_digests": image_digests(dataset.train, asked) if len(asked) <= MOST_LISTED else (),
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
        "notes": (*dataset.notes, *left_out_notes(inputs.left_out, splits)),
        "class_names": dataset.class_names,
    }
