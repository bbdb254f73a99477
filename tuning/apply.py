"""Applying a trial: the search's answer becomes a model file and a record of what was done."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from antisample.checkpoint import Checkpoint, save_checkpoint
from antisample.config import UnlearnConfig
from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError
from antisample.files import check_writable, whole_file
from antisample.splits import ForgetRequest
from antisample.unlearning import evaluate_finished, load_inputs, unlearn
from tuning.display import shown_path
from tuning.outcome import find_outcome
from tuning.progress import Progress
from tuning.records import TrialRecord
from tuning.study_view import StudyView


def find_trial(study: StudyView, which: str) -> TrialRecord:
    """A finished trial.

    Args:
        study: Where to look.
        which: `best` for the chosen trial, or a number.

    Raises:
        ConfigError: If there is none; the finished ones are listed.
    """
    if which == "best":
        chosen = find_outcome(study).chosen
        if chosen is None:
            raise ConfigError(f"`--trial best`: {study.config.directory} has no finished trial yet.")
        return chosen
    finished = {str(record.number): record for record in study.records() if record.state == "COMPLETE"}
    if which not in finished:
        raise ConfigError(
            f"`--trial` must be best or finished ({', '.join(finished) or 'none is yet'}), but got {which!r}."
        )
    return finished[which]


def apply_trial(
    study: StudyView, record: TrialRecord, request: ForgetRequest, out: Path, progress: Progress
) -> dict[str, Any]:
    """Unlearns with a trial's hyperparameters, and writes `model.safetensors` and `unlearning.json`.

    The seed is that of the trial's first replicate of the request, so the result is one that the study has seen; a
    request that the study has not takes the trial's first seed.

    Args:
        study: The study of the trial.
        record: The trial.
        request: What to forget.
        out: The folder to write to; made if missing.
        progress: Told about each epoch.

    Returns:
        What `unlearning.json` holds, and the path of the model.

    Raises:
        DataError: If the folder cannot be written.
    """
    known = [request.in_words() for request in study.config.forget]
    position = known.index(request.in_words()) if request.in_words() in known else 0
    config = study.config.unlearn_config(record.params, record.seeds[position], position)
    config = config.model_copy(update={"forget": request})
    origin = {"study": study.config.name, "trial": record.number, "seed": config.seed}
    progress.say(f"Applying trial {record.number} ({record.origin})")
    return apply_config(config, out, progress, origin)


def apply_config(config: UnlearnConfig, out: Path, progress: Progress, origin: dict[str, Any]) -> dict[str, Any]:
    """Unlearns and writes `model.safetensors` and `unlearning.json`.

    Args:
        config: What to forget from which model, and how.
        out: The folder to write to; made if missing.
        progress: Told about each epoch.
        origin: Where the hyperparameters come from, for the record.

    Returns:
        What `unlearning.json` holds, and the path of the model.

    Raises:
        AntisampleError: If the configuration does not fit the data, or the folder cannot be written.
    """
    device = choose_device(config.device)
    check_writable(out)
    inputs = load_inputs(config, progress.training_epoch, progress.reference_epoch)
    progress.say(f"Unlearning with {config.method.name} on {describe_device(device)}")
    original = evaluate_finished(inputs.original.build(inputs.dataset, device), inputs, config)
    running = unlearn(config, inputs)
    for step in running:
        values = step.metrics.values
        progress.say(
            f"  epoch {step.step}: validation forget {values['validation/forget_accuracy']:.1%}, "
            f"retain {values['validation/retain_accuracy']:.1%}, {step.elapsed_s:.1f} s"
        )
    path = out / "model.safetensors"
    content = {
        **origin,
        "config": config.model_dump(mode="json"),
        "original": {"fingerprint": inputs.original.fingerprint, "metrics": original.values},
        "unlearned": asdict(step.metrics),
        "elapsed_s": step.elapsed_s,
    }
    if inputs.reference is not None:
        content["retrain_ratio"] = step.elapsed_s / inputs.reference.elapsed_s
    preprocessing = inputs.original.preprocessing
    metadata = {
        "model": config.model.name,
        "mean": json.dumps(preprocessing.mean),
        "std": json.dumps(preprocessing.std),
        "unlearning": json.dumps(content["config"]),
    }
    save_checkpoint(path, Checkpoint(dict(running.model.state_dict()), metadata))
    with whole_file(out / "unlearning.json") as unfinished:
        unfinished.write_text(json.dumps(content, indent=2))
    counts = step.metrics.counts
    progress.say(
        f"Test: forget {values['test/forget_accuracy']:.2%} of {counts['test/forget']} images, "
        f"retain {values['test/retain_accuracy']:.2%} of {counts['test/retain']} images"
    )
    progress.say(f"Model: {shown_path(path)}")
    return {"model": str(path), **content}
