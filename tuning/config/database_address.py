"""The address of a PostgreSQL database, which never holds a password: studies keep it and print it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from antisample.errors import DataError
from antisample.validation.addresses import secret_problem

_FORM = re.compile(r"postgresql(\+psycopg)?://.*/[^/]+", re.DOTALL)


@contextmanager
def postgresql_packages() -> Iterator[None]:
    """Tells which packages are missing where the block imports what a study in PostgreSQL needs.

    Raises:
        DataError: If they are.
    """
    try:
        yield
    except ImportError as error:
        raise DataError(
            "A study in PostgreSQL needs psycopg and tenacity: pip install 'antisample[postgresql]'."
        ) from error


def database_problem(address: str) -> str | None:
    """What is wrong with the address of a database for a study; None if it has the right form.

    The text never holds the address, which may hold a password.
    """
    if not _FORM.match(address):
        return "must be the address of a PostgreSQL database, such as postgresql://USER@HOST:5432/DATABASE"
    problem = secret_problem(address)
    return None if problem is None else f"{problem}; PostgreSQL's client reads PGPASSWORD or ~/.pgpass"
