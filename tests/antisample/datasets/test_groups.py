"""All images of a person, by a column of Parquet files or by groups.csv in a folder of images, on real digits."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from antisample import UnlearnConfig
from antisample.data.forget_request import ForgetRequest
from antisample.datasets import load_dataset
from antisample.datasets.groups import group_images
from antisample.errors import ConfigError, DataError
from antisample.inputs import open_dataset, request_data

PEOPLE = 30


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return load_dataset("digits", cache_dir=tmp_path_factory.mktemp("cache"))


def people(n, offset=0):
    """Every image is of one of 30 people, whatever its class."""
    return (np.arange(n) * 7 + offset) % PEOPLE


def write_parquet(folder, digits, columns, test_columns=None):
    folder.mkdir(parents=True, exist_ok=True)
    for split, images, extra in (("train", digits.train, columns), ("test", digits.test, test_columns)):
        encoded = []
        for image in images.images:
            content = io.BytesIO()
            Image.fromarray(image[0]).save(content, "PNG")
            encoded.append({"bytes": content.getvalue(), "path": None})
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = {"image": pa.array(encoded, kind), "label": images.labels, **(extra or {})}
        pq.write_table(pa.table(table), folder / f"{split}.parquet")
    return folder


@pytest.fixture(scope="module")
def parquet(digits, tmp_path_factory):
    ids = people(len(digits.train))
    train = {
        "person_id": ids,
        "name": pa.array([f"person {i:02}" if i else None for i in ids]),
        "kind": pa.array([f"k{i % 3}" for i in ids]).dictionary_encode(),
        "score": ids / 2,
        "only": pa.array(np.zeros(len(ids), np.int64)),
    }
    test = {"person_id": people(len(digits.test), 3), "only": pa.array(np.ones(len(digits.test), np.int64))}
    return write_parquet(tmp_path_factory.mktemp("parquet"), digits, train, test)


def config_of(folder, forget, tmp_path, digits_config, **split):
    values = {**digits_config.model_dump(), "forget": forget, "evaluation": {"final": []}, "split": split}
    values["data"] = {"source": str(folder), "cache_dir": str(tmp_path / "cache")}
    return UnlearnConfig.parse(values)


@pytest.mark.parametrize("validation_from", ["train", "test"])
def test_all_images_of_a_person_leave_training_and_no_other_image_of_them_is_measured(
    parquet, digits, digits_config, tmp_path, validation_from
):
    config = config_of(
        parquet,
        {"column": "person_id", "value": [17, "23"]},
        tmp_path,
        digits_config,
        validation_from=validation_from,
    )
    splits = request_data(config, open_dataset(config.data, config.split)).splits
    wanted = np.flatnonzero(np.isin(people(len(digits.train)), (17, 23)))
    elsewhere = np.flatnonzero(np.isin(people(len(digits.test), 3), (17, 23)))
    assert splits.by_samples
    assert splits.forget_classes == tuple(range(10))
    assert not {*wanted} & {*splits.retain}
    assert not {*elsewhere} & {*splits.test}
    if validation_from == "train":
        assert {*splits.forget} | ({*wanted} - {*splits.forget}) == {*wanted}
        assert not {*wanted} & {*splits.validation}
        assert len(splits.test) == len(digits.test) - len(elsewhere)
    else:
        assert np.array_equal(splits.forget, wanted)
        assert not {*elsewhere} & {*splits.validation}
        assert len(splits.test) + len(splits.validation) == len(digits.test) - len(elsewhere)
    assert splits.never_seen == len(wanted) - len(splits.forget) + len(elsewhere)


def test_text_and_dictionaries_are_compared_as_written_and_unknown_groups_are_said(parquet, digits):
    ids = people(len(digits.train))
    by_name = group_images(str(parquet), None, "name", ["person 07"])
    assert np.array_equal(by_name.positions["train"], np.flatnonzero(ids == 7))
    assert not len(by_name.positions["test"])
    assert any("no value in the column 'name'" in note for note in by_name.notes)
    assert any(note.startswith("360 of the 360 test images have no value in") for note in by_name.notes)
    by_kind = group_images(str(parquet), None, "kind", ["k1"])
    assert np.array_equal(by_kind.positions["train"], np.flatnonzero(ids % 3 == 1))


@pytest.mark.parametrize(
    ("column", "value", "error", "message"),
    [
        ("persn_id", "17", ConfigError, r"one of label, person_id, .*but got 'persn_id'. Did you mean 'person_id'\?"),
        ("name", "Person 7", ConfigError, r"but got 'Person 7'; did you mean 'person .*'person 07'"),
        ("person_id", "017", ConfigError, r"but got '017'; did you mean '17'"),
        ("person_id", "999", ConfigError, r"but got '999'; its values are '0', '1', '10', '11', '12' and 25 more"),
        ("only", "1", ConfigError, r"only images of the test split have it, which the model has not seen"),
        ("score", "8", DataError, "must hold whole numbers or text, but `score` holds double"),
        ("image", "8", DataError, "must hold whole numbers or text, but `image` holds struct"),
    ],
)
def test_columns_and_values_that_are_not_there_are_refused(parquet, column, value, error, message):
    with pytest.raises(error, match=message):
        group_images(str(parquet), None, column, [value])


def test_a_source_without_columns_is_refused():
    with pytest.raises(
        ConfigError, match=r"`forget.column` needs Parquet files, or an image folder .*digits is neither"
    ):
        group_images("digits", None, "person_id", ["17"])


def test_a_group_that_is_a_class_is_no_group(parquet, digits_config, tmp_path):
    config = config_of(parquet, {"column": "label", "value": 4}, tmp_path, digits_config)
    with pytest.raises(ConfigError, match=r"but got all of 4; to forget a whole class, use `forget.classes`"):
        request_data(config, open_dataset(config.data, config.split))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"column": "a"}, "must give the `value` to look for in the column 'a', but got none"),
        ({"value": 3}, "must name the `column` that holds `value`, but got `value` alone"),
        ({"column": "a", "value": 3, "classes": ["3"]}, "but got `classes` and `column`"),
        ({"column": "a", "value": 3, "samples": [3]}, "but got `samples` and `column`"),
        ({"column": "a", "value": 1.5}, r"must be whole numbers or text, but got 1.5 \(float\)"),
        ({"column": "a", "value": True}, r"must be whole numbers or text, but got True \(bool\)"),
        ({"column": "a", "value": []}, "must give at least one value"),
        ({"column": "", "value": 3}, "at least 1 character"),
        ({"classes": ["3"], "duplicates": "keep"}, "'report', 'forget' or 'refuse'"),
    ],
)
def test_requests_by_group_that_say_too_much_or_too_little_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        ForgetRequest(**values)


def test_a_request_by_group_says_it_as_it_was_written():
    request = ForgetRequest(column="person_id", value=[23, "17", 17])
    assert request == ForgetRequest(column="person_id", value=np.array([17, 23]))
    assert request.model_dump(mode="json") == {"column": "person_id", "value": ["17", "23"]}
    assert request.describe() == "person_id = 17,23"
    assert request.by_samples


@pytest.fixture(params=[True, False], ids=["splits", "class folders"])
def folder(request, digits, tmp_path):
    """Real digits as a folder of images, with splits or without."""
    parts = (("train", digits.train), ("test", digits.test)) if request.param else (("", digits.train),)
    for split, images in parts:
        for at in range(300):
            place = tmp_path / "images" / split / f"digit {images.labels[at]}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.images[at, 0]).save(place / f"{999 - at}.png")
    return tmp_path / "images"


def test_the_groups_of_a_folder_stand_in_a_file_within_it(folder, digits_config, tmp_path):
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    anna = files[:-5:17]
    lines = [f"{file.removeprefix('train/')},{'anna' if file in anna else 'others'},x" for file in files[:-5]]
    (folder / "groups.csv").write_text("\ufefffile,group,camera\n" + "\n".join(lines) + "\n\n")
    drawn = {} if (folder / "train").is_dir() else {"test_fraction": 0.2}
    config = config_of(folder, {"column": "group", "value": "anna"}, tmp_path, digits_config, **drawn)
    dataset = open_dataset(config.data, config.split)
    splits = request_data(config, dataset).splits
    images = [np.asarray(Image.open(folder / file)) for file in anna]
    for at in splits.forget:
        assert any(np.array_equal(dataset.train.images[at, 0], image) for image in images)
    assert len(splits.forget) + splits.never_seen == len(anna)
    assert any("have no value in the column 'group'" in note for note in splits.notes)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, DataError, r"groups.csv: does not exist, but `forget.column` needs it"),
        (
            "",
            DataError,
            "the first line must name a column `file` and one such as `group`, each once, but got nothing",
        ),
        ("path,group\na,b\n", DataError, "but got 'path', 'group'"),
        ("file\nFIRST\n", DataError, "but got 'file'"),
        ("file,group,group\nFIRST,a,b\n", DataError, "each once"),
        ("file,grup\nFIRST,a\n", ConfigError, r"one of grup, but got 'group'. Did you mean 'grup'\?"),
        ("file,group\nFIRST,anna\nFIRST,anna\n", DataError, "line 3: .* must be named once, but is in line 2 too"),
        ("file,group\nFIRST,anna\n./FIRST,b\n", DataError, "line 3: .* must be named once, but is in line 2 too"),
        (
            "file,group\ndigit 0/gone.png,anna\n",
            DataError,
            "line 2: must name an image in .* but got 'digit 0/gone.png'",
        ),
        ("file,group\nFIRST\n", DataError, "line 2: must hold 2 values, but got 1"),
        ('file,group\n"FIRST,anna\n', DataError, "cannot be read as CSV"),
        (b"file,group\nFIRST,\xff\n", DataError, "cannot be read as CSV"),
        ("file,group\nFIRST,ana\n", ConfigError, r"but got 'anna'; did you mean 'ana'\?"),
        ("file,group\n", ConfigError, "but got 'anna'; it holds none"),
    ],
)
def test_damaged_files_of_groups_are_refused(folder, content, error, message):
    first = min(path.relative_to(folder).as_posix() for path in folder.rglob("*.png") if "test" not in path.parts)
    if content is not None:
        content = content if isinstance(content, bytes) else content.encode()
        (folder / "groups.csv").write_bytes(content.replace(b"FIRST", first.encode()))
    with pytest.raises(error, match=message):
        group_images(str(folder), None, "group", ["anna"])
