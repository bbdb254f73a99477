"""Recorded unlearnings, the surrogate that answers in their place, and a search against it."""

import numpy as np
import optuna
import pytest
from bench_samplers import begun, interval, summary, write
from record_curves import configurations, recorded_rows
from record_curves import write as write_rows
from recording import CONFIDENCE, FORGET, RETAIN, SECONDS, Recording, coordinates
from sampler_task import Task, search
from surrogate import Surrogate, cross_validated

from search_spaces import ChoiceParameter, NumberParameter, SearchSpace

PLANE = SearchSpace(
    name="plane",
    method="finetune",
    parameters={
        "x": NumberParameter(low=1, high=100, log=True, why="w"),
        "c": ChoiceParameter(choices=("a", "b", "c"), why="w"),
        "y": NumberParameter(low=0, high=4, why="w", when={"c": "b"}),
    },
)


def smooth(inputs, draws, noise):
    """Forgets more the larger the first coordinate is, and retains less."""
    forget = np.clip(1 - 1.2 * inputs[:, :1] + noise * draws.normal(size=(len(inputs), 3)), 0, 1)
    retain = np.clip(0.99 - 0.1 * inputs[:, :1] ** 2 + noise * draws.normal(size=(len(inputs), 3)) / 5, 0, 1)
    return {FORGET: forget, RETAIN: retain, CONFIDENCE: forget, SECONDS: np.full(forget.shape, 2.0)}


def recording(n=40, noise=0.02):
    draws = np.random.default_rng(0)
    params = [{"x": float(10 ** draws.uniform(0, 2)), "c": str(draws.choice(["a", "b", "c"]))} for _ in range(n)]
    return Recording("plane", params, smooth(np.array([coordinates(PLANE, p) for p in params]), draws, noise))


def test_coordinates_are_scaled_choices_are_spelled_out_and_what_is_missing_is_in_the_middle():
    assert coordinates(PLANE, {"x": 10, "c": "b", "y": 1}) == pytest.approx([0.5, 0, 1, 0, 0.25])
    assert coordinates(PLANE, {"x": 100, "c": "a"}) == pytest.approx([1, 1, 0, 0, 0.5])


def rows(replicates_of):
    figures = {FORGET: 0.1, RETAIN: 0.9, CONFIDENCE: 0.2}
    places = [(number, replicate) for number, n in enumerate(replicates_of) for replicate in range(n)]
    return [
        {"configuration": c, "replicate": r, "epoch": epoch, "last": epoch == 2, "elapsed_s": c + epoch, **figures}
        for c, r in places
        for epoch in (1, 2)
    ]


def test_a_recording_leaves_out_what_is_not_whole_and_takes_the_last_epochs(tmp_path):
    path = tmp_path / "curves.parquet"
    write_rows(path, rows([2, 1, 2]), {"parameters": '[{"x": 0}, {"x": 1}, {"x": 2}]'})
    recorded = Recording.of_curves(path, "r")
    assert [params["x"] for params in recorded.parameters] == [0, 2]
    assert recorded.figures[SECONDS].tolist() == [[2, 2], [4, 4]]
    assert recorded.mean(RETAIN) == pytest.approx([0.9, 0.9])


def test_a_recording_that_was_begun_goes_on_and_never_mixes_two_tasks(tmp_path):
    path, about = tmp_path / "curves.parquet", {"parameters": "[]", "model": "AllCNN"}
    assert recorded_rows(path, about) == []
    write_rows(path, rows([1]), about)
    assert recorded_rows(path, about) == rows([1])
    with pytest.raises(ValueError, match=r"records something else \(model differ\)"):
        recorded_rows(path, {**about, "model": "ResNet9"})
    assert [file.name for file in tmp_path.iterdir()] == ["curves.parquet"]


def test_the_fit_tells_a_relation_from_none():
    related = cross_validated(recording(), PLANE, FORGET)
    assert related.r2 > 0.8
    assert related.error < 0.1
    unrelated = recording()
    unrelated.figures[FORGET][:] = np.random.default_rng(1).uniform(size=(40, 1))
    assert cross_validated(unrelated, PLANE, FORGET).r2 < 0.2


def test_the_surrogate_knows_the_relation_and_measures_with_the_recorded_noise_and_images():
    surrogate = Surrogate(recording(), PLANE)
    truth = surrogate.truth([{"x": 10.0, "c": "b", "y": 2.0}, {"x": 95.0, "c": "a"}])
    assert truth[FORGET] == pytest.approx([0.4, 0.0], abs=0.06)
    assert truth[RETAIN] == pytest.approx([0.965, 0.89], abs=0.02)
    assert truth[SECONDS] == pytest.approx([2, 2], rel=0.05)
    middle = {name: float(values[0]) for name, values in truth.items()}
    runs = surrogate.runs(middle, 400, np.random.default_rng(0))
    measured = np.array([run[FORGET] for run in runs])
    assert measured.mean() == pytest.approx(middle[FORGET], abs=0.01)
    assert 0.01 < measured.std() < 0.04
    assert np.allclose(measured * 29, np.round(measured * 29))


@pytest.fixture(scope="module")
def task():
    draws, space = np.random.default_rng(0), Task.space()
    params = configurations(40, 0)
    inputs = np.array([coordinates(space, each) for each in params])
    return Task(Recording("r", params, smooth(inputs, draws, 0.02)), n_drawn=300)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_counts_the_trials_until_one_is_truly_good_and_can_be_repeated(task, sampler, monkeypatch):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    asked = []
    answer = task.surrogate.truth
    monkeypatch.setattr(task.surrogate, "truth", lambda params: asked.append(answer(params)) or asked[-1])
    run = search(task, sampler, 1, 14)
    truths = [{name: float(values[0]) for name, values in each.items()} for each in asked]
    good = [number for number, truth in enumerate(truths, 1) if task.is_good(truth)]
    assert run["tried_2"] == (good[0] if good else None)
    assert run["chosen_2"] is None or run["chosen_2"] >= run["tried_2"]
    assert 0 <= run["volume_10"] <= run["volume_14"] <= 1
    again = search(task, sampler, 1, 14)
    assert {**again, "ask_cpu_s": 0} == {**run, "ask_cpu_s": 0}


def test_never_counts_as_more_trials_than_there_are_and_intervals_hold_their_statistic():
    one = {"tried_2": 3, "tried_1": None, "chosen_2": 5, "chosen_1": None, "chosen_2_s": 9.0, "ask_cpu_s": 0.1}
    one |= {"choice_good_2": 1.0, "choice_forgets": 1.0, "final_good_2": 1.0, "final_forgets": 1.0}
    one |= {"volume_10": 0.5, "volume_30": 0.9}
    found = summary([one, {**one, "tried_2": None, "chosen_2": None, "chosen_2_s": None}, one], 30)
    assert found["tried_2"][0] == 3
    assert found["tried_2"][2] == 31
    assert found["tried_2_share"][0] == pytest.approx(2 / 3)
    assert found["chosen_2_s"][2] == float("inf")
    middle, low, high = interval(range(100))
    assert low < middle < high


def test_a_record_is_read_as_it_was_written_and_longer_searches_take_over_the_fit(tmp_path):
    path, record = begun("SmallCNN 3", tmp_path, 30)
    record["fit"] = {"configurations": 7}
    record["searches"]["tpe"] = [{"tried_2": 3, "tried_1": None}, {"tried_2": None, "tried_1": None}]
    write(path, record)
    again = begun("SmallCNN 3", tmp_path, 30)[1]
    assert again["searches"] == record["searches"]
    longer_path, longer = begun("SmallCNN 3", tmp_path, 250)
    assert longer_path != path
    assert (longer["fit"], longer["searches"], longer["trials"]) == ({"configurations": 7}, {}, 250)
