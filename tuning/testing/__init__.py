"""The conformance suite that a storage of studies has to pass; it needs pytest."""

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "tuning.testing needs pytest, which is not installed; install it with `pip install pytest`.", name=error.name
    ) from error

pytest.register_assert_rewrite("tuning.testing.storage")  # a failing assertion then shows its values

from tuning.testing.storage import StudyStorageConformance  # noqa: E402

__all__ = ["StudyStorageConformance"]
