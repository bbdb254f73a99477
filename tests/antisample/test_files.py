"""Files appear whole or not at all."""

import errno
import os

import pytest

from antisample.errors import DataError
from antisample.files import check_writable, whole_file, write_new


def test_a_reader_sees_the_old_file_until_the_block_succeeds(tmp_path):
    path = tmp_path / "made" / "file.txt"
    with whole_file(path) as unfinished:
        unfinished.write_text("first")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), whole_file(path) as unfinished:
        unfinished.write_text(str(1 // unfinished.write_text("")))
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/below/x: cannot be written"), whole_file(tmp_path / "file/below/x"):
        pass
    with pytest.raises(DataError, match=r"below: cannot be written \(.*file is a file\)"):
        check_writable(tmp_path / "file" / "below")


def test_a_folder_is_checked_without_being_made(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="read-only"):
        check_writable(tmp_path / "a")


def test_a_new_file_is_written_once(tmp_path):
    path = tmp_path / "made" / "file"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(DataError, match=r"file/below: cannot be written"):
        write_new(path / "below", b"")


def test_a_new_file_is_written_once_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    path = tmp_path / "file"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
