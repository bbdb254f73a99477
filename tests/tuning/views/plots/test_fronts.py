"""A study in pictures: which files there are, and that they differ where the trials do."""

import numpy as np
import pytest
from PIL import Image

from tuning.study.outcome import find_outcome
from tuning.views.plots.study import draw_study


def draw(study, folder) -> dict[str, np.ndarray]:
    folder.mkdir()
    draw_study(study, find_outcome(study), folder)
    return {path.name: np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.iterdir())}


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, picture.reshape(-1, 3).tolist()))


def test_three_objectives_have_a_picture_of_the_front_of_depth_and_of_the_hypervolume(deep_study, tmp_path):
    pictures = draw(deep_study, tmp_path / "pictures")
    assert list(pictures) == ["depth.png", "hypervolume.png", "pareto.png"]
    yellow = {name: any(r > 200 < g and b < 80 for r, g, b in colours(picture)) for name, picture in pictures.items()}
    assert yellow == {"depth.png": False, "hypervolume.png": False, "pareto.png": True}, (
        "only one has a scale of depth"
    )


def test_a_wrecked_network_does_not_move_the_axes(make_deep_study, tmp_path):
    trials = [(0.0, 0.93, 0.8), (0.0, 0.945, 0.6)]
    without = draw(make_deep_study(trials, name="without"), tmp_path / "a")
    wrecked = draw(make_deep_study([*trials, (0.0, 0.2, -0.1)], name="wrecked"), tmp_path / "b")
    for name in ("pareto.png", "depth.png"):
        axis = slice(0, 90)  # ticks and their numbers, left of the axis
        assert (without[name][:, axis] == wrecked[name][:, axis]).all()


def test_without_trials_that_forget_there_is_no_picture_of_them(make_deep_study, tmp_path):
    assert "depth.png" not in draw(make_deep_study([(0.4, 0.93, 0.8)]), tmp_path / "pictures")


def test_where_every_trial_breaks_a_constraint_there_are_pictures(make_deep_study, tmp_path):
    assert "pareto.png" in draw(make_deep_study([(0.0, 0.2, 0.1)]), tmp_path / "pictures")


def test_two_objectives_have_two_pictures(small_study, tmp_path):
    assert list(draw(small_study, tmp_path / "pictures")) == ["hypervolume.png", "pareto.png"]


@pytest.mark.parametrize("kind", ["forget_accuracy", "probe_left"])
def test_one_objective_has_none(make_deep_study, tmp_path, kind):
    one = [{"metric": f"validation/{kind}", "direction": "minimize"}]
    assert draw(make_deep_study([(0.0, 0.93, 0.8)], objectives=one), tmp_path / "pictures") == {}
