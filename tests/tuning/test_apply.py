"""Applying a trial of a study: what is done once more is what the trial did."""

import json
import sys
from pathlib import Path

import pytest

from antisample.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from antisample.config import UnlearnConfig
from antisample.data.forget_request import ForgetRequest
from antisample.errors import DataError
from antisample.export.card_file import read_card
from antisample.export.verification.verify import verify_card
from tuning.applied_trial import trial_config
from tuning.apply import Provenance, apply_config
from tuning.config.loading import parse_study
from tuning.study.attributes import FINGERPRINTS
from tuning.views.terminal.progress import Progress


@pytest.fixture
def halved(config, make_study, metrics):
    """A trial whose batch was halved twice, and one whose batch never was."""
    study = make_study(config)
    for key, halvings in enumerate((2, 0)):
        study.ask(str(key))
        study.complete(str(key), metrics(0.0, 0.8), {}, batch_halvings=halvings)
    return study


def test_a_trial_is_applied_with_the_batch_that_it_ended_with(halved):
    request = halved.config.forget[0]
    smaller, whole = (trial_config(halved, record, request, "")[0] for record in halved.records())
    assert (smaller.method.batch_size, whole.method.batch_size) == (32, 128)
    assert (smaller.evaluation.batch_size, whole.evaluation.batch_size) == (125, None)


@pytest.fixture
def apply(values, digits_config, digits_inputs, make_study, metrics, tmp_path):
    """Applies the trial of a study of two requests, which has noted something else than there is now."""
    config = parse_study(
        {
            **values,
            "data": digits_config.data.model_dump(mode="json"),
            "model": digits_config.model.model_dump(mode="json"),
            "forget": [{"classes": [3]}, {"classes": [0, 1]}],
            "published": [],
            "fixed": {"epochs": 1},
            "evaluation": {"final": []},
            "device": "cpu",
        }
    )
    study = make_study(config)
    study.ask("a")
    study.complete("a", metrics(0.0, 0.8), {})
    now = {
        "data": digits_inputs.dataset.fingerprint,
        "splits": f"{digits_inputs.splits.fingerprint},other",
        "model": digits_inputs.original.fingerprint,
    }

    def go(*classes, **noted):
        study.note(FINGERPRINTS, {**now, **noted})
        (record,) = study.records()
        found, provenance = trial_config(study, record, ForgetRequest(classes=classes), "")
        apply_config(found, tmp_path / "out", Progress(quiet=True), provenance)

    return go


def test_a_trial_is_not_applied_to_other_data_or_another_model_than_its_studys(apply, tmp_path):
    with pytest.raises(DataError, match="made: changed since the study was started: model"):
        apply(3, model="other")
    with pytest.raises(DataError, match="changed since the study was started: data and model"):
        apply(3, data="other", model="other")
    with pytest.raises(DataError, match="started: splits"):
        apply(0, 1)
    assert not (tmp_path / "out").exists()


def test_the_splits_of_other_requests_do_not_matter_to_a_trial_that_is_applied(apply, tmp_path):
    apply(3)
    assert (tmp_path / "out" / "card.json").is_file()


def test_a_request_that_the_study_has_not_is_compared_with_nothing(apply, tmp_path):
    apply(5, model="other")
    assert (tmp_path / "out" / "card.json").is_file()


@pytest.mark.parametrize(("network", "is_named"), [("Biased", False), ("Biasless", True)])
def test_a_masked_model_is_verified_and_so_is_what_its_file_says_of_the_mask(
    digits_config, monkeypatch, tmp_path, network, is_named
):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "antisample" / "methods")
    model = {"name": f"networks_with_heads:{network}", "recipe": {"epochs": 3}, "accept_original": True}
    values = {**digits_config.model_dump(mode="json"), "method": {"name": "mask"}, "model": model}
    config = UnlearnConfig.parse({**values, "evaluation": {"final": []}})
    out = tmp_path / "out"
    apply_config(config, out, Progress(quiet=True), Provenance("antisample unlearn", {}))
    sys.modules.pop("networks_with_heads")
    verification = verify_card(read_card(out / "card.json"), out, repeat=True)
    assert verification.holds, [check for check in verification.checks if not check.holds]
    said = [check.stated for check in verification.checks if check.what == "masked classes in the model file"]
    assert len(said) == is_named
    checkpoint = load_checkpoint(out / "model.safetensors")
    assert checkpoint.metadata.get("masked_classes") == ("[3]" if is_named else None)
    checkpoint.metadata["masked_classes"] = json.dumps([4])
    save_checkpoint(out / "model.safetensors", checkpoint)
    failed = {check.what for check in verify_card(read_card(out / "card.json"), out).checks if not check.holds}
    assert failed == {"masked classes in the model file", "file model.safetensors"}
