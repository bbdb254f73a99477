"""Which images land in which split, whatever folders and files are called, and what is said about it."""

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from antisample.config import UnlearnConfig
from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.datasets import DecodedData, load_dataset, training_files
from antisample.datasets.cache import fingerprint, read_cache, write_cache
from antisample.errors import ConfigError, DataError
from antisample.storage.cache import Cache
from antisample.types import Dataset, ImageSet
from antisample.unlearning import load_inputs

CLASSES = ("cat", "dog")


def png(value: int) -> bytes:
    """A grey image of one value, by which it is told from others."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(path: Path, values: range | list[int], labels: list[int | None] | None = None, **options: Any) -> Path:
    """Writes rows whose images have these values, labelled 0, 1, 0, 1 ... unless told otherwise."""
    feature = options.pop("feature", {"names": list(CLASSES), "_type": "ClassLabel"})
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": feature}}})} if feature else None
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", kind), ("label", pa.int64())], metadata=metadata)
    rows = {
        "image": pa.array([{"bytes": png(value), "path": None} for value in values], kind),
        "label": pa.array([i % 2 for i in range(len(values))] if labels is None else labels, pa.int64()),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows, schema=schema), path, **options)
    return path


def folder(root: Path, values: range | list[int]) -> Path:
    """Writes images of these values into class folders, by turns."""
    for position, value in enumerate(values):
        place = root / CLASSES[position % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{value:03}.png").write_bytes(png(value))
    return root


def values_of(images: ImageSet | None) -> list[int]:
    return [] if images is None else sorted(images.images[:, 0, 0, 0].tolist())


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def load(source: Path, **options: Any) -> Dataset:
        return load_dataset(str(source), cache_dir=tmp_path / "cache", **options)

    return load


@pytest.fixture
def refused(load: Any) -> Any:
    def refused(source: Path, kind: type[Exception] = DataError, **options: Any) -> str:
        with pytest.raises(kind) as caught:
            load(source, **options)
        return str(caught.value)

    return refused


TRAIN, TEST, VAL = range(6), range(10, 14), range(20, 26)


class TestParquetNames:
    @pytest.mark.parametrize(
        "name",
        [
            "{}.parquet",
            "{}-00000-of-00001.parquet",
            "{}-00000-of-00001-0a1b2c3d4e5f.parquet",
            "{}-0.parquet",
            "data/{}-00000-of-00001.parquet",
            "data/{}.parquet",
            "{}/0000.parquet",
            "{}/part-0.parquet",
            "{}/{}-00000-of-00001.parquet",
            "data/{}/0000.parquet",
            "default/{}/0000.parquet",
            "plain_text/{}-00000-of-00001.parquet",
            "plain_text/{}/0000.parquet",
            "data/plain_text/{}.parquet",
        ],
    )
    def test_every_name_of_the_hub_is_read(self, tmp_path: Path, load: Any, name: str) -> None:
        for split, values in (("train", TRAIN), ("test", TEST), ("validation", VAL)):
            parquet(tmp_path / "set" / name.replace("{}", split), values)
        data = load(tmp_path / "set")
        assert values_of(data.train) == list(TRAIN)
        assert values_of(data.test) == list(TEST)
        assert values_of(data.validation) == list(VAL)
        assert data.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
        assert data.class_names == CLASSES

    @pytest.mark.parametrize("word", ["training", "Train"])
    def test_words_of_the_hub_count_whatever_their_case(self, tmp_path: Path, load: Any, word: str) -> None:
        parquet(tmp_path / "set" / f"{word}.parquet", TRAIN)
        parquet(tmp_path / "set" / "evaluation.parquet", TEST)
        data = load(tmp_path / "set")
        assert (values_of(data.train), values_of(data.test)) == (list(TRAIN), list(TEST))

    def test_names_that_merely_begin_alike_are_left_out_and_said(self, tmp_path: Path, load: Any) -> None:
        root = tmp_path / "set"
        parquet(root / "train-00000-of-00001.parquet", TRAIN)
        parquet(root / "test-00000-of-00001.parquet", TEST)
        others = ["pretrain", "test_mini-00000-of-00001", "testmini-00000-of-00001", "train_noisy-00000-of-00001"]
        for number, name in enumerate(others):
            parquet(root / f"{name}.parquet", range(100 + 10 * number, 104 + 10 * number))
        data = load(root)
        assert (values_of(data.train), values_of(data.test)) == (list(TRAIN), list(TEST))
        assert data.validation is None
        files = ", ".join(f"{name}.parquet" for name in others)
        assert data.notes == (f"Ignored files beside the splits: {files}.",)

    def test_shards_are_read_in_order_and_missing_ones_said(self, tmp_path: Path, load: Any) -> None:
        root = tmp_path / "set"
        for shard in (1, 0):
            parquet(root / f"train-0000{shard}-of-00003.parquet", range(10 * shard, 10 * shard + 4))
        parquet(root / "test.parquet", range(50, 54))
        data = load(root)
        assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
        assert data.notes == ("Of the 3 files of `train`, 2 are present.",)

    def test_no_train_split_names_the_files(self, tmp_path: Path, refused: Any) -> None:
        for name in ("trainee", "test"):
            parquet(tmp_path / "set" / f"{name}.parquet", TRAIN)
        message = refused(tmp_path / "set")
        assert "must hold the Parquet files of a train split" in message
        assert "but got test.parquet, trainee.parquet" in message

    def test_several_configurations_are_named(self, tmp_path: Path, load: Any, refused: Any) -> None:
        for number, name in enumerate(("plain_text", "other")):
            parquet(tmp_path / "set" / name / "train" / "0000.parquet", range(40 * number, 40 * number + 4))
            parquet(tmp_path / "set" / name / "test" / "0000.parquet", range(40 * number + 10, 40 * number + 14))
        message = refused(tmp_path / "set")
        assert "several configurations, other, plain_text; set `data.source` to the path of one" in message
        assert values_of(load(tmp_path / "set" / "other").train) == [40, 41, 42, 43]

    def test_a_copy_of_the_repository_within_is_ignored_if_hidden(self, tmp_path: Path, load: Any) -> None:
        parquet(tmp_path / "set" / "train.parquet", TRAIN)
        parquet(tmp_path / "set" / "test.parquet", TEST)
        parquet(tmp_path / "set" / ".cache" / "train.parquet", TRAIN)
        parquet(tmp_path / "set" / ".train.parquet", TRAIN)
        assert values_of(load(tmp_path / "set").train) == list(TRAIN)


class TestTheSameRowsTwice:
    def test_a_copy_in_data(self, tmp_path: Path, refused: Any) -> None:
        for place in ("", "data"):
            parquet(tmp_path / "set" / place / "train-00000-of-00001.parquet", TRAIN)
            parquet(tmp_path / "set" / place / "test-00000-of-00001.parquet", TEST)
        message = refused(tmp_path / "set")
        assert "train-00000-of-00001.parquet, data/train-00000-of-00001.parquet; remove one" in message

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("train.parquet", "train-00000-of-00001.parquet"),
            ("train.parquet", "train/0000.parquet"),
            ("train.parquet", "training.parquet"),
            ("train-00000-of-00001.parquet", "train-00000-of-00002.parquet"),
            ("train-00000-of-00001.parquet", "train-00000-of-00001-0123456789abcdef.parquet"),
            ("train/0000.parquet", "partial-train/0000.parquet"),
            ("train-0.parquet", "train_0.parquet"),
        ],
    )
    def test_a_split_under_two_kinds_of_names(self, tmp_path: Path, refused: Any, first: str, second: str) -> None:
        root = tmp_path / "set"
        parquet(root / "test.parquet", TEST)
        parquet(root / first, range(4))
        parquet(root / second, range(30, 34))
        message = refused(root)
        assert first in message
        assert second in message

    @pytest.mark.parametrize("copied", [[0, 1, 2, 3, 4, 5], [5, 3, 1]])
    def test_a_shard_whose_rows_are_in_another_one(self, tmp_path: Path, refused: Any, copied: list[int]) -> None:
        root = tmp_path / "set"
        parquet(root / "train-0.parquet", TRAIN)
        parquet(root / "train-1.parquet", copied, compression="zstd", row_group_size=2)
        parquet(root / "test.parquet", TEST)
        message = refused(root)
        assert "rows are also in" in message
        assert "train-0.parquet" in message
        assert "train-1.parquet" in message

    def test_one_file_as_train_and_test(self, tmp_path: Path, refused: Any) -> None:
        root = tmp_path / "set"
        parquet(root / "train-00000-of-00002.parquet", TRAIN)
        parquet(root / "train-00001-of-00002.parquet", VAL)
        parquet(root / "test.parquet", TRAIN)
        message = refused(root)
        assert f"{root / 'test.parquet'}: has the same 6 images as {root / 'train-00000-of-00002.parquet'}" in message

    def test_a_few_images_that_occur_twice_are_normal(self, tmp_path: Path, load: Any) -> None:
        root = tmp_path / "set"
        parquet(root / "train-0.parquet", [0, 0, 1, 2])
        parquet(root / "train-1.parquet", [3, 4, 2, 2])
        parquet(root / "test.parquet", [2, 50])
        assert values_of(load(root).train) == [0, 0, 1, 2, 2, 2, 3, 4]

    def test_a_split_folder_that_is_a_link_to_another(self, tmp_path: Path, refused: Any) -> None:
        root = tmp_path / "set"
        folder(root / "train", TRAIN)
        folder(root / "test", TEST)
        (root / "val").symlink_to(root / "test")
        assert "val/cat: is the same folder as" in refused(root)


def test_a_label_beyond_all_numbers_is_called_that(tmp_path: Path, refused: Any) -> None:
    path = parquet(tmp_path / "set/train.parquet", range(4))
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "label", pa.array([0, 1, 2**63 + 1, 1], pa.uint64())), path)
    message = refused(path, test_fraction=0.5)
    assert f"row 2: a label must be at least 0 and less than 2, but got {2**63 + 1}." in message


class TestTheSameImagesTwice:
    """Folders of images that were copied, and images that stand in two splits."""

    @pytest.mark.parametrize("split", ["test", "val"])
    def test_a_copied_training_split_is_refused(self, tmp_path: Path, refused: Any, split: str) -> None:
        shutil.copytree(folder(tmp_path / "set/train", range(8)), tmp_path / "set" / split)
        assert "all 8 test images are also in the train split" in refused(tmp_path / "set")

    def test_a_part_of_the_training_images_is_no_test_split(self, tmp_path: Path, refused: Any) -> None:
        folder(tmp_path / "set/train", range(8))
        folder(tmp_path / "set/test", [5, 4, 1])
        assert "all 3 test images are also in the train split" in refused(tmp_path / "set")

    def test_a_copied_test_split_is_no_validation_split(self, tmp_path: Path, refused: Any) -> None:
        folder(tmp_path / "set/train", range(8))
        shutil.copytree(folder(tmp_path / "set/test", range(20, 24)), tmp_path / "set/val")
        assert "all 4 validation images are also in the test split" in refused(tmp_path / "set")

    def test_some_images_in_both_splits_are_counted(self, tmp_path: Path, load: Any) -> None:
        folder(tmp_path / "set/train", range(8))
        folder(tmp_path / "set/test", [6, 7, 20, 21, 22])
        assert "2 of the 5 test images are also in the train split." in load(tmp_path / "set").notes

    def test_a_copied_class_is_refused_with_both_names(self, tmp_path: Path, refused: Any) -> None:
        folder(tmp_path / "set", range(8))
        shutil.copytree(tmp_path / "set/cat", tmp_path / "set/cat_copy")
        message = refused(tmp_path / "set", test_fraction=0.25)
        assert f"{tmp_path / 'set/cat_copy'}: has the same 4 images as {tmp_path / 'set/cat'}," in message

    def test_test_rows_that_are_all_training_rows_are_refused(self, tmp_path: Path, refused: Any) -> None:
        parquet(tmp_path / "set/train.parquet", range(8))
        parquet(tmp_path / "set/test.parquet", [1, 3, 4])
        assert "all 3 test images are also in the train split" in refused(tmp_path / "set")

    def test_some_rows_in_both_splits_are_counted(self, tmp_path: Path, load: Any) -> None:
        parquet(tmp_path / "set/train.parquet", range(8))
        parquet(tmp_path / "set/test.parquet", [7, 20, 21])
        assert "1 of the 3 test images is also in the train split." in load(tmp_path / "set").notes


class TestValidation:
    @pytest.fixture(params=["parquet", "folder"])
    def write(self, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
        def write(**splits: range) -> Path:
            for name, values in splits.items():
                if request.param == "parquet":
                    parquet(tmp_path / "set" / f"{name}-00000-of-00001.parquet", values)
                else:
                    folder(tmp_path / "set" / name, values)
            return tmp_path / "set"

        return write

    @pytest.mark.parametrize("word", ["val", "valid", "validation", "dev"])
    def test_beside_train_and_test_it_is_the_validation_split(self, write: Any, load: Any, word: str) -> None:
        data = load(write(train=TRAIN, test=TEST, **{word: VAL}))
        assert [values_of(data.split(name)) for name in ("train", "test", "validation")] == [
            list(TRAIN),
            list(TEST),
            list(VAL),
        ]
        assert len(data.notes) == 1
        assert data.notes[0].startswith(f"`{word}` is the validation split;")
        assert "`split.validation_from: test`" in data.notes[0]
        again = load(write(train=TRAIN, test=TEST, **{word: VAL}))
        assert (again.notes, again.fingerprint) == (data.notes, data.fingerprint)

    @pytest.mark.parametrize("word", ["val", "valid", "validation", "dev"])
    def test_beside_train_alone_it_is_the_test_split(self, write: Any, load: Any, word: str) -> None:
        data = load(write(train=TRAIN, **{word: VAL}))
        assert (values_of(data.train), values_of(data.test), data.validation) == (list(TRAIN), list(VAL), None)
        assert data.notes[0].startswith(f"There is no test split, so `{word}` serves as one;")

    def test_two_validation_splits_are_refused(self, write: Any, refused: Any) -> None:
        message = refused(write(train=TRAIN, test=TEST, val=VAL, dev=range(30, 34)))
        assert "the validation split must be in one" in message
        assert "val" in message
        assert "dev" in message

    def test_it_is_part_of_the_fingerprint(self, write: Any, load: Any, tmp_path: Path) -> None:
        first = load(write(train=TRAIN, test=TEST, val=VAL))
        (tmp_path / "set").rename(tmp_path / "before")
        second = load(write(train=TRAIN, test=TEST, val=range(60, 66)))
        assert first.fingerprint != second.fingerprint


def data_with_validation(n: int = 40, validation: list[int] | None = None) -> Dataset:
    def part(labels: list[int]) -> ImageSet:
        return ImageSet(np.zeros((len(labels), 1, 2, 2), np.uint8), np.array(labels, np.int64))

    every = [i % 2 for i in range(n)]
    own = [0, 1, 1] if validation is None else validation
    return Dataset("made", part(every), part(every), CLASSES, "x", part(own))


class TestSplitsWithValidation:
    def split(self, data: Dataset, *, has_checkpoint: bool = False, **config: Any) -> Any:
        return make_splits(data, ForgetRequest(classes=(0,)), SplitConfig(**config), has_checkpoint=has_checkpoint)

    @pytest.mark.parametrize("has_checkpoint", [False, True])
    def test_the_own_split_is_taken_as_a_whole(self, has_checkpoint: bool) -> None:
        data = data_with_validation()
        splits = self.split(data, has_checkpoint=has_checkpoint)
        assert splits.validation_from == "validation"
        assert splits.validation.tolist() == [0, 1, 2]
        assert len(splits.test) == 40
        assert len(splits.forget) + len(splits.retain) == 40
        named = self.split(data, has_checkpoint=has_checkpoint, validation_from="validation")
        assert named.fingerprint == splits.fingerprint

    @pytest.mark.parametrize("source", ["train", "test"])
    def test_a_checkpoint_that_saw_it_is_told_by_validation_from(self, source: str) -> None:
        splits = self.split(data_with_validation(), has_checkpoint=True, validation_from=source)
        assert splits.validation_from == source
        assert len(splits.validation) == {"train": 8, "test": 20}[source]

    def test_a_share_of_it_is_not_set_apart(self) -> None:
        with pytest.raises(ConfigError, match=r"`split\.validation_fraction` 0\.3 cannot be used"):
            self.split(data_with_validation(), validation_fraction=0.3)
        assert (
            len(self.split(data_with_validation(), validation_from="test", validation_fraction=0.3).validation) == 12
        )

    def test_where_there_is_none_it_cannot_be_asked_for(self) -> None:
        whole = data_with_validation()
        data = Dataset("made", whole.train, whole.test, CLASSES, "x")
        with pytest.raises(ConfigError, match="must be train or test for made"):
            self.split(data, validation_from="validation")

    @pytest.mark.parametrize(("labels", "message"), [([1, 1], "classes to forget, cat"), ([0], "other classes")])
    def test_one_that_tells_nothing_is_refused(self, labels: list[int], message: str) -> None:
        with pytest.raises(ConfigError, match=f"the validation split must hold images of .*{message}.*train or test"):
            self.split(data_with_validation(validation=labels))

    def test_samples_are_compared_with_it(self) -> None:
        splits = make_splits(
            data_with_validation(), ForgetRequest(samples=(0, 1)), SplitConfig(), has_checkpoint=False
        )
        assert (splits.never_seen, splits.forget.tolist(), len(splits.validation)) == (0, [0, 1], 3)

    def test_a_configuration_without_a_test_fraction_is_written_as_before(self) -> None:
        before = {"seed": 0, "validation_from": "auto", "validation_fraction": None}
        assert SplitConfig().model_dump() == before
        assert SplitConfig(test_fraction=0.3).model_dump() == {**before, "test_fraction": 0.3}


def test_the_cache_keeps_validation_images_and_notes(tmp_path: Path) -> None:
    whole = data_with_validation()
    data = DecodedData(whole.train, whole.test, CLASSES, whole.validation, ("One.", "Two: ä."))
    write_cache(Cache(tmp_path), "key", data)
    found = read_cache(Cache(tmp_path), "key")
    assert found is not None
    assert found[0].notes == data.notes
    assert found[1] == fingerprint(data) != fingerprint(DecodedData(whole.train, whole.test, CLASSES))
    assert found[0].validation is not None
    assert found[0].validation.labels.tolist() == [0, 1, 1]
    (tmp_path / "key-validation.arrow").unlink()
    assert read_cache(Cache(tmp_path), "key") is None


class TestUnlabelledRows:
    def test_those_of_test_and_validation_are_left_out_and_counted(self, tmp_path: Path, load: Any) -> None:
        root = tmp_path / "set"
        parquet(root / "train.parquet", TRAIN)
        parquet(root / "test.parquet", range(10, 16), [0, -1, 1, None, 0, -1])
        parquet(root / "val.parquet", range(20, 23), [-1, 0, 1])
        data = load(root)
        assert (values_of(data.test), data.test.labels.tolist()) == ([10, 12, 14], [0, 1, 0])
        assert values_of(data.validation) == [21, 22]
        assert "3 of 6 rows of `test` are unlabelled (-1) and ignored." in data.notes
        assert "1 of 3 rows of `val` are unlabelled (-1) and ignored." in data.notes

    def test_those_of_train_are_refused_and_counted(self, tmp_path: Path, refused: Any) -> None:
        parquet(tmp_path / "set" / "train.parquet", TRAIN, [0, 1, -1, 0, 1, -1])
        parquet(tmp_path / "set" / "test.parquet", TEST)
        message = refused(tmp_path / "set")
        assert "train.parquet, row 2: a label must be at least 0 and less than 2, but got -1;" in message
        assert "2 of 6 training rows are unlabelled" in message

    @pytest.mark.parametrize("label", [-2, 2])
    def test_labels_of_no_class_are_refused_everywhere(self, tmp_path: Path, refused: Any, label: int) -> None:
        parquet(tmp_path / "set" / "train.parquet", TRAIN)
        parquet(tmp_path / "set" / "test.parquet", TEST, [0, 1, label, 0])
        assert f"test.parquet, row 2: a label must be at least 0 and less than 2, but got {label}." in refused(
            tmp_path / "set"
        )

    def test_validation_stands_in_for_a_test_split_without_labels(self, tmp_path: Path, load: Any) -> None:
        root = tmp_path / "set"
        parquet(root / "train.parquet", TRAIN)
        parquet(root / "test.parquet", TEST, [-1] * 4)
        parquet(root / "validation.parquet", VAL)
        data = load(root)
        assert (values_of(data.test), data.validation) == (list(VAL), None)
        assert "All 4 rows of `test` are unlabelled (-1), so it is ignored." in data.notes
        assert data.notes[0].startswith("There is no test split, so `validation` serves as one;")

    def test_without_validation_it_is_refused(self, tmp_path: Path, refused: Any) -> None:
        root = tmp_path / "set"
        parquet(root / "train.parquet", range(20))
        parquet(root / "test.parquet", range(30, 34), [-1] * 4)
        message = refused(root)
        assert "there is no test split. All 4 rows of `test` are unlabelled" in message
        assert "split.test_fraction" in message


class TestClassNames:
    @pytest.mark.parametrize(
        ("feature", "message"),
        [
            ({"names": {"0": "cat", "1": "dog"}}, "must be a list of class names, but got {'0': 'cat', '1': 'dog'}"),
            ({"names": "catdog"}, "must be a list of class names, but got 'catdog'"),
            ({"names": 2}, "must be a list of class names, but got 2"),
            ({"names": ["cat", 7]}, "class names must be text, but the name of class 1 is 7"),
            ({"names": ["cat", None]}, "class names must be text, but the name of class 1 is None"),
            ({"names": ["cat", ["dog"]]}, "class names must be text, but the name of class 1 is ['dog']"),
            ({"names": ["cat", "cat"]}, "every class must have a unique name, but got 'cat' twice"),
            ({"names": ["cat", ""]}, "class names must not be empty, but that of class 1 is ''"),
            ({"names": ["cat", "d\0g"]}, "without control characters, but got 'd\\x00g'"),
            ({"names": ["cat", "d\ud800g"]}, "must be valid UTF-8 without control characters, but got 'd\\ud800g'"),
            ({"num_classes": "two"}, "`num_classes` of `label` must be a number of at least 1, but got 'two'"),
            ({"num_classes": 3, "names": ["cat", "dog"]}, "must be the number of its `names`, 2, but got 3"),
            (["cat", "dog"], "metadata of `label` must be an object, but got ['cat', 'dog']"),
        ],
    )
    def test_other_names_are_refused(self, tmp_path: Path, refused: Any, feature: Any, message: str) -> None:
        for split, values in (("train", TRAIN), ("test", TEST)):
            parquet(tmp_path / "set" / f"{split}.parquet", values, feature=feature)
        assert message in refused(tmp_path / "set")

    @pytest.mark.parametrize("feature", [None, {"num_classes": 2}, {"_type": "Value", "dtype": "int64"}])
    def test_classes_without_names_are_numbered(self, tmp_path: Path, load: Any, feature: Any) -> None:
        for split, values in (("train", TRAIN), ("test", TEST)):
            parquet(tmp_path / "set" / f"{split}.parquet", values, feature=feature)
        assert load(tmp_path / "set").class_names == ("0", "1")

    def test_a_class_folder_that_is_no_utf8_is_refused_before_decoding(self, tmp_path: Path, refused: Any) -> None:
        for split, values in (("train", TRAIN), ("test", TEST)):
            root = folder(tmp_path / "set" / split, values)
            os.rename(os.fsencode(root / "dog"), os.fsencode(root) + b"/d\xf6g")  # noqa: PTH104
        (tmp_path / "set" / "train" / "cat" / "000.png").write_bytes(b"damaged")
        assert "d\\udcf6g: the name must be valid UTF-8; rename it." in refused(tmp_path / "set")

    def test_an_image_file_that_is_no_utf8_is_refused(self, tmp_path: Path) -> None:
        root = folder(tmp_path / "faces", TRAIN)
        os.rename(os.fsencode(root / "dog" / "001.png"), os.fsencode(root / "dog") + b"/\xff.png")  # noqa: PTH104
        with pytest.raises(DataError, match=r"\\udcff\.png: the name must be valid UTF-8"):
            load_dataset("casia-webface", root=root, cache_dir=tmp_path / "cache")

    def test_a_data_folder_that_is_no_utf8_is_refused(self, tmp_path: Path, refused: Any) -> None:
        place = tmp_path / os.fsdecode(b"s\xe9t")
        folder(place / "train", TRAIN)
        folder(place / "test", TEST)
        assert "`data.source` must be valid UTF-8" in refused(place, ConfigError)
        (tmp_path / "link").symlink_to(place)
        assert "the name of a data set must be valid UTF-8" in refused(tmp_path / "link")


class TestDrawnTestSplit:
    @pytest.fixture(params=["flat", "train alone", "parquet", "one file", "unnamed file"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        root = tmp_path / "set"
        if request.param == "flat":
            return folder(root, range(40))
        if request.param == "train alone":
            folder(root / "train", range(40))
        elif request.param == "parquet":
            parquet(root / "train-00000-of-00001.parquet", range(40))
        else:
            path = parquet(root / "pictures.parquet", range(40))
            return path if request.param == "one file" else root
        return root

    def test_without_a_fraction_the_key_is_named(self, source: Path, refused: Any) -> None:
        message = refused(source)
        assert "there is no test split" in message
        assert "--set split.test_fraction=0.2" in message

    def test_a_share_of_each_class_is_drawn(self, source: Path, load: Any) -> None:
        data = load(source, test_fraction=0.2, split_seed=3)
        assert np.bincount(data.train.labels).tolist() == [16, 16]
        assert np.bincount(data.test.labels).tolist() == [4, 4]
        assert sorted(values_of(data.train) + values_of(data.test)) == list(range(40))
        for images in (data.train, data.test):
            assert (images.images[:, 0, 0, 0] % 2 == images.labels).all()
            assert not images.images.flags.writeable
        assert "8 of its 40 images were drawn for testing" in data.notes[0]
        again = load(source, test_fraction=0.2, split_seed=3)
        assert (again.fingerprint, again.notes) == (data.fingerprint, data.notes)
        other = load(source, test_fraction=0.2, split_seed=4)
        assert other.fingerprint != data.fingerprint
        assert values_of(other.test) != values_of(data.test)

    def test_another_draw_decodes_nothing(self, source: Path, load: Any, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "antisample")
        for seed, fraction in ((0, 0.2), (1, 0.2), (1, 0.5)):
            load(source, test_fraction=fraction, split_seed=seed)
        assert sum("Decoding" in record.message for record in caplog.records) == 1

    def test_a_class_without_training_images_is_refused(self, tmp_path: Path, refused: Any) -> None:
        root = folder(tmp_path / "set", range(6))
        for name in ("001.png", "003.png"):
            (root / "dog" / name).unlink()
        message = refused(root, ConfigError, test_fraction=0.2)
        assert "`split.test_fraction` 0.2 leaves no training image for class dog" in message

    def test_data_with_a_test_split_is_refused(self, tmp_path: Path, refused: Any) -> None:
        folder(tmp_path / "set" / "train", TRAIN)
        folder(tmp_path / "set" / "val", VAL)
        for source in (tmp_path / "set", Path("digits")):
            assert "is for data without a test split" in refused(source, ConfigError, test_fraction=0.2)

    def test_files_keep_the_positions_of_the_training_split(self, tmp_path: Path, load: Any) -> None:
        root = folder(tmp_path / "set", range(40))
        data = load(root, test_fraction=0.25, split_seed=2)
        files = training_files(str(root), test_fraction=0.25, split_seed=2)
        assert files == [
            f"{CLASSES[label]}/{value:03}.png"
            for value, label in zip(data.train.images[:, 0, 0, 0], data.train.labels, strict=True)
        ]

    def test_an_unlearning_is_configured_by_split(self, tmp_path: Path) -> None:
        root = folder(tmp_path / "set", range(80))
        values = {
            "data": {"source": str(root), "image_size": 8, "cache_dir": str(tmp_path / "cache")},
            "split": {"test_fraction": 0.25, "seed": 5},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 1, "batch_size": 16}, "accept_original": True},
            "method": {"name": "finetune", "epochs": 1},
            "evaluation": {"final": []},
            "device": "cpu",
        }
        drawn = training_files(str(root), test_fraction=0.25, split_seed=5)
        values["forget"] = {"samples": [name for name in drawn if name.startswith("cat/")][:5]}
        inputs = load_inputs(UnlearnConfig.parse(values))
        asked = {int(name[4:7]) for name in values["forget"]["samples"]}
        forgotten = set(inputs.dataset.train.images[inputs.splits.forget, 0, 0, 0].tolist())
        assert forgotten <= asked
        assert len(forgotten) + inputs.splits.never_seen == 5


class TestFolders:
    @pytest.mark.parametrize("place", ["", "data", "default", "plain_text"])
    def test_splits_lie_where_the_hub_puts_them(self, tmp_path: Path, load: Any, place: str) -> None:
        for split, values in (("train", TRAIN), ("test", TEST), ("val", VAL)):
            folder(tmp_path / "set" / place / split, values)
        data = load(tmp_path / "set")
        assert [values_of(data.split(name)) for name in ("train", "test", "validation")] == [
            list(TRAIN),
            list(TEST),
            list(VAL),
        ]

    def test_other_folders_are_left_out_and_said(self, tmp_path: Path, load: Any) -> None:
        for split, values in (("train", TRAIN), ("test", TEST), ("train_noisy", VAL), ("testmini", VAL)):
            folder(tmp_path / "set" / split, values)
        data = load(tmp_path / "set")
        assert (values_of(data.train), values_of(data.test)) == (list(TRAIN), list(TEST))
        assert data.notes == ("Ignored beside the splits: testmini, train_noisy.",)

    @pytest.mark.parametrize("other", ["training", "data/train", "Train"])
    def test_a_split_in_two_places_is_refused(self, tmp_path: Path, refused: Any, other: str) -> None:
        for split, values in (("train", TRAIN), ("test", TEST), (other, VAL)):
            folder(tmp_path / "set" / split, values)
        message = refused(tmp_path / "set")
        assert "the train split must be in one place" in message
        assert other in message

    def test_several_configurations_are_named(self, tmp_path: Path, refused: Any) -> None:
        for name in ("faces", "cars"):
            folder(tmp_path / "set" / name / "train", TRAIN)
        assert "cars, faces hold splits each" in refused(tmp_path / "set")

    def test_validation_must_have_the_same_classes(self, tmp_path: Path, refused: Any) -> None:
        for split, values in (("train", TRAIN), ("test", TEST), ("val", VAL)):
            folder(tmp_path / "set" / split, values)
        (tmp_path / "set" / "val" / "dog").rename(tmp_path / "set" / "val" / "hog")
        assert "`train` and `val` must have the same class folders, but 'dog' is in train" in refused(
            tmp_path / "set"
        )


class TestClassesNamedLikeSplits:
    @pytest.mark.parametrize("name", ["train", "test", "dev", "Eval"])
    def test_a_folder_of_images_beside_another_is_a_class(self, tmp_path: Path, load: Any, name: str) -> None:
        (folder(tmp_path / "set", range(20)) / "cat").rename(tmp_path / "set" / name)
        data = load(tmp_path / "set", test_fraction=0.2)
        assert data.class_names == tuple(sorted([name, "dog"]))
        assert (len(data.train), len(data.test)) == (16, 4)
        assert f"`{name}` holds images and no class folders, so it is treated as a class" in data.notes[0]

    def test_without_a_fraction_it_is_said_what_the_folder_was_taken_for(self, tmp_path: Path, refused: Any) -> None:
        (folder(tmp_path / "set", range(20)) / "cat").rename(tmp_path / "set/train")
        message = refused(tmp_path / "set")
        assert "`train` holds images and no class folders, so it is treated as a class and not as a split." in message
        assert "Set `split.test_fraction`" in message

    def test_where_all_names_are_those_of_splits_it_is_said(self, tmp_path: Path, refused: Any) -> None:
        for name, values in (("train", range(4)), ("test", range(10, 14))):
            folder(tmp_path / "other", values)
            (tmp_path / "set").mkdir(exist_ok=True)
            (tmp_path / "other/cat").rename(tmp_path / "set" / name)
        assert "a folder with this name is treated as a split" in refused(tmp_path / "set")

    def test_a_split_beside_unlabelled_test_images_stays_one(self, tmp_path: Path, refused: Any) -> None:
        folder(tmp_path / "set/train", range(8))
        (tmp_path / "set/test").mkdir()
        (tmp_path / "set/test/0.png").write_bytes(png(9))
        assert "`test` must hold one folder per class, but got a file" in refused(tmp_path / "set")


class TestBrokenLinks:
    @pytest.mark.parametrize("place", ["", "train", "test", "val", "train/dog", "train/dog/001.png"])
    @pytest.mark.parametrize("target", ["nowhere", "itself"])
    def test_are_called_so(self, tmp_path: Path, refused: Any, place: str, target: str) -> None:
        root = tmp_path / "set"
        for split, values in (("train", TRAIN), ("test", TEST), ("val", VAL)):
            folder(root / split, values)
        link = root / place
        if link.exists():
            link.rename(tmp_path / "aside")
        link.symlink_to(link if target == "itself" else tmp_path / "nowhere")
        assert f"{link}: is a broken link (to" in refused(root)

    @pytest.mark.parametrize(
        "place", ["train.parquet", "train", "train/0000.parquet", "train-00001-of-00002.parquet"]
    )
    def test_of_parquet_data(self, tmp_path: Path, refused: Any, place: str) -> None:
        root = tmp_path / "set"
        parquet(root / "test.parquet", TEST)
        parquet(root / "train-00000-of-00002.parquet", TRAIN)
        (root / place).parent.mkdir(exist_ok=True)
        (root / place).symlink_to("nowhere")
        assert f"{root / place}: is a broken link (to nowhere)" in refused(root)

    @pytest.mark.parametrize("name", ["cifar10", "casia-webface"])
    def test_of_a_root(self, tmp_path: Path, refused: Any, name: str) -> None:
        (tmp_path / "root").symlink_to("nowhere")
        assert "root: is a broken link" in refused(Path(name), root=tmp_path / "root")

    def test_of_a_flat_folder(self, tmp_path: Path, refused: Any) -> None:
        root = folder(tmp_path / "set", TRAIN)
        (root / "hog").symlink_to("nowhere")
        assert "hog: is a broken link" in refused(root, test_fraction=0.2)


class TestMessages:
    def test_folders_are_counted_as_folders(self, tmp_path: Path, refused: Any) -> None:
        for name in ("one", "two", "three"):
            (tmp_path / "set" / name).mkdir(parents=True)
        assert "but got 3 folders." in refused(tmp_path / "set")
        (tmp_path / "set" / "notes.txt").write_text("")
        assert "but got 3 folders and 1 file." in refused(tmp_path / "set")

    def test_a_fifo_among_images_is_neither(self, tmp_path: Path, refused: Any) -> None:
        root = folder(tmp_path / "set" / "train", TRAIN)
        folder(tmp_path / "set" / "test", TEST)
        os.mkfifo(root / "cat" / "pipe")
        assert "must only hold images, but got neither a file nor a folder" in refused(tmp_path / "set")

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
            ("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            ("a.txt", b"notes"),
            ("a.png", b""),
        ],
    )
    def test_the_readable_formats_are_listed(self, tmp_path: Path, refused: Any, name: str, content: bytes) -> None:
        root = folder(tmp_path / "set" / "train", TRAIN)
        folder(tmp_path / "set" / "test", TEST)
        (root / "cat" / name).write_bytes(content)
        message = refused(tmp_path / "set")
        assert f"{name}: cannot be decoded; an image must be one of PNG, JPEG, BMP, WebP, GIF, TIFF, PPM." in message

    @pytest.mark.parametrize("source", ["x" * 300 + "/y", "~nobody-of-this-name/images"])
    def test_a_place_that_cannot_be_is_refused(self, tmp_path: Path, source: str) -> None:
        with pytest.raises(DataError, match="cannot be read"):
            load_dataset(source, cache_dir=tmp_path)

    def test_a_place_with_a_null_byte_is_refused(self, refused: Any) -> None:
        assert "`data.source` must be valid UTF-8 without null bytes" in refused(Path("a\0b"), ConfigError)
        for key in ("source", "root", "cache_dir"):
            data = {"source": "digits", key: "a\0b"}
            with pytest.raises(ConfigError, match=f"`data.{key}` must be valid UTF-8 without null bytes"):
                UnlearnConfig.parse({"data": data, "model": {"name": "SmallCNN"}, "forget": {"classes": [1]}})
