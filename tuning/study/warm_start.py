"""What a study takes over from an earlier one: finished trials as knowledge, or a front as first suggestions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antisample.errors import ConfigError
from search_spaces import SearchSpace
from tuning.config.objectives import ELAPSED
from tuning.config.study import StudyConfig
from tuning.study.attributes import FINGERPRINTS, WARM_START, PriorTrial, WarmStarted
from tuning.study.directory import open_study
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.study.study import Study
from tuning.trials.origins import Origin
from tuning.trials.records import TrialRecord


@dataclass(frozen=True)
class WarmStart:
    """What was taken over.

    Attributes:
        source: Name of the earlier study.
        same_problem: Whether it was the same task: then its trials are knowledge. Otherwise its front is tried first.
        n: Trials that became knowledge, or suggestions.
    """

    source: str
    same_problem: bool
    n: int

    def describe(self) -> str:
        """For people."""
        if self.same_problem:
            return f"Warm start: the sampler knows {self.n} trials of {self.source}"
        return f"Warm start: the front of {self.source}, {self.n} trials, is tried first"


def take_over(study: Study, directory: Path) -> WarmStart:
    """Seeds a study with an earlier one; done once, however often the study is resumed or its driver dies meanwhile.

    Trials of the same task (data, split, model, request, method, objectives and seeds) are shown to the sampler as if
    they were this study's own; they are neither counted nor run again. The front of any other task is tried first.

    Args:
        study: Has its facts; nothing of it has been asked yet.
        directory: Of the earlier study.

    Returns:
        What was taken over.

    Raises:
        ConfigError: If the earlier study searched another space, or nothing in it is finished.
    """
    earlier = study.noted(WARM_START)
    if earlier is not None:
        return WarmStart(**earlier)
    other, finished = earlier_study(directory, study.space)
    same_problem = _task(other) == _task(study)
    trials = finished if same_problem else list(find_outcome(other).front)
    if same_problem:
        study.add_prior_trials([_knowledge(record, study.config) for record in trials])
    else:
        for record in trials:
            study.enqueue(record.params, Origin(f"warm start {other.config.name}/{record.number}"))
    taken = WarmStart(other.config.name, same_problem, len(trials))
    noted: WarmStarted = {"source": taken.source, "same_problem": same_problem, "n": taken.n}
    study.note(WARM_START, noted)
    return taken


def earlier_study(directory: Path, space: SearchSpace) -> tuple[StudyReader, list[TrialRecord]]:
    """Opens a study that another one starts from.

    Args:
        directory: Of the earlier study.
        space: Of the other one.

    Returns:
        The earlier study, and its completed trials.

    Raises:
        ConfigError: If it searched another space, or nothing in it is finished.
    """
    earlier = open_study(directory)
    if earlier.space.fingerprint() != space.fingerprint():
        raise ConfigError([f"`--warm-start` {directory}: the study must have searched the same space, but did not."])
    finished = [record for record in earlier.records() if record.state == "COMPLETE"]
    if not finished:
        raise ConfigError([f"`--warm-start` {directory}: the study has no finished trial."])
    return earlier, finished


def _knowledge(record: TrialRecord, config: StudyConfig) -> PriorTrial:
    """What a sampler learns of a finished trial."""
    metrics = {**record.metrics, ELAPSED: record.unlearning_s}
    violations = {str(constraint): constraint.violation(metrics) for constraint in config.constraints}
    return {"params": record.params, "values": list(record.values or ()), "constraints": violations}


def _task(study: StudyReader) -> dict[str, Any]:
    config = study.config
    return {
        "fingerprints": study.noted(FINGERPRINTS),
        "method": config.method,
        "fixed": config.fixed,
        "objectives": [objective.metric for objective in config.objectives],
        "seeds": study.plan.trial_seeds,
        "constraints": list(map(str, config.constraints)),
        "fidelity": config.fidelity,
    }
