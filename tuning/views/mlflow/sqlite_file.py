"""The file of an MLflow store in SQLite: whether it can be written is asked before MLflow tries for half a minute."""

import os
from pathlib import Path

from mlflow.exceptions import MlflowException

_SCHEME = "sqlite:///"


def check_writable(uri: str) -> None:
    """Makes sure that a store in SQLite can be opened.

    Args:
        uri: MLflow store or server; others than SQLite are left alone.

    Raises:
        MlflowException: If the file, or the folder that it would be made in, cannot be written.
    """
    if not uri.startswith(_SCHEME) or "?" in uri:
        return
    path = Path(uri.removeprefix(_SCHEME))
    if not path.name or path.name == ":memory:":
        return
    needed = [path, path.parent] if path.exists() else [path.parent]  # SQLite writes its own journal beside the file
    for each in needed:
        if each.exists() and not os.access(each, os.W_OK):
            raise MlflowException(f"{each} cannot be written.")
