"""Both storages of studies pass the same suite."""

import pytest

from tuning.testing import StudyStorageConformance


class TestJournal(StudyStorageConformance):
    @pytest.fixture
    def storage(self):
        return None


@pytest.mark.integration
class TestPostgresql(StudyStorageConformance):
    @pytest.fixture
    def storage(self, database):
        return database
