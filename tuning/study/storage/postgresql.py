"""A study in PostgreSQL: Optuna's storage, which waits for a server that is away and writes for one driver alone."""

import contextlib
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event, orm

from antisample.validation.addresses import without_secrets
from tuning.study.storage.connection import engine_arguments, opened, with_retries
from tuning.study.storage.lease_owner import LeaseLostError
from tuning.study.storage.postgresql_lease import LEASES

P = ParamSpec("P")
R = TypeVar("R")


class StudyDatabase(RDBStorage):
    """Optuna's storage in PostgreSQL.

    Every change is a transaction of its own that first makes sure, in the database, that this driver still holds the
    lease. What a server may or may not have done when it went away is found out before it is done again. A driver is
    the only one who writes, so it reads again only those trials that it has changed.

    Args:
        address: Of the database.
        study_name: See `study_database`.
        token: Likewise.

    Raises:
        DataError: If it cannot be opened.
    """

    def __init__(self, address: str, study_name: str, token: str) -> None:
        self.address = address
        self._study_name, self._token = study_name, token
        self._writing = False
        self._depth, self._unsaved = 0, False
        self._creating: int | None = None
        self._changed, self._changing = set[int](), threading.Lock()
        self._seen = -1  # the newest trial that was read
        url, arguments = engine_arguments(address)
        secret = url.render_as_string(hide_password=False)
        opened(address, lambda: super(StudyDatabase, self).__init__(secret, arguments))
        event.listen(self.scoped_session, "after_begin", self._begin)

    @contextlib.contextmanager
    def batch_writes(self) -> Iterator[None]:
        """Within it changes are seen by others at once, and are on the server's disk at its end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._unsaved:
                self.sync()

    def sync(self) -> None:
        """Waits for the server's disk."""

        def sync() -> None:
            with self.engine.begin() as connection:
                connection.execute(
                    sa.text("SELECT pg_current_xact_id()")
                )  # a commit that has nothing waits for nothing

        with_retries(self.address, sync)
        self._unsaved = False

    def _begin(self, _session: orm.Session, _transaction: Any, connection: sa.Connection) -> None:
        """Begins a transaction that writes: fenced, and without waiting for the disk if `batch_writes` does."""
        if not self._writing:
            return
        self._unsaved = bool(self._depth)
        wait = sa.func.set_config("synchronous_commit", "off" if self._depth else "on", True)
        if not self._token:
            connection.execute(sa.select(wait))
            return
        mine = sa.select(wait).select_from(LEASES).with_for_update(read=True, key_share=True)
        held = connection.execute(mine.where(LEASES.c.study == self._study_name, LEASES.c.token == self._token))
        if held.first() is None:
            raise LeaseLostError(f"{without_secrets(self.address)}: another driver has taken over.")

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        self._creating = None
        with self._as_writer():
            made = with_retries(
                self.address, lambda: super(StudyDatabase, self)._create_new_trial(study_id, template_trial)
            )
        self._note_change(made._trial_id)
        return made

    def _get_prepared_new_trial(self, study_id: int, template_trial: FrozenTrial | None, session: orm.Session) -> Any:
        """Optuna's hook within the transaction; an attempt before this one may have been committed unheard."""
        from optuna.storages._rdb import models  # noqa: PLC0415  (Optuna imports it lazily, too)

        if self._creating is not None:
            made = session.query(models.TrialModel).filter_by(study_id=study_id, number=self._creating).one_or_none()
            if made is not None:
                return made
        trial: Any = super()._get_prepared_new_trial(study_id, template_trial, session)
        self._creating = trial.number
        return trial

    def _set_trial_param_without_commit(
        self,
        session: orm.Session,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None = None,
    ) -> None:
        """Optuna's, but for trials that others added with another kind of the parameter: they do not count here."""
        super()._set_trial_param_without_commit(
            session, trial_id, param_name, param_value_internal, distribution, previous_distribution or distribution
        )

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """See `RDBStorage`. Where an earlier attempt was committed unheard, the state is there already."""
        attempts = 0

        def attempt() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                done = super(StudyDatabase, self).set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                done = False
                if attempts == 1 or self.get_trial(trial_id).state != state:
                    raise
            return done or (attempts > 1 and self.get_trial(trial_id).state == state)

        with self._as_writer(trial_id):
            return with_retries(self.address, attempt)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """What has changed since Optuna's cache, which holds all trials, asked before, and trials new to it.

        It asks for all that are under way, at every event, of which 256 take a quarter of a second.
        """
        if not self._token or (trial_id_greater_than == -1 and not included_trial_ids):
            return self._read_trials(study_id, states, included_trial_ids, trial_id_greater_than)
        with self._changing:
            changed, self._changed = self._changed, set()
        try:
            return self._read_trials(study_id, states, changed, self._seen) if changed else []
        except BaseException:
            with self._changing:
                self._changed |= changed
            raise

    def _read_trials(self, *wanted: Any) -> list[FrozenTrial]:
        trials = with_retries(self.address, lambda: super(StudyDatabase, self)._get_trials(*wanted))
        self._seen = max([self._seen, *(trial._trial_id for trial in trials)])
        return trials

    def _note_change(self, trial_id: int) -> None:
        with self._changing:
            self._changed.add(trial_id)

    @contextlib.contextmanager
    def _as_writer(self, trial_id: int | None = None) -> Iterator[None]:
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before
            if trial_id is not None:
                self._note_change(trial_id)


@lru_cache(maxsize=8)
def study_database(address: str, study_name: str, token: str) -> StudyDatabase:
    """The storage of one study, with one set of connections however often a process opens it; see `StudyDatabase`.

    Args:
        address: Of the database.
        study_name: The Optuna study.
        token: Nothing is written unless the driver with this token holds the lease; empty to write without a lease.
    """
    return StudyDatabase(address, study_name, token)


def _repeated(method: Callable[P, R]) -> Callable[P, R]:
    """A method of `RDBStorage` that may be done twice, done until the server has answered."""

    @wraps(method)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        storage: Any = args[0]
        return with_retries(storage.address, lambda: method(*args, **kwargs))

    return repeated


def _writing(method: Callable[P, R], *, trial: bool) -> Callable[P, R]:
    """The same for one that writes, to a trial or to the study; its id comes first."""

    @wraps(method)
    def writing(*args: P.args, **kwargs: P.kwargs) -> R:
        storage: Any = args[0]
        with storage._as_writer(args[1] if trial else None):
            return with_retries(storage.address, lambda: method(*args, **kwargs))

    return writing


_READ = (
    "get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs",
    "get_study_system_attrs", "get_all_studies", "get_trial_id_from_study_id_trial_number", "get_trial",
)  # fmt: skip
_WRITE_STUDY = ("create_new_study", "delete_study", "set_study_user_attr", "set_study_system_attr")
_WRITE_TRIAL = (
    "_set_trial_param", "set_trial_user_attr", "set_trial_system_attr", "set_trial_intermediate_value",
)  # fmt: skip
for _name in _READ:
    setattr(StudyDatabase, _name, _repeated(getattr(RDBStorage, _name)))
for _name in (*_WRITE_STUDY, *_WRITE_TRIAL):
    setattr(StudyDatabase, _name, _writing(getattr(RDBStorage, _name), trial=_name in _WRITE_TRIAL))
