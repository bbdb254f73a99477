"""The conformance suite that a storage of studies has to pass; it needs pytest."""

import pytest

from antisample import testing as _needs_pytest  # noqa: F401  (says what is missing)

pytest.register_assert_rewrite("tuning.testing.storage")

from tuning.testing.storage import StudyStorageConformance  # noqa: E402

__all__ = ["StudyStorageConformance"]
