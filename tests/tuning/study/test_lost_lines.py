"""Lines of a journal that are missing, changed, doubled or in another place."""

import json
import re

import optuna
import pyarrow.parquet as pq
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from antisample.errors import DataError
from tuning.study.directory import open_study
from tuning.study.lost_trials import lost_trials
from tuning.study.storage.journal import open_journal
from tuning.study.storage.journal_lines import CHECK, LINE
from tuning.views.projections import write_projections


def tell(storage, n=3):
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    for value in range(n):
        study.tell(study.ask(), float(value))
    return study


def by_optuna(path):
    return JournalStorage(JournalFileBackend(str(path)))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.log"
    tell(open_journal(path))
    path.with_suffix(".lines").unlink()
    return path


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def n_trials(path, **how):
    return len(optuna.load_study(storage=open_journal(path, **how), study_name="s").trials)


def noticed(path, content):
    """Whether reading and continuing end in one sentence, and leave the file as it is."""
    path.write_bytes(content)
    for write in (False, True):
        with pytest.raises(DataError, match=r"journal.log: (before )?line \d+ (a line )?of the journal "):
            open_journal(path, write=write)
    return path.read_bytes() == content


@pytest.mark.parametrize("number", range(6))
def test_a_line_that_is_missing_doubled_or_moved_is_noticed(path, number):
    lines = lines_of(path)
    assert noticed(path, b"".join(lines[:number] + lines[number + 1 :]))
    assert noticed(path, b"".join(lines[: number + 1] + lines[number:]))
    swapped = [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]
    assert noticed(path, b"".join(swapped))


def test_the_last_line_doubled_is_noticed(path):
    assert noticed(path, path.read_bytes() + lines_of(path)[-1])


def test_a_bit_changed_inside_any_digit_is_noticed(path):
    content = path.read_bytes()
    places = [match.start() for match in re.finditer(rb"\d", content)]
    assert len(places) > 200
    for place in places[:: len(places) // 60]:
        changed = bytearray(content)
        changed[place] ^= 1
        assert noticed(path, bytes(changed)), place


def test_a_bit_changed_inside_the_key_of_the_last_check_is_noticed(path):
    content = path.read_bytes()
    place = content.rindex(CHECK.encode())
    assert noticed(path, content[:place] + b"b" + content[place + 1 :])


def test_optuna_reads_a_journal_with_checks_and_its_lines_are_covered_by_the_next(path):
    assert len(tell(by_optuna(path), 2).trials) == 5
    tell(open_journal(path), 1)
    tell(by_optuna(path), 1)
    assert n_trials(path) == 7
    lines = lines_of(path)
    own = [CHECK in json.loads(line) for line in lines]
    assert own.count(False) == 8  # two changes for each of three trials, and two attempts to begin the study
    first = own.index(False)
    assert noticed(path, b"".join([*lines[:first], lines[first].replace(b"0", b"1", 1), *lines[first + 1 :]]))
    assert noticed(path, b"".join(lines[:first] + lines[first + 1 :]))


@pytest.mark.parametrize("numbered", [True, False])
def test_an_older_journal_stays_readable_and_goes_on_with_checks_that_cover_it(path, numbered):
    logs = [json.loads(line) for line in lines_of(path)]
    keys = {CHECK} if numbered else {CHECK, LINE}
    old = [json.dumps({k: v for k, v in log.items() if k not in keys}).encode() + b"\n" for log in logs]
    path.write_bytes(b"".join(old))
    assert n_trials(path, write=False) == 3
    tell(open_journal(path), 1)
    assert n_trials(path) == 4
    lines = lines_of(path)
    changed = lines[4].replace(b"0", b"1", 1)
    assert noticed(path, b"".join([*lines[:4], changed, *lines[5:]]))
    if numbered:
        assert noticed(path, b"".join([*old[:4], old[3], *old[4:]]))


def test_lines_that_others_append_at_the_same_moment_harm_nothing(path, monkeypatch):
    """Optuna does not take our lock, so its lines may come between our look at the end and our own lines."""
    mine = tell(open_journal(path), 0)
    from tuning.study.storage.journal_file import AtomicJournalFile  # noqa: PLC0415

    look = AtomicJournalFile._at_end

    def interrupted(self, file):
        chain = look(self, file)
        tell(by_optuna(path), 1)
        return chain

    with monkeypatch.context() as patched:
        patched.setattr(AtomicJournalFile, "_at_end", interrupted)
        mine.set_user_attr("a", 1)
    mine.set_user_attr("b", 2)
    tell(mine._storage, 1)
    assert n_trials(path, write=False) == 5
    assert json.loads(lines_of(path)[-1])[LINE] == len(lines_of(path))


def test_a_reader_leaves_a_last_line_cut_short_as_it_is_and_a_writer_cuts_it_off(path):
    whole = path.read_bytes()
    for rest in (b'{"op_code":5,"wor', b"\0\0\0\0", b"\0\0\n"):
        path.write_bytes(whole + rest)
        assert n_trials(path, write=False) == 3
        assert path.read_bytes() == whole + rest
        assert n_trials(path) == 3
        assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b'{"secret": 1}', b'{"a":', b"key: value", b'{"op_code": 4'])
def test_a_file_that_begins_in_another_way_is_not_mended(tmp_path, content):
    path = tmp_path / "journal.log"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not an Optuna journal"):
        open_journal(path)
    assert path.read_bytes() == content


def test_a_journal_with_a_second_name_is_read_and_never_written(path):
    (path.parent / "other").hardlink_to(path)
    content = path.read_bytes() + b'{"op'
    path.write_bytes(content)
    study = optuna.load_study(storage=open_journal(path), study_name="s")
    with pytest.raises(DataError, match=r"cannot be written \(the file has another name \(a hard link"):
        study.ask()
    assert path.read_bytes() == content


@pytest.fixture
def cut(small_study):
    """The directory of a study whose journal was cut at 60 % after its views were written."""
    write_projections(small_study)
    directory = small_study.config.directory
    (directory / "journal.lines").unlink()
    content = (directory / "journal.log").read_bytes()
    (directory / "journal.log").write_bytes(content[: len(content) * 6 // 10])
    return directory


def test_a_report_of_a_cut_journal_warns_and_writes_nothing_until_it_is_asked(cut, call):
    before = {path.name: path.read_bytes() for path in cut.iterdir() if path.is_file()}
    code, out, err = call("report", cut)
    words = " ".join((out + err).split())
    assert code == 1
    assert "Nothing was written." in words
    assert "trials.parquet shows 2 trials, the first of them 1, with an end that is missing in the journal" in words
    assert {path.name: path.read_bytes() for path in cut.iterdir() if path.is_file()} == before
    assert call("report", cut, "--json")[0] == 1
    assert call("report", cut, "--rebuild")[0] == 0
    assert pq.read_table(cut / "trials.parquet").num_rows == 1
    assert call("report", cut)[0] == 0


@pytest.mark.integration
def test_a_search_does_not_go_on_from_a_cut_journal(cut, call):
    code, _, err = call("resume", cut)
    assert code == 2
    assert "report" in err
    assert "--rebuild` continues with what is left." in err


def test_what_mlflow_has_tells_of_lost_trials_where_there_is_no_table(cut):
    (cut / "trials.parquet").unlink()
    assert lost_trials(open_study(cut)) is None
    (cut / "mlflow.json").write_text(json.dumps({"uri": {"run": {"trial": 7, "begun": True}, "parent": {}}}))
    assert "mlflow.json shows trial 7" in lost_trials(open_study(cut))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}", b"[1]", b"\0" * 100])
def test_views_that_cannot_be_read_tell_nothing(cut, content):
    (cut / "trials.parquet").write_bytes(content)
    (cut / "mlflow.json").write_bytes(content)
    assert lost_trials(open_study(cut)) is None
