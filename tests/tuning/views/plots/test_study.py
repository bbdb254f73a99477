"""Pictures: whole files of a sensible size, and the files that `antisample toy` writes."""

import csv
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from antisample.errors import ConfigError, DataError
from antisample.toy.problem import ToyConfig, run_toy, summarise_toy
from tuning.reproduction.toy import run_toy_seeds, toy_json, toy_table
from tuning.reproduction.toy_plot import draw_toy
from tuning.views.plots.style import new_figure, save_figure


@pytest.fixture(scope="module")
def result():
    return run_toy(0, ToyConfig(noise_epochs=2))


@pytest.fixture
def silent():
    return Console(file=io.StringIO(), width=140)


def test_the_toy_problem_is_drawn(result, tmp_path):
    path = tmp_path / "made" / "toy.png"
    draw_toy(result, summarise_toy([result]), path)
    assert [file.name for file in path.parent.iterdir()] == ["toy.png"]
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert 1500 < picture.width < 3000
        assert 900 < picture.height < 2000
        pixels = np.asarray(picture.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert (pixels[:2] == 255).all()  # nothing runs over the edge
    assert (pixels[-2:] == 255).all()
    assert (pixels[:, :2] == 255).all()
    assert (pixels[:, -2:] == 255).all()


def test_the_same_result_gives_the_same_picture(result, tmp_path):
    rows = summarise_toy([result])
    for name in ("a.png", "b.png"):
        draw_toy(result, rows, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_rows_that_lack_a_network_are_refused(result, tmp_path):
    rows = [row for row in summarise_toy([result]) if row.network != "unsir"]
    with pytest.raises(ConfigError, match="lack unsir"):
        draw_toy(result, rows, tmp_path / "toy.png")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match=r"picture\.png: cannot be written"):
        save_figure(new_figure(1, 1), tmp_path / "taken" / "picture.png")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_a_drawing_that_breaks_off_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def break_off(figure, target, **_):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", break_off)
    with pytest.raises(DataError, match="No space left on device"):
        save_figure(new_figure(1, 1), path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["picture.png"]


def test_seeds_are_run_written_and_summarised(tmp_path, silent):
    rows = run_toy_seeds(tmp_path / "out", 2, 5, silent, ["noise_epochs=2"])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["toy.csv", "toy.png"]
    with (tmp_path / "out" / "toy.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["seed"] for line in lines] == ["5"] * 4 + ["6"] * 4
    for row in rows:
        values = [float(line[row.metric.replace("_", "_test_")]) for line in lines if line["network"] == row.network]
        assert row.mean == pytest.approx(np.mean(values), abs=1e-6)
        assert row.std == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    silent.print(toy_table(rows))
    text = silent.file.getvalue()
    assert all(part in text for part in ("anti-sample", "95.0%", "66.7%", "2 seeds"))
    content = toy_json(rows)
    assert len(content["rows"]) == 8
    assert [line["retain_accuracy"] for line in content["published"]] == [0.95, 0.6667]


def test_nothing_is_run_for_settings_out_of_range(tmp_path, silent):
    with pytest.raises(ConfigError, match="`seeds` must be at least 1, but got 0") as caught:
        run_toy_seeds(tmp_path / "out", 0, -1, silent)
    assert "`seed` must be at least 0, but got -1." in caught.value.problems
    assert not list(tmp_path.iterdir())
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        run_toy_seeds(tmp_path / "taken", 1, 0, silent)
