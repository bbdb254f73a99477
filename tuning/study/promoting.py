"""A study whose trials are promoted from rung to rung: by replicates, tasks of their own, or by epochs."""

from collections import Counter
from contextlib import suppress
from typing import Any, Unpack

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from tuning.config.fidelity import FidelityConfig
from tuning.config.objectives import unusable
from tuning.config.study import StudyConfig
from tuning.strategies.partial_result import PartialResult, after_epochs, after_replicates, result_of
from tuning.strategies.promotion import Promotion, promotion_rungs
from tuning.strategies.replicate_tasks import ReplicateTask, ReplicateTasks
from tuning.strategies.standing import RungJudge, Standing
from tuning.study import trial_attributes as attributes
from tuning.study.search_budget import why_no_trial
from tuning.study.storage.lease import Lease
from tuning.study.study import Study, now_ms
from tuning.study.trial_attributes import AboutResult
from tuning.study.writing import batched, unless_ended
from tuning.trials.failures import FailureKind, interrupted
from tuning.trials.records import EpochRecord, TrialRecord


def study_of(config: StudyConfig, lease: Lease | None = None) -> Study:
    """Opens a study for writing, as its fidelity wants it; see `Study`."""
    promotes = config.fidelity is not None and config.fidelity.promotes
    return PromotingStudy(config, lease) if promotes else Study(config, lease)


class PromotingStudy(Study):
    """A study with `fidelity.rule: promotion`.

    A key of the executor stands for one replicate of a trial, or with fidelity `epochs` for its epochs up to the next
    rung. A trial that has come to a rung stays RUNNING, while nothing of it runs, until it is promoted or the study
    does not need it any more: then it is PRUNED with its figures so far. What a driver knows of rungs follows from
    the trials, so the next driver knows it, too.

    Args:
        config: The study.
        lease: See `Study`.
    """

    _tasks: ReplicateTasks
    _open: dict[int, optuna.Trial]  # trials that have not ended, by number
    _under_way: dict[str, ReplicateTask]  # by key
    _lost: Counter[tuple[int, int]]  # workers, by trial and replicate

    def __init__(self, config: StudyConfig, lease: Lease | None = None) -> None:
        super().__init__(config, lease)
        self._judge = RungJudge(self.plan)
        fidelity = config.fidelity or FidelityConfig()
        self._by_epochs = fidelity.attribute == "epochs"
        self._begin_tasks()

    def replicate_of(self, key: str) -> int | None:
        """The replicate to be run under this key."""
        return self._under_way[key].replicate

    def until_of(self, key: str) -> int | None:
        """See `Study.until_of`: with fidelity `epochs`, the next rung."""
        rung = self._under_way[key].rung
        return rung if self._by_epochs and rung < self._tasks.last_rung else None

    @batched
    def ask(self, key: str) -> TrialRecord | None:
        """Gives the next replicate to run, by its trial and `replicate_of`; None if there is none at the moment.

        Replicates of trials that have begun come first, then promotions, then new trials. See `Study.ask`.
        """
        if key in self._running:
            return self._record(self._running[key])
        self._check_lease()
        self._enqueue_starting_points()
        while self._orphans:
            self._go_on_with(key, self._orphans.pop(0))
        while not self.failures_used_up():
            self._forget_ended()
            may_begin = self.may_begin()
            spent = not may_begin and self.config.budget is not None and why_no_trial(self, now_ms()) is not None
            task = self._tasks.next(drained=not self._running and not may_begin, promote=not spent)
            if task is not None:
                if self._start(key, task):
                    return self._announce(task.number)
            elif not may_begin and (self._running or not self._open):
                return None
            elif not may_begin:
                self._prune(list(self._open))  # which may leave room in a budget
            else:
                trial = self._accepted(self._suggestions.ask(self._reader.typical_s()))
                if trial is not None:
                    self._open_trial(key, trial)
        return None

    @batched
    @unless_ended
    def report(self, key: str, content: dict[str, Any]) -> bool:
        """Records one epoch of a replicate under way, unless it is known already, from before a crash.

        Reports of a trial are numbered as they arrive, and its seconds are those of all its replicates so far.

        Args:
            key: See `ask`.
            content: As for `Study.report`, but with step and seconds of the replicate alone.

        Returns:
            Whether the replicate goes on: False once its trial has ended.
        """
        trial = self._running.get(key)
        if trial is None or trial.number not in self._open:
            return False
        self._check_lease()
        steps = self._reader.last_read(trial.number).steps
        own = [step for step in steps if step.replicate == content["replicate"]]
        if len(own) < content["step"]:
            others = {name: _spent(steps, name, but_for=content["replicate"]) for name in _SECONDS}
            whole = {name: content[name] + seconds for name, seconds in others.items()}
            record = EpochRecord(timestamp_ms=now_ms(), **{**content, **whole, "step": len(steps) + 1})
            attributes.set_epoch(trial, record)
        self._announce(trial.number)
        return True

    @batched
    @unless_ended
    def complete(
        self, key: str, metrics: dict[str, float], counts: dict[str, int], **about: Unpack[AboutResult]
    ) -> None:
        """Ends a replicate, and its trial with the last of them; see `Study.complete`.

        Args:
            key: See `ask`.
            metrics: Of the replicate. Those of the trial are the means over what was reported.
            counts: Images behind them.
            **about: As for `Study.complete`.
        """
        trial, task = self._running.get(key), self._under_way.pop(key, None)
        if trial is None or task is None or task.number not in self._open:
            self._running.pop(key, None)
            return
        if unusable(metrics, self._check.needed):
            super().complete(key, metrics, counts, **about)  # says what is wrong
            self._close(task.number)
            return
        self._check_lease()
        record = self._record(trial)
        halvings = max(record.batch_halvings, about.get("batch_halvings", 0))
        if halvings != record.batch_halvings:
            attributes.set_batch_halvings(trial, halvings)
        if not self._tasks.done(task):
            del self._running[key]
        elif task.rung < self._tasks.last_rung and not self._by_epochs:
            del self._running[key]
            self._stand(trial, record, task.rung)
        else:
            means, spread = result_of(record.steps)
            about |= {"spread": spread, "batch_halvings": halvings}
            super().complete(key, means, counts, **about)
            self._close(task.number)
        self._prune(self._tasks.settled(self.config.n_trials or _WITHOUT_LIMIT))

    @batched
    @unless_ended
    def leave(self, key: str) -> None:
        """With fidelity `epochs`, a trial has come to its rung, and waits there; see `Study.leave`."""
        trial, task = self._running.pop(key, None), self._under_way.pop(key, None)
        if trial is None or task is None or task.number not in self._open:
            return
        self._check_lease()
        if self._tasks.done(task):
            self._stand(trial, self._record(trial), task.rung)
        self._prune(self._tasks.settled(self.config.n_trials or _WITHOUT_LIMIT))

    @batched
    @unless_ended
    def requeue(self, key: str, reason: str) -> None:
        """The worker of a replicate died: it is run again next, until its retries are used up."""
        trial, task = self._running.get(key), self._under_way.get(key)
        if trial is None or task is None or task.number not in self._open:
            self._running.pop(key, None)
            return
        self._lost[task.number, task.replicate] += 1
        lost = self._lost[task.number, task.replicate]
        if lost > self.config.max_retries:
            whose = "the trial" if self._by_epochs else f"replicate {task.replicate + 1}"
            reason = f"{reason} It was the worker number {lost} of {whose}."
            self.fail(key, reason, FailureKind.WORKER_LOST)
            return
        self._check_lease()
        attributes.set_retries(trial, attributes.retries(trial) + 1)
        del self._running[key], self._under_way[key]
        self._tasks.again(task)
        self._announce(trial.number)

    def fail(self, key: str, reason: str, kind: FailureKind = FailureKind.ERROR) -> None:
        """Ends the trial of a replicate as failed; its other replicates end with their next report."""
        trial = self._running.get(key)
        self._under_way.pop(key, None)
        if trial is not None and trial.number not in self._open:
            del self._running[key]
            return
        super().fail(key, reason, kind)
        if trial is not None:
            self._close(trial.number)

    @batched
    def abort_running(self, reason: str) -> int:
        """Ends whatever has not ended: PRUNED where a trial stood on a rung, else as in `Study.abort_running`."""
        self._check_lease()
        n_running = len(self._running)
        for number in self._orphans:
            adopted = self._adopt(number)
            if adopted is not None:
                self._open[number] = adopted
        self._orphans, self._running, self._under_way = [], {}, {}
        self._prune([number for number in self._open if self._reader.record(number).partial])
        for number, trial in list(self._open.items()):
            record = self._reader.record(number)
            if not record.has_ended:
                self.enqueue(trial.params, record.origin.retry(number))
                self._running[f"open {number}"] = trial
                self.fail(f"open {number}", interrupted(reason), FailureKind.INTERRUPTED)
        return n_running

    def pause(self) -> None:
        """Says of all trials that have not ended that they wait; see `Study.pause`."""
        self._running = {f"open {number}": trial for number, trial in self._open.items()}
        super().pause()
        self._begin_tasks()

    def _begin_tasks(self) -> None:
        """What follows from the trials so far; those under way are gone on with when a replicate is asked for."""
        self._tasks = ReplicateTasks(self._promotion(), in_a_row=self._by_epochs)
        self._open, self._under_way, self._lost = {}, {}, Counter()
        for record in self.records():
            for rung in self._tasks.rungs[:-1]:
                standing = self._standing(record, rung)
                if standing is not None:
                    self._tasks.remember(record.number, rung, standing)
            if record.has_ended:
                self._tasks.end(record.number)

    def _n_open(self) -> int:
        return len(self._open)

    def _promotion(self) -> Promotion:
        fidelity = self.config.fidelity or FidelityConfig()
        first, factor = fidelity.first_rung(len(self.config.forget)), fidelity.reduction_factor
        return Promotion(promotion_rungs(first, self.plan.full_fidelity, factor), factor)

    def _at(self, record: TrialRecord, rung: int) -> PartialResult | None:
        """A trial's figures at a rung, if it has come so far."""
        return (after_epochs if self._by_epochs else after_replicates)(record.steps, rung)

    def _standing(self, record: TrialRecord, rung: int) -> Standing | None:
        now = self._at(record, rung)
        return self._judge.standing(now, exempt=record.origin.is_starting_point) if now is not None else None

    def _go_on_with(self, key: str, number: int) -> None:
        """Goes on with a trial of another driver: it stands on its rung, or what it lacks waits for workers."""
        trial = self._adopt(number)
        if trial is None or not self._begin(key, trial):
            self._tasks.end(number)
            return
        self._open[number] = self._running.pop(key)
        record = self._record(trial)
        done = set(range(record.fidelity)) if self._by_epochs else {s.replicate for s in record.steps if s.last}
        rung = record.rung if record.rung in self._tasks.rungs else self._tasks.first_rung
        if self._tasks.open(number, rung, done):
            return
        if rung < self._tasks.last_rung:
            self._stand(trial, record, rung)
        else:  # the end of a replicate makes the trial's result
            self._tasks.open(number, rung, done - {rung - 1})

    def _open_trial(self, key: str, trial: optuna.Trial) -> None:
        if self._begin(key, trial):
            self._open[trial.number] = self._running.pop(key)
            self._tasks.open(trial.number, self._tasks.first_rung)

    def _start(self, key: str, task: ReplicateTask) -> bool:
        """Has a replicate run under a key; False if somebody else has ended its trial."""
        trial = self._open[task.number]
        try:
            if self._record(trial).rung != task.rung:
                attributes.set_rung(trial, task.rung)
        except UpdateFinishedTrialError:
            self._close(task.number)
            return False
        self._running[key], self._under_way[key] = trial, task
        return True

    def _stand(self, trial: optuna.Trial, record: TrialRecord, rung: int) -> None:
        """A trial has come to a rung: its means are kept, and it waits there."""
        now, standing = self._at(record, rung), self._standing(record, rung)
        if now is None or standing is None:
            return
        if record.partial != now.metrics:
            attributes.set_partial(trial, now)
        self._tasks.stand(trial.number, standing)
        self._announce(trial.number)

    def _prune(self, numbers: list[int]) -> None:
        """Ends trials that stand on a rung and are not needed any more."""
        for number in numbers:
            trial = self._open.get(number)
            if trial is not None:
                self._running[f"open {number}"] = trial
                with suppress(UpdateFinishedTrialError):
                    partial = self._record(trial).partial
                    attributes.set_constraints(trial, self.config.constraints, partial)
                    self._finish(f"open {number}", TrialState.PRUNED)
                self._running.pop(f"open {number}", None)
                self._close(number)

    def _close(self, number: int) -> None:
        self._open.pop(number, None)
        self._tasks.end(number)

    def _forget_ended(self) -> None:
        """Leaves trials alone that somebody else has ended, by Optuna's API or dashboard."""
        self.n_finished()  # reads what has changed
        for number in list(self._open):
            if self._reader.last_read(number).has_ended:
                self._close(number)


_SECONDS = ("elapsed_s", "evaluation_s")
_WITHOUT_LIMIT = 10**9


def _spent(steps: tuple[EpochRecord, ...], name: str, *, but_for: int) -> float:
    """Seconds of a trial's replicates but for one, from reports that add up the seconds of all."""
    spent, before = 0.0, 0.0
    for step in steps:
        spent += (getattr(step, name) - before) * (step.replicate != but_for)
        before = getattr(step, name)
    return spent
