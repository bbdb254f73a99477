"""The lease on a study that is kept in PostgreSQL: a row of a table of its own, with beats by the server's clock."""

import time
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from psycopg.errors import UndefinedTable
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateTable

from antisample.errors import DataError
from antisample.validation.addresses import without_secrets
from tuning.study.storage.connection import connected, opened, with_retries
from tuning.study.storage.lease_owner import LeaseOwner

LEASES = sa.Table(
    "antisample_leases",
    sa.MetaData(),
    sa.Column("study", sa.String, primary_key=True),
    sa.Column("token", sa.String, nullable=False),
    sa.Column("holder", JSONB, nullable=False),
    sa.Column("beat", sa.DateTime(timezone=True), nullable=False),
)
_NOW = sa.func.clock_timestamp()
_SILENT_S = sa.func.extract("epoch", _NOW - LEASES.c.beat).label("silent_s")
_GIVING_BACK_S = 10.0


class LeaseTable:
    """Keeps the lease in the database that holds the study. See `LeaseBackend`.

    Args:
        address: Of the database.
        study: Name of the Optuna study.

    Raises:
        DataError: If the database cannot be reached.
    """

    def __init__(self, address: str, study: str) -> None:
        self.where = f"The study {study!r} in {without_secrets(address)}"
        self._address, self._study = address, study
        self._mine = LEASES.c.study == study
        self._engine = connected(address)
        opened(address, self._read)  # a server that cannot be reached is said at once, while the user looks on

    def read(self) -> LeaseOwner | None:
        """See `LeaseBackend`."""
        return with_retries(self._address, self._read)

    def acquire(self, mine: LeaseOwner) -> LeaseOwner | None:
        """See `LeaseBackend`."""
        return opened(self._address, lambda: self._take(mine))

    def heartbeat(self, mine: LeaseOwner) -> None:
        """See `LeaseBackend`. Tries for as long as a change of the study would."""
        with suppress(DataError):
            with_retries(self._address, lambda: self._beat(mine))

    def release(self, token: str) -> None:
        """See `LeaseBackend`. Where the server is away the lease ends by silence."""
        ended = sa.delete(LEASES).where(self._mine, LEASES.c.token == token)
        with suppress(DataError):
            with_retries(self._address, lambda: self._execute(ended), _GIVING_BACK_S)

    def _read(self) -> LeaseOwner | None:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                row = connection.execute(sa.select(LEASES, _SILENT_S).where(self._mine)).one_or_none()
        except ProgrammingError as error:
            if isinstance(error.orig, UndefinedTable):
                return None  # no study has been begun in this database
            raise
        return _holder(row) if row is not None else None

    def _take(self, mine: LeaseOwner) -> LeaseOwner | None:
        with self._engine.begin() as connection:
            connection.execute(CreateTable(LEASES, if_not_exists=True))
            nobody = insert(LEASES).values(study=self._study, token="", holder={}, beat=_NOW)
            # An update that changes nothing returns the row and locks it.
            row = connection.execute(
                nobody.on_conflict_do_update(
                    index_elements=["study"], set_={"study": nobody.excluded.study}
                ).returning(LEASES, _SILENT_S)
            ).one()
            holder = _holder(row) if row.token else None
            if holder is not None:
                holder.refuse_if_alive(self.where)
            connection.execute(self._writing(mine).where(self._mine))
            return holder

    def _beat(self, mine: LeaseOwner) -> None:
        self._execute(self._writing(mine).where(self._mine, LEASES.c.token == mine.token))

    def _writing(self, holder: LeaseOwner) -> sa.Update:
        return sa.update(LEASES).values(token=holder.token, holder=asdict(holder), beat=_NOW)

    def _execute(self, statement: sa.Update | sa.Delete) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)


def _holder(row: sa.Row[Any]) -> LeaseOwner:
    """The holder as seen from here: clocks of hosts differ, so only the seconds since its beat are taken over."""
    return replace(LeaseOwner(**row.holder), beat=time.time() - float(row.silent_s))
