"""Archives that are never opened, with the reason and the way out."""

from collections.abc import Iterable
from pathlib import Path

from antisample.errors import DataError

PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".npz", ".npy", ".joblib", ".ckpt"})
RECORD_SUFFIXES = frozenset({".rec", ".idx"})

CLASS_FOLDERS = "convert the data to an image folder (`train/<class>/*.png`, `test/<class>/*.png`)"
"""The way out for a data set of one's own."""


def refuse_archives(files: Iterable[Path], advice: str) -> None:
    """Refuses files whose names say that they are pickles or records of MXNet.

    Args:
        files: Paths; none is opened.
        advice: The way out, as the second half of a sentence.

    Raises:
        DataError: At the first such file.
    """
    for file in files:
        if file.suffix.lower() in PICKLE_SUFFIXES:
            raise DataError(f"{file}: pickled archives are not read, because pickles can execute code; {advice}.")
        if file.suffix.lower() in RECORD_SUFFIXES:
            raise DataError(f"{file}: MXNet record files are not read, because MXNet is retired; {advice}.")
