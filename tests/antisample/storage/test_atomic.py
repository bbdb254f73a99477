"""Files appear whole or not at all."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write, check_writable, write_new


def test_a_reader_sees_the_old_file_until_the_block_succeeds(tmp_path):
    path = tmp_path / "made" / "file.txt"
    with atomic_write(path) as unfinished:
        unfinished.write_text("first")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), atomic_write(path) as unfinished:
        unfinished.write_text(str(1 // unfinished.write_text("")))
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/below/x: cannot be written"), atomic_write(tmp_path / "file/below/x"):
        pass
    with pytest.raises(DataError, match=r"below: cannot be written \(.*file is a file\)"):
        check_writable(tmp_path / "file" / "below")


def test_a_folder_is_checked_without_being_made(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


def test_what_lies_in_the_way_is_named(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(
        DataError, match=r"link: cannot be written \(.*link is a link to .*gone, which does not exist"
    ):
        check_writable(tmp_path / "link")
    with pytest.raises(DataError, match=r"below: cannot be written \(.*link is a link to"):
        check_writable(tmp_path / "link" / "below")
    with pytest.raises(DataError, match=r"/dev/full: cannot be written \(/dev/full is a file\)"):
        check_writable(Path("/dev/full"))
    (tmp_path / "card.json").mkdir()
    with pytest.raises(DataError, match=r"card.json: cannot be written \(it is a folder\)"):
        check_writable(tmp_path, ("model.safetensors", "card.json"))
    with pytest.raises(DataError, match="cannot be written"):
        check_writable(tmp_path / ("x" * 300))
    with pytest.raises(DataError, match="cannot be written"):
        check_writable(tmp_path / "a" / ("x" * 300) / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.json", "link"]


def test_a_link_to_a_folder_is_a_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    check_writable(tmp_path / "link" / "below", n_bytes=200_000)
    assert not list((tmp_path / "real").iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB, and a way to make it read-only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a disk")
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield disk, lambda: subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room_is_found_out_by_writing(small_disk):
    disk, make_read_only = small_disk
    check_writable(disk / "out", n_bytes=500_000)
    with pytest.raises(DataError, match=r"out: cannot be written \(No space left on device, 2.0 MB are needed\)"):
        check_writable(disk / "out", n_bytes=2_000_000)
    (disk / "large").write_bytes(bytes(1_000_000))
    with pytest.raises(DataError, match="No space left on device"):
        check_writable(disk)
    (disk / "large").unlink()
    check_writable(disk)
    assert not list(disk.iterdir())
    make_read_only()
    with pytest.raises(DataError, match=r"out: cannot be written \(Read-only file system\)"):
        check_writable(disk / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="Permission denied"):
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


def test_a_folder_that_turns_read_only_in_the_middle_is_one_sentence(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    def write():
        with atomic_write(tmp_path / "file") as unfinished:
            unfinished.write_bytes(b"part")
            monkeypatch.setattr(Path, "unlink", refused)  # root may write everywhere
            monkeypatch.setattr(Path, "replace", refused)

    with pytest.raises(DataError, match=r"file: cannot be written \(Permission denied\)"):
        write()
