"""Unlearning for good: a configuration becomes a model file and a card of what was done. Needs no search library."""

import os
from collections.abc import Sequence
from pathlib import Path

from antisample.checkpoints.checkpoint import weights_bytes
from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.device import choose_device, describe_device
from antisample.export.card import UnlearningCard
from antisample.export.card_file import CARD_FILES, write_card
from antisample.export.formats import EXPORT_FILES, ExportError, ExportFormat
from antisample.export.local_paths import with_relative_paths
from antisample.export.model_files import WEIGHTS_FILE, write_model
from antisample.export.unlearned import Provenance, finish_unlearning, unlearning_card
from antisample.inputs import load_inputs, open_dataset, request_data
from antisample.models.original_network import build_network
from antisample.storage.atomic import check_writable
from antisample.types import EpochReport
from tuning.config.command_lines import shown_path
from tuning.views.terminal.progress import Progress
from tuning.worker.fingerprints import check_fingerprints, fingerprints_of

__all__ = ["Provenance", "apply_config"]

_FILES = (WEIGHTS_FILE, *EXPORT_FILES.values(), *CARD_FILES)


def apply_config(
    config: UnlearnConfig,
    out: Path,
    progress: Progress,
    provenance: Provenance,
    formats: Sequence[ExportFormat] = (),
    threads: int | None = None,
) -> UnlearningCard:
    """Unlearns, repeatably, and writes `model.safetensors`, what else is asked for, `card.json` and `card.md`.

    Args:
        config: What to forget from which model, and how.
        out: The folder to write to; made if missing.
        progress: Told about each epoch.
        provenance: Where this comes from, for the card.
        formats: Formats that the model is written in besides.
        threads: Threads of the processor; by default as many as torch takes.

    Returns:
        The card.

    Raises:
        AntisampleError: If the configuration does not fit the data; data, splits or original model are not those of
            the study; the folder cannot be written; or the model cannot be written in a format: in the last case the
            card is there, and names what could be written.
    """
    config = with_relative_paths(config, Path.cwd())
    device = choose_device(config.device)
    check_writable(out, _FILES)
    with deterministic(threads) as not_deterministic:
        data = request_data(config, open_dataset(config.data, config.split, config.after), progress)
        progress.data_loaded([data])
        untrained = build_network(config.model, data.dataset).state_dict()
        check_writable(out, n_bytes=(1 + len(formats)) * weights_bytes(untrained))
        inputs = load_inputs(config, progress, data)
        if provenance.directory is not None:
            check_fingerprints(provenance.directory, provenance.fingerprints, fingerprints_of((inputs,)))
        progress.say(f"Unlearning with {config.method.name} on {describe_device(device)}")
        finished = finish_unlearning(config, inputs, not_deterministic, lambda step: progress.say(_describe(step)))
    files, problems = write_model(finished.running, out, formats)
    card = unlearning_card(finished, provenance, files, folder=os.path.relpath(Path.cwd(), out.resolve()))
    values, counts = finished.last.metrics.values, finished.last.metrics.counts
    write_card(out, card)
    progress.say(
        f"Test: forget {values['test/forget_accuracy']:.2%} of {counts['test/forget']} images, "
        f"retain {values['test/retain_accuracy']:.2%} of {counts['test/retain']} images"
    )
    for file in files:
        progress.say(f"Model: {shown_path(out / file.file)}")
    progress.say(f"Card:  {shown_path(out / 'card.md')}, {shown_path(out / 'card.json')}")
    if problems:
        raise ExportError(" ".join(problems))
    return card


def _describe(step: EpochReport) -> str:
    values = step.metrics.values
    done = f"epoch {step.step}" if step.step else "0 epochs"
    return (
        f"  {done}: validation forget {values['validation/forget_accuracy']:.1%}, "
        f"retain {values['validation/retain_accuracy']:.1%}, {step.elapsed_s:.1f} s"
    )
