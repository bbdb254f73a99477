"""A network of the user's own, given by flags, forgets single images: search, model, card, verification."""

import json

import pytest

NETWORK = """
from torch import nn


def build(n_classes, in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(384, n_classes)
    )
"""


@pytest.mark.integration
@pytest.mark.slow
def test_from_flags_to_a_verified_card(make_workplace, cache):
    place = make_workplace()
    package = place.folder / "my_package"
    package.mkdir()
    (package / "models.py").write_text(NETWORK)
    (place.folder / "ids.csv").write_text("id\n" + "\n".join(map(str, range(0, 600, 4))))
    task = ["--model", "my_package.models:build", "--data", "digits", "--forget-samples", "ids.csv"]
    few = [f"data.cache_dir={cache}", "n_trials=2", "replicates=2", "confirm_seeds=0", "tracking_uri=none"]
    few += ["split.validation_fraction=0.5", "evaluation.final=[membership, retrained]"]
    found = place.results("run", *task, *(word for value in few for word in ("--set", value)))
    assert found["directory"] == "runs/build-digits-forget-ids"
    gap = found["original"]["metrics"]["validation/forget_gap"]
    assert found["reference"][0] == max(0.1, gap)
    chosen = found["chosen"]["metrics"]
    assert chosen["validation/retain_accuracy"] > 0.8
    assert {"test/mia_loss", "test/forget_gap", "test/retrained_gap"} <= set(chosen)
    assert found["original"]["counts"]["validation/forget"] == found["original"]["counts"]["train/forget"]

    again = place.results("resume", found["directory"])
    assert again["front"] == found["front"]
    done = place.run("unlearn", "--study", found["directory"], "--out", "unlearned", "--format", "onnx")
    assert done.code == 0, done.err
    card = json.loads((place.folder / "unlearned" / "card.json").read_text())
    assert card["request"]["images"] + card["request"]["never_seen"] == 150
    metrics = {metric["name"]: metric for metric in card["metrics"]}
    assert metrics["validation/forget_accuracy"]["spread"]["n"] == 2
    assert card["spread_over"] == "the 2 seeds of the search"
    assert metrics["test/forget_gap"]["retrained"] is not None
    assert [file["file"] for file in card["files"]] == ["model.safetensors", "model.onnx"]
    verified = place.results("verify", "unlearned/card.json")
    assert verified["holds"]
