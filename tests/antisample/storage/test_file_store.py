"""What every store of files does, a folder and an object store alike; addresses of object stores."""

import pickle
import re
from pathlib import Path

import pytest
import torch

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, pack_checkpoint
from antisample.errors import ConfigError, DataError, StorageError
from antisample.storage.file_store import FolderStore, checked_place, file_store, is_object_store, joined_place
from antisample.storage.object_store import Address, ObjectStore
from antisample.storage.state_file import _digest, pack_state, unpack_state


class FileStoreSuite:
    """A new store subclasses this and adds the fixture `store`, an empty one."""

    def test_what_was_written_is_read(self, store):
        store.write("models/a.bin", b"first")
        assert store.read("models/a.bin") == b"first"

    def test_a_file_is_replaced_as_a_whole(self, store):
        store.write("a", b"a long content")
        store.write("a", b"short")
        assert store.read("a") == b"short"

    def test_empty_files_and_large_ones(self, store):
        large = bytes(range(256)) * (12 << 12)  # 12 MiB: several parts of an upload
        for content in (b"", large):
            store.write("deep/er/file", content)
            assert store.read("deep/er/file") == content

    def test_there_may_be_no_such_file(self, store):
        store.write("folder/file", b"1")
        for name in ("none", "none/below", "folder/none"):
            assert store.read(name) is None
            store.delete(name)
        assert store.names("none") == []
        assert store.read("folder/file") == b"1"

    def test_names_are_those_of_the_files_in_one_folder(self, store):
        for name in ("f/b.pt", "f/a.pt", "f/g/c.pt", "other/d.pt"):
            store.write(name, b"1")
        assert store.names("f") == ["a.pt", "b.pt"]

    def test_a_deleted_file_is_gone_and_its_neighbours_are_not(self, store):
        store.write("f/a", b"1")
        store.write("f/b", b"2")
        store.delete("f/a")
        assert store.names("f") == ["b"]
        assert (store.read("f/a"), store.read("f/b")) == (None, b"2")
        store.delete("f/b")
        assert store.names("f") == []
        store.write("f/a", b"3")
        assert store.read("f/a") == b"3"

    @pytest.mark.parametrize("damage", ["none", "cut", "flipped", "other"])
    def test_a_damaged_state_is_none(self, store, damage):
        content = bytearray(pack_state({"weights": torch.arange(9.0), "step": 3}))
        if damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "flipped":
            content[len(content) // 2] ^= 1
        elif damage == "other":
            content = bytearray(b"{}")
        store.write("state.pt", bytes(content))
        found = unpack_state(store.read("state.pt"))
        assert found is None if damage != "none" else found["step"] == 3

    def test_models_come_back_as_they_were(self, store, tmp_path):
        weights = {"a": torch.randn(3, 4)}
        store.write("models/m.safetensors", pack_checkpoint(Checkpoint(weights, {"model": "m"})))
        path = tmp_path / "m.safetensors"
        path.write_bytes(store.read("models/m.safetensors"))
        found = load_checkpoint(path)
        assert torch.equal(found.state_dict["a"], weights["a"])
        assert found.metadata == {"model": "m"}


class TestFolder(FileStoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        return file_store(tmp_path / "store")

    def test_no_other_file_is_left(self, store, tmp_path):
        store.write("f/a", b"1")
        assert [path.name for path in (tmp_path / "store" / "f").iterdir()] == ["a"]

    def test_a_folder_that_cannot_be_written_to_is_named(self, store, tmp_path):
        (tmp_path / "store").write_text("a file")
        with pytest.raises(DataError, match="store/f/a: cannot be written"):
            store.write("f/a", b"1")

    def test_a_file_that_cannot_be_read_is_no_missing_one(self, store, tmp_path):
        (tmp_path / "store" / "f").mkdir(parents=True)
        with pytest.raises(DataError, match="store/f: cannot be read"):
            store.read("f")


class ObjectStoreSuite(FileStoreSuite):
    """A new object store subclasses this and adds the fixture `server`, one that holds the bucket `studies`."""

    @pytest.fixture
    def store(self, server, request):
        return file_store(server.address(f"suite/{request.node.name}"))

    def test_files_are_copied_to_and_fro(self, store, tmp_path):
        content = bytes(range(256)) * (10 << 12)
        (tmp_path / "here").write_bytes(content)
        store.upload(tmp_path / "here", "f/there")
        assert store.read("f/there") == content
        assert store.download("f/there", tmp_path / "new" / "back")
        assert (tmp_path / "new" / "back").read_bytes() == content
        assert not store.download("f/none", tmp_path / "none")
        assert not (tmp_path / "none").exists()

    def test_a_bucket_that_is_not_there_is_no_missing_file(self, server, tmp_path):
        store = ObjectStore(server.address("f", bucket="nowhere"), attempts=2)
        for action in (
            lambda: store.read("a"),
            lambda: store.delete("a"),
            lambda: store.download("a", tmp_path / "a"),
        ):
            with pytest.raises(StorageError, match="there is no bucket 'nowhere'"):
                action()
        with pytest.raises(StorageError, match="/f: cannot be used"):
            store.write("a", b"1")


@pytest.mark.integration
class TestGoogle(ObjectStoreSuite):
    @pytest.fixture
    def server(self, gs):
        return gs


@pytest.mark.integration
class TestS3(ObjectStoreSuite):
    @pytest.fixture
    def server(self, s3):
        return s3

    def test_files_lie_where_the_address_says(self, store, s3, request):
        store.write("f/a", b"1")
        assert s3.get(f"suite/{request.node.name}/f/a") == b"1"

    def test_refused_access_is_no_missing_file_and_shows_no_secret(self, store, s3, tmp_path):
        store.write("a", b"1")
        with s3.refusing():
            for action in (
                lambda: store.read("a"),
                lambda: store.read("none"),
                lambda: store.write("a", b"2"),
                lambda: store.names(""),
                lambda: store.download("a", tmp_path / "a"),
            ):
                with pytest.raises(StorageError) as refused:
                    action()
                assert "a-secret-that-nobody-may-see" not in str(refused.value)
        assert store.read("a") == b"1"

    def test_a_server_that_does_not_answer_is_no_missing_file(self, tmp_path):
        store = ObjectStore("s3://studies/f?scheme=http&endpoint_override=127.0.0.1:9", attempts=2)
        for action in (
            lambda: store.read("a"),
            lambda: store.write("a", b"1"),
            lambda: store.delete("a"),
            lambda: store.names("f"),
            lambda: store.download("a", tmp_path / "a"),
        ):
            with pytest.raises(StorageError, match="s3://studies/f: cannot be used"):
                action()


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_state_is_never_executed_whoever_made_its_digest(tmp_path):
    content = pickle.dumps(Bomb(tmp_path / "exploded"))
    assert unpack_state(_digest(memoryview(content)) + content) is None
    torch.save({"bomb": Bomb(tmp_path / "exploded")}, tmp_path / "bomb.pt")
    content = (tmp_path / "bomb.pt").read_bytes()
    assert unpack_state(_digest(memoryview(content)) + content) is None
    assert not (tmp_path / "exploded").exists()


def test_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(file_store("folder"), FolderStore)
    assert checked_place("folder") == str(tmp_path / "folder")
    assert not is_object_store(Path("s3:/bucket"))
    assert is_object_store("s3://bucket")
    assert joined_place("/shared", "study") == "/shared/study"
    assert joined_place("s3://bucket/a/?region=eu-west-1", "study") == "s3://bucket/a/study?region=eu-west-1"
    address = Address.parse("s3://bucket//a/b/?scheme=http&endpoint_override=localhost:9000")
    assert (address.path, address.url) == ("bucket/a/b", "s3://bucket/a/b")
    assert address.options == {"scheme": "http", "endpoint_override": "localhost:9000"}
    assert Address.parse("gs://bucket").path == "bucket"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("ftp://host/folder", "must begin with s3:// or gs://, but got ftp://"),
        ("s3:///folder", "must be s3://BUCKET/FOLDER"),
        ("s3://bucket/a?scheme=ftp", "scheme=http or scheme=https, but got 'ftp'"),
        ("s3://bucket/a?secret_key=hidden", "unknown option 'secret_key'; it may have region"),
        ("gs://bucket/a?region=x", "unknown option 'region'; it may have scheme"),
        ("s3://name:hidden@bucket/a", "must not contain credentials"),
    ],
)
def test_a_wrong_address_is_said_without_its_secrets(address, problem):
    with pytest.raises(ConfigError) as refused:
        Address.parse(address)
    assert problem in str(refused.value)
    assert "hidden" not in str(refused.value)
    with pytest.raises(ValueError, match=re.escape(problem)):
        checked_place(address)
