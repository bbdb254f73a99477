import copy
import json
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import optuna
import plotly.graph_objects as go
import pytest
from PIL import Image

from tuning.config.loading import parse_study
from tuning.study.attributes import (
    BASELINES,
    CLASS_NAMES,
    COMMAND,
    CONFIRMATIONS,
    CONFUSIONS,
    ENVIRONMENT,
    FORGET_REQUESTS,
    FORGETTING,
    GALLERIES,
    NOTES,
    ORIGINAL,
    ORIGINAL_COUNTS,
)
from tuning.study.outcome import find_outcome
from tuning.study.pictures import image_file, picture_file
from tuning.study.study import Study
from tuning.study.trial_reader import TrialReader
from tuning.views.report import render_report, write_report
from tuning.views.report.histories import hypervolume_histories
from tuning.views.report.timeline import stretches

HOSTILE = "</script><script>alert('x')</script><img src=http://evil.example/x>"
SECTIONS = (
    "result",
    "baselines",
    "pareto",
    "confirmation",
    "history",
    "importance",
    "parallel",
    "curves",
    "inside",
    "confusion",
    "gallery",
    "timeline",
    "trials",
    "environment",
)
COUNTS = {
    f"{part}/{kind}": count
    for part, factor in (("validation", 1), ("test", 2), ("train", 8))
    for kind, count in (("forget", 29 * factor), ("retain", 250 * factor))
}


class Page(HTMLParser):
    """Ids, addresses and script contents of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.addresses, self.tags, self.scripts = [], [], [], {}
        self._script = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        self._script = attributes.get("id", "") if tag == "script" else None

    def handle_endtag(self, _):
        self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] = data

    def figures(self):
        return json.loads(self.scripts["figures"])

    def hovers(self):
        return json.loads(self.scripts["hovers"])


def metrics_of(rng, forget, retain):
    values = {}
    for part in ("validation", "test", "train"):
        noise = rng.gauss(0, 0.004)
        values |= {
            f"{part}/forget_accuracy": min(1.0, max(0.0, round((forget + noise) * 29) / 29)),
            f"{part}/retain_accuracy": min(1.0, max(0.0, retain + noise)),
            f"{part}/forget_confidence": min(1.0, max(0.001, 0.4 * forget + abs(noise))),
            f"{part}/forget_loss": 3 - forget,
            f"{part}/retain_loss": 1 - retain,
        }
    return values


def make_study(directory: Path, trials: int, objectives=None, replicates=1, confirm=False, constraints=()) -> Study:
    values = {
        "name": "demo",
        "runs_dir": str(directory),
        "data": {"source": "digits"},
        "model": {"name": "SmallCNN"},
        "forget": {"classes": [3]},
        "method": "antisample",
        "published": ["ResNet9/mnist/100"],
        "sampler": "random",
        "n_trials": max(1, trials),
        "max_failures": trials,
        "replicates": replicates,
        "evaluation": {"final": ["membership", "zrf"]},
        "constraints": list(constraints),
    }
    config = parse_study(values | ({"objectives": objectives} if objectives else {}))
    config.directory.mkdir(parents=True, exist_ok=True)
    study = Study(config)
    rng = random.Random(1)
    if trials:
        study.note(ORIGINAL, metrics_of(rng, 0.97, 0.975))
        study.note(ORIGINAL_COUNTS, COUNTS)
        study.note(ENVIRONMENT, {"python": "3.11.2", "torch": "2.14.1", "device": "CPU"})
        study.note(COMMAND, "antisample run studies/demo.yaml --set n_trials=12")
    for index in range(trials):
        run_trial(study, rng, f"key{index}", fails=index % 17 == 5)
    if confirm:
        runs = [
            {
                "number": number,
                "seed": seed,
                "metrics": metrics_of(rng, 0.0, 0.95),
                "counts": COUNTS,
                "elapsed_s": 1.0,
            }
            for number in range(trials)
            for seed in (11, 12, 13)
        ]
        study.note(CONFIRMATIONS, runs)
    return study


def run_trial(study: Study, rng, key: str, fails: bool = False) -> None:
    record = study.ask(key)
    if record is None:
        return
    strength = math.log(record.params["unlearn_scale_lr"] / 0.1) / math.log(60) * record.params["epochs"] / 5
    step = 0
    for replicate in range(study.config.replicates):
        for epoch in range(1, record.params["epochs"] + 1):
            step += 1
            share = epoch / record.params["epochs"]
            metrics = metrics_of(rng, max(0.0, 0.9 - 2 * strength * share), 0.97 - 0.25 * strength**2 * share)
            content = {"elapsed_s": 1.1 * step, "evaluation_s": 0.2 * step, "train_loss": 0.3, "metrics": metrics}
            study.report(key, content | {"step": step, "replicate": replicate})
    if fails:
        study.fail(key, f"DivergedError: the loss is not finite. {HOSTILE}\nTraceback: second line {HOSTILE}")
    else:
        study.complete(key, metrics, COUNTS, worker="host/1", versions={"antisample": "0.1.0"})


def repeated(study: Study, times: int) -> Study:
    """The same study with its trials many times over, each time a little different, in memory."""
    rng = random.Random(2)
    many = optuna.create_study(directions=study.optuna_study().directions)
    for name, value in study.optuna_study().user_attrs.items():
        many.set_user_attr(name, value)
    for trial in [*study.optuna_study().get_trials()] * times:
        other = copy.deepcopy(trial)
        if other.values is not None:
            other.values = [min(1.0, max(0.0, value + rng.gauss(0, 0.01))) for value in other.values]
        many.add_trial(other)
    study._study, study._reader = many, TrialReader(many)
    return study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return make_study(tmp_path_factory.mktemp("runs"), 24, confirm=True)


@pytest.fixture(scope="module")
def text(study) -> str:
    return render_report(study)


def test_it_has_every_section_and_figure(text):
    page = Page(text)
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    drawn = page.figures()
    assert {key.rsplit("-", 1)[0] for key in drawn} == set(SECTIONS) - {
        "result",
        "baselines",
        "confirmation",
        "inside",
        "confusion",
        "gallery",
        "trials",
        "environment",
    }
    assert {f"plot-{key}" for key in drawn} == {name for name in page.ids if name.startswith("plot-")}


def test_plotly_accepts_every_figure(text):
    for figure in Page(text).figures().values():
        plain = json.loads(re.sub(r'"--[a-z0-9-]+"', '"#000000"', json.dumps(figure)))
        go.Figure({"data": plain["data"], "layout": plain["layout"]})


def test_it_asks_the_network_for_nothing(text):
    page = Page(text)
    assert page.addresses == []
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text
    assert "link" not in page.tags
    assert "showSendToCloud: false" in text


def test_the_front_the_start_the_original_and_the_chosen_are_marked(study, text):
    names = [trace["name"] for trace in Page(text).figures()["pareto-0"]["data"]]
    assert names[:3] == ["other trials", "Pareto front", "best of these"]
    assert names[3:5] == ["original", "published ResNet9/mnist/100"]
    assert names[5].startswith("chosen: trial ")
    outcome = find_outcome(study)
    assert f"Chosen: trial {outcome.chosen.number}</strong>, {outcome.reason}." in text


def test_accuracies_stand_beside_their_image_counts(text):
    assert re.search(r"\d\.\d % <small>0 to 12 %</small>", text)
    assert "<small>29 images</small>" in text
    page = Page(text)
    first = page.figures()["pareto-0"]["data"][1]["customdata"][0]
    assert re.search(r"\d\.\d % of 29 images \(\d+ to \d+ %\)", page.hovers()[str(first)])


def test_each_trial_that_is_drawn_has_one_text(text):
    page = Page(text)
    traces = [trace for figure in page.figures().values() for trace in figure["data"]]
    numbers = {str(number) for trace in traces for number in trace.get("customdata", ())}
    assert numbers == set(page.hovers())
    assert page.scripts["hovers"].count("trial 3 (sampler)") == 1


def test_confirmations_show_spread_seeds_and_difference(text):
    assert re.search(r"\d\.\d % ± \d\.\d \(n = 3\)", text)
    assert re.search(r"[+-]\d\.\d percentage points ± \d\.\d \(n = 3\)", text)


def test_hostile_text_stays_text(tmp_path):
    study = make_study(tmp_path, 12)
    study.note(CLASS_NAMES, ["a", HOSTILE])
    study.note(FORGET_REQUESTS, [[1]])
    study.note(COMMAND, HOSTILE)
    study.note(ENVIRONMENT, {HOSTILE: HOSTILE})
    text = render_report(study)
    page = Page(text)
    assert "img" not in page.tags
    assert page.tags.count("script") == 5
    assert page.addresses == []
    assert "alert(&#39;x&#39;)" in text
    assert "<" not in page.scripts["figures"] + page.scripts["hovers"] + page.scripts["trial-data"]


def test_a_hostile_origin_stays_text_in_figures(tmp_path):
    study = make_study(tmp_path, 0)
    study.optuna_study().enqueue_trial(
        study.plan.starting_points[0][1], user_attrs={"origin": f"published {HOSTILE}"}
    )
    for key in ("a", "b", "c"):
        run_trial(study, random.Random(0), key)
    page = Page(render_report(study))
    assert "<img" not in json.dumps([page.figures(), page.hovers()])


def test_rendering_twice_gives_the_same_bytes(study, text, tmp_path):
    assert render_report(study) == text
    assert render_report(Study(study.config)) == text
    write_report(study, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_five_hundred_trials_stay_under_five_megabytes(tmp_path):
    text = render_report(repeated(make_study(tmp_path, 25), 20))
    assert len(text.encode()) < 5_000_000
    data = json.loads(Page(text).scripts["trial-data"])
    assert len(data["columns"][0]["values"]) == 500
    assert len(data["details"]) <= 400


def test_the_trials_have_accuracies_first_then_depth_and_cost_then_parameters(study, text):
    data = json.loads(Page(text).scripts["trial-data"])
    keys = [column["key"] for column in data["columns"]]
    order = ["metrics.validation/forget_accuracy", "unlearning_s", "params.epochs", "origin"]
    assert sorted(order, key=keys.index) == order
    by_key = {column["key"]: column["values"] for column in data["columns"]}
    assert len({len(values) for values in by_key.values()}) == 1
    record = find_outcome(study).chosen
    assert by_key["place"][record.number] == "chosen"
    assert by_key["params.epochs"][record.number] == record.params["epochs"]
    (curve,) = data["details"][str(record.number)]["curves"]
    assert len(curve["loss"]) == record.fidelity
    assert "--trial {trial} " in data["command"]


@pytest.mark.parametrize("trials", [0, 1, 3])
def test_small_studies_render_and_say_what_is_missing(tmp_path, trials):
    text = render_report(make_study(tmp_path, trials))
    page = Page(text)
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    assert ("No trial has finished" in text) == (trials == 0)
    assert ("plotly" in page.scripts) == (trials > 0)


def test_a_running_trial_is_shown(tmp_path):
    study = make_study(tmp_path, 0)
    study.ask("a")
    assert "running" in render_report(study)


def test_one_objective_has_a_history_alone(tmp_path):
    one = [{"metric": "validation/forget_accuracy", "direction": "minimize"}]
    text = render_report(make_study(tmp_path, 10, one))
    drawn = Page(text).figures()
    assert "pareto-0" not in drawn
    assert "history-1" in drawn
    assert "single objective" in text


def test_of_three_objectives_two_are_axes_and_the_third_is_a_colour(tmp_path):
    three = [
        {"metric": "validation/forget_accuracy", "direction": "minimize"},
        {"metric": "validation/retain_accuracy", "direction": "maximize"},
        {"metric": "validation/forget_confidence", "direction": "minimize"},
    ]
    text = render_report(make_study(tmp_path, 10, three))
    drawn = Page(text).figures()
    assert drawn["pareto-0"]["data"][1]["marker"]["showscale"]
    assert len([key for key in drawn if key.startswith("history")]) == 5
    assert "Forget accuracy and retain accuracy, coloured by forget confidence" in text


def test_replicates_are_lines_of_their_own(tmp_path):
    drawn = Page(render_report(make_study(tmp_path, 3, replicates=2))).figures()
    lines = sum(trace["x"].count(None) for trace in drawn["curves-0"]["data"])
    assert lines == 6


def test_importance_is_left_out_where_every_value_is_the_same(tmp_path):
    study = make_study(tmp_path, 0)
    study = Study(study.config.model_copy(update={"n_trials": 12}))
    same = metrics_of(random.Random(0), 0.0, 0.9)
    for index in range(12):
        study.ask(str(index))
        study.complete(str(index), same, COUNTS)
    text = render_report(study)
    assert text.count("every trial has the same value") == 2
    assert not [trace for trace in traces_of(text, "importance") if trace["type"] == "bar"]


def traces_of(text, section):
    figures = Page(text).figures()
    return [trace for key, figure in figures.items() if key.startswith(section) for trace in figure["data"]]


def test_the_timeline_shows_workers_and_trials_that_another_took_up(tmp_path):
    study = make_study(tmp_path, 0)
    record = study.ask("a")
    metrics = metrics_of(random.Random(0), 0.0, 0.9)
    for step, worker in ((1, "host/1"), (2, "host/1"), (3, "other/2")):
        content = {"elapsed_s": 2.0 * step, "evaluation_s": 1.0 * step, "train_loss": 0.3, "metrics": metrics}
        study.report("a", content | {"step": step, "replicate": 0, "worker": worker})
    first, second = stretches(study.records())
    assert (first.worker, first.last.step, first.is_retry) == ("host/1", 2, False)
    assert (second.worker, second.first.step, second.is_retry) == ("other/2", 3, True)
    assert second.first.timestamp_ms - second.begun_ms == 3000, "an epoch and its evaluation"
    traces = Page(render_report(study)).figures()["timeline-0"]["data"]
    assert [trace["name"] for trace in traces] == ["running", "resumed by another worker"]
    assert traces[0]["y"] == [0, 1]
    assert record.number == 0


def test_pictures_and_confusions_of_the_chosen_trial_are_shown_from_the_directory_alone(tmp_path):
    study = make_study(tmp_path, 12)
    chosen = find_outcome(study).chosen
    study.note(CLASS_NAMES, [str(digit) for digit in range(10)])
    study.note(FORGET_REQUESTS, [[3]])
    study.note(CONFUSIONS, {"original": [[3, 3, 36]], str(chosen.number): [[3, 8, 30], [3, 5, 6]]})
    for place in range(4):
        path = picture_file(study, chosen, 3, place)
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    page = Page(render_report(study))
    before, after = (page.figures()[f"confusion-{place}"]["data"][0] for place in (0, 1))
    assert before["text"][3][3] == 36
    assert after["hovertext"][3][8] == "3 (forgotten), predicted as 8: 30 of 36 images"
    assert after["z"][3][8] == 83.3
    assert [address.partition(",")[0] for address in page.addresses] == ["data:image/png;base64"] * 4


@pytest.fixture
def with_gallery(tmp_path):
    """A study of hostile class names whose chosen trial recognises one image and lost none."""
    study = make_study(tmp_path, 12)
    chosen = find_outcome(study).chosen
    study.note(CLASS_NAMES, [str(digit) for digit in range(9)] + [HOSTILE])
    image = {"true": 3, "predicted": 3, "probability": 0.9712}
    counts = {"n_recognised": 1, "n_forget": 29, "lost": [], "n_lost": 0, "n_right_before": 245}
    study.note(GALLERIES, {str(chosen.number): {"recognised": [image], **counts}})
    return study, chosen


def test_single_images_have_captions_and_a_sentence_where_there_are_none(with_gallery):
    study, chosen = with_gallery
    path = image_file(study, chosen, "recognised", 0)
    path.parent.mkdir()
    Image.new("RGB", (8, 8)).save(path)
    text = render_report(study)
    assert "1 of the 29 forget images is still recognised." in text
    assert "None of the 245 retain images that the original model classifies correctly is now misclassified." in text
    assert "true: 3\npredicted: 3\nprobability: 97.1 %" in text
    assert 'alt="An image of class 3, predicted as 3 with a probability of 97.1 %"' in text
    assert [address.partition(",")[0] for address in Page(text).addresses] == ["data:image/png;base64"]


def test_an_image_that_is_gone_leaves_its_caption(with_gallery):
    study, chosen = with_gallery
    kept = study.noted(GALLERIES)
    kept[str(chosen.number)]["recognised"][0]["predicted"] = 9
    study.note(GALLERIES, kept)
    text = render_report(study)
    assert "The image is missing." in text
    assert Page(text).addresses == []
    assert "predicted: &lt;/script&gt;" in text


def test_studies_from_before_say_that_their_images_were_not_judged(text):
    assert "the images are judged when a search finishes" in text
    assert "How fast the forgotten classes come back" not in text


def test_relearning_is_drawn_where_it_was_measured(tmp_path):
    study = make_study(tmp_path, 12)

    def curve(*shares):
        steps = zip((0, 8, 32, 64), shares, strict=True)
        return {f"{part}/relearn_{n}": v for part in ("validation",) for n, v in steps} | {
            "validation/relearn_area": 0.5
        }

    chosen = find_outcome(study).chosen
    study.note(ORIGINAL, study.noted(ORIGINAL) | curve(0.9, 1.0, 1.0, 1.0))
    base = metrics_of(random.Random(0), 0.0, 0.97)
    study.note(BASELINES, {"mask": base | curve(0.9, 1.0, 1.0, 1.0), "reference": base | curve(0.1, 0.4, 0.7, 0.8)})
    runs = [
        {"number": chosen.number, "seed": seed, "metrics": base | curve(0.0, 0.2, share, 1.0), "counts": COUNTS}
        for seed, share in ((11, 0.4), (12, 0.6))
    ]
    study.note(CONFIRMATIONS, runs)
    text = render_report(study)
    drawn = Page(text).figures()
    assert [key for key in drawn if key.startswith("relearning")] == ["relearning-0"], "nothing on test images"
    traces = {trace["name"]: trace for trace in drawn["relearning-0"]["data"]}
    assert set(traces) == {"original", "mask", "reference", f"chosen: trial {chosen.number}"}
    assert traces[f"chosen: trial {chosen.number}"]["y"] == [0, 20, 50, 100], "the mean of the runs with fresh seeds"
    assert traces["reference"]["y"] == [10, 40, 70, 80]
    axes = drawn["relearning-0"]["layout"]
    assert axes["xaxis"]["ticktext"] == ["0", "8", "32", "64"]
    assert (axes["yaxis"]["ticksuffix"], axes["yaxis"]["range"]) == (" %", [-3, 103])


def test_of_many_classes_those_to_forget_and_those_with_most_errors_are_drawn(tmp_path):
    study = make_study(tmp_path, 12)
    chosen = find_outcome(study).chosen
    study.note(CLASS_NAMES, [f"face {label}" for label in range(300)])
    study.note(FORGET_REQUESTS, [[250]])
    study.note(CONFUSIONS, {"original": [[250, 250, 9]], str(chosen.number): [[250, 299, 9], [7, 8, 2]]})
    text = render_report(study)
    names = Page(text).figures()["confusion-1"]["layout"]["xaxis"]["ticktext"]
    assert len(names) == 30
    assert {"face 250 (forgotten)", "face 299", "face 7", "face 8"} <= set(names)
    assert "Of 300 classes" in text


def test_the_hypervolume_over_time_ends_with_that_of_the_front(tmp_path):
    front = make_study(tmp_path / "free", 12).front()
    best = max(record.metrics["validation/retain_accuracy"] for record in front)
    study = make_study(tmp_path, 12, constraints=[{"metric": "validation/retain_accuracy", "at_least": best}])
    outcome = find_outcome(study)
    over_trials, _ = hypervolume_histories(
        study.records(), study.config.objectives, outcome.reference, study.config.constraints
    )
    without, _ = hypervolume_histories(study.records(), study.config.objectives, outcome.reference)
    volumes = over_trials["data"][0]["y"]
    assert volumes[-1] == pytest.approx(outcome.hypervolume, rel=1e-3)
    assert volumes[-1] < without["data"][0]["y"][-1]
    assert len(volumes) == len(without["data"][0]["y"])


def test_the_page_says_what_is_forgotten_and_how_data_and_model_were_read(tmp_path):
    study = make_study(tmp_path, 3)
    study.note(FORGETTING, ['"cat" (label 3): 5,000 training, 500 validation and 500 test images'])
    study.note(NOTES, ["The split `val` serves as the test split."])
    text = render_report(study)
    assert "&#34;cat&#34; (label 3): 5,000 training, 500 validation and 500 test images" in text
    assert "The split `val` serves as the test split." in text
