"""The address of an MLflow store or server, which never holds a password: studies keep it and print it."""

import re

from antisample.validation.addresses import secret_problem, shown_address

_FORM = re.compile(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://|databricks(://|$)")


def tracking_problem(uri: str) -> str | None:
    """What is wrong with the address of an MLflow store or server; None if it has the form of one.

    The text never holds a password.
    """
    problem = secret_problem(uri)
    if problem is not None:
        return (
            f"{problem}: MLflow reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN, for a server, and PostgreSQL's client PGPASSWORD or ~/.pgpass for a database"
        )
    if _FORM.match(uri):
        return None
    return (
        "must be a server such as http://HOST:5000 or a database such as sqlite:///mlflow.db, "
        f"but got {shown_address(uri)}"
    )
