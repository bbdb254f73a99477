"""Memory files: written, read, and refused where they are none."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antisample.errors import ConfigError, DataError
from tuning.memory import discovery
from tuning.memory.discovery import IMPORTED, check_memory, earlier_studies, named_studies, packaged_studies
from tuning.memory.evidence import EarlierStudy, EarlierTrial, Request
from tuning.memory.files import read_memory, write_memory

REQUEST = Request("a model", "SmallCNN", "some data", "[[3]]", by_samples=False)
FIGURES = {"validation/forget_accuracy": 0.0, "validation/retain_accuracy": 0.9}


def study(name="first", method="antisample", **values):
    trials = tuple(
        EarlierTrial(n, {"p": 0.9, "epochs": n, **values}, FIGURES, {"validation/forget": 5}) for n in (1, 2)
    )
    return EarlierStudy(name, method, REQUEST, "3", 0.95, trials)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "memory.parquet"
    write_memory([study(), study("second", optimizer="sgd")], path, "a test")
    return path


def rewritten(path, **changes):
    """The same file with other contents of columns, or another `about`."""
    table = pq.read_table(path)
    about = changes.pop("about", None)
    for name, value in changes.items():
        column = pa.array([value] * len(table))
        table = table.set_column(table.schema.get_field_index(name), name, column)
    if about is not None:
        table = table.replace_schema_metadata({"antisample_memory": json.dumps(about)} if about else {})
    pq.write_table(table, path)
    return path


def test_a_file_gives_back_what_was_written(file):
    assert read_memory(file) == ((study(), study("second", optimizer="sgd")), "a test")
    check_memory(str(file))
    assert named_studies(str(file), "antisample").studies == read_memory(file)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"about": {"version": 2}}, "format 2 of a newer version"),
        ({"about": {}}, "holds no memory of studies"),
        ({"about": {"version": "1"}}, "damaged"),
        ({"values": "{"}, "row 0 is damaged"),
        ({"values": "[1]"}, "row 0 is damaged"),
        ({"values": '{"p": [1]}'}, "row 0 is damaged"),
        ({"values": "[" * 100_000}, "row 0 is damaged"),
        ({"metrics": '{"validation/forget_accuracy": "no"}'}, "row 0 is damaged"),
        ({"number": "1"}, "row 0 is damaged"),
        ({"study": None}, "row 0 is damaged"),
    ],
)
def test_a_file_that_is_none_or_newer_or_damaged_is_refused(file, changes, message):
    rewritten(file, **changes)
    with pytest.raises(DataError, match=message):
        read_memory(file)
    with pytest.raises(DataError, match=message):
        check_memory(str(file))


@pytest.mark.parametrize("part", [slice(0, 0), slice(0, 500), slice(500, None), slice(0, -1)])
def test_a_file_that_is_cut_is_refused(file, part):
    file.write_bytes(file.read_bytes()[part])
    with pytest.raises(DataError, match="damaged or of another kind"):
        read_memory(file)


def test_a_table_of_trials_is_no_memory_file(tmp_path):
    content = io.BytesIO()
    pq.write_table(pa.table({"number": [1]}), content)
    (tmp_path / "trials.parquet").write_bytes(content.getvalue())
    with pytest.raises(DataError, match="`antisample memory export` writes such a file"):
        read_memory(tmp_path / "trials.parquet")


def test_figures_that_are_none_are_left_out_with_their_trial(file):
    rewritten(file, metrics='{"validation/forget_accuracy": NaN, "validation/retain_accuracy": 0.5}')
    assert read_memory(file)[0] == ()


def test_the_file_of_another_method_is_refused_where_it_is_named(tmp_path):
    write_memory([study(method="finetune")], tmp_path / "other.parquet")
    with pytest.raises(ConfigError, match="no finished trial of the method 'antisample'; it has trials of finetune"):
        named_studies(str(tmp_path / "other.parquet"), "antisample")


def test_imported_files_are_read_with_the_studies_of_a_folder_and_damaged_ones_said(tmp_path, file):
    folder = tmp_path / "runs" / IMPORTED
    folder.mkdir(parents=True)
    (folder / "good.parquet").write_bytes(file.read_bytes())
    (folder / "bad.parquet").write_bytes(b"no")
    (folder / "later.parquet").write_bytes(rewritten(file, about={"version": 9}).read_bytes())
    earlier = earlier_studies(tmp_path / "runs", "antisample")
    assert [each.name for each in earlier.studies] == ["first", "second"]
    assert len(earlier.skipped) == 2
    assert "bad.parquet is left out" in earlier.skipped[0]
    assert "newer version" in earlier.skipped[1]


def test_what_is_packaged_is_small_and_can_be_read():
    assert discovery.PACKAGED.stat().st_size < 100_000
    assert {each.method for each in packaged_studies()} == {"antisample"}
    assert read_memory(discovery.PACKAGED)[1], "where it comes from"
