"""A cache in an object store: computed by one machine, fetched by the others, and never trusted."""

import logging

import pytest

from antisample.config import UnlearnConfig
from antisample.errors import StorageError
from antisample.inputs import LoadingListener, load_inputs
from antisample.storage.cache import Cache


def test_a_folder_is_its_own_cache(tmp_path):
    cache = Cache.at(tmp_path)
    assert (cache.folder, cache.store) == (tmp_path, None)
    cache.fetch(tmp_path / "none")
    cache.share(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_each_object_store_has_a_folder_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = {Cache.at(f"s3://{bucket}/cache").folder for bucket in ("a", "b")}
    assert {folder.parent for folder in folders} == {tmp_path / "antisample"}
    assert len(folders) == 2


@pytest.fixture
def machine(s3, tmp_path, monkeypatch):
    """Loads inputs as on a machine of its own; says what it trained."""

    def load(name, folder="cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        config = UnlearnConfig.parse(
            {
                "data": {"source": "digits", "cache_dir": s3.address(folder)},
                "model": {"name": "SmallCNN", "recipe": {"epochs": 1, "batch_size": 128}},
                "forget": {"classes": [3]},
                "evaluation": {"final": ["retrained"]},
                "device": "cpu",
            }
        )
        trained = []

        class Heard(LoadingListener):
            def training_epoch(self, epoch, epochs, loss):  # noqa: ARG002
                trained.append("original")

            def reference_epoch(self, epoch, epochs, loss):  # noqa: ARG002
                trained.append("reference")

        inputs = load_inputs(config, Heard())
        return inputs, trained

    return load


def same(one, other):
    assert one.dataset.fingerprint == other.dataset.fingerprint
    assert one.original.fingerprint == other.original.fingerprint
    assert (one.neighbours[3].farthest == other.neighbours[3].farthest).all()
    mine, its = (inputs.reference.predictions["test"].probabilities for inputs in (one, other))
    assert (mine == its).all()


@pytest.mark.integration
def test_what_one_machine_computed_no_other_computes(machine, s3):
    first, trained = machine("one")
    assert trained == ["original", "reference"]
    assert sorted(key.rpartition(".")[2] for key in s3.keys("cache/")) == [
        *["arrow"] * 2,  # training and test images
        *["pt"] * 2,  # neighbours, and what the reference says
        *["safetensors"] * 2,  # original and reference
    ]
    second, trained = machine("two")
    assert not trained
    assert second.neighbours[3].elapsed_s == first.neighbours[3].elapsed_s, "found once"
    assert not second.dataset.train.images.flags.writeable
    same(first, second)
    with s3.refusing():
        third, trained = machine("two")
    assert not trained
    same(first, third)


@pytest.mark.integration
@pytest.mark.parametrize("harm", ["cut", "empty", "flip"])
def test_damaged_objects_are_computed_again_and_replaced(machine, s3, harm, request):
    folder = request.node.name
    first, _ = machine("one", folder)
    for key in s3.keys(f"{folder}/"):
        content = bytearray(s3.get(key))
        middle = len(content) // 2
        content[middle] ^= 1
        s3.put(key, bytes({"cut": content[:middle], "empty": b"", "flip": content}[harm]))
    second, trained = machine("two", folder)
    assert trained == ["original", "reference"]
    same(first, second)
    third, trained = machine("three", folder)
    assert not trained, "the good files are in the store now"
    same(first, third)


@pytest.mark.integration
def test_a_store_that_refuses_is_an_error_before_anything_is_computed(machine, s3, tmp_path):
    with s3.refusing(), pytest.raises(StorageError, match="s3://studies/cache-refused: cannot be used"):
        machine("four", "cache-refused")
    assert not [path for path in (tmp_path / "four").rglob("*") if path.is_file()]


@pytest.mark.integration
def test_what_cannot_be_shared_is_kept_and_said(s3, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = Cache.at(s3.address("cache-unshared"))
    cache.folder.mkdir(parents=True)
    (cache.folder / "file").write_text("computed")
    with s3.refusing(), caplog.at_level(logging.WARNING):
        cache.share(cache.folder / "file")
    assert "is only kept on this machine" in caplog.text
    assert not s3.keys("cache-unshared")
    cache.share(cache.folder / "file")
    assert s3.get("cache-unshared/file") == b"computed"
