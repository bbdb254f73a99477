"""Connections to PostgreSQL that wait for a server that is away."""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
import tenacity
from optuna.exceptions import StorageInternalError
from sqlalchemy import exc

from antisample.errors import DataError
from antisample.validation.addresses import without_secrets
from tuning.config.password_rule import REQUIRE_AUTH, encryption_of

PATIENCE_S = 300.0
_logger = logging.getLogger(__name__)

R = TypeVar("R")

_KNOWS_REQUIRE_AUTH = 160_000

# Of libpq. A peer that is gone is noticed within half a minute, here and by the server, whose locks then end.
_CONNECTION: dict[str, Any] = {
    "application_name": "antisample",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
    "-c tcp_user_timeout=20000 -c idle_in_transaction_session_timeout=30000",
}


def engine_arguments(address: str) -> tuple[sa.URL, dict[str, Any]]:
    """What SQLAlchemy's `create_engine` takes for an address; what the address says itself goes first.

    There is no ping before each use: a connection that has died is noticed by its use, which is repeated.
    """
    url = sa.make_url(address).set(drivername="postgresql+psycopg")
    given = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    return url, {"connect_args": given | _password_rule(url), "pool_size": 1, "pool_use_lifo": True}


def _password_rule(url: sa.URL) -> dict[str, str]:
    """What of `tuning.config.password_rule` the client is given.

    Raises:
        DataError: If it is too old to keep to it.
    """
    encrypted = encryption_of(url.render_as_string())
    if encrypted is not None:
        return {"sslmode": encrypted}
    if psycopg.pq.version() < _KNOWS_REQUIRE_AUTH:
        raise DataError(
            f"{without_secrets(url.render_as_string())}: must have `?sslmode=verify-full` at its end, since the "
            f"client's libpq {psycopg.pq.version() // 10_000} cannot refuse to send a password in clear text, as "
            "libpq 16 can."
        )
    return {"require_auth": REQUIRE_AUTH}


@lru_cache(maxsize=8)
def connected(address: str) -> sa.Engine:
    """The process's connections to a database besides those of Optuna; nothing is connected before its first use."""
    url, arguments = engine_arguments(address)
    return sa.create_engine(url, **arguments)


def is_away(error: BaseException) -> bool:
    """Whether the server, or the way to it, has failed, so that the same may succeed later."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, exc.DBAPIError) and cause.connection_invalidated:
        return True
    # Optuna goes on in a session whose connection has just died: then it is a pending rollback that is reported.
    return isinstance(cause, exc.OperationalError | exc.InterfaceError | exc.PendingRollbackError | exc.TimeoutError)


def reason(error: BaseException) -> str:
    """The first line of what the server or its driver said, without a password."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    said = str(getattr(cause, "orig", None) or cause or error).strip()
    return without_secrets(said.splitlines()[0] if said else type(error).__name__)


def with_retries(address: str, action: Callable[[], R], patience_s: float | None = None) -> R:
    """Does something in the database, again and again while the server is away.

    Args:
        address: Of the database, for messages.
        action: May be done in part, or whole without an answer, before it is done again.
        patience_s: How long; by default `PATIENCE_S`.

    Raises:
        DataError: If the server stays away for that long, or refuses.
    """
    server = without_secrets(address)
    patience_s = PATIENCE_S if patience_s is None else patience_s

    def say(state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 2 and state.outcome is not None:
            why = reason(state.outcome.exception() or Exception())
            _logger.warning("%s does not respond (%s); waiting up to %.0f s", server, why, patience_s)

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_away),
        wait=tenacity.wait_exponential(multiplier=0.1, max=3),
        stop=tenacity.stop_after_delay(patience_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        return attempts(action)
    except (StorageInternalError, exc.SQLAlchemyError) as error:
        if not is_away(error):
            raise DataError(f"{server}: the database refuses ({reason(error)}).") from error
        raise DataError(
            f"{server}: the database has not responded for {patience_s:.0f} s ({reason(error)}); resume when it does."
        ) from error


def opened(address: str, action: Callable[[], R]) -> R:
    """Does the first thing in a database; a server that is away is an error at once, while the user looks on.

    Raises:
        DataError: If it cannot be reached, or refuses.
    """
    for last in (False, True):
        try:
            return action()
        except (exc.IntegrityError, exc.ProgrammingError) as error:
            if last:  # else two drivers made the tables at once, and now they are there
                raise DataError(f"{without_secrets(address)}: the database refuses ({reason(error)}).") from error
        except (exc.SQLAlchemyError, StorageInternalError) as error:
            raise DataError(f"{without_secrets(address)}: cannot be opened ({reason(error)}).") from error
    raise AssertionError("unreachable")
