"""A study folder that is moved, copied, restored, or that lost its journal."""

import shutil

import pytest

from antisample.errors import DataError
from tuning.study.attributes import ID
from tuning.study.directory import open_study
from tuning.study.identity import copied_from, settle_identity
from tuning.views.mlflow import StudyMetadata, sync


@pytest.fixture
def study(small_study):
    """As a driver leaves it, under its own id."""
    settle_identity(small_study)
    return small_study


def drive(make_study, directory):
    """What a driver does at its start; the id and what it says."""
    study = make_study(open_study(directory).config)
    said = settle_identity(study)
    return study.noted(ID), said


def test_a_copy_gets_an_id_of_its_own_and_the_original_keeps_its(study, make_study, tmp_path):
    original, copy = study.config.directory, tmp_path / "copy"
    shutil.copytree(original, copy)
    assert copied_from(open_study(copy)) == original
    assert copied_from(open_study(original)) is None
    first, said = drive(make_study, copy)
    assert said.startswith(f"This directory is a copy of {original}: from now on it is a separate study")
    assert first != study.noted(ID)
    assert StudyMetadata.of(open_study(copy)).name == "copy"
    assert drive(make_study, copy) == (first, None)
    assert drive(make_study, original) == (study.noted(ID), None)
    assert len(open_study(copy).records()) == 3


def test_a_copy_elsewhere_is_noticed_too(study, make_study, tmp_path):
    elsewhere = tmp_path / "far" / "away" / "made"
    shutil.copytree(study.config.directory, elsewhere)
    assert drive(make_study, elsewhere)[0] != study.noted(ID)


@pytest.mark.parametrize("place", ["renamed", "other/runs/made"])
def test_a_moved_folder_stays_the_same_study(study, make_study, tmp_path, place):
    study_id, there = study.noted(ID), tmp_path / place
    there.parent.mkdir(parents=True, exist_ok=True)
    study.config.directory.rename(there)
    assert drive(make_study, there) == (study_id, None)


def test_a_folder_moved_to_another_file_system_stays_the_same_study(study, make_study, tmp_path):
    study_id, there = study.noted(ID), tmp_path / "disk" / "made"
    shutil.copytree(study.config.directory, there)
    shutil.rmtree(study.config.directory)
    assert drive(make_study, there) == (study_id, None)


def test_the_original_is_known_after_it_was_renamed(study, make_study, tmp_path):
    study_id, original = study.noted(ID), study.config.directory
    renamed, copy = tmp_path / "renamed", tmp_path / "copy"
    shutil.copytree(original, copy)
    original.rename(renamed)
    assert copied_from(open_study(copy)) == renamed
    assert drive(make_study, renamed) == (study_id, None)
    shutil.copytree(renamed, original)  # a copy at the place where the original stood
    assert drive(make_study, original)[0] != study_id


def test_a_folder_restored_from_a_copy_beside_it_stays_the_same_study(study, make_study, tmp_path):
    study_id, original = study.noted(ID), study.config.directory
    shutil.copytree(original, tmp_path / "backup")
    shutil.rmtree(original)
    shutil.copytree(tmp_path / "backup", original)
    assert drive(make_study, original) == (study_id, None)


def test_a_driver_that_dies_while_a_copy_gets_its_id_leaves_a_copy(study, make_study, dying_study, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(study.config.directory, copy)
    for last in ("id", "place"):
        with pytest.raises(SystemExit):
            settle_identity(dying_study(open_study(copy).config, last))
    study_id, _ = drive(make_study, copy)
    assert study_id != study.noted(ID)
    assert (copy / "study.id").read_text().strip() == study_id


def test_a_copy_is_not_delivered_into_the_originals_runs(study, tmp_path):
    shutil.copytree(study.config.directory, tmp_path / "copy")
    store = tmp_path / "mlflow.db"
    with pytest.raises(
        DataError, match=r"copy: this directory is a copy of .*made, whose runs are in MLflow.*`antisample"
    ):
        sync(open_study(tmp_path / "copy"), f"sqlite:///{store}")
    assert not store.exists()


@pytest.mark.parametrize("harm", ["deleted", "emptied", "cut short", "a line missing", "newer", "junk"])
@pytest.mark.parametrize("command", ["report", "resume"])
def test_a_journal_that_was_harmed_is_one_sentence_and_stays_as_it_is(study, call, harm, command):
    journal = study.config.directory / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    content = {
        "deleted": None,
        "emptied": b"",
        "cut short": b"".join(lines[:20]),
        "a line missing": b"".join(lines[:20] + lines[21:]),
        "newer": b"".join([*lines, b'{"op_code":11,"worker_id":"w"}\n']),
        "junk": bytes(range(256)),
    }[harm]
    journal.unlink()
    if content is not None:
        journal.write_bytes(content)
    code, out, err = call(command, study.config.directory)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {journal}: ")
    assert err.count("\n") == 1
    assert "estore " in err
    assert (journal.read_bytes() if journal.exists() else None) == content


def test_a_report_of_a_folder_without_its_journal_makes_none(study, call):
    journal = study.config.directory / "journal.log"
    for name in ("journal.log", "study.id", "journal.lines"):
        (study.config.directory / name).unlink()
    code, _, err = call("report", study.config.directory)
    assert (code, "the journal of the study is missing" in err) == (2, True)
    assert not journal.exists()


def test_a_shortened_journal_goes_on_where_its_owner_says_so(study, make_study):
    directory = study.config.directory
    lines = (directory / "journal.log").read_bytes().splitlines(keepends=True)
    (directory / "journal.log").write_bytes(b"".join(lines[:-40]))
    with pytest.raises(DataError, match=r"was truncated; .* To continue with what is left, delete journal.lines"):
        open_study(directory)
    (directory / "journal.lines").unlink()
    assert len(open_study(directory).records()) < 3
