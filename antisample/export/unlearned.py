"""An unlearning that is done: what it was measured to be, and the card that states it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from antisample.checkpoints.checkpoint import weights_fingerprint
from antisample.config import UnlearnConfig
from antisample.device import choose_device
from antisample.export.card import UnlearningCard, images_of
from antisample.export.card_facts import data_values, limitations, metric_limits, request_values
from antisample.export.card_file import environment_facts, now
from antisample.export.card_parts import (
    CardMetric,
    CopiesFound,
    DataFacts,
    EnvironmentFacts,
    ModelFile,
    OriginalFacts,
    RequestFacts,
    SpreadFigure,
    TimeFacts,
)
from antisample.inputs import UnlearnInputs
from antisample.metrics.retrained import reference_values
from antisample.types import EpochReport, UnlearnMetrics
from antisample.unlearning import Unlearning, evaluate_baselines, evaluate_finished, unlearn


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


@dataclass(frozen=True)
class FinishedUnlearning:
    """An unlearning at its end.

    Attributes:
        running: The unlearning; its model is the unlearned one.
        original: What the original was measured to be, by the same families.
        last: The last report.
        environment: Where it was done.
    """

    running: Unlearning
    original: UnlearnMetrics
    last: EpochReport
    environment: EnvironmentFacts

    def metrics(self, provenance: Provenance) -> tuple[CardMetric, ...]:
        """Every figure, beside that of the original and of what a result is held against."""
        inputs, config, last = self.running.inputs, self.running.config, self.last
        reference = reference_values(inputs.reference, inputs.splits, config.evaluation)
        baselines = {name: measured.values for name, measured in evaluate_baselines(inputs, config).items()}
        counts = last.metrics.counts
        limits = metric_limits(last.metrics.values, counts)
        return tuple(
            CardMetric(
                name=name,
                images=images_of(name, counts),
                original=self.original.values[name],
                unlearned=value,
                retrained=reference.get(name),
                mask=baselines.get("mask", {}).get(name),
                untrained=baselines["untrained"].get(name),
                spread=provenance.spread.get(name),
                limits=limits.get(name),
            )
            for name, value in last.metrics.values.items()
        )


def finish_unlearning(
    config: UnlearnConfig,
    inputs: UnlearnInputs,
    not_deterministic: list[str],
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
) -> FinishedUnlearning:
    """Unlearns to the end and measures the original.

    Args:
        config: What to forget from which model, and how.
        inputs: Of `load_inputs`.
        not_deterministic: Of the `deterministic` block that this is called in.
        on_epoch: Is told each report.
    """
    running = unlearn(config, inputs)
    running.prepare()  # what the method refuses is refused before anything is measured
    device = choose_device(config.device)
    original = evaluate_finished(inputs.original.build(inputs.dataset, device), inputs, config)
    for last in running:
        on_epoch(last)
    return FinishedUnlearning(running, original, last, environment_facts(config, not_deterministic))


def unlearning_card(
    finished: FinishedUnlearning,
    provenance: Provenance,
    files: tuple[ModelFile, ...],
    metrics: tuple[CardMetric, ...] | None = None,
    folder: str = ".",
) -> UnlearningCard:
    """The card of an unlearning.

    Args:
        finished: The unlearning.
        provenance: Where it comes from.
        files: What holds the model.
        metrics: Of `FinishedUnlearning.metrics`, where they are known already.
        folder: Where the command was given, as seen from the card.
    """
    running, last, environment = finished.running, finished.last, finished.environment
    config, inputs = running.config, running.inputs
    preprocessing = inputs.original.preprocessing
    return UnlearningCard(
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
        fingerprint=weights_fingerprint(dict(running.model.state_dict())),
        files=files,
        metrics=finished.metrics(provenance) if metrics is None else metrics,
        spread_over=provenance.spread_over,
        limitations=limitations(config, inputs),
        time=TimeFacts(
            unlearning_s=last.elapsed_s + sum(table.elapsed_s for table in inputs.neighbours.values()),
            evaluation_s=last.evaluation_s,
            retraining_s=inputs.reference.elapsed_s if inputs.reference is not None else None,
            request_s=provenance.request_s,
            request_retrainings=provenance.request_retrainings,
        ),
        environment=environment,
        folder=folder,
        command=provenance.command.replace("{threads}", str(environment.threads)),
    )
