"""What the front looks like with three objectives."""

import json
import math
import random
import re

import plotly.graph_objects as go
import pytest

from tuning.study.outcome import find_outcome
from tuning.trials.pareto import hypervolume, non_dominated
from tuning.views.report import render_report
from tuning.views.report.fronts import front_figures
from tuning.views.report.histories import hypervolume_histories, objective_history
from tuning.views.report.planes import depth_plane, trade_off_plane


def drawn(study):
    return front_figures(study.records(), find_outcome(study), study.config)


def by_name(figure):
    return {trace["name"]: trace for trace in figure["data"]}


def test_one_figure_is_coloured_by_depth_and_one_has_the_trials_that_forget(deep_study):
    ((first, whole), (second, cut)), notes = drawn(deep_study)
    assert first == "Forget accuracy and retain accuracy, coloured by probe_left"
    assert second == "Trials that forget: probe_left and retain accuracy"
    traces = by_name(whole)
    assert traces["Pareto front"]["marker"]["color"] == [0.6]
    assert traces["other trials"]["marker"]["color"] == [0.8, 0.95]
    for name in ("Pareto front", "other trials"):
        assert (traces[name]["marker"]["cmin"], traces[name]["marker"]["cmax"]) == (0, 1)
    traces = by_name(cut)
    assert (traces["other trials"]["x"], traces["other trials"]["y"]) == ([0.8], [93.0])
    assert (traces["chosen: trial 1"]["x"], traces["chosen: trial 1"]["y"]) == ([0.6], [94.5])
    assert traces["best of these"]["x"] == [0.6]
    assert "The trials that forget have a validation forget accuracy of at most 1.0%." in notes


def test_baselines_are_marks_with_their_names(deep_study):
    ((_, whole), (_, cut)), _ = drawn(deep_study)
    for figure, mask, reference in ((whole, (0.0, 95.0), (0.0, 95.0)), (cut, (1.0, 95.0), (0.4, 95.0))):
        marks = {trace["text"][0]: trace for trace in figure["data"] if trace["mode"] == "markers+text"}
        assert list(marks) == ["original", "mask", "untrained", "reference"]
        assert (marks["mask"]["x"][0], marks["mask"]["y"][0]) == mask
        assert (marks["reference"]["x"][0], marks["reference"]["y"][0]) == reference


def test_a_wrecked_network_is_pale_and_does_not_stretch_the_first_view(deep_study):
    figures, notes = drawn(deep_study)
    assert "1 trial breaks the constraint validation/retain_accuracy >= 0.85" in " ".join(notes)
    for _, figure in figures:
        assert by_name(figure)["breaks a constraint"]["y"] == [20.0]
        low, high = figure["layout"]["yaxis"]["range"]
        assert (90 < low < 93, 95 < high < 100) == (True, True)
        first, _, everything = figure["views"]
        assert first["change"]["yaxis.range"] == [low, high]
        assert everything == {"label": "Everything", "change": {"xaxis.autorange": True, "yaxis.autorange": True}}


def test_without_trials_that_forget_a_sentence_says_so(make_deep_study):
    study = make_deep_study([(0.4, 0.93, 0.8)])
    figures, notes = drawn(study)
    assert len(figures) == 1
    assert notes == [
        "No trial has a validation forget accuracy of at most 1.0%, so there is no figure of those that forget."
    ]
    assert depth_plane(study.records(), find_outcome(study), study.config) is None


def test_where_every_trial_breaks_a_constraint_all_are_drawn(make_deep_study):
    study = make_deep_study([(0.0, 0.3, 0.1), (0.0, 0.2, 0.0)])
    for _, figure in drawn(study)[0]:
        assert "range" not in figure["layout"]["xaxis"]
        assert by_name(figure)["breaks a constraint"]["y"] == [30.0, 20.0]
        assert "views" not in figure


def test_a_study_without_baselines_has_its_figures(make_deep_study):
    study = make_deep_study([(0.0, 0.93, 0.8), (0.0, 0.93, 0.8)], baselines={})
    for _, figure in drawn(study)[0]:
        assert [trace["text"] for trace in figure["data"] if trace["mode"] == "markers+text"] == [["original"]]
        assert figure["layout"]["xaxis"]["range"][0] < figure["layout"]["xaxis"]["range"][1]


def test_objectives_in_another_order_and_of_another_kind(make_deep_study):
    objectives = [
        {"metric": "validation/probe_left", "direction": "minimize"},
        {"metric": "validation/retain_accuracy", "direction": "maximize"},
        {"metric": "validation/forget_accuracy", "direction": "minimize"},
    ]
    study = make_deep_study([(0.0, 0.93, 0.8)], objectives=objectives)
    plane = trade_off_plane(study.records(), find_outcome(study), study.config)
    assert (plane.across, plane.up) == ("validation/retain_accuracy", "validation/forget_accuracy")
    assert plane.colour == "validation/probe_left"


def test_plotly_accepts_the_figures(deep_study):
    text = render_report(deep_study)
    assert "validation probe_left (lower is deeper)" in text
    for _, figure in drawn(deep_study)[0]:
        plain = json.loads(re.sub(r'"--[a-z0-9-]+"', '"#000000"', json.dumps(figure)))
        go.Figure({"data": plain["data"], "layout": plain["layout"]})


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_the_hypervolume_after_each_trial_is_that_of_its_front(make_deep_study, dimensions):
    rng = random.Random(dimensions)
    kinds = ["forget_accuracy", "forget_confidence", "probe_left", "mia_loss"][:dimensions]
    objectives = [{"metric": f"validation/{kind}", "direction": "minimize"} for kind in kinds]
    study = make_deep_study(
        [(rng.random(), 0.9, rng.random()) for _ in range(40)], objectives=objectives, constraints=[]
    )
    records, corner = study.records(), (0.9, 0.9, 0.9, 0.9)[:dimensions]
    over_trials, over_seconds = hypervolume_histories(records, study.config.objectives, corner)
    points = [record.values for record in records]
    expected = []
    for n in range(1, len(points) + 1):
        some = points[:n]
        expected.append(hypervolume([some[i] for i in non_dominated(some)], corner))
    assert over_trials["data"][0]["y"] == pytest.approx(expected, rel=1e-4)
    assert over_seconds["data"][0]["y"] == over_trials["data"][0]["y"]


def test_a_wrecked_network_is_not_the_best_so_far(deep_study):
    config = deep_study.config
    figure = objective_history(
        deep_study.records(), find_outcome(deep_study), config.objectives, 2, config.constraints
    )
    assert figure["data"][1]["y"] == [0.8, 0.6, 0.6, 0.6]
    assert min(figure["data"][0]["y"]) == -0.1


def test_places_that_are_missing_are_not_numbers(deep_study):
    plane = trade_off_plane(deep_study.records(), find_outcome(deep_study), deep_study.config)
    assert all(map(math.isnan, plane.place({})))
