"""Journals that somebody edited: reading them ends in a result or in one sentence, never in a trace."""

import json

import pytest

from antisample.errors import AntisampleError
from tuning.study.attributes import CLASS_NAMES, CONFIRMATIONS, CONFUSIONS, ENDINGS, ENVIRONMENT, PLACE
from tuning.study.directory import open_study
from tuning.study.outcome import find_outcome
from tuning.study.storage.journal_lines import CHECK, LINE
from tuning.study.study import Study
from tuning.views.report import render_report
from tuning.views.table import write_table

VALUES = (None, True, -1, 10**30, float("nan"), "\0\ud800", [None], {}, {"a": [[]]})
FIELDS = {
    "study_name": 0,
    "directions": 0,
    "study_id": 4,
    "datetime_start": 4,
    "trial_id": 8,
    "user_attr": 8,
    "param_name": 5,
    "param_value_internal": 5,
    "distribution": 5,
    "state": 6,
    "values": 6,
    "datetime_complete": 6,
    "worker_id": 8,
    "op_code": 8,
}
NOTES = (
    "original",
    "id",
    "created_ms",
    "confusions",
    "confirmations",
    "class_names",
    "endings",
    "place",
)
ATTRIBUTES = ("seeds", "metrics", "started_ms", "finished_ms", "report.00001", "key", "number", "versions")
RAW = {
    "not UTF-8": b'{"op_code":8,"worker_id":"\xff\xfe"}\n',
    "null bytes": b"\0" * 50 + b"\n",
    "nested deeply": b'{"op_code":8,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "a long number": b'{"op_code":8,"trial_id":' + b"9" * 10_000 + b"}\n",
    "a long text": b'{"op_code":8,"worker_id":"' + b"x" * 5_000_000 + b'"}\n',
    "no object": b"[1, 2]\n",
    "UTF-16": '{"op_code":8}\n'.encode("utf-16"),
    "carriage returns": b'{"op_code":8}\r\n',
    "an empty line": b"\n",
    "an unknown state": b'{"op_code":6,"worker_id":"w","trial_id":0,"state":9,"values":null}\n',
    "a key that occurs twice": b'{"op_code":8,"op_code":4,"worker_id":"w"}\n',
    "a comment": b"# nothing\n",
}


@pytest.fixture
def journal(small_study):
    """The journal of a study with notes of all kinds, as a list of records without checks."""
    for name, value in (
        (CONFUSIONS, {"original": [[0, 0, 1]], "0": [[0, 0, 1]]}),
        (CONFIRMATIONS, [{"number": 0, "seed": 1, "metrics": {"a": 1.0}, "counts": {}, "elapsed_s": 1.0}]),
        (CLASS_NAMES, [str(digit) for digit in range(10)]),
        (ENVIRONMENT, {"python": "3"}),
        (ENDINGS, [{"timestamp_ms": 1, "trials": 3, "chosen": 0, "values": {"hypervolume": 0.1}}]),
        (PLACE, {"directory": "/somewhere", "inode": 1}),
    ):
        small_study.note(name, value)
    path = small_study.config.directory / "journal.log"
    path.with_suffix(".lines").unlink()
    logs = [json.loads(line) for line in path.read_text().splitlines()]
    return path, [{key: value for key, value in log.items() if key not in (CHECK, LINE)} for log in logs]


def outcome_of(path, content):
    """What `report` and `resume` make of a journal: `read`, or the sentence."""
    path.write_bytes(content)
    try:
        study = open_study(path.parent)
        find_outcome(study)
        render_report(study)
        write_table([record for record in study.rows() if record.state != "RUNNING"], path.with_name("table"))
        Study(study.config).ask("another")
    except AntisampleError as error:
        said = str(error)
        assert "\n" not in said
        assert len(said) < 1000
        return said
    return "read"


def written(logs):
    return b"".join(json.dumps(log).encode() + b"\n" for log in logs)


def test_the_journal_is_read_as_it_was(journal):
    path, logs = journal
    assert outcome_of(path, written(logs)) == "read"


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_another_type_or_missing(journal, field):
    path, logs = journal
    place = next(place for place, log in enumerate(logs) if log["op_code"] == FIELDS[field] and field in log)
    before = logs[place]
    for value in VALUES:
        logs[place] = {**before, field: value}
        said = outcome_of(path, written(logs))
        assert said == "read" or "journal" in said
    logs[place] = {key: value for key, value in before.items() if key != field}
    said = outcome_of(path, written(logs))
    assert f"line {place + 1} of the journal is damaged" in said


@pytest.mark.parametrize("name", NOTES)
def test_a_note_of_another_type(journal, name):
    path, logs = journal
    log = next(log for log in reversed(logs) if log["op_code"] == 2 and name in log["user_attr"])
    for value in VALUES:
        log["user_attr"] = {name: value}
        said = outcome_of(path, written(logs))
        assert said == "read" or f"the note {name!r} of the study is damaged" in said or "journal" in said


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_of_a_trial_of_another_type(journal, name):
    path, logs = journal
    log = next(log for log in logs if log["op_code"] == 8 and name in log["user_attr"])
    for value in VALUES:
        log["user_attr"] = {name: value}
        said = outcome_of(path, written(logs))
        assert said == "read"


@pytest.mark.parametrize("what", RAW)
@pytest.mark.parametrize("place", ["first", "middle"])
def test_a_line_that_is_something_else(journal, what, place):
    path, logs = journal
    lines = [written([log]) for log in logs]
    lines.insert(0 if place == "first" else len(lines) // 2, RAW[what])
    assert "the journal" in outcome_of(path, b"".join(lines))
