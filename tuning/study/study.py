"""The study: an Optuna study in a journal or a database, the single source of truth about all trials."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, Unpack

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from tuning.config.objectives import ELAPSED, unusable
from tuning.config.starting_points import with_remembered
from tuning.config.study import StudyConfig
from tuning.strategies.stopping import StoppingRule
from tuning.strategies.suggester import Suggested, TrialSuggester
from tuning.study import trial_attributes as attributes
from tuning.study.attributes import LEARNED, MEMORY, SEARCH_STOP, PriorTrial, Remembered, SearchStop, StudyAttribute
from tuning.study.reader import StudyReader
from tuning.study.search_budget import why_no_trial
from tuning.study.storage.lease import Lease
from tuning.study.trial_attributes import AboutResult
from tuning.study.writing import batched, unless_ended
from tuning.trials.failures import FailureKind, interrupted
from tuning.trials.origins import BY_HAND, ENQUEUED, Origin
from tuning.trials.records import EpochRecord, TrialRecord

Listener = Callable[[TrialRecord], None]

T = TypeVar("T")


class Study(StudyReader):
    """Suggests trials, takes their reports and results, and remembers all of it.

    Every change is on the disk before the call returns, so a crash at any moment loses at most the call under
    way. Trials are known by a key of the executor (Ray's trial id); asking twice with one key gives one trial.

    Args:
        config: The study; its directory exists.
        lease: The driver's; nothing is written once it is lost. None where no other process can write.

    Raises:
        ConfigError: If the directory holds a study with other objectives or another space.
        DataError: If the journal is damaged, or the database cannot be used.
    """

    def __init__(self, config: StudyConfig, lease: Lease | None = None) -> None:
        super().__init__(config, lease.token if lease is not None else "", begin=True)
        self._lease = lease
        existing = self._study.get_trials(deepcopy=False)
        self._start_from(self.noted(MEMORY))
        self._stopping = StoppingRule(self.plan, self.records())
        self._running: dict[str, optuna.Trial] = {}
        self._orphans = [trial.number for trial in existing if self._check.is_under_way(trial)]
        self._listeners: list[Listener] = []
        by_hand = {record.number for record in self.by_hand()}
        self._origins = {attributes.origin(trial) for trial in existing if trial.number not in by_hand}

    def listen(self, listener: Listener) -> None:
        """Calls `listener` with the record of a trial whenever it starts, reports or ends."""
        self._listeners.append(listener)

    @batched
    def ask(self, key: str) -> TrialRecord | None:
        """Suggests the next trial, or None if enough are finished or under way.

        Trials that another driver has begun come first, with their number and parameters: RUNNING where it died,
        WAITING where it was stopped. Where it died while it asked, the missing parameters are suggested now.

        Args:
            key: The executor's name of the trial; the same key gives the same trial.

        Returns:
            The trial to run.
        """
        if key in self._running:
            return self._record(self._running[key])
        self._check_lease()
        self._enqueue_starting_points()
        while True:
            if self._orphans:
                trial = self._adopt(self._orphans.pop(0))
            elif not self.may_begin():
                return None
            else:
                trial = self._accepted(self._suggestions.ask(self._reader.typical_s(), len(self._running)))
            if trial is not None and self._begin(key, trial):
                return self._announce(trial.number)

    def may_begin(self) -> bool:
        """Whether another trial may be suggested now; that a budget ends the search for good is kept in the study."""
        most, budget = self.config.n_trials, self.config.budget
        if self.is_over() or (most is not None and self.n_finished() + self._n_open() >= most):
            return False
        if budget is None:
            return True
        reason = why_no_trial(self, now_ms())
        if reason is not None and not self._n_open() and not self._orphans:
            stop: SearchStop = {"reason": reason, "budget": budget.plain()}
            self.note(SEARCH_STOP, stop)
        return reason is None

    @batched
    @unless_ended
    def report(self, key: str, content: dict[str, Any]) -> bool:
        """Records one epoch of a running trial; a step that is known already, from before a crash, stays as it was.

        A trial that is not worth the rest of its fidelity is PRUNED before this returns.

        Args:
            key: See `ask`.
            content: The fields of `EpochRecord` but for the timestamp.

        Returns:
            Whether the trial goes on.
        """
        trial = self._running.get(key)
        if trial is None:
            return False
        self._check_lease()
        record = EpochRecord(timestamp_ms=now_ms(), **content)
        if all(reported.step != record.step for reported in self._reader.last_read(trial.number).steps):
            attributes.set_epoch(trial, record)
        so_far = self._announce(trial.number)
        now = self._stopping.stops(so_far)
        if now is None:
            return True
        attributes.set_partial(trial, now)
        attributes.set_constraints(trial, self.config.constraints, now.metrics)
        self._finish(key, TrialState.PRUNED)
        return False

    @batched
    @unless_ended
    def complete(
        self, key: str, metrics: dict[str, float], counts: dict[str, int], **about: Unpack[AboutResult]
    ) -> None:
        """Finishes a trial. A missing objective, or one that is not finite, fails it instead.

        Args:
            key: See `ask`.
            metrics: Final metrics by name, means over the replicates.
            counts: Images behind them.
            **about: `spread`, `worker`, `versions` and `batch_halvings`; see `TrialRecord`.
        """
        trial = self._running.get(key)
        if trial is None:
            return
        figures = {**metrics, ELAPSED: self._reader.last_read(trial.number).unlearning_s}
        bad = unusable(figures, [*self._check.needed, ELAPSED])
        if bad:
            self.fail(key, f"No usable result: {', '.join(bad)}.", FailureKind.NO_RESULT)
            return
        attributes.set_result(trial, metrics=metrics, counts=counts, **about)
        attributes.set_constraints(trial, self.config.constraints, figures)
        self._finish(key, TrialState.COMPLETE, [float(figures[o.metric]) for o in self.config.objectives])

    @batched
    @unless_ended
    def requeue(self, key: str, reason: str) -> None:
        """The worker of a trial died: the next one asked for is this trial again, until its retries are used up."""
        trial = self._running.get(key)
        if trial is None:
            return
        retries = attributes.retries(trial)
        if retries >= self.config.max_retries:
            self.fail(key, f"{reason} It was the trial's worker number {retries + 1}.", FailureKind.WORKER_LOST)
            return
        self._check_lease()
        attributes.set_retries(trial, retries + 1)
        self._orphans.append(self._running.pop(key).number)
        self._announce(trial.number)

    @batched
    @unless_ended
    def fail(self, key: str, reason: str, kind: FailureKind = FailureKind.ERROR) -> None:
        """Ends a trial as failed; unknown and ended trials are left alone."""
        trial = self._running.get(key)
        if trial is not None:
            self._check_lease()
            attributes.set_failure(trial, kind, reason)
            self._finish(key, TrialState.FAIL)

    @batched
    def abort_running(self, reason: str) -> int:
        """Ends whatever still runs, and queues its parameters to be tried first by the next driver.

        Args:
            reason: Why the trials were interrupted.

        Returns:
            How many there were.
        """
        self._check_lease()
        keys = list(self._running)
        for number in self._orphans:
            adopted = self._adopt(number)
            if adopted is not None:
                self._running[f"orphan {number}"] = adopted
        self._orphans = []
        for key, trial in list(self._running.items()):
            if self._record(trial).has_ended:  # by hand
                del self._running[key]
                continue
            self.enqueue(trial.params, self._record(trial).origin.retry(trial.number))
            self.fail(key, interrupted(reason), FailureKind.INTERRUPTED)
        return len(keys)

    @batched
    def pause(self) -> None:
        """Says of all trials under way that they wait, for a driver that is about to end and will not work on them.

        The next driver goes on with them first; see `ask`.
        """
        self._check_lease()
        numbers = [*self._orphans, *(trial.number for trial in self._running.values())]
        trials = self._study.get_trials(deepcopy=False)
        for number in sorted(numbers):
            if trials[number].state == TrialState.RUNNING and self._reader.last_read(number).seeds:
                with suppress(UpdateFinishedTrialError):
                    self._study._storage.set_trial_state_values(trials[number]._trial_id, TrialState.WAITING)
                    self._announce(number)
        self._running, self._orphans = {}, sorted(numbers)

    def enqueue(self, params: dict[str, Any], origin: Origin) -> None:
        """Has these parameters tried before the sampler suggests again, after whatever waits already.

        Args:
            params: By name.
            origin: Says where they are from; what is known by this name is not tried again.
        """
        self._check_lease()
        if origin not in self._origins:
            self._study.enqueue_trial(params, user_attrs=attributes.of_enqueued(origin))
            self._origins.add(origin)

    def remember(self, memory: Remembered) -> None:
        """Keeps what the study takes over from earlier requests, to be tried early; nothing has been asked yet."""
        self.note(MEMORY, memory)
        self._start_from(memory)

    def add_prior_trials(self, trials: list[PriorTrial]) -> None:
        """Shows finished trials of another study to the sampler, and to nothing else; see `TrialSuggester`."""
        self.note(LEARNED, trials)
        self._suggestions.add_prior_trials(trials)

    def note(self, attribute: StudyAttribute[T], value: T) -> None:
        """Keeps a fact about the whole study; see `tuning.study.attributes`."""
        self._check_lease()
        self._study.set_user_attr(attribute.key, value)

    def n_running(self) -> int:
        """Trials, or replicates where these are tasks of their own, that this driver has under way."""
        return len(self._running)

    def replicate_of(self, key: str) -> int | None:  # noqa: ARG002
        """The only replicate to be run under this key; None for all that the trial lacks."""
        return None

    def until_of(self, key: str) -> int | None:  # noqa: ARG002
        """The epoch after which a worker is to leave what it runs under this key; None for its last one."""
        return None

    def leave(self, key: str) -> None:
        """A worker has left a trial as `until_of` asked it to."""
        self.fail(key, interrupted("it ended before its last epoch."), FailureKind.INTERRUPTED)

    @property
    def token(self) -> str:
        """The driver's fencing token; empty without a lease."""
        return self._lease.token if self._lease is not None else ""

    def _start_from(self, memory: Remembered | None) -> None:
        remembered = [(each["origin"], each["params"]) for each in memory["configurations"]] if memory else []
        self._suggestions = TrialSuggester(self._study, self.plan, after_portfolio=bool(remembered))
        prior = self.noted(LEARNED, [])
        self._suggestions.add_prior_trials(prior)
        self._starting_points = with_remembered(self.plan.starting_points, remembered)

    def _n_open(self) -> int:
        """Trials that this driver has begun or gone on with, and that have not ended."""
        return len(self._running)

    def _enqueue_starting_points(self) -> None:
        while self._starting_points:
            origin, params = self._starting_points.pop(0)
            self.enqueue(params, Origin(origin))

    def _adopt(self, number: int) -> optuna.Trial | None:
        frozen: FrozenTrial = self._study.get_trials(deepcopy=False)[number]
        if frozen.state.is_finished():  # by hand, meanwhile
            return None
        if frozen.state == TrialState.WAITING:
            self._study._storage.set_trial_state_values(frozen._trial_id, TrialState.RUNNING)
        return self._accepted(self._suggestions.adopt(frozen._trial_id))

    def _begin(self, key: str, trial: optuna.Trial) -> bool:
        """Keeps in a trial that it runs; False if somebody else has ended it."""
        try:
            attributes.set_begun(trial, key, self.plan.trial_seeds, now_ms())
        except UpdateFinishedTrialError:
            return False
        self._running[key] = trial
        return True

    def _accepted(self, suggested: Suggested) -> optuna.Trial | None:
        """The trial, which says where it is from; None if it cannot be run, which is kept in it."""
        trial = suggested.trial
        origin = ENQUEUED if suggested.waited else BY_HAND
        if suggested.misfit is None:
            if suggested.waited:
                attributes.set_origin(trial, origin)
            return trial
        attributes.set_refused(trial, origin, suggested.misfit, now_ms())
        self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        self._announce(trial.number)
        return None

    def _check_lease(self) -> None:
        if self._lease is not None:
            self._lease.check()

    def _finish(self, key: str, state: TrialState, values: list[float] | None = None) -> None:
        self._check_lease()
        trial = self._running.pop(key)
        attributes.set_finished(trial, now_ms())
        self._study.tell(trial.number, values=values, state=state, skip_if_finished=True)
        self._announce(trial.number)

    def _record(self, trial: optuna.Trial) -> TrialRecord:
        return self._reader.record(trial.number)

    def _announce(self, number: int) -> TrialRecord:
        record = self._reader.record(number)
        for listener in self._listeners:
            listener(record)
        return record


def now_ms() -> int:
    """The time now, milliseconds since 1970."""
    return time.time_ns() // 1_000_000
