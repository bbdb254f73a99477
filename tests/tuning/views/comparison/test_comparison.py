"""Several studies side by side: what is compared, what is not, and what the page and the command say of it."""

import json
import re

import pytest

from tuning.study.attributes import CONFIRMATIONS, FINGERPRINTS, FORGETTING, ORIGINAL
from tuning.study.study import Study
from tuning.views.comparison.comparison import compare
from tuning.views.comparison.figures import front_figures, hypervolume_figures
from tuning.views.comparison.page import render_comparison
from tuning.views.comparison.tables import plain_comparison, result_tables

PRINTS = {"data": "aa", "splits": "bb", "model": "cc"}
TRIALS = [(0.0, 0.93, 0.8), (0.0, 0.945, 0.6), (0.3, 0.94, 0.95), (0.0, 0.2, -0.1)]


@pytest.fixture
def make(make_deep_study):
    def make(name, trials=TRIALS, prints=PRINTS, forgetting='"3" (label 3)', **changes) -> Study:
        study = make_deep_study(trials, name=name, **changes)
        study.note(FINGERPRINTS, prints)
        study.note(FORGETTING, [forgetting])
        return study

    return make


@pytest.fixture
def two(make):
    better = [(0.0, 0.94, 0.7), (0.0, 0.947, 0.4), (0.2, 0.945, 0.9)]
    return make("first"), make("second", better, sampler="tpe", seed=3)


def test_results_have_the_columns_of_a_report_with_limits_and_cost(two):
    comparison = compare(two)
    assert comparison.differences == ()
    tables = result_tables(comparison)
    assert [table.part for table in tables] == ["test", "validation"]
    headings = [name for name, _ in tables[0].headings]
    assert headings[:3] == ["forget accuracy", "retain accuracy", "probe_left"]
    assert "membership inference (loss)" in headings
    assert headings[-2:] == ["one unlearning", "whole request"]
    assert [name for name, _ in tables[1].headings] == headings[:-2], "costs are the same for both"
    assert [line.name for line in tables[1].lines] == ["first: trial 1", "second: trial 1"]
    first = tables[1].lines[0]
    assert (first.cells[0].text, first.cells[0].note) == ("0.0 %", "0 to 12 %")
    assert first.runs == "search, a single run"


def test_of_a_confirmed_trial_the_runs_with_fresh_seeds_are_compared(two, deep_figures):
    runs = [
        {"number": 1, "seed": seed, "metrics": deep_figures(0.0, retain, 0.5), "counts": {}}
        for seed, retain in ((11, 0.90), (12, 0.92))
    ]
    two[0].note(CONFIRMATIONS, runs)
    line = result_tables(compare(two))[0].lines[0]
    assert line.runs == "confirmed, 2 fresh seeds"
    assert line.cells[1].text == "91.0 ± 1.4 %"
    assert plain_comparison(compare(two))["studies"][0]["result"]["confirmed"]


def test_settings_that_differ_are_listed_and_no_others(two):
    settings = compare(two).settings
    assert settings["sampler"] == ("random", "tpe")
    assert settings["seed"] == ("0", "3")
    assert settings["n_trials"] == ("4", "3")
    assert not {"name", "runs_dir", "model.name", "method"} & set(settings)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"forgetting": '"7" (label 7)', "forget": {"classes": [7]}},
            'What is to be forgotten differs (first: "3" (label 3); other: "7" (label 7)).',
        ),
        (
            {"model": {"name": "ResNet9"}, "prints": PRINTS | {"model": "dd"}},
            "The original models differ (first: SmallCNN; other: ResNet9).",
        ),
        (
            {"prints": PRINTS | {"model": "dd"}},
            "The original models differ: all are called SmallCNN, but have different weights.",
        ),
        (
            {"prints": PRINTS | {"data": "ee"}},
            "The data sets differ: all are called digits, but have different images.",
        ),
        ({"fixed": {"retain_fraction": 0.25}}, "The retain fractions differ (first: 0.3 to 1; other: 0.25)."),
    ],
)
def test_what_does_not_compare_is_said_and_has_no_common_hypervolume(make, changes, sentence):
    comparison = compare([make("first"), make("other", **changes)])
    assert comparison.differences == (sentence,)
    assert comparison.hypervolumes is None
    assert hypervolume_figures(comparison)[0] == []
    assert front_figures(comparison)[0], "their fronts are drawn all the same"
    assert "not directly comparable" in render_comparison(comparison)


def test_fronts_are_told_apart_by_colour_and_symbol(two):
    (title, figure), (deep, _) = front_figures(compare(two))[0]
    assert (title, deep) == ("Retain accuracy and forget accuracy", "Retain accuracy and probe_left")
    looks = [
        (t["name"], t["marker"]["color"], t["marker"]["symbol"]) for t in figure["data"] if t.get("showlegend", True)
    ]
    assert [name for name, _, _ in looks] == ["first", "second"]
    assert len({colour for _, colour, _ in looks}) == len({symbol for _, _, symbol in looks}) == 2
    chosen = [trace for trace in figure["data"] if not trace.get("showlegend", True)]
    assert [trace["hovertext"][0].startswith("<b>first</b><br>trial 1") for trace in chosen] == [True, False]


def test_hypervolumes_count_from_the_same_point_and_end_with_the_final_front(two):
    two[1].note(ORIGINAL, two[1].noted(ORIGINAL) | {"validation/retain_accuracy": 0.93})
    comparison = compare(two)
    ((_, figure),), _ = hypervolume_figures(comparison)
    ends = [trace["y"][-1] for trace in figure["data"]]
    assert ends == pytest.approx(comparison.hypervolumes, rel=1e-3)
    assert len(set(ends)) == 2
    assert {trace["line"]["dash"] for trace in figure["data"]} == {"solid", "dash"}


def test_studies_with_other_objectives_or_without_a_trial_are_compared_too(two, make):
    objective = [{"metric": "validation/retain_accuracy", "direction": "maximize"}]
    single, empty = make("single", objectives=objective), make("empty", [], n_trials=2)
    comparison = compare([two[0], single, empty])
    assert front_figures(comparison)[1] == [
        "The studies have fewer than two objectives in common, so there is no figure of their fronts."
    ]
    assert hypervolume_figures(comparison)[1] == [
        "The studies do not have the same objectives, so there is no common hypervolume."
    ]
    assert result_tables(comparison)[0].lines[2].why_not == comparison.studies[2].outcome.reason
    assert render_comparison(compare([empty, make("nothing", [], n_trials=2)]))


def test_the_page_needs_nothing_and_holds_hostile_text_as_text(two):
    hostile = "</script><img src=http://evil.example/x>"
    two[1].note(FORGETTING, [hostile])
    two[1].note(FINGERPRINTS, PRINTS | {"data": "ff"})
    text = render_comparison(compare(two))
    assert "<img" not in text
    assert "default-src 'none'" in text
    assert text == render_comparison(compare(two))


@pytest.fixture
def places(two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [str(study.config.directory) for study in two]


def test_the_command_writes_the_page_prints_a_table_and_leaves_the_studies_alone(places, call, tmp_path):
    code, out, err = call("report", *places)
    assert (code, err) == (0, "")
    assert re.search(r"second: trial 1.*94\.7 %", out, re.DOTALL)
    assert "Comparison:    comparison.html" in out
    assert "Chosen trials" in (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert not (tmp_path / "first" / "report.html").exists()
    code, out, _ = call("report", *places, "--out", "sub/both.html", "--json")
    answer = json.loads(out)
    assert (code, answer["page"], answer["comparable"]) == (0, "sub/both.html", True)
    assert [study["result"]["trial"] for study in answer["studies"]] == [1, 1]
    assert call("report", *places)[0] == 0, "an earlier comparison is replaced"


def test_options_of_the_other_kind_and_wrong_places_are_refused_before_anything_is_written(places, call, tmp_path):
    (tmp_path / "notes.html").write_text("<p>mine</p>")
    (tmp_path / "empty").mkdir()
    refused = {
        ("--rebuild",): "`--rebuild` is for the report of one study, but 2 are given.",
        ("--storage", "postgresql://me@host/name"): "`--storage` is for the report of one study, but 2 are given.",
        (
            "--out",
            "notes.html",
        ): "`--out` must be a new file or an earlier comparison, but notes.html is something else.",
        ("--out", "first"): "`--out` must be a new file or an earlier comparison, but first is something else.",
        ("first",): "compares different studies, but",
        ("empty",): "empty: contains no study; expected study.yaml.",
    }
    for words, sentence in refused.items():
        code, out, err = call("report", *places, *words)
        assert (code, out) == (2, "")
        assert sentence in err
        assert "Traceback" not in err
    code, _, err = call("report", places[0], "--out", "one.html")
    assert (code, err) == (2, "Error: `--out` names the page that compares several studies, but only one is given.\n")
    journal = tmp_path / "second" / "journal.log"
    journal.write_text("damaged\n")
    code, _, err = call("report", *places)
    assert (code, err.count("\n")) == (2, 1)
    assert (tmp_path / "notes.html").read_text() == "<p>mine</p>"
    assert not (tmp_path / "comparison.html").exists()
