"""Keeps the error that ends a search, since Ray turns it into the text of its traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from antisample.errors import AntisampleError


class ErrorCapture:
    """What the study raised inside Ray Tune's loop.

    Attributes:
        error: Why the search cannot go on; None if it can.
    """

    def __init__(self) -> None:
        self.error: AntisampleError | None = None

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Keeps an error that passes through."""
        try:
            yield
        except AntisampleError as error:
            self.error = error
            raise
