"""`antisample unlearn` writes a model and a card of it; `antisample verify` holds the card against the model."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, weights_fingerprint
from antisample.export.card import UnlearningCard
from antisample.export.card_file import read_card
from antisample.models import build_model
from tuning import cli

RECIPE = ["--set", "model.recipe.epochs=6", "--set", "model.recipe.batch_size=64", "--set", "method.epochs=2"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unlearned(folder, cache_dir, *arguments):
    """The folder of a card that `antisample unlearn` wrote, called in `folder`."""
    words = ["--dataset", "digits", "--model", "SmallCNN", "--forget", "3", "--seed", "4", *RECIPE, *arguments]
    words += ["--set", f"data.cache_dir={cache_dir}", "--out", "out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["antisample", "unlearn", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return folder / "out"


@pytest.fixture(scope="module")
def original_card(tmp_path_factory, cache_dir):
    return unlearned(tmp_path_factory.mktemp("made"), cache_dir)


@pytest.fixture
def made(original_card, place):
    """A model that forgot the digit 3, with its card; test_verify.py has cards with every family of metrics."""
    return Path(shutil.copytree(original_card, place / "out"))


def changed(card_file, change):
    values = json.loads(card_file.read_text())
    change(values)
    card_file.write_text(json.dumps(values))


def test_the_card_holds_what_was_done_and_what_came_of_it(place, cache_dir):
    made = unlearned(place, cache_dir, "--set", "evaluation.final=[membership, retrained]")
    card = read_card(made / "card.json")
    assert (card.request.in_words, card.request.classes, card.seed) == ("3", ("3",), 4)
    assert card.config.method.model_dump()["epochs"] == 2
    assert card.fingerprint == weights_fingerprint(load_checkpoint(made / "model.safetensors").state_dict)
    metrics = {metric.name: metric for metric in card.metrics}
    forget = metrics["test/forget_accuracy"]
    assert forget.original > 0.9
    assert forget.unlearned < 0.3
    assert (forget.retrained, forget.images) == (0.0, 37)
    assert metrics["test/mia_loss"].retrained is not None
    assert card.time.retraining_s is not None
    assert card.time.request_s is None, "there was no study"
    assert card.environment.not_deterministic == ()
    text = (made / "card.md").read_text()
    for part in (card.fingerprint, card.command, "| retain accuracy | 323 |", "unlearn_scale_lr: 1.6"):
        assert part in text
    assert UnlearningCard.model_json_schema()["properties"]["metrics"]


def test_a_true_card_holds_and_a_changed_one_does_not(call, made):
    code, out, err = call("verify", made / "card.json", "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["holds"]
    assert len(answer["checks"]) > 30
    changed(made / "card.json", lambda card: card["metrics"][0].update(unlearned=0.5))
    code, out, _ = call("verify", made / "card.json", "--json")
    assert code == 1
    failed = [check["what"] for check in json.loads(out)["checks"] if not check["holds"]]
    assert failed[0] == "unlearned validation/forget_accuracy"
    assert [what.partition(" line ")[0] for what in failed[1:]] == ["card.md"]
    code, out, _ = call("verify", made / "card.json")
    assert code == 1
    assert re.search(r"^\d+ statements hold, 2 differ, \d+ stated but not checked\.$", out.splitlines()[-1])
    assert read_card(made / "card.json").fingerprint in out


def test_another_model_beside_the_card_is_found_out(call, made):
    torch.manual_seed(0)
    other = build_model("SmallCNN", 10, 1).state_dict()
    save_checkpoint(made / "model.safetensors", Checkpoint(dict(other)))
    code, out, _ = call("verify", made / "card.json", "--json")
    assert code == 1
    failed = {check["what"] for check in json.loads(out)["checks"] if not check["holds"]}
    assert {"file model.safetensors", "weights fingerprint", "unlearned test/retain_accuracy"} <= failed
    assert "original test/retain_accuracy" not in failed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "card.json").write_text("{"), "not readable as JSON"),
        (lambda folder: changed(folder / "card.json", lambda card: card.pop("seed")), "`seed` is required"),
        (lambda folder: changed(folder / "card.json", lambda c: c["files"][0].update(file="../x")), "files.0.file"),
        (lambda folder: (folder / "card.json").write_text("[" * 100_000), "not readable as JSON"),
        (
            lambda folder: changed(folder / "card.json", lambda c: c["files"][0].update(sha256="ab12")),
            "files.0.sha256",
        ),
        (lambda folder: changed(folder / "card.json", lambda c: c.update(fingerprint="")), "`fingerprint`"),
        (
            lambda folder: changed(folder / "card.json", lambda c: c["data"].update(fingerprint="x" * 32)),
            "`data.fing",
        ),
        (
            lambda folder: changed(folder / "card.json", lambda c: c["original"].update(std=[0])),
            "`original.std` must be from 1e-08 to 1",
        ),
        (
            lambda folder: changed(folder / "card.json", lambda c: c["original"].update(mean=[123.7])),
            "`original.mean` must be of pixels scaled to [0, 1], but got [123.7]",
        ),
        (
            lambda folder: changed(folder / "card.json", lambda c: c["original"].update(mean=[0.5, 0.5])),
            "but got 2 and 1",
        ),
        (
            lambda folder: changed(folder / "card.json", lambda c: c["environment"].update(threads=0)),
            "`environment.thr",
        ),
        (lambda folder: (folder / "card.json").unlink(), "cannot be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), "does not exist"),
    ],
)
def test_what_is_no_card_with_its_model_is_a_mistake(call, made, spoil, message):
    spoil(made)
    code, out, err = call("verify", made / "card.json")
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err


@pytest.mark.integration
@pytest.mark.integration
def test_the_cards_command_gives_the_same_file_bit_for_bit(call, place):
    """In a process of its own that by itself would use other threads, and that trains the original model again."""
    arguments = ["--dataset", "digits", "--model", "SmallCNN", "--forget", "3", "--seed", "4", *RECIPE]
    code, _, err = call("unlearn", *arguments, "--set", "data.cache_dir=a cache", "--out", "an answer")
    assert code == 0, err
    first, model = read_card(Path("an answer/card.json")), Path("an answer/model.safetensors").read_bytes()
    shutil.rmtree("an answer")
    shutil.rmtree("a cache")
    program = [sys.executable, "-c", "from tuning.cli import main; main()", *shlex.split(first.command)[1:]]
    environment = {**os.environ, "OMP_NUM_THREADS": str(first.environment.threads + 1)}
    done = subprocess.run(program, check=False, env=environment, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = read_card(Path("an answer/card.json"))
    assert Path("an answer/model.safetensors").read_bytes() == model
    assert again.original.fingerprint == first.original.fingerprint
    assert again.environment == first.environment
    assert [metric.unlearned for metric in again.metrics] == [metric.unlearned for metric in first.metrics]


def test_a_format_is_written_checked_and_named_in_the_card(call, place, cache_dir):
    arguments = ["--dataset", "digits", "--model", "SmallCNN", "--forget", "3", *RECIPE]
    arguments += ["--set", f"data.cache_dir={cache_dir}", "--out", "out"]
    code, _, err = call("unlearn", *arguments, "--format", "torch.export")
    assert code == 0, err
    files = read_card(Path("out/card.json")).files
    assert [(file.file, file.format) for file in files] == [
        ("model.safetensors", "safetensors"),
        ("model.pt2", "torch.export"),
    ]
    assert files[1].largest_difference is not None
    assert files[1].largest_difference < 1e-5
    Path("out/model.pt2").write_bytes(b"another")
    code, out, _ = call("verify", "out/card.json", "--json")
    assert code == 1
    assert [check["what"] for check in json.loads(out)["checks"] if not check["holds"]] == ["file model.pt2"]
    assert call("unlearn", *arguments)[0] == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["card.json", "card.md", "model.safetensors"]
