"""Clusters and a study to render."""

from pathlib import Path

import pytest
import yaml

from cluster import StudyJob, load_cluster

STUDY = "name: my study's\nn_trials: 4\n"


@pytest.fixture
def load(tmp_path):
    """Reads a cluster file with these values."""

    def load(**values):
        path = tmp_path / "cluster.yaml"
        path.write_text(yaml.safe_dump(values))
        return load_cluster(path)

    return load


@pytest.fixture
def job():
    """A study whose folders have names that a shell would take apart."""
    return StudyJob(
        "small.Study_1", Path("/shared/me & you/runs/small"), STUDY, ("--warm-start", "/a b"), Path("/home")
    )
