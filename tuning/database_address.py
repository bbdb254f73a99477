"""The address of a PostgreSQL database, and what may be shown of it: never its password."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from antisample.errors import DataError

_FORM = re.compile(r"postgresql(\+psycopg)?://[^/?#]*/[^/?#]+(\?[^#]*)?$")
_PASSWORD = re.compile(r"(postgres(?:ql)?(?:\+\w+)?://[^:@/?]*):.*@")  # up to the last @: passwords hold anything
_PARAMETER = re.compile(r"(?<=[?&])(ssl)?password=[^&]*&?")


@contextmanager
def postgresql_packages() -> Iterator[None]:
    """Tells which packages are missing where the block imports what a study in PostgreSQL needs.

    Raises:
        DataError: If they are.
    """
    try:
        yield
    except ImportError as error:
        raise DataError("A study in PostgreSQL needs `pip install antisample[postgresql]`.") from error


def database_problem(address: str) -> str | None:
    """What is wrong with the address of a database for a study; None if it has the right form.

    The text never holds the address, which may hold a password.
    """
    if _FORM.match(without_password(address)):
        return None
    return "must be the address of a PostgreSQL database, such as postgresql://USER@HOST:5432/DATABASE"


def without_password(text: str) -> str:
    """The same text, but for passwords in addresses of PostgreSQL databases."""
    return _PARAMETER.sub("", _PASSWORD.sub(r"\1@", text)).rstrip("?&") if "postgres" in text else text
