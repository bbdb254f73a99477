"""What may stand for an MLflow store: no password, since studies keep the address and print it."""

import pytest

from antisample.errors import ConfigError
from cluster import load_cluster
from cluster.errors import ClusterError
from tuning.cli.overriding import check_uri
from tuning.config.loading import parse_study
from tuning.config.tracking_address import tracking_problem


@pytest.mark.parametrize(
    "uri",
    [
        "http://host:5000",
        "https://host/mlflow/",
        "http://[::1]:5000",
        "sqlite:///mlflow.db",
        "sqlite:////home/me@work/mlflow.db",
        "postgresql+psycopg://me@host/mlflow",
        "postgresql://me@host/mlflow?sslmode=verify-full",
        "mssql+pyodbc://me@host/mlflow?driver=ODBC+Driver+18+for+SQL+Server",
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
    "uri", ["HTTP://me:secret@host", "ftp://me:secret@host", "me:secret@host", "x://h?token=secret"]
)
def test_what_is_neither_is_not_shown_where_it_may_hold_a_password(uri):
    assert "secret" not in tracking_problem(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:secret@host:5000",
        "https://secret@host",
        "https://secret:@host",
        "http://se/cretsecret@host",
        "http://host:5000?token=secret",
        "http://host:5000/#secret",
        "http://host:5000/;password=secret",
        "postgresql://me:secret@host/db",
        "postgresql://host/db?user=me&password=secret",
        "postgresql://host/db?PASSWORD=secret",
        "postgresql://me:secret/x#y?z@host/db",
        "mysql+pymysql://me:secret@host/db",
        "mysql://host/db?passwd=secret",
        "mysql://host/db?read_default_file=secret",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7Bx%7D%3BPWD%3Dsecret",
        "mssql+pyodbc://host/db?Authentication=secret",
        "mssql+pyodbc://host/db?driver=x;PWD=secret",
        "sqlite:///mlflow.db?password=secret",
        "sqlite://me:secret@/mlflow.db",
        "databricks://me:secret@host",
    ],
)
def test_a_password_is_refused_everywhere_and_shown_nowhere(uri, values, tmp_path):
    spec = tmp_path / "cluster.yaml"
    spec.write_text(f"launcher: local\ntracking_uri: '{uri}'\n")
    for refuse, error in (
        (lambda: parse_study({**values, "tracking_uri": uri}), ConfigError),
        (lambda: check_uri(uri), ConfigError),
        (lambda: load_cluster(spec), ClusterError),
    ):
        with pytest.raises(error, match="must hold no password") as caught:
            refuse()
        assert "secret" not in str(caught.value)
