"""`antisample reproduce` and `antisample unlearn` without a study, as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

pytestmark = pytest.mark.integration

# A process started in the background ignores SIGINT, and so do its children, unless they say otherwise.
MAIN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from tuning.cli import main; main()"
COMMAND = [sys.executable, "-c", MAIN]


def reproduce(tmp_path, *arguments):
    cache = f"data.cache_dir={tmp_path / 'cache'}"
    flags = ["--model", "SmallCNN", "--dataset", "digits", "--out", str(tmp_path / "out"), "--set", cache]
    return [*COMMAND, "reproduce", *flags, "--set", "model.recipe.epochs=3", *arguments]


def test_it_writes_table_and_pictures_and_does_nothing_twice(tmp_path):
    command = reproduce(
        tmp_path, "--classes", "3,8", "--methods", "antisample,finetune,retrain", "--seeds", "2", "--json"
    )
    first = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    rows = {row["label"]: row for row in json.loads(first.stdout)["rows"]}
    assert list(rows) == ["original", "untrained", "retrain", "antisample", "finetune"]
    assert rows["retrain"]["mean"]["test/forget_accuracy"] == 0
    assert rows["antisample"]["mean"]["test/forget_accuracy"] < rows["original"]["mean"]["test/forget_accuracy"]
    assert rows["antisample"]["requests"] == rows["antisample"]["seeds"] == 2
    assert "test/retrained_gap" not in rows["retrain"]["mean"]
    gaps = {label: row["mean"]["test/retrained_gap"] for label, row in rows.items() if label != "retrain"}
    assert 0 <= gaps["antisample"] < gaps["original"]
    out = tmp_path / "out"
    for name in ("table.md", "table.csv", "table.tex", "results.csv"):
        assert (out / name).read_text()
    for name in ("class_accuracy.png", "confusion.png", "losses.png", "anti_samples.png"):
        with Image.open(out / name) as image:
            image.verify()
    assert "14 jobs, 0 of them already finished" in first.stderr
    second = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "14 jobs, 14 of them already finished" in second.stderr
    assert second.stdout == first.stdout


@pytest.mark.slow
def test_an_interrupted_run_continues_where_it_stopped(tmp_path):
    command = reproduce(tmp_path, "--methods", "finetune", "--seeds", "2")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    results = tmp_path / "out" / "results"
    deadline = time.monotonic() + 200
    while len(list(results.glob("[!.]*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Run the same command to continue" in output
    kept = {path.name: path.stat().st_mtime_ns for path in results.glob("[!.]*.json")}
    assert 3 <= len(kept) < 40
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert f"40 jobs, {len(kept)} of them already finished" in done.stdout
    assert all((results / name).stat().st_mtime_ns == changed for name, changed in kept.items())
    assert len(list(results.glob("*.json"))) == 40


def test_unlearning_by_a_published_name_needs_no_study(tmp_path):
    cache = f"data.cache_dir={tmp_path / 'cache'}"
    flags = ["--published", "ResNet9/mnist/30", "--dataset", "digits", "--model", "SmallCNN", "--forget", "3"]
    done = subprocess.run(
        [*COMMAND, "unlearn", *flags, "--out", str(tmp_path / "out"), "--set", cache, "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    content = json.loads(done.stdout)
    assert content["origin"] == {"origin": "published ResNet9/mnist/30"}
    assert content["config"]["method"]["retain_fraction"] == 0.3
    unlearned = {metric["name"]: metric["unlearned"] for metric in content["metrics"]}
    assert unlearned["test/forget_accuracy"] < 0.1
    assert (tmp_path / "out" / "model.safetensors").is_file()
