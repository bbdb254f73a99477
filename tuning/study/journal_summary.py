"""How far a study has come, read from its journal in one pass: no Optuna, no configuration, nothing written.

A list of studies is to be there at once, so of the journal's lines only those are parsed that say what trials there
are and how they ended. Lines are not held against their checks: whoever opens the study does that.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antisample.errors import DataError
from antisample.storage.regular_files import open_regular, read_regular
from tuning.trials.failures import failure_kind

CREATE_STUDY, DELETE_STUDY, STUDY_ATTRIBUTE, CREATE_TRIAL, TRIAL_STATE, TRIAL_ATTRIBUTE = 0, 1, 2, 4, 6, 8
"""Of Optuna's journal format, as the states are."""
RUNNING, COMPLETE, PRUNED, FAIL = 0, 1, 2, 3
_BEGINNING = b'{"op_code":'
_OF_TRIALS = (b'"user_attr":{"key":', b'"user_attr":{"failure":', b'"user_attr":{"error":')
_OF_STUDIES = (
    b'"user_attr":{"id":',
    b'"user_attr":{"space":',
    b'"user_attr":{"endings":',
    b'"user_attr":{"search_stop":',
)
_LONGEST_LINE = 1 << 28
_NUMBER_FILE = "journal.lines"


@dataclass
class _Trial:
    study: int
    state: int
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JournalSummary:
    """What a journal says of one study.

    Attributes:
        done: Trials of the search that count towards `n_trials`.
        failed: Those that failed by themselves.
        running: Those that a driver has under way, or had when it died.
        endings: How the study ended, each time; see `SearchEnd`.
        stop: Why the search of a study with a budget ended early; see `SearchStop`.
    """

    done: int
    failed: int
    running: int
    endings: list[Any]
    stop: Any = None


def summarise_journal(directory: Path, study_id: str | None) -> JournalSummary:
    """Reads the journal in a study's directory.

    Args:
        directory: Of the study.
        study_id: Which of the studies in the journal is meant; None takes the one that a search has begun.

    Raises:
        DataError: If the journal is missing, empty, cut short or damaged, as far as that is seen.
    """
    path = directory / "journal.log"
    studies: list[dict[str, Any] | None] = []
    trials: list[_Trial] = []
    lines = 0
    try:
        for record in _records(path):
            if record is not None:
                _take(record, studies, trials)
            lines += 1
    except FileNotFoundError:
        raise DataError("journal.log is missing.") from None
    except OSError as error:
        raise DataError(f"journal.log cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise DataError(f"journal.log is damaged in line {lines + 1}.") from None
    if lines < _kept_lines(directory):
        raise DataError("journal.log is empty." if not lines else "journal.log was cut short.")
    return _of_study(studies, trials, study_id)


def _of_study(studies: list[dict[str, Any] | None], trials: list[_Trial], study_id: str | None) -> JournalSummary:
    begun = {number: attributes for number, attributes in enumerate(studies) if attributes is not None}
    if study_id is None:
        ours = [number for number, attributes in begun.items() if "space" in attributes]
    else:
        ours = [number for number, attributes in begun.items() if attributes.get("id") == study_id]
    if not ours:
        raise DataError("journal.log does not hold the study.")
    own = [trial for trial in trials if trial.study == ours[0] and "key" in trial.attributes]
    states = [trial.state for trial in own]
    failed = sum(trial.state == FAIL and failure_kind(trial.attributes).counts for trial in own)
    endings = begun[ours[0]].get("endings")
    return JournalSummary(
        states.count(COMPLETE) + states.count(PRUNED),
        failed,
        states.count(RUNNING),
        endings if isinstance(endings, list) else [],
        begun[ours[0]].get("search_stop"),
    )


def _records(path: Path) -> Iterator[dict[str, Any] | None]:
    """The lines of a journal: parsed where they matter, else None. A last line that is being written is left out."""
    with open_regular(path, inside=path.parent) as file:
        while line := file.readline(_LONGEST_LINE):
            if not line.endswith(b"\n"):
                return
            if not line.startswith(_BEGINNING):
                raise ValueError("no journal")
            code = line[len(_BEGINNING) : len(_BEGINNING) + 2]
            wanted = (
                code in (b"0,", b"1,", b"4,", b"6,")
                or (code == b"2," and any(mark in line for mark in _OF_STUDIES))
                or (code == b"8," and any(mark in line for mark in _OF_TRIALS))
            )
            yield json.loads(line) if wanted else None


def _take(record: dict[str, Any], studies: list[dict[str, Any] | None], trials: list[_Trial]) -> None:
    """Goes on with a record."""
    code = record["op_code"]
    if code == CREATE_STUDY:
        studies.append({})
    elif code == DELETE_STUDY:
        studies[record["study_id"]] = None
    elif code == STUDY_ATTRIBUTE:
        attributes = studies[record["study_id"]]
        if attributes is not None:
            attributes |= record["user_attr"]
    elif code == CREATE_TRIAL:
        trials.append(_Trial(record["study_id"], record.get("state", RUNNING), dict(record.get("user_attrs") or {})))
    elif code == TRIAL_STATE:
        trial = trials[record["trial_id"]]
        if trial.state not in (COMPLETE, PRUNED, FAIL):  # the first end of a trial is the one that holds
            trial.state = record["state"]
    elif code == TRIAL_ATTRIBUTE:
        trials[record["trial_id"]].attributes |= record["user_attr"]


def _kept_lines(directory: Path) -> int:
    """How many lines the journal must have; at least one."""
    try:
        return max(1, int(read_regular(directory / _NUMBER_FILE, inside=directory, most=100)))
    except (OSError, ValueError):
        return 1
