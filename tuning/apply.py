"""Unlearning for good: a configuration becomes a model file and a card of what was done. Needs no search library."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from antisample.checkpoints.checkpoint import weights_bytes, weights_fingerprint
from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.device import choose_device, describe_device
from antisample.export.card import (
    CardMetric,
    CopiesFound,
    DataFacts,
    OriginalFacts,
    RequestFacts,
    SpreadFigure,
    TimeFacts,
    UnlearningCard,
    images_of,
)
from antisample.export.card_facts import data_values, limitations, metric_limits, request_values
from antisample.export.card_file import CARD_FILES, environment_facts, now, write_card
from antisample.export.formats import EXPORT_FILES, ExportError, ExportFormat
from antisample.export.local_paths import with_relative_paths
from antisample.export.model_files import WEIGHTS_FILE, write_model
from antisample.inputs import UnlearnInputs, load_inputs, open_dataset, request_data
from antisample.metrics.retrained import reference_values
from antisample.models.original_network import build_network
from antisample.storage.atomic import check_writable
from antisample.types import EpochReport, UnlearnMetrics
from antisample.unlearning import evaluate_baselines, evaluate_finished, unlearn
from tuning.config.command_lines import shown_path
from tuning.views.terminal.progress import Progress
from tuning.worker.fingerprints import check_fingerprints, fingerprints_of

_FILES = (WEIGHTS_FILE, *EXPORT_FILES.values(), *CARD_FILES)


@dataclass(frozen=True)
class Provenance:
    """Where an unlearning comes from: what its card says of that, and what has to be as it was.

    Attributes:
        command: What repeats it; `{threads}` in it becomes the number of threads.
        origin: Where the hyperparameters come from.
        spread: Of the same hyperparameters over several seeds, by metric.
        spread_over: What the spread is over, in words.
        directory: Of the study that it comes from; None without one.
        fingerprints: What that study noted of data, splits and original model; see `check_fingerprints`.
        request_s: Worker seconds that the study of this request took in all; None without one.
        request_retrainings: The same as a multiple of one retraining; None where that is not known.
    """

    command: str
    origin: dict[str, str | int]
    spread: Mapping[str, SpreadFigure] = field(default_factory=dict)
    spread_over: str = ""
    directory: Path | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    request_s: float | None = None
    request_retrainings: float | None = None


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
        running = unlearn(config, inputs)
        running.prepare()  # what the method refuses is refused before anything is measured
        original = evaluate_finished(inputs.original.build(inputs.dataset, device), inputs, config)
        for step in running:
            values = step.metrics.values
            done = f"epoch {step.step}" if step.step else "0 epochs"
            progress.say(
                f"  {done}: validation forget {values['validation/forget_accuracy']:.1%}, "
                f"retain {values['validation/retain_accuracy']:.1%}, {step.elapsed_s:.1f} s"
            )
        environment = environment_facts(config, not_deterministic)
    files, problems = write_model(running, out, formats)
    weights = weights_fingerprint(dict(running.model.state_dict()))
    preprocessing = inputs.original.preprocessing
    card = UnlearningCard(
        created=now(),
        request=RequestFacts(**request_values(config, inputs), copies=CopiesFound.of(inputs.splits)),
        data=DataFacts(**data_values(inputs)),
        original=OriginalFacts(
            fingerprint=inputs.original.fingerprint,
            mean=preprocessing.mean,
            std=preprocessing.std,
            initial_weights=inputs.original.initial.origin,
            notes=inputs.original.notes,
        ),
        origin=provenance.origin,
        seed=config.seed,
        config=config,
        fingerprint=weights,
        files=files,
        metrics=_metrics(inputs, config, original, step, provenance),
        spread_over=provenance.spread_over,
        limitations=limitations(config, inputs),
        time=TimeFacts(
            unlearning_s=step.elapsed_s + sum(table.elapsed_s for table in inputs.neighbours.values()),
            evaluation_s=step.evaluation_s,
            retraining_s=inputs.reference.elapsed_s if inputs.reference is not None else None,
            request_s=provenance.request_s,
            request_retrainings=provenance.request_retrainings,
        ),
        environment=environment,
        folder=os.path.relpath(Path.cwd(), out.resolve()),
        command=provenance.command.replace("{threads}", str(environment.threads)),
    )
    write_card(out, card)
    counts = step.metrics.counts
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


def _metrics(
    inputs: UnlearnInputs, config: UnlearnConfig, original: UnlearnMetrics, last: EpochReport, provenance: Provenance
) -> tuple[CardMetric, ...]:
    reference = reference_values(inputs.reference, inputs.splits, config.evaluation)
    baselines = {name: measured.values for name, measured in evaluate_baselines(inputs, config).items()}
    counts = last.metrics.counts
    limits = metric_limits(last.metrics.values, counts)
    return tuple(
        CardMetric(
            name=name,
            images=images_of(name, counts),
            original=original.values[name],
            unlearned=value,
            retrained=reference.get(name),
            mask=baselines.get("mask", {}).get(name),
            untrained=baselines["untrained"].get(name),
            spread=provenance.spread.get(name),
            limits=limits.get(name),
        )
        for name, value in last.metrics.values.items()
    )
