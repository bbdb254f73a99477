import os
import socket
from pathlib import Path

import pytest

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.file_store import FolderStore
from antisample.storage.regular_files import check_inside, check_tree, open_regular, read_regular, read_start


@pytest.fixture
def folder(tmp_path):
    """A folder with a file, a folder and links, and a file outside of it."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"mine")
    (folder / "file").write_bytes(b"content")
    (folder / "sub" / "file").write_bytes(b"content")
    (folder / "link").symlink_to(tmp_path / "outside" / "file")
    (folder / "inner").symlink_to("file")
    (folder / "dangling").symlink_to(tmp_path / "outside" / "new")
    (folder / "way").symlink_to(tmp_path / "outside")
    return folder


def put(path, kind):
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))


@pytest.mark.parametrize("name", ["file", "sub/file"])
def test_a_regular_file_is_read_and_may_be_reached_through_a_link_to_its_folder(folder, name):
    assert read_regular(folder / name, inside=folder) == b"content"
    also = folder.parent / "also"
    also.symlink_to(folder)
    assert read_regular(also / name, inside=also) == b"content"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDWR | os.O_APPEND])
@pytest.mark.parametrize("name", ["link", "inner", "dangling", "way/file", "sub/../way/file"])
def test_no_link_below_the_folder_is_followed(folder, name, flags):
    with pytest.raises(OSError, match="is a symbolic link, and links are not followed here"):
        open_regular(folder / name, flags, inside=folder)
    assert [path.name for path in (folder.parent / "outside").iterdir()] == ["file"]


def test_a_link_that_the_user_named_is_followed(folder):
    assert read_regular(folder / "link") == b"mine"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT])
@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a folder"])
@pytest.mark.parametrize("inside", [True, False])
def test_what_is_no_regular_file_is_said_and_not_waited_for(tmp_path, monkeypatch, kind, flags, inside):
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    put(Path("name"), kind)
    with pytest.raises(OSError, match=f"name is {kind}, not a regular file"):
        open_regular(tmp_path / "name", flags, inside=tmp_path if inside else None)


def test_a_device_is_no_regular_file():
    with pytest.raises(OSError, match="null is a device"):
        read_regular(Path(os.devnull))


def test_a_missing_file_is_missing_and_a_large_one_too_large(folder):
    with pytest.raises(FileNotFoundError):
        read_regular(folder / "sub" / "none" / "file", inside=folder)
    with pytest.raises(OSError, match="it is larger than"):
        read_regular(folder / "file", inside=folder, most=3)


def test_files_are_written_below_no_link_and_replace_one(folder):
    with atomic_write(folder / "link", inside=folder) as unfinished:
        unfinished.write_bytes(b"new")
    assert (folder / "link").read_bytes() == b"new"
    assert not (folder / "link").is_symlink()
    with pytest.raises(DataError, match="way is a symbolic link"), atomic_write(folder / "way" / "x", inside=folder):
        pytest.fail("nothing may be written")
    with pytest.raises(OSError, match="way is a symbolic link"):
        check_inside(folder / "way" / "deep" / "x", folder)
    assert (folder.parent / "outside" / "file").read_bytes() == b"mine"
    assert [path.name for path in (folder.parent / "outside").iterdir()] == ["file"]


def test_a_tree_with_a_link_or_a_pipe_is_refused(folder):
    with pytest.raises(OSError, match="is a symbolic link"):
        check_tree(folder, folder)
    check_tree(folder / "sub", folder)
    os.mkfifo(folder / "sub" / "pipe")
    with pytest.raises(OSError, match="pipe is a named pipe"):
        check_tree(folder / "sub", folder)
    with pytest.raises(OSError, match="way is a symbolic link"):
        check_tree(folder / "way", folder)


def test_a_store_that_may_be_received_follows_no_link(folder):
    store = FolderStore(folder, follow_links=False)
    assert store.read("file") == b"content"
    for name in ("link", "way/file"):
        with pytest.raises(DataError, match="is a symbolic link"):
            store.read(name)
    with pytest.raises(DataError, match="is a symbolic link"):
        store.write("way/file", b"new")
    for call in (lambda: store.delete("way/file"), lambda: store.names("way")):
        with pytest.raises(OSError, match="is a symbolic link"):
            call()
    assert (folder.parent / "outside" / "file").read_bytes() == b"mine"
    assert FolderStore(folder).read("way/file") == b"mine"


def test_the_start_of_a_file_is_read(folder):
    assert read_start(folder / "file", 3) == b"con"
    assert read_start(folder / "link", 100) == b"mine"
    with pytest.raises(OSError, match="is a device"):
        read_start(Path("/dev/zero"), 3)
