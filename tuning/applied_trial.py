"""The trial of a study that is applied: which one it is, and the configuration that repeats it."""

from antisample.config import UnlearnConfig
from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from tuning.apply import Provenance
from tuning.study.attributes import FINGERPRINTS
from tuning.study.known_spreads import known_spreads
from tuning.study.model_source import noted_model
from tuning.study.outcome import find_outcome, no_choice
from tuning.study.plugins import check_noted_plugins
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord


def find_trial(study: StudyReader, which: str) -> TrialRecord:
    """A finished trial.

    Args:
        study: Where to look.
        which: `best` for the chosen trial, or a number.

    Raises:
        ConfigError: If there is none; the finished ones are listed.
    """
    if which == "best":
        outcome = find_outcome(study)
        if outcome.chosen is None:
            raise ConfigError(no_choice(outcome))
        return outcome.chosen
    finished = {str(record.number): record for record in study.records() if record.state == "COMPLETE"}
    if which not in finished:
        raise ConfigError(
            f"`--trial` must be best or a finished trial ({', '.join(finished) or 'none yet'}), but got {which!r}."
        )
    return finished[which]


def trial_config(
    study: StudyReader, record: TrialRecord, request: ForgetRequest, command: str
) -> tuple[UnlearnConfig, Provenance]:
    """The unlearning of a trial, to be done once more.

    The seed is that of the trial's first replicate of the request, and the batch is that with which the trial ended;
    so the result is one that the study has seen, unless the GPU ran out of memory after that replicate. A request
    that the study has not takes the trial's first seed, and its data, splits and model are compared with nothing.

    Args:
        study: The study of the trial.
        record: The trial.
        request: What to forget.
        command: See `Provenance`.

    Returns:
        The configuration, and where it comes from.

    Raises:
        ConfigError: If the study needs a plug-in that is not installed.
    """
    check_noted_plugins(study, unneeded=["sampler"])
    requests = study.config.forget
    position = requests.index(request) if request in requests else 0
    fingerprints = _fingerprints(study, position) if request in requests else {}
    config = study.plan.unlearn_config(record.params, record.seeds[position], position)
    config = config.with_batches_halved(record.batch_halvings).model_copy(
        update={"forget": request, "model": noted_model(study)}
    )
    spread, over = known_spreads(study, record, request)[0]
    origin: dict[str, str | int] = {"study": study.config.name, "trial": record.number, "trial from": record.origin}
    spending = find_outcome(study).spending if request in requests else None
    return config, Provenance(
        command,
        origin,
        spread,
        over,
        study.config.directory,
        fingerprints,
        spending.total_s if spending is not None else None,
        spending.retrainings(spending.total_s) if spending is not None else None,
    )


def _fingerprints(study: StudyReader, request: int) -> dict[str, str]:
    """What a study noted of its data, its model and the splits of one request; nothing if it noted nothing."""
    noted: dict[str, str] = study.noted(FINGERPRINTS, {})
    if "splits" in noted:
        return {**noted, "splits": noted["splits"].split(",")[request]}
    return noted
