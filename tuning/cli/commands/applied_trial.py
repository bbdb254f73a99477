"""Unlearning with a trial of a study: which one, and what its study was agreed to use."""

from collections.abc import Sequence
from pathlib import Path

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.export.formats import ExportFormat
from tuning.applied_trial import find_trial, trial_config
from tuning.apply import Provenance
from tuning.cli.flags import WITH_STUDY, UnlearnFlags, forget_request, noted_request
from tuning.cli.overriding import accepting_original, selected
from tuning.cli.repeating import apply_again_command
from tuning.study.directory import open_study
from tuning.trust.addresses import check_stores, object_stores
from tuning.trust.consent import check_code
from tuning.trust.named_code import named_code
from tuning.trust.own_studies import agreed_of_study
from tuning.views.terminal.progress import Progress


def trial_of_study(
    study: Path,
    trial: str | None,
    select: str | None,
    storage: str | None,
    direct: UnlearnFlags,
    out: Path,
    wanted: Sequence[ExportFormat],
    allow_code: bool,
    allow_address: list[str] | None,
    progress: Progress,
) -> tuple[UnlearnConfig, Provenance]:
    """The configuration that repeats a trial, and where it comes from; see `models.unlearn`."""
    given = [
        f"`--{'set' if name == 'overrides' else name}`"
        for name, value in vars(direct).items()
        if value and name not in WITH_STUDY
    ]
    if given:
        raise ConfigError(f"`--study` defines the unlearning, so {given[0]} cannot be used with it.")
    if select is not None and trial not in (None, "best"):
        raise ConfigError(f"`--select` chooses the trial, so it cannot be used with `--trial {trial}`.")
    opened = open_study(study, selected(select), storage)
    request = forget_request(opened.config, direct)
    record = find_trial(opened, trial or "best")
    command = apply_again_command(
        study,
        record.number,
        out,
        wanted,
        direct=direct,
    )
    progress.say(f"Applying trial {record.number} ({record.origin})")
    config, provenance = trial_config(opened, record, request, command)
    config = accepting_original(config, accept_original=direct.accept_original)
    noted = noted_request(direct.reference, direct.operator)
    if noted:
        before = config.request.model_dump() if config.request is not None else {}
        config = UnlearnConfig.parse({**config.model_dump(), "request": {**before, **noted["request"]}})
    named, kept = named_code(config.model), agreed_of_study(study)
    check_stores(object_stores(config.data), kept, allow_address)
    check_code(named, progress.say, allowed=allow_code, agreed_to=kept)
    return config, provenance
