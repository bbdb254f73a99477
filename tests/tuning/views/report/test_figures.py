"""What figures say and leave out: uncertainty, importance, thinning, and where their axes end."""

import math
from dataclasses import replace

import pytest

from tuning.config.loading import parse_study
from tuning.study.outcome import find_outcome
from tuning.views.report.curves import curves
from tuning.views.report.fronts import front_figures
from tuning.views.report.histories import hypervolume_histories, objective_history
from tuning.views.report.hovers import hover, hover_texts
from tuning.views.report.importance import find_importance, importance_bars
from tuning.views.report.parallel import parallel
from tuning.views.report.planes import trade_off_plane
from tuning.views.report.sections import figure_sections
from tuning.views.report.slices import rank_figure, slice_figure
from tuning.views.report.thinning import thinned, thinning_note
from tuning.views.report.timeline import Stretch, merged, timeline
from tuning.views.report.windows import window_around

FORGET, RETAIN = "validation/forget_accuracy", "validation/retain_accuracy"
TWO = [{"metric": FORGET, "direction": "minimize"}, {"metric": RETAIN, "direction": "maximize"}]
COUNTS = {"validation/forget": 29, "validation/retain": 250}


def figures_of(forget, retain):
    return {FORGET: forget, RETAIN: retain, "validation/forget_confidence": forget / 2}


@pytest.fixture
def make_search(values, make_study, report):
    """A study of two objectives; `outcome_of` gives figures from the parameters, and spreads where there are some."""

    def make(trials, outcome_of, spread=None, **changes):
        config = parse_study({**values, "objectives": TWO, "n_trials": trials, "sampler": "random", **changes})
        study = make_study(config)
        for key in map(str, range(trials)):
            record = study.ask(key)
            forget, retain = outcome_of(record.params)
            study.report(key, report(1, forget))
            study.complete(key, figures_of(forget, retain), COUNTS, spread=spread or {})
        return study

    return make


def by_rate(params):
    share = math.log(params["unlearn_scale_lr"] / 0.1) / math.log(60)
    return max(0.0, 1 - share), 0.95 - 0.2 * share**2


def test_a_share_of_few_images_has_its_limits_and_a_single_run_no_deviation(make_search):
    study = make_search(1, lambda _: (0.0, 0.9))
    text = hover(study.records()[0], study.config.objectives)
    assert "validation forget accuracy: 0.0 % of 29 images (0 to 12 %)" in text
    assert "±" not in text
    assert "deviation" not in text
    assert not [
        t
        for _, f in front_figures(study.records(), find_outcome(study), study.config)[0]
        for t in f["data"]
        if "error_x" in t or "error_y" in t
    ]


def test_replicates_have_error_bars_and_their_deviation(make_search):
    study = make_search(2, by_rate, {FORGET: 0.502, RETAIN: 0.02}, replicates=4)
    (_, figure), *_ = front_figures(study.records(), find_outcome(study), study.config)[0]
    front = next(trace for trace in figure["data"] if trace["name"] == "Pareto front")
    assert front["error_x"]["array"] == [25.1] * len(front["x"])
    assert front["error_y"]["array"] == [1.0] * len(front["x"])
    others = [trace for trace in figure["data"] if trace["name"] == "other trials"]
    assert "error_x" not in others[0]
    assert "standard deviation 50.2 over 4 replicates" in hover(study.records()[0], study.config.objectives)
    assert (
        "Error bars are one standard error over the replicates of a trial."
        in front_figures(study.records(), find_outcome(study), study.config)[1]
    )


def test_fanova_finds_what_matters_and_conditional_parameters_have_their_own_evaluator(make_search):
    study = make_search(40, by_rate, space="antisample")
    importance = find_importance(study.own_study(), 0, study.config.objectives[0])
    assert next(iter(importance.unconditional)) == "unlearn_scale_lr"
    assert importance.unconditional["unlearn_scale_lr"] > 0.6
    assert sum(importance.unconditional.values()) == pytest.approx(1)
    conditional = {name for name, parameter in study.space.parameters.items() if parameter.when is not None}
    tried = {name: sum(name in record.params for record in study.records()) for name in conditional}
    assert set(importance.conditional) == {name for name, trials in tried.items() if trials >= 8}
    assert set(importance.too_rare) == {name for name, trials in tried.items() if trials < 8}
    assert conditional, "the packaged space has some"
    assert sum(importance.conditional.values()) < 0.9, "shares of all hyperparameters, not of these alone"
    assert {*importance.order, *importance.too_rare} == set(study.space.parameters)
    assert importance == find_importance(study.own_study(), 0, study.config.objectives[0]), "the forest has a seed"
    names = [trace["name"] for trace in importance_bars(importance)["data"]]
    assert [name.partition(" ")[0].rstrip(":") for name in names] == ["fANOVA", "conditional"]
    assert "PED-ANOVA" in names[1]


@pytest.mark.parametrize(("trials", "bars", "warned"), [(7, 0, False), (8, 2, True), (19, 2, True), (20, 2, False)])
def test_of_few_trials_importance_is_unreliable(make_search, trials, bars, warned):
    study = make_search(trials, by_rate)
    figures, notes = figure_sections(study, study.records(), find_outcome(study))["importance"]
    kinds = [figure["data"][0]["type"] for _, figure in figures]
    assert kinds.count("bar") == bars
    assert any("is unreliable" in note for note in notes) == warned
    assert kinds == sorted(kinds, reverse=True), "what it is computed from stands above it"
    assert figures[0][0] == "Validation forget accuracy over each hyperparameter"


def test_slices_show_every_hyperparameter_over_its_whole_range(make_search):
    study = make_search(12, by_rate, space="antisample")
    figure = slice_figure(study.records(), find_outcome(study), study.config.objectives, 0, study.space)
    axes = {axis["title"]["text"]: axis for key, axis in figure["layout"].items() if key.startswith("xaxis")}
    tried = {name for record in study.records() for name in record.params}
    assert set(axes) == tried
    rate = study.space.parameters["unlearn_scale_lr"]
    low, high = axes["unlearn_scale_lr"]["range"]
    assert (low < math.log10(rate.low), high > math.log10(rate.high)) == (True, True)
    assert axes["optimizer"]["categoryarray"] == ["adam", "adamw", "sgd"]
    points = sum(len(trace["x"]) for trace in figure["data"] if trace["name"] in ("other trials", "Pareto front"))
    assert points == sum(len(record.params) for record in study.records())


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_ranks_are_not_flattened_by_an_outlier(make_search, direction):
    objectives = [{"metric": FORGET, "direction": direction}, TWO[1]]
    values = iter([0.1, 0.2, 0.2, 0.3, 1.0])
    study = make_search(5, lambda _: (next(values), 0.9), objectives=objectives)
    figure = rank_figure(study.records(), study.config.objectives[0], ("unlearn_scale_lr", "p"), study.space)
    best_first = [100.0, 75.0, 75.0, 25.0, 0.0]
    assert figure["data"][0]["marker"]["color"] == (
        best_first if direction == "minimize" else [0.0, 50.0, 50.0, 75.0, 100.0]
    )


def test_an_outlier_lies_outside_of_the_first_view_and_is_counted(make_search):
    values = iter([(0.0, 0.9), (0.1, 0.92), (0.05, 0.905), (0.2, 0.91), (0.3, 0.1)])
    study = make_search(5, lambda _: next(values), constraints=[])
    plane = trade_off_plane(study.records(), find_outcome(study), study.config)
    (_, (low, high)), outside = plane.window, plane.outside
    assert (80 < low < 90, 92 < high < 100) == (True, True)
    assert outside == 1
    notes = front_figures(study.records(), find_outcome(study), study.config)[1]
    assert notes == ["1 trial lies outside of what is plotted first; the button “Everything” shows all."]


def test_the_original_the_mask_and_the_start_lie_in_the_first_view(deep_study):
    plane = trade_off_plane(deep_study.records(), find_outcome(deep_study), deep_study.config)
    (left, right), (bottom, top) = plane.window
    marks = [mark for mark in plane.marks if mark.name in ("original", "mask")]
    assert len(marks) == 2
    for metrics in (plane.start.metrics, *(mark.metrics for mark in marks)):
        x, y = plane.place(metrics)
        assert (left <= x <= right, bottom <= y <= top) == (True, True)


@pytest.mark.parametrize(
    ("usual", "expected"),
    [
        ([90.0, 91, 92, 93, 10], (90, 93)),
        ([90.0, 91, 92, 93, 88], (88, 93)),
        ([50.0, 50, 50, 50, 10], (10, 50)),
        ([], (90, 91)),
        ([90.5], (90, 91)),
    ],
)
def test_a_window_leaves_out_what_would_flatten_the_rest(usual, expected):
    always = [{"a": 90.0}, {"a": 91.0}] if usual != [50.0, 50, 50, 50, 10] else [{"a": 50.0}]
    (low, high), _ = window_around(always, [{"a": v} for v in usual], ("a", "a"), lambda name, f: f[name])
    assert low < expected[0]
    assert high > expected[1]
    assert high - low < 1.5 * (expected[1] - expected[0]) + 0.11


def far_off(study, figure_of):
    """A figure's first view: its ranges, its other view, and what is said of the trials outside."""
    figure = figure_of(study, find_outcome(study))
    first, everything = figure["views"]
    assert (first["label"], everything["label"]) == ("Most trials", "Everything")
    for name, (low, high) in first["change"].items():
        assert figure["layout"][name.partition(".")[0]]["range"] == [low, high]
    return first["change"], everything["change"], figure["outside"]


def test_one_wrecked_trial_flattens_neither_slices_nor_histories_nor_curves(make_search):
    values = iter([(0.3, 0.9), (0.2, 0.92), (0.25, 0.905), (0.2, 0.91), (0.3, 0.93), (0.31, 0.1)])
    study = make_search(6, lambda _: next(values), constraints=[])
    config = study.config
    figures = (
        lambda s, o: slice_figure(s.records(), o, config.objectives, 1, s.space),
        lambda s, o: objective_history(s.records(), o, config.objectives, 1),
    )
    for figure_of in figures:
        first, everything, outside = far_off(study, figure_of)
        low, high = first["yaxis.range"]
        assert 80 < low < 90
        assert 93 < high <= 100
        assert everything["yaxis.autorange"]
        assert outside == "1 trial lies outside of this view"


def test_the_best_value_is_in_the_first_view_however_far_it_is(make_search):
    values = iter([(0.9, 0.9), (0.92, 0.92), (0.91, 0.905), (0.93, 0.91), (0.9, 0.93), (0.0, 0.89)])
    study = make_search(6, lambda _: next(values), constraints=[])
    assert "views" not in objective_history(study.records(), find_outcome(study), study.config.objectives, 0)


def test_a_rate_far_beyond_the_search_range_flattens_neither_slices_nor_ranks(make_search):
    study = make_search(8, by_rate)
    outcome, records = find_outcome(study), study.records()
    others = [record.number for record in records if record != outcome.chosen]
    far = [replace(r, params=r.params | {"unlearn_scale_lr": 1e9}) if r.number == others[0] else r for r in records]
    rate = study.space.parameters["unlearn_scale_lr"]
    names = ("p", "unlearn_scale_lr")
    for figure, axis in (
        (slice_figure(far, outcome, study.config.objectives, 0, study.space), "xaxis"),
        (rank_figure(far, study.config.objectives[0], names, study.space, outcome.chosen), "yaxis"),
    ):
        first, everything = (view["change"] for view in figure["views"])
        (changed,) = [name for name in first if "axis" in name and first[name][1] < 3 and everything[name][1] > 8]
        assert changed.startswith(axis)
        assert first[changed][0] < math.log10(rate.low)
        assert math.log10(rate.high) < first[changed][1]
        assert figure["outside"] == "1 trial lies outside of this view"


def test_a_trial_that_ended_days_later_flattens_no_time(make_search):
    study = make_search(8, by_rate)
    begun = min(record.started_ms for record in study.records())
    records = [
        replace(
            r,
            finished_ms=begun + (1000 * (r.number + 1) if r.number != 3 else 400_000_000),
            steps=tuple(replace(step, timestamp_ms=begun + 900 + 1000 * r.number) for step in r.steps)
            if r.number != 3
            else tuple(replace(step, timestamp_ms=begun + 400_000_000) for step in r.steps),
        )
        for r in study.records()
    ]
    _, over_seconds = hypervolume_histories(records, study.config.objectives, (0.1, 0.8))
    for figure in (over_seconds, timeline(records)):
        first, everything = (view["change"]["xaxis.range"] for view in figure["views"])
        assert first[0] == 0
        assert 8 <= first[1] < 15
        assert everything[1] == 400_000


def test_an_objective_far_off_leaves_parallel_coordinates_and_colours_their_scale(make_search):
    values = iter([(0.3, 0.9), (0.2, 0.92), (0.25, 0.905), (0.2, 0.91), (0.3, 0.93), (0.31, 0.1)])
    study = make_search(6, lambda _: next(values), constraints=[])
    figure = parallel(study.records(), find_outcome(study), study.config.objectives, study.space)
    texts = next(trace for trace in figure["data"] if trace["mode"] == "text")["text"]
    assert {"90.0 %", "93.0 %"} <= set(texts)
    assert figure["outside"] == "1 trial lies outside of this view"
    plane = trade_off_plane(study.records(), find_outcome(study), study.config)
    assert replace(plane, colour=RETAIN).colour_range == (90.0, 93.0)


def test_few_trials_and_even_ones_have_a_single_view(make_search):
    values = iter([(0.1, 0.9), (0.3, 0.91), (0.5, 0.92), (0.9, 0.1)])
    few = make_search(4, lambda _: next(values), constraints=[])
    even = make_search(12, by_rate, name="even")
    for study in (few, even):
        sections = figure_sections(study, study.records(), find_outcome(study))
        assert not [t for key in ("history", "curves", "timeline") for t, f in sections[key][0] if "outside" in f]


def test_percentages_end_at_a_hundred(make_search):
    (low, high), _ = window_around([{"accuracy": 0.0}, {"accuracy": 100.0}], [], ("accuracy",) * 2, lambda n, f: f[n])
    assert (low, high) == (-3, 103), "half a marker, and no tick"
    study = make_search(3, by_rate)
    sections = figure_sections(study, study.records(), find_outcome(study))
    for key in ("history", "curves", "importance"):
        for _, figure in sections[key][0]:
            for axis in (axis for name, axis in figure["layout"].items() if name[1:5] == "axis"):
                assert ("accuracy" in axis.get("title", {}).get("text", "")) <= (axis.get("ticksuffix") == " %")
                if axis.get("ticksuffix") == " %" and "range" not in axis:
                    assert axis["autorangeoptions"] == {"clipmin": 0, "clipmax": 100}


def test_no_axis_has_a_zero_line_and_time_starts_at_zero(make_search):
    study = make_search(10, by_rate)
    sections = figure_sections(study, study.records(), find_outcome(study))
    for titled, _ in sections.values():
        for _, figure in titled:
            for name, axis in figure["layout"].items():
                if name[1:5] != "axis":
                    continue
                assert axis["zeroline"] is False
                title = axis.get("title", {}).get("text", "")
                if title in ("seconds since the first trial started", "epoch", "finished trials"):
                    assert axis["range"][0] == 0


def test_curves_of_trials_on_the_front_are_told_apart(values, make_study, report):
    study = make_study(parse_study({**values, "objectives": TWO, "n_trials": 5, "replicates": 2}))
    for key, (forget, retain) in enumerate([(0.0, 0.8), (0.1, 0.85), (0.2, 0.9), (0.3, 0.95), (0.9, 0.1)]):
        study.ask(str(key))
        for step in (1, 2):
            study.report(str(key), report(step, forget) | {"replicate": step - 1})
        study.complete(str(key), figures_of(forget, retain), COUNTS)
    figure = curves(study.records(), find_outcome(study), FORGET)
    named = [trace for trace in figure["data"] if trace["name"] != "other trials"]
    assert len({(trace["line"]["color"], trace["line"]["dash"]) for trace in named}) == len(named) == 8
    assert len({trace["name"] for trace in named}) == 4
    assert [trace["showlegend"] for trace in named] == [True, False] * 4
    assert {trace["hovertext"] for trace in named} >= {"trial 1, replicate 1", "trial 1, replicate 2"}


def test_of_many_trials_some_are_drawn_evenly_and_the_same_ones(make_search):
    record = make_search(1, by_rate).records()[0]
    many = [type(record)(**{**record.__dict__, "number": number}) for number in range(1000)]
    some, fewer = thinned(many, 100), thinned(many, 40)
    assert (len(some), len(fewer)) == (100, 40)
    numbers = [r.number for r in some]
    assert numbers == sorted(numbers)
    assert {r.number for r in fewer} <= set(numbers)
    assert all(10 <= sum(start <= n < start + 200 for n in numbers) <= 30 for start in range(0, 1000, 200))
    assert thinned(many[:5], 5) == many[:5]
    assert thinning_note(5, 5) == []
    assert thinning_note(10_000, 2000)[0].startswith("2,000 of 10,000 trials are drawn")
    texts = hover_texts([{"data": [{"customdata": [3, None, 7]}, {}]}], many, ())
    assert set(texts) == {"3", "7"}


def test_bars_of_a_timeline_are_merged_where_there_are_too_many(make_search):
    record = make_search(1, by_rate).records()[0]
    step = record.steps[0]
    few = [Stretch(record, f"host/{n % 2}", step, step, 10.0 * n, False) for n in range(100)]
    assert merged(few) == few
    many = [Stretch(record, f"host/{n % 2}", step, step, 10.0 * n, n == 3000) for n in range(4000)]
    joined = merged(many)
    assert [bar.trials for bar in joined] == [1500, 2000, 1, 499]
    assert sum(bar.trials for bar in joined) == 4000
