"""A study's folder that somebody else has made: whatever lies in it, looking at it harms no other file, nor waits."""

import os
import shutil

import pytest

from antisample.errors import AntisampleError
from tuning.study.artifacts import StudyFiles
from tuning.study.pictures import picture_file
from tuning.views.mlflow.logged_model import keep_only, model_folder
from tuning.views.projections import write_projections

FILES = (
    *("journal.log", "journal.lock", "journal.lines", "mlflow.lock", "mlflow.json", "study.yaml", "study.id"),
    *("driver.json", "driver.lock", "trials.parquet", "report.html", "pareto.png", "depth.png", "hypervolume.png"),
)
SECRET = b"A file of the user's.\n"


@pytest.fixture(scope="module")
def views() -> dict[str, bytes]:
    """The views of the study that all tests here begin with, by file name; the first test makes them."""
    return {}


@pytest.fixture
def directory(small_study, views):
    """The directory of a study with its views."""
    directory = small_study.config.directory
    if not views:
        before = set(directory.iterdir())
        write_projections(small_study)
        views |= {path.name: path.read_bytes() for path in directory.iterdir() if path not in before}
    for name, content in views.items():
        (directory / name).write_bytes(content)
    (directory / "study.id").write_text("an id\n")
    return directory


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_bytes(SECRET)
    return path


def replaced(path, kind, victim):
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "dangling link":
        path.symlink_to(victim.with_name("new"))
    elif kind == "hard link":
        path.hardlink_to(victim)
    else:
        os.mkfifo(path)


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_something_else_harms_no_other_file(directory, victim, call, name, kind):
    replaced(directory / name, kind, victim)
    code, out, err = call("report", directory)
    assert "Traceback" not in out + err
    assert code in (0, 2)
    assert SECRET.decode().strip() not in out + err
    if code:
        assert err.startswith("Error: ")
        assert err.count("\n") == 1
    assert victim.read_bytes() == SECRET
    assert not victim.with_name("new").exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe"])
@pytest.mark.parametrize("name", ["journal.log", "journal.lock", "journal.lines", "driver.json", "driver.lock"])
def test_a_driver_harms_no_other_file(small_study, make_study, driven_study, directory, victim, name, kind):
    replaced(directory / name, kind, victim)
    try:
        study = driven_study(small_study.config)
        study.ask("new")
        study.fail("new", "why")
    except AntisampleError as error:
        assert str(small_study.config.directory) in str(error)  # noqa: PT017 - some kinds are no error
    assert victim.read_bytes() == SECRET
    assert not victim.with_name("new").exists()


@pytest.mark.parametrize("name", ["checkpoints", "models", "pictures", "mlflow-model"])
def test_a_folder_that_is_a_link_is_neither_written_to_nor_deleted_in(small_study, directory, tmp_path, name):
    outside, kept = tmp_path / "outside", ("trial-00000.pt", "trial-00000.safetensors", "trial-00007")
    outside.mkdir()
    for file in kept[:2]:
        (outside / file).write_bytes(SECRET)
    (outside / kept[2]).mkdir()
    shutil.rmtree(directory / name, ignore_errors=True)
    (directory / name).symlink_to(outside)
    files = StudyFiles.of(small_study.config)
    files.discard({0}, {0})
    if name == "checkpoints":
        assert files.load_checkpoint(0) is None
        with pytest.raises(Exception, match="checkpoints is a symbolic link"):
            files.save_checkpoint(0, {})
    if name == "models":
        assert files.load_weights(0) is None
    if name == "mlflow-model":
        with pytest.raises(OSError, match="mlflow-model is a symbolic link"):
            keep_only(model_folder(directory, 1))
    assert sorted(path.name for path in outside.iterdir()) == sorted(kept)


@pytest.mark.parametrize("content", ["link", "pipe", "text", "large", "many pixels", "folder is a link"])
def test_only_pictures_go_into_a_report(small_study, directory, victim, call, content):
    record = small_study.front()[0]
    pixels = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (8).to_bytes(4) + (8).to_bytes(4) + b"pixels"
    paths = [picture_file(small_study, record, 3, place) for place in range(4)]
    paths[0].parent.mkdir(exist_ok=True)
    for path in paths:
        path.write_bytes(pixels)
    assert call("report", directory)[0] == 0
    assert (directory / "report.html").read_text().count("data:image/png") == 4
    if content in ("link", "pipe"):
        victim.write_bytes(pixels)
        replaced(paths[2], content, victim)
    elif content == "text":
        paths[2].write_bytes(SECRET)
    elif content == "large":
        paths[2].write_bytes(pixels + bytes(9_000_000))
    elif content == "many pixels":
        paths[2].write_bytes(pixels[:16] + (10**5).to_bytes(4) * 2)
    else:
        paths[0].parent.rename(victim.with_name("elsewhere"))
        paths[0].parent.symlink_to(victim.with_name("elsewhere"))
    (paths[0].parent / f"trial-{record.number:05d}-class-x-0.png").write_bytes(pixels)
    assert call("report", directory)[0] == 0
    assert "data:image/png" not in (directory / "report.html").read_text()


def test_a_study_is_found_through_a_link_to_its_folder(directory, tmp_path, call):
    (tmp_path / "way").symlink_to(directory.parent)
    (tmp_path / "study").symlink_to(directory)
    assert call("report", tmp_path / "way" / directory.name)[0] == 0
    assert call("report", tmp_path / "study")[0] == 0
