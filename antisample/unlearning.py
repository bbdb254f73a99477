"""One unlearning: `unlearn(config)` yields a report an epoch and leaves the unlearned model."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any, NamedTuple

from torch import nn

from antisample.config import UnlearnConfig
from antisample.device import choose_device
from antisample.inputs import UnlearnInputs, load_inputs, reference_trainings
from antisample.methods import UnlearnContext, find_method
from antisample.metrics import PARTS, EvaluationSubject, Predictions, evaluate, needing_reference
from antisample.metrics.mask import masked
from antisample.metrics.prediction_cache import kept_predictions
from antisample.metrics.probe import untrained_network
from antisample.types import EpochReport, SplitName, UnlearnMetrics


class Measures(NamedTuple):
    """By what a finished model is measured.

    Attributes:
        parts: Splits; each metric family is computed on those of them that it is defined on.
        families: Metric families.
    """

    parts: tuple[SplitName, ...]
    families: tuple[str, ...]


class Unlearning(Iterator[EpochReport]):
    """An unlearning under way: iterate for a report an epoch; `model` is the network as it is now.

    A method without epochs gives one report, of step 0: what it does is preparation.

    Preparation (generating anti-samples, say) happens at the first `next`. Every report holds validation metrics;
    the last one holds train and test metrics too, which nothing before it can see.

    Args:
        config: What to do.
        inputs: Shared inputs; loaded from `config` if None.
        measures: By what the finished model is measured; everything that `config.evaluation` asks for if None.
    """

    def __init__(
        self, config: UnlearnConfig, inputs: UnlearnInputs | None = None, measures: Measures | None = None
    ) -> None:
        self.config, self._measures = config, measures
        self.inputs = inputs if inputs is not None else load_inputs(config)
        self._run: Any = None
        self._elapsed_s = self._evaluation_s = 0.0
        self._is_reported = False

    @property
    def model(self) -> nn.Module:
        """The network after the last finished epoch, on the device."""
        return self._prepared().model  # type: ignore[no-any-return]

    def prepare(self) -> None:
        """Does what comes before the first epoch, which otherwise happens at the first `next`."""
        self._prepared()

    def __next__(self) -> EpochReport:
        """Does one epoch and evaluates.

        Returns:
            The report of the epoch; of a method without epochs, the one report that there is.

        Raises:
            StopIteration: After the last epoch.
            DivergedError: If loss or metrics are not finite.
        """
        run = self._prepared()
        is_edited = run.epochs == 0 and not self._is_reported
        if run.epochs_done >= run.epochs and not is_edited:
            raise StopIteration
        started = time.perf_counter()
        loss = 0.0 if is_edited else run.run_epoch()
        self._elapsed_s += time.perf_counter() - started
        self._is_reported = True
        last = run.epochs_done >= run.epochs
        started = time.perf_counter()
        metrics = self._evaluate_last(run.model) if last else self._evaluate(run.model)
        self._evaluation_s += time.perf_counter() - started
        return EpochReport(run.epochs_done, last, self._elapsed_s, self._evaluation_s, loss, metrics)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to continue after the last finished epoch."""
        return {
            "run": self._prepared().state_dict(),
            "elapsed_s": self._elapsed_s,
            "evaluation_s": self._evaluation_s,
            "is_reported": self._is_reported,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a state saved under the same configuration."""
        self._prepared().load_state_dict(state["run"])
        self._elapsed_s, self._evaluation_s = state["elapsed_s"], state["evaluation_s"]
        self._is_reported = state.get("is_reported", True)

    def _prepared(self) -> Any:
        if self._run is None:
            started = time.perf_counter()
            context = UnlearnContext(
                self.inputs.dataset,
                self.inputs.splits,
                self.inputs.original,
                choose_device(self.config.device),
                self.config.seed,
                self.config.precision,
                self.inputs.neighbours,
            )
            self._run = find_method(self.config.method.name).prepare(context, self.config.method)
            self._elapsed_s += time.perf_counter() - started
        return self._run

    def _evaluate_last(self, model: nn.Module) -> UnlearnMetrics:
        if self._measures is None:
            return evaluate_finished(model, self.inputs, self.config)
        families = [name for name in self.inputs.families(self.config) if name in self._measures.families]
        return evaluate(subject_of(model, self.inputs, self.config), self._measures.parts, families)

    def _evaluate(self, model: nn.Module) -> UnlearnMetrics:
        return evaluate(subject_of(model, self.inputs, self.config), ("validation",))


def subject_of(model: nn.Module, inputs: UnlearnInputs, config: UnlearnConfig) -> EvaluationSubject:
    """A model as the subject of metrics."""
    known: dict[SplitName, Predictions] = {}
    if inputs.original_validation is not None:
        known["validation"] = inputs.original_validation
    return EvaluationSubject(
        model,
        inputs.dataset,
        inputs.splits,
        inputs.original,
        config.evaluation,
        inputs.reference,
        probe=inputs.probe,
        original_known=known,
        other_references=inputs.references[1:],
        original_features=inputs.original_features,
    )


def evaluate_finished(model: nn.Module, inputs: UnlearnInputs, config: UnlearnConfig) -> UnlearnMetrics:
    """Measures a finished model by everything that `config.evaluation` asks for, on every part."""
    return evaluate(subject_of(model, inputs, config), PARTS, inputs.families(config))


def evaluate_original(inputs: UnlearnInputs, config: UnlearnConfig) -> UnlearnMetrics:
    """Measures the original as `evaluate_finished` does, by predictions and probes that are kept in the cache."""
    subject = subject_of(inputs.original.build(inputs.dataset, choose_device(config.device)), inputs, config)
    if inputs.original_validation is not None:
        subject = subject.with_predictions({"validation": inputs.original_validation})
    predictions = kept_predictions(subject, inputs.original.fingerprint, config.data.cache_dir)
    probed = inputs.probe.original if inputs.probe is not None else {}
    return _evaluate(subject.with_predictions(predictions), inputs, config, probed)


def evaluate_mask(inputs: UnlearnInputs, config: UnlearnConfig) -> UnlearnMetrics:
    """Measures the original with a mask over the forgotten classes; see `antisample.metrics.mask`.

    The mask changes outputs alone, so what is read from stages is the original's.
    """
    original = inputs.original.build(inputs.dataset, choose_device(config.device))
    subject = subject_of(original, inputs, config)
    predictions = kept_predictions(subject, inputs.original.fingerprint, config.data.cache_dir)
    gone = inputs.splits.gone_classes
    mask = replace(subject, masked_classes=gone).with_predictions(
        {part: masked(each, gone) for part, each in predictions.items()}
    )
    return _evaluate(mask, inputs, config, inputs.probe.original if inputs.probe is not None else {})


def evaluate_untrained(inputs: UnlearnInputs, config: UnlearnConfig) -> UnlearnMetrics:
    """Measures the original's architecture with fresh weights, drawn from the evaluation seed."""
    device = choose_device(config.device)
    model = untrained_network(inputs.original, inputs.dataset, config.evaluation.seed, device)
    subject = subject_of(model, inputs, config)
    predictions = kept_predictions(subject, f"untrained {config.evaluation.seed}", config.data.cache_dir)
    probed = inputs.probe.untrained if inputs.probe is not None else {}
    return _evaluate(subject.with_predictions(predictions), inputs, config, probed)


def evaluate_references(inputs: UnlearnInputs, config: UnlearnConfig) -> tuple[UnlearnMetrics, ...]:
    """Measures each retrained reference as `evaluate_finished` does, but for what compares with a reference."""
    families = inputs.families(config)
    alone = [name for name in families if name not in needing_reference(families)]
    return tuple(evaluate(subject, PARTS, alone) for subject in _reference_subjects(inputs, config))


def reference_floor(inputs: UnlearnInputs, config: UnlearnConfig) -> dict[str, float]:
    """How far retrained references are from each other: what no unlearning can be expected to fall below.

    Returns:
        For each metric that compares with a reference, its mean over pairs of references, by `<part>/<name>_floor`;
        nothing where there are fewer than two.
    """
    families, subjects = inputs.families(config), _reference_subjects(inputs, config)
    pairs = [
        evaluate(replace(subject, reference=other, other_references=()), PARTS, needing_reference(families)).values
        for i, subject in enumerate(subjects)
        for other in inputs.references[i + 1 :]
    ]
    return {f"{name}_floor": fmean(values[name] for values in pairs) for name in pairs[0]} if pairs else {}


def _reference_subjects(inputs: UnlearnInputs, config: UnlearnConfig) -> list[EvaluationSubject]:
    """Each retrained reference as the subject of metrics."""
    device = choose_device(config.device)
    trainings = reference_trainings(config, inputs.dataset, inputs.splits, inputs.original)
    return [
        subject_of(training.model(device), inputs, config).with_predictions(reference.predictions)
        for training, reference in zip(trainings, inputs.references, strict=True)
    ]


def evaluate_baselines(inputs: UnlearnInputs, config: UnlearnConfig) -> dict[str, UnlearnMetrics]:
    """Measures what a result is held against: a `mask` where classes are forgotten, and an `untrained` network."""
    untrained = {"untrained": evaluate_untrained(inputs, config)}
    return untrained if inputs.splits.by_samples else {"mask": evaluate_mask(inputs, config), **untrained}


def _evaluate(
    subject: EvaluationSubject, inputs: UnlearnInputs, config: UnlearnConfig, probed: Mapping[str, float]
) -> UnlearnMetrics:
    """Measures a network whose probes have been measured before, if any are wanted."""
    others = [name for name in inputs.families(config) if name != "probe" or not probed]
    metrics = evaluate(subject, PARTS, others)
    return replace(metrics, values={**metrics.values, **probed})


def unlearn(
    config: UnlearnConfig, inputs: UnlearnInputs | None = None, measures: Measures | None = None
) -> Unlearning:
    """Makes a trained classifier forget.

    Args:
        config: What to forget from which model, and how.
        inputs: Data and original model, where they are loaded already.
        measures: By what the finished model is measured; by default everything that `config.evaluation` asks for.

    Returns:
        An iterator that yields one report an epoch, and at least one; its `model` is the unlearned network when it is
        exhausted.

    Raises:
        AntisampleError: If the configuration does not fit the data, or a file cannot be used.

    Example:
        >>> run = unlearn(config)  # doctest: +SKIP
        >>> for report in run:
        ...     print(report.step, report.metrics.values["validation/forget_accuracy"])
    """
    return Unlearning(config, inputs, measures)
