"""A study whose trials are made up: pages are tested without searching."""

import json
import math
import random
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from tuning.config.loading import parse_study
from tuning.study.attributes import (
    BASELINES,
    CLASS_NAMES,
    COMMAND,
    CONFUSIONS,
    CREATED_MS,
    ENVIRONMENT,
    FINGERPRINTS,
    FORGET_REQUESTS,
    GALLERIES,
    ID,
    IMAGES,
    ORIGINAL,
    ORIGINAL_COUNTS,
    RETRAINING,
)
from tuning.study.confusions import ORIGINAL_MODEL
from tuning.study.history import record_search_end
from tuning.study.outcome import find_outcome
from tuning.study.pictures import PICTURE_ROWS, image_file, picture_file
from tuning.study.study import Study
from tuning.views.projections import write_projections

COUNTS = {
    f"{part}/{kind}": factor * count
    for part, factor in (("validation", 1), ("test", 2), ("train", 8))
    for kind, count in (("forget", 29), ("retain", 250))
}


def record_study(runs_dir: Path, trials: int) -> Study:
    """Writes a study of ten classes with finished, stopped and failed trials on two workers, and its views."""
    config = parse_study(
        {
            "name": "recorded",
            "runs_dir": str(runs_dir),
            "memory": "none",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN"},
            "forget": {"classes": [3]},
            "published": ["ResNet9/mnist/100"],
            "sampler": "random",
            "n_trials": trials,
            "max_failures": trials,
            "fidelity": {"attribute": "epochs", "min": 3, "reduction_factor": 2},
            "fixed": {"epochs": 9},
            "constraints": [{"metric": "validation/retain_accuracy", "at_least": 0.87}],
        }
    )
    config.directory.mkdir(parents=True)
    study, rng = Study(config), random.Random(1)
    (config.directory / "study.yaml").write_text(config.to_yaml())  # once it is there, a journal is expected
    study.note(ID, "0123456789abcdef0123456789abcdef")
    study.note(CREATED_MS, 1_700_000_000_000)
    original = _metrics(rng, 0.97, 0.975)
    study.note(ORIGINAL, original | _depth(original, 1.0))
    study.note(
        BASELINES,
        {
            name: original | {"validation/forget_accuracy": 0.0} | _depth(original, left)
            for name, left in (("mask", 1.0), ("reference", 0.45))
        },
    )
    study.note(RETRAINING, {"epochs": 12, "retain_images": 1000, "seconds": 3.0})
    study.note(ORIGINAL_COUNTS, COUNTS)
    study.note(CLASS_NAMES, [str(digit) for digit in range(10)])
    study.note(FORGET_REQUESTS, [[3]])
    study.note(FINGERPRINTS, {"data": "ab" * 16})
    study.note(IMAGES, {"train": 1437, "test": 360})
    study.note(COMMAND, "antisample run studies/recorded.yaml")
    study.note(ENVIRONMENT, {"python": "3.11", "device": "CPU"})
    for index in range(trials):
        _run_trial(study, rng, f"key{index}", index)
    _look_inside(study)
    record_search_end(study, write_projections(study))
    return study


def _metrics(rng: random.Random, forget: float, retain: float) -> dict[str, float]:
    values = {}
    for part in ("validation", "test", "train"):
        noise = rng.gauss(0, 0.004)
        values |= {
            f"{part}/forget_accuracy": min(1.0, max(0.0, round((forget + noise) * 29) / 29)),
            f"{part}/retain_accuracy": min(1.0, max(0.0, retain + noise)),
            f"{part}/forget_confidence": min(1.0, max(0.001, 0.4 * forget + abs(noise))),
        }
    return values


def _depth(metrics: dict[str, float], left: float) -> dict[str, float]:
    """What is known of a network at its end alone."""
    return {
        "validation/probe_left": left,
        "validation/probe_error": 0.02,
        "validation/probe_forget": 0.5 + left / 2,
        "validation/probe_gap": 0.05 * left,
        "validation/mask_drop": 0.975 - metrics["validation/retain_accuracy"],
        "validation/mask_drop_error": 0.01,
        **{f"validation/relearn_{n}": 1 - (1 - left) * 0.9**n for n in (0, 8, 32, 64)},
    }


def _run_trial(study: Study, rng: random.Random, key: str, index: int) -> None:
    record = study.ask(key)
    if record is None:
        return
    strength = math.log(record.params["unlearn_scale_lr"] / 0.1) / math.log(60)
    metrics: dict[str, float] = {}
    for epoch in range(1, 10):
        metrics = _metrics(rng, max(0.0, 0.9 - strength * epoch / 5), 0.97 - 0.02 * strength**2 * epoch)
        if epoch == 9:
            metrics |= _depth(metrics, 1.0 - strength / 2)
        content = {"elapsed_s": 0.02 * epoch, "evaluation_s": 0.01 * epoch, "train_loss": 0.3, "metrics": metrics}
        worker = f"host/{index % 2 + (index % 7 == 3 and epoch > 4)}"
        if not study.report(key, content | {"step": epoch, "replicate": 0, "worker": worker}):
            return
        if index % 11 == 5 and epoch == 3:
            study.fail(key, "DivergedError: the loss is not finite.")
            return
    study.complete(key, metrics, COUNTS, worker="host/1", versions={"antisample": "0.1.0"})


def _look_inside(study: Study) -> None:
    chosen = find_outcome(study).chosen
    if chosen is None:
        raise RuntimeError(json.dumps([record.state for record in study.records()]))
    before = [(c, c, 36) for c in range(10)]
    after = [*((c, c, 36) for c in range(10) if c != 3), (3, 8, 30), (3, 5, 6)]
    study.note(CONFUSIONS, {ORIGINAL_MODEL: before, str(chosen.number): after})
    pixels = np.random.default_rng(0).integers(0, 255, (len(PICTURE_ROWS), 8, 78, 4), dtype=np.uint8)
    for place, strip in enumerate(pixels):
        path = picture_file(study, chosen, 3, place)
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(strip).save(path)
    digits = load_digits()
    groups = {"recognised": ((3, 3, 0.91), (3, 3, 0.62)), "lost": ((8, 3, 0.97), (9, 7, 0.88), (2, 1, 0.51))}
    for group, images in groups.items():
        for place, (true, _, _) in enumerate(images):
            shades = 16 * digits.images[digits.target == true][place].clip(0, 15)
            Image.fromarray(shades.astype(np.uint8)).save(image_file(study, chosen, group, place))
    judged = {
        group: [{"true": t, "predicted": p, "probability": share} for t, p, share in images]
        for group, images in groups.items()
    }
    counts = {"n_recognised": 2, "n_forget": 58, "n_lost": 3, "n_right_before": 480}
    study.note(GALLERIES, {str(chosen.number): {**judged, **counts}})
