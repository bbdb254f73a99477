"""Protocols, jobs, tables and pictures of a reproduction; the run itself is an integration test."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from antisample.errors import ConfigError
from tuning.reproduction.config import RETRAIN, ReproductionConfig
from tuning.reproduction.plan import plan_jobs
from tuning.reproduction.plots import draw_class_accuracy, draw_confusion, draw_losses
from tuning.reproduction.run import _absolute
from tuning.reproduction.tables import (
    cells,
    published_result,
    summarise_results,
    to_csv,
    to_latex,
    to_long_csv,
    to_markdown,
)

NAMES = tuple("abcdefghij")


@pytest.fixture
def parse(tmp_path):
    def make(**changes):
        values = {"out": str(tmp_path), "data": {"source": "digits"}, "model": {"name": "SmallCNN"}}
        return ReproductionConfig.parse({**values, **changes})

    return make


def test_single_class_takes_every_class_in_turn(parse):
    assert parse().requests(NAMES) == [(label,) for label in range(10)]
    assert parse(classes=["c", 0]).requests(NAMES) == [(2,), (0,)]
    assert parse(classes=["c", 2, 0]).requests(NAMES) == [(2,), (0,)]


def test_of_many_identities_ten_random_ones_are_taken(parse):
    many = tuple(f"identity {number}" for number in range(300))
    drawn = parse().requests(many)
    assert len(set(drawn)) == 10
    assert drawn == parse().requests(many) != parse(seed=1).requests(many)
    assert len(parse(all_classes=True).requests(many)) == 300


def test_multi_class_draws_different_sets_of_each_size(parse):
    requests = parse(protocol="multi-class").requests(NAMES)
    assert [sum(len(r) == size for r in requests) for size in (2, 4, 7)] == [10, 5, 3]
    assert len(set(requests)) == 18
    few = parse(protocol="multi-class", sizes=[9], draws=[50]).requests(NAMES)
    assert len(set(few)) == len(few) == 10
    with pytest.raises(ConfigError, match=r"`sizes` must be in \[1, 9\], but got 10"):
        parse(protocol="multi-class", sizes=[10], draws=[1]).requests(NAMES)


def test_published_values_are_taken_where_there_are_some(parse):
    config = parse(model={"name": "ResNet18"}, retain=30, values={"unsir": {"impair_lr": 0.001}})
    named = config.method_values("antisample", "cifar10")
    assert (named["unlearn_scale_lr"], named["retain_fraction"]) == (1.6, 0.3)
    assert config.method_values("antisample", "digits") == {"name": "antisample", "retain_fraction": 0.3}
    notebook = config.method_values("antisample@ResNet18/cifar10/30/notebook", "cifar10")
    assert notebook["no_generated_data"] == 500
    assert config.method_values("unsir", "cifar10") == {"name": "unsir", "retain_fraction": 0.3, "impair_lr": 0.001}
    assert "retain_fraction" not in config.method_values("gradient_ascent", "cifar10")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ["amnesia"]}, "must be one of antisample.*but got 'amnesia'"),
        ({"methods": ["antisample@ResNet9/imagenet/30"]}, "`published` must be one of"),
        ({"retain": 0}, "`retain` must be greater than 0, but got 0"),
        ({"sizes": [2], "draws": [1, 2]}, "`draws` must have 1 values"),
        ({"values": {"amnesia": {}}}, "`values` must name methods"),
        ({"values": {"unsir": {"impair_lr": -1}}}, "unsir: .*impair_lr"),
        ({"protocol": "other"}, "`protocol`"),
        ({"classes": []}, "`classes`"),
        ({"draws": [0, 0, 0]}, "`draws.0` must be greater than or equal to 1, but got 0"),
        ({"cpus_per_job": 10_000}, "`cpus_per_job` must be at most"),
        ({"gpus_per_job": 10_000}, "`gpus_per_job` must be at most"),
        ({"gpus_per_job": 1.5}, r"`gpus_per_job` must be in \[0, 1\] or a whole number"),
        ({"device": "cuda:1"}, "`device` must not be numbered"),
        ({"values": {"retrain": {"epochs": 2}}}, "but got 'retrain'; `model.recipe` defines"),
        ({"methods": ["unsir@ResNet18/cifar10/30"]}, "for antisample, but got 'unsir@ResNet18/cifar10/30'"),
        ({"protocol": "multi-class", "classes": [1]}, "`classes` must be omitted"),
    ],
)
def test_mistakes_are_refused_with_rule_and_value(parse, changes, message):
    with pytest.raises(ConfigError, match=message):
        parse(**changes)


def test_jobs_are_named_by_what_they_depend_on(parse):
    config = parse(seeds=2, reference_seeds=2, classes=[3], methods=["finetune", "retrain"])
    jobs = plan_jobs(config, "digits", NAMES)
    labels = [job.label for job in jobs]
    assert labels == ["original", "untrained", "retrain", "retrain", "finetune", "finetune"]
    assert len({job.file_name("x") for job in jobs}) == 6
    assert jobs[2].reference_seed == jobs[4].reference_seed != jobs[5].reference_seed
    assert all(("retrained" in job.config.evaluation.final) == (job.label != RETRAIN) for job in jobs)
    longer = plan_jobs(parse(classes=[3], methods=["finetune"], values={"finetune": {"epochs": 9}}), "digits", NAMES)
    assert longer[2].file_name("x") not in {job.file_name("x") for job in jobs}
    assert jobs[0].file_name("x") != jobs[0].file_name("other data")
    assert "retrained" not in longer[2].config.evaluation.final
    moved = parse(seeds=2, reference_seeds=2, classes=[3], methods=["finetune", "retrain"], out="elsewhere")
    assert [job.file_name("x") for job in plan_jobs(moved, "digits", NAMES)] == [job.file_name("x") for job in jobs]


def result(label, classes, seed_index, retain, forget, elapsed_s=2.0, epochs=2):
    confusion = np.diag([10] * 10)
    return {
        "label": label,
        "classes": list(classes),
        "seed_index": seed_index,
        "values": {"test/retain_accuracy": retain, "test/forget_accuracy": forget},
        "elapsed_s": elapsed_s,
        "reference_s": 8.0,
        "confusion": confusion.tolist(),
        "epochs": [
            {"loss": 1.0, "validation/forget_accuracy": 0.1, "validation/retain_accuracy": 0.9} for _ in range(epochs)
        ],
    }


RESULTS = [
    result("original", (0,), 0, 0.8, 0.9, 0.0, epochs=0),
    result("antisample", (0,), 0, 0.70, 0.0),
    result("antisample", (0,), 1, 0.80, 0.0, 4.0),
    result("antisample", (1,), 0, 0.85, 0.1),
    result("antisample", (1, 2), 0, 0.5, 0.2),
]


def test_the_table_is_the_mean_over_requests_of_the_mean_over_repetitions():
    rows = summarise_results(RESULTS, "ResNet18", "cifar10", 30)
    assert [(row.label, row.size, row.requests, row.seeds) for row in rows] == [
        ("original", 1, 1, 1),
        ("antisample", 1, 2, 1),
        ("antisample", 2, 1, 1),
    ]
    single = rows[1]
    assert single.mean["test/retain_accuracy"] == pytest.approx((75 + 85) / 2)
    assert single.std["test/retain_accuracy"] == pytest.approx(np.std([75, 85], ddof=1))
    assert single.mean["elapsed_s"] == pytest.approx((3 + 2) / 2)
    assert single.mean["retrain_ratio"] == pytest.approx(100 * (3 + 2) / 2 / 8)
    assert single.published is None
    assert rows[2].published is None
    assert rows[2].std["test/retain_accuracy"] is None
    assert "elapsed_s" not in rows[0].mean


def test_published_figures_stand_beside_like_alone():
    def accuracies(*arguments):
        found = published_result(*arguments)
        return found.accuracies if found is not None else None

    assert accuracies("antisample@ResNet18/cifar10/100/notebook", "resnet18", "cifar10", 100) == "79.44 / 0.00"
    assert accuracies("antisample", "ResNet18", "cifar10", 30) is None
    assert accuracies("antisample@ResNet18/cifar10/100/notebook", "ResNet18", "cifar10", 30) is None
    assert accuracies("antisample@ResNet18/cifar10/30/notebook", "ResNet18", "cifar10", 30) == "77.46 / 0.14"
    assert accuracies("retrain", "ResNet18", "cifar10", 30) == "82.55 / 0.00"
    assert accuracies("original", "ResNet18", "cifar10", 100) == "81.61 / -"
    assert accuracies("unsir", "ResNet18", "casia-webface", 100) == "69.03 / 0.00"
    assert accuracies("antisample", "ResNet9", "cifar10", 30) is None
    assert accuracies("finetune", "ResNet18", "cifar10", 30) is None


def test_the_table_says_how_published_figures_were_measured_and_what_failed():
    rows = summarise_results([result("retrain", (0,), 0, 0.8, 0.0)], "ResNet18", "cifar10", 30)
    failure = {"label": "unsir", "classes": (1, 2), "seed_index": 3, "error": "DivergedError: loss."}
    text = to_markdown(rows, [failure])
    assert "- Published for retrain: cifar10, each of 10 classes, 100 % retain data; 30 epochs Adam" in text
    assert "- Failed and missing above: unsir, classes 1, 2, repetition 3. DivergedError: loss." in text


def test_the_three_formats_say_the_same():
    rows = summarise_results(RESULTS, "ResNet18", "cifar10", 30)
    heading, body = cells(rows)
    assert all(len(line) == len(heading) for line in body)
    markdown = to_markdown(rows).splitlines()
    assert markdown[3].startswith("| antisample | 1 | 2 x 1 | 80.00 ± 7.07 | 5.00 ± 7.07 |")
    latex = to_latex(rows)
    assert r"80.00 $\pm$ 7.07" in latex
    assert "%" not in latex.replace(r"\%", "")
    (_, single, _) = csv.DictReader(io.StringIO(to_csv(rows)))
    assert float(single["test/retain_accuracy"]) == pytest.approx(80)
    assert float(single["test/retain_accuracy std"]) == pytest.approx(np.std([75, 85], ddof=1))
    assert len(to_long_csv(RESULTS).splitlines()) == 1 + 3 * len(RESULTS)


def test_pictures_are_whole_images(tmp_path):
    draw_class_accuracy(RESULTS, NAMES, tmp_path / "class_accuracy.png")
    draw_confusion(RESULTS, NAMES, tmp_path / "confusion.png")
    draw_losses(RESULTS, tmp_path / "losses.png")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["class_accuracy.png", "confusion.png", "losses.png"]
    for file in files:
        with Image.open(file) as image:
            image.verify()
            assert min(image.size) > 200


def test_a_picture_shows_a_missing_job_as_a_gap_and_compares_one_request(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr("tuning.reproduction.plots.save_figure", lambda figure, _: figures.append(figure))
    runs = [
        result("original", (0,), 0, 0.8, 0.9),
        result("original", (1,), 0, 0.8, 0.9),
        result("unsir", (1,), 0, 1, 0),
    ]
    draw_class_accuracy(runs, NAMES, tmp_path / "class_accuracy.png")
    draw_confusion(runs, NAMES, tmp_path / "confusion.png")
    accuracy, confusion = figures
    shown = accuracy.axes[1].images[0].get_array()
    assert shown.shape == (2, 10)
    assert np.ma.getmaskarray(shown)[0].all()
    assert not np.ma.getmaskarray(shown)[1].any()
    assert confusion.get_supxlabel().endswith("forgotten: b")


def test_workers_read_the_data_set_that_the_driver_reads(parse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    (tmp_path / "images").mkdir()
    folders = {"./digits": str(tmp_path / "digits"), "images": str(tmp_path / "images")}
    for source, sent in {"digits": "digits", **folders}.items():
        (job, *_) = plan_jobs(parse(data={"source": source}), "digits", tuple("0123456789"))
        assert _absolute(job).config.data.source == sent


def test_jobs_can_be_keys_whatever_the_builder_gets():
    values = {"out": "out", "data": {"source": "digits"}, "classes": ["3"]}
    config = ReproductionConfig.parse({**values, "model": {"name": "SmallCNN", "arguments": {"widths": [1, 2]}}})
    jobs = plan_jobs(config, "digits", tuple("0123456789"))
    assert len(dict.fromkeys(jobs)) == len(jobs)


def test_a_request_names_its_class_where_labels_would_name_another():
    """Folders 1, 10, 2: label 1 is the class `10`, and not the class `1`."""
    config = ReproductionConfig.parse({"out": "out", "data": {"source": "digits"}, "model": {"name": "SmallCNN"}})
    jobs = plan_jobs(config, "digits", ("1", "10", "2"))
    assert {job.classes: job.config.forget.classes for job in jobs} == {(0,): ("1",), (1,): ("10",), (2,): ("2",)}
