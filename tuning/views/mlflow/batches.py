"""What one request to MLflow may hold."""

import json
from collections.abc import Iterator, Sequence
from typing import TypedDict

from mlflow.entities import Metric, Param, RunTag

# MLflow's own limits; a request of JSON may have 1 MB, of which names and braces take some.
_AT_MOST = {"metrics": 1000, "params": 100, "tags": 100}
_TOGETHER = 1000
_BYTES = 900_000
_FRAME_BYTES = 120


class Batch(TypedDict):
    """Arguments of one `log_batch`."""

    metrics: list[Metric]
    params: list[Param]
    tags: list[RunTag]


def batches(
    metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = ()
) -> Iterator[Batch]:
    """Packs into as few requests as MLflow's limits allow; nothing gives no request.

    Yields:
        Arguments of `log_batch`, parameters and tags first.
    """
    batch, size = _empty(), 0
    entries: tuple[tuple[str, Metric | Param | RunTag], ...] = (
        *(("params", param) for param in params),
        *(("tags", tag) for tag in tags),
        *(("metrics", metric) for metric in metrics),
    )
    for kind, entry in entries:
        entry_size = len(json.dumps([entry.key, entry.value])) + _FRAME_BYTES
        if len(batch[kind]) == _AT_MOST[kind] or _count(batch) == _TOGETHER or size + entry_size > _BYTES:  # type: ignore[literal-required]
            yield batch
            batch, size = _empty(), 0
        batch[kind].append(entry)  # type: ignore[literal-required]
        size += entry_size
    if _count(batch):
        yield batch


def _empty() -> Batch:
    return {"metrics": [], "params": [], "tags": []}


def _count(batch: Batch) -> int:
    return len(batch["metrics"]) + len(batch["params"]) + len(batch["tags"])
