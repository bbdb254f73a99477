import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antisample.data.sample_ids import read_sample_ids
from antisample.errors import DataError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.txt", "5 3, 8\n# a remark\n\n3 # another\n"),
        ("ids", "5\n3\n8\n3"),
        ("ids.csv", "5\n3\n8\n3\n"),
        ("ids.csv", "5\n3\n\n8\n3"),
        ("ids.csv", "id\n5\n3\n8\n3\n"),
        ("ids.csv", "\ufeffperson,Sample\nann,5\nbo,3\ncy, 8\n\ndi,3\n"),
    ],
)
def test_ids_are_read_from_text_and_csv(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_sample_ids(tmp_path / name) == [5, 3, 8, 3]


@pytest.mark.parametrize("columns", [{"x": [5, 3]}, {"person": ["a", "b"], "index": [5, 3]}])
def test_ids_are_read_from_parquet(tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "ids.parquet")
    assert read_sample_ids(tmp_path / "ids.parquet") == [5, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ids.csv", b"a,b\n1,2\n", "must be named sample or samples or id or index or file, but got"),
        ("ids.csv", b"name,id\nann,5\nbo\n", "every row must hold a sample id, but row 2 holds none"),
        ("ids.txt", b"# nothing\n", "at least one sample id"),
        ("ids.csv", b"", "at least one sample id"),
        ("ids.txt", b"\xff\xfe\x00", "cannot be read as a file of sample ids"),
        ("ids.parquet", b"no parquet", "cannot be read as a file of sample ids"),
    ],
)
def test_other_content_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_sample_ids(tmp_path / name)


def test_parquet_with_numbers_that_are_no_positions_is_refused(tmp_path):
    pq.write_table(pa.table({"id": [1, None]}), tmp_path / "ids.parquet")
    with pytest.raises(DataError, match="row 2 holds none"):
        read_sample_ids(tmp_path / "ids.parquet")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_sample_ids(tmp_path / "gone.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("files.txt", "cat/a b.png\n7, 9\ntrain/dog/1,5.png # a remark\n"),
        ("files.csv", 'file\ncat/a b.png\n7\n9\n"train/dog/1,5.png"\n'),
    ],
)
def test_files_of_an_image_folder_may_stand_in_the_place_of_positions(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_sample_ids(tmp_path / name) == ["cat/a b.png", 7, 9, "train/dog/1,5.png"]
