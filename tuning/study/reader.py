"""A study as it is read: trials, facts and how far it has come. Only `Study` writes."""

from typing import Any, TypeVar, cast, overload

import optuna

from antisample.errors import DataError
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.eligibility import TrialCheck
from tuning.study.attributes import SEARCH_STOP, StudyAttribute
from tuning.study.storage.backends import open_optuna_study
from tuning.study.storage.journal_replay import WAY_OUT
from tuning.study.trial_reader import TrialReader
from tuning.trials.front import front_of
from tuning.trials.records import TrialRecord

T = TypeVar("T")


class StudyReader:
    """Reads an Optuna study where it is kept, also while another process writes it.

    Args:
        config: The study; its directory exists.
        token: See `open_optuna_study`.
        begin: Likewise.

    Attributes:
        config: The study.
        plan: What its trials do.
        space: What it searches.

    Raises:
        ConfigError: If the directory holds a study with other objectives or another space.
        DataError: If the journal is damaged, or the database cannot be used.
    """

    def __init__(self, config: StudyConfig, token: str = "", *, begin: bool = False) -> None:
        self.config, self.plan = config, TrialPlan.of(config)
        self.space = self.plan.space
        self._study, self._storage = open_optuna_study(self.plan, token, begin=begin)
        self._check = TrialCheck(self.plan)
        self._reader = TrialReader(self._study, self._check)
        self._front: list[TrialRecord] = []
        self._judged = 0

    def records(self) -> list[TrialRecord]:
        """All trials that the search started, by number."""
        return self._reader.records()

    def by_hand(self) -> list[TrialRecord]:
        """Finished trials that others added to the study, or ended; they take no part in its outcome."""
        return self._reader.by_hand()

    def rows(self) -> list[TrialRecord]:
        """All trials of the tables: those that the search started, and those that others added, by number."""
        return sorted([*self.records(), *self.by_hand()], key=lambda record: record.number)

    def front(self) -> list[TrialRecord]:
        """The completed trials that keep the constraints and that no other such trial dominates, best first."""
        complete = self._reader.complete()
        if len(complete) > self._judged:  # what was dominated stays so
            contenders = [*self._front, *complete[self._judged :]]
            self._front = front_of(contenders, self.config.objectives, self.config.constraints)
            self._judged = len(complete)
        return list(self._front)

    @overload
    def noted(self, attribute: StudyAttribute[T]) -> T | None: ...

    @overload
    def noted(self, attribute: StudyAttribute[T], default: T) -> T: ...

    def noted(self, attribute: StudyAttribute[T], default: T | None = None) -> T | None:
        """Reads a fact about the whole study, which `Study.note` kept; see `tuning.study.attributes`.

        Raises:
            DataError: If it is none that a search keeps under this key.
        """
        value: Any = self._study.user_attrs.get(attribute.key)
        if value is None:
            return default
        problem = attribute.problem(value)
        if problem is not None:
            where = self.config.directory
            raise DataError(f"{where}: the note {attribute.key!r} of the study is damaged ({problem}). {WAY_OUT}")
        return cast(T, value)

    def n_finished(self) -> int:
        """Trials that count towards `n_trials`."""
        return self._reader.n_finished()

    def failures_used_up(self) -> bool:
        """Whether more trials failed by themselves than may be replaced."""
        return self._reader.n_failed() > self.config.max_failures

    def is_over(self) -> bool:
        """Whether nothing more is to be tried: enough trials are finished, too many failed, or the budget says so."""
        most = self.config.n_trials
        enough = most is not None and self.n_finished() >= most
        return enough or self.failures_used_up() or self.stopped_because() is not None

    def stopped_because(self) -> str | None:
        """Why the search of a study with a budget ended before `n_trials`; None if it goes on, or needs to.

        Another budget than the one that it ended by lets it go on.
        """
        stop, budget = self.noted(SEARCH_STOP), self.config.budget
        return (
            stop["reason"] if stop is not None and budget is not None and stop["budget"] == budget.plain() else None
        )

    def optuna_study(self) -> optuna.Study:
        """The Optuna study, for reading."""
        return self._study

    def own_study(self) -> optuna.Study:
        """The same without the trials that others added, in memory if there are any."""
        by_hand = {record.number for record in self.by_hand()}
        if not by_hand:
            return self._study
        own = optuna.create_study(directions=self._study.directions)
        own.add_trials([t for t in self._study.get_trials(deepcopy=False) if t.number not in by_hand])
        return own
