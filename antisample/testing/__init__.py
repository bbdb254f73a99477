"""Conformance suites that methods, metrics and data sets of other packages subclass; they need pytest."""

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "antisample.testing needs pytest, which is not installed; install it with `pip install pytest`.",
        name=error.name,
    ) from error

# Before they are imported: a failing assertion then shows its values.
pytest.register_assert_rewrite(*(f"antisample.testing.{suite}" for suite in ("datasets", "methods", "metrics")))

from antisample.testing.datasets import DatasetConformance, FileDatasetConformance  # noqa: E402
from antisample.testing.digits import digits_config, digits_inputs  # noqa: E402
from antisample.testing.methods import MethodConformance  # noqa: E402
from antisample.testing.metrics import MetricConformance  # noqa: E402

__all__ = [
    "DatasetConformance",
    "FileDatasetConformance",
    "MethodConformance",
    "MetricConformance",
    "digits_config",
    "digits_inputs",
]
