"""Metrics of a model on one part of the data. docs/metrics.md defines each.

A new family is a file beside this one with a class that fits `MetricFamily`, and a line in `families.py`, or an entry
point `antisample.metrics` of another package.
"""

from antisample.metrics.base import (
    EVAL_BATCH_SIZE,
    EvaluationSettings,
    EvaluationSubject,
    MetricFamily,
    RetrainedReference,
    image_counts,
    part_positions,
)
from antisample.metrics.classification import summarise
from antisample.metrics.evaluation import EvaluationConfig, all_counts, evaluate
from antisample.metrics.families import (
    EARLIER_FAMILIES,
    PARTS,
    family_names,
    family_plugin,
    metric_names,
    needing_reference,
    needing_stages,
)
from antisample.metrics.leaving_out import is_default, left_out_families, left_out_notes, skipped, unmeasured_earlier
from antisample.metrics.probe_anchors import ProbeAnchors
from antisample.models.predictions import Predictions, predict

__all__ = [
    "PARTS",
    "EARLIER_FAMILIES",
    "EVAL_BATCH_SIZE",
    "EvaluationConfig",
    "EvaluationSettings",
    "MetricFamily",
    "ProbeAnchors",
    "Predictions",
    "RetrainedReference",
    "EvaluationSubject",
    "left_out_families",
    "all_counts",
    "unmeasured_earlier",
    "evaluate",
    "family_names",
    "family_plugin",
    "image_counts",
    "is_default",
    "left_out_notes",
    "needing_reference",
    "needing_stages",
    "skipped",
    "metric_names",
    "part_positions",
    "predict",
    "summarise",
]
