"""What came of a search in memory: trials, front, and the chosen model with its figures, card and files."""

import html
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from torch import nn

from antisample.errors import ConfigError, DataError
from antisample.export.card import UnlearningCard
from antisample.objects.forgetting import unlearned_subject
from antisample.objects.result import ForgetResult, needed_package
from antisample.objects.subject import Subject, returned_model
from antisample.objects.words import own_words
from antisample.validation.settings import shown
from tuning.applied_trial import trial_config
from tuning.study.artifacts import StudyFiles
from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

_FORGET, _RETAIN = "validation/forget_accuracy", "validation/retain_accuracy"


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
        outcome: Everything that the study found: chosen trial, reason, baselines, runs with fresh seeds.
    """

    _subject: Subject = field(repr=False)
    _study: StudyReader = field(repr=False)
    outcome: Outcome = field(repr=False)

    @property
    def directory(self) -> Path:
        """The study's folder: `report.html`, `trials.parquet` and the journal."""
        return self._study.config.directory

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials, by number."""
        return self._study.records()

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """Trials that no other dominates."""
        return self.outcome.front

    @property
    def chosen(self) -> TrialRecord:
        """The trial of the front that the selection rule takes.

        Raises:
            ConfigError: If it takes none.
        """
        if self.outcome.chosen is None:
            raise ConfigError(f"No trial was chosen; `applied(N)` unlearns by another one. {self.outcome.reason}")
        return self.outcome.chosen

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured of the chosen trial, by `<part>/<metric>`.

        Raises:
            ConfigError: If none was chosen.
        """
        return dict(self.chosen.metrics)

    @property
    def model(self) -> nn.Module:
        """The model of the chosen trial: a new object, of the class and on the device of the one that was given.

        Raises:
            ConfigError: If none was chosen.
            DataError: If its weights are not there any more.
        """
        weights = StudyFiles.of(self._study.config).load_weights(self.chosen.number)
        if weights is None:
            raise DataError(f"{self.directory}: the weights of trial {self.chosen.number} are missing.")
        return returned_model(self._subject, weights)

    def card(self) -> UnlearningCard:
        """The card of the chosen trial, which is unlearned once more for it, with the same seed.

        Raises:
            ConfigError: If none was chosen.
        """
        return self._applied.card()

    def applied(self, number: int) -> ForgetResult:
        """Unlearns once more by a trial, with the same seed.

        Args:
            number: Of a finished trial.

        Returns:
            Its model with figures and card.

        Raises:
            ConfigError: If there is no finished trial of this number.
        """
        finished = {record.number: record for record in self.trials if record.state == "COMPLETE"}
        if number not in finished:
            listed = ", ".join(map(str, finished)) or "none yet"
            raise ConfigError(f"`number` must be that of a finished trial ({listed}), but got {shown(number)}.")
        return self._unlearned(finished[number])

    def save(self, folder: Path | str) -> UnlearningCard:
        """Writes `model.safetensors`, `card.json` and `card.md` of the chosen trial; see `card`."""
        return self._applied.save(folder)

    def to_dataframe(self) -> Any:
        """The trials as a pandas DataFrame: a row for each, with columns for hyperparameters and metrics.

        Raises:
            ConfigError: If pandas is not installed.
        """
        needed_package("pandas", "`to_dataframe`")
        return pq.read_table(self.directory / "trials.parquet").to_pandas().set_index("number")

    def plot(self) -> Any:
        """Forget accuracy against retain accuracy of every finished trial, as a matplotlib figure."""
        pyplot = needed_package("matplotlib.pyplot", "`plot`")
        figure, axis = pyplot.subplots(figsize=(5, 4), layout="constrained")
        finished = [record for record in self.trials if _RETAIN in record.metrics]
        for label, records in (("trials", finished), ("front", self.front), ("chosen", self._chosen())):
            points = [(record.metrics[_FORGET], record.metrics[_RETAIN]) for record in records]
            axis.scatter([x for x, _ in points], [y for _, y in points], label=label)
        axis.set(xlabel="validation forget accuracy", ylabel="validation retain accuracy")
        axis.legend()
        pyplot.close(figure)
        return figure

    def __repr__(self) -> str:
        chosen = f"trial {self.outcome.chosen.number} chosen" if self.outcome.chosen is not None else "none chosen"
        return f"<SearchResult: {len(self.trials)} trials, {len(self.front)} on the front, {chosen}>"

    def _repr_html_(self) -> str:
        chosen = {record.number for record in self._chosen()}
        head = "".join(f"<th>{name}</th>" for name in ("trial", "forget", "retain", "seconds", "hyperparameters"))
        body = "".join(
            f"<tr><td>{record.number}{' *' if record.number in chosen else ''}</td>"
            f"<td>{record.metrics[_FORGET]:.1%}</td><td>{record.metrics[_RETAIN]:.1%}</td>"
            f"<td>{record.duration_s:.1f}</td><td>{html.escape(_params(record))}</td></tr>"
            for record in self.front
        )
        return f"<table><tr>{head}</tr>{body}</table><p>{html.escape(self.outcome.reason)}</p>"

    def _chosen(self) -> tuple[TrialRecord, ...]:
        return () if self.outcome.chosen is None else (self.outcome.chosen,)

    @cached_property
    def _applied(self) -> ForgetResult:
        return self._unlearned(self.chosen)

    def _unlearned(self, record: TrialRecord) -> ForgetResult:
        study = self._study.config
        request, values = study.forget[0], self._study.plan.method_values(record.params)
        what = f"samples={list(request.samples)}" if request.samples else f"classes={list(request.classes)}"
        settings = {"method": study.method, "seed": record.seeds[0], "precision": study.precision, **values}
        told = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        command = f"antisample.forget(model, train, test, {what}, {told})"
        config, provenance = trial_config(self._study, record, request, command)
        with own_words():
            return unlearned_subject(config, self._subject, provenance, study.resources.cpus_per_trial)


def _params(record: TrialRecord) -> str:
    return ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in record.params.items()
    )
