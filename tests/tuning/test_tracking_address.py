"""What may stand for an MLflow store: no password, since studies keep the address and print it."""

import pytest

from antisample.errors import ConfigError
from cluster import load_cluster
from cluster.errors import ClusterError
from tuning.options import check_uri
from tuning.study_file import parse_study
from tuning.tracking_address import tracking_problem


@pytest.mark.parametrize(
    "uri",
    [
        "http://host:5000",
        "https://me@host",
        "sqlite:///mlflow.db",
        "postgresql+psycopg://me@host/mlflow",
        "databricks",
        "databricks://profile",
    ],
)
def test_stores_and_servers_are_taken(uri):
    assert tracking_problem(uri) is None


@pytest.mark.parametrize("uri", ["host:5000", "ftp://host", "mlruns", ""])
def test_what_is_neither_is_refused(uri):
    assert tracking_problem(uri).endswith(f"but got {uri!r}")


@pytest.mark.parametrize(
    "uri",
    ["http://me:secret@host:5000", "postgresql://me:secret@host/db", "postgresql://host/db?user=me&password=secret"],
)
def test_a_password_is_refused_everywhere_and_shown_nowhere(uri, values, tmp_path):
    spec = tmp_path / "cluster.yaml"
    spec.write_text(f"launcher: local\ntracking_uri: {uri}\n")
    for refuse, error in (
        (lambda: parse_study({**values, "tracking_uri": uri}), ConfigError),
        (lambda: check_uri(uri), ConfigError),
        (lambda: load_cluster(spec), ClusterError),
    ):
        with pytest.raises(error, match="must hold no password") as caught:
            refuse()
        assert "secret" not in str(caught.value)
