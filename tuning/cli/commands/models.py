"""Training the original model, unlearning once, and verifying what came of it."""

import math
from contextlib import chdir
from functools import partial
from pathlib import Path

import typer

from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import read_card
from antisample.export.formats import check_formats
from antisample.export.verification.statements import Verification
from antisample.export.verification.verify import TOLERANCE, verify_card
from antisample.metrics import evaluate
from antisample.models.pretrain import pretrained_path
from antisample.unlearning import subject_of
from tuning.apply import Provenance, apply_config
from tuning.cli.cards.command import place_of_command
from tuning.cli.cards.origin import origin_checks
from tuning.cli.flags import UnlearnFlags, direct_config
from tuning.cli.overriding import model_overrides
from tuning.cli.repeating import unlearn_command
from tuning.config.loading import load_study
from tuning.config.trial_plan import TrialPlan
from tuning.extras import require_extra
from tuning.trust.addresses import check_stores, object_stores, own_cache_dir
from tuning.trust.consent import agreed_of_card, check_code, check_study_code, remember_card
from tuning.trust.named_code import named_code
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.progress import Progress
from tuning.views.terminal.verdict import print_verification, verification_as_json
from tuning.worker.inputs import load_requests, mean, summed


def pretrain(
    study: Path,
    *,
    normalisation: str | None,
    accept_original: bool,
    overrides: list[str] | None,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Trains or finds the original model of a study and prints its metrics."""
    said = model_overrides(normalisation, accept_original=accept_original)
    config = load_study(study, [*said, *(overrides or [])])
    console = output(stderr=as_json)
    check_study_code(config, partial(say, console), allowed=allow_code, overrides=overrides or ())
    plan = TrialPlan.of(config)
    unlearn_config = plan.starting_config()
    device = choose_device(config.device)
    console.print(f"Device: {describe_device(device)}")
    progress = Progress(console)
    inputs = load_requests(plan, progress)
    first = inputs[0]
    path = config.model.checkpoint or pretrained_path(
        config.model, first.dataset, first.splits, config.data.cache_dir, first.original.initial
    )
    initial = first.original.initial.origin
    model = first.original.build(first.dataset, device)
    measured = [evaluate(subject_of(model, each, unlearn_config), ("validation", "test")) for each in inputs]
    metrics, counts = mean([each.values for each in measured]), summed([each.counts for each in measured])
    if as_json:
        print_json({"path": str(path), "initial_weights": initial, "metrics": metrics, "counts": counts})
        return
    console.print(f"Original model: {path}", soft_wrap=True)
    if config.model.checkpoint is None:
        console.print(f"  started from {initial}", soft_wrap=True)
    for name in ("forget_accuracy", "retain_accuracy"):
        console.print(
            f"  {name.replace('_', ' ')}: validation {metrics[f'validation/{name}']:.1%}, "
            f"test {metrics[f'test/{name}']:.1%}"
        )


def unlearn(
    out: Path,
    *,
    study: Path | None,
    trial: str | None,
    select: str | None,
    storage: str | None,
    direct: UnlearnFlags,
    formats: list[str] | None,
    threads: int | None,
    allow_code: bool,
    allow_address: list[str] | None,
    as_json: bool,
) -> None:
    """Unlearns once, with a trial of a study or without a study; see `apply_config`."""
    progress = Progress(output(stderr=as_json))
    wanted = check_formats(formats or ())
    if study is not None:
        require_extra("report", "`antisample unlearn --study`", "optuna")
        from tuning.cli.commands.applied_trial import trial_of_study  # noqa: PLC0415  (needs the extra)

        config, provenance = trial_of_study(
            study, trial, select, storage, direct, out, wanted, allow_code, allow_address, progress
        )
    else:
        for name, value in (("trial", trial), ("select", select), ("storage", storage)):
            if value is not None:
                raise ConfigError(f"`--{name}` belongs to a study, so it cannot be used without `--study`.")
        config, origin = direct_config(direct)
        provenance = Provenance(unlearn_command(direct, out, wanted), origin)
        named = named_code(config.model)
        check_code(named, progress.say, by_user=[code.name for code in named])
    card = apply_config(config, out, progress, provenance, wanted, threads)
    remember_card(card)
    if as_json:
        paths = {"model": str(out / card.files[0].file), "card": str(out / "card.json")}
        print_json({**paths, **card.model_dump(mode="json")})


def verify(
    card: Path,
    *,
    tolerance: float,
    study: Path | None,
    repeat: bool,
    allow_code: bool,
    allow_address: list[str] | None,
    as_json: bool,
) -> None:
    """Holds a card against what is the case and prints which of its statements hold; exit code 1 if some do not."""
    if not math.isfinite(tolerance):
        raise ConfigError(f"`--tolerance` must be a finite number, but got {tolerance}.")
    progress = Progress(output(stderr=as_json))
    verification = verified(
        read_card(card),
        card,
        progress,
        tolerance=tolerance,
        study=study,
        repeat=repeat,
        allow_code=allow_code,
        allow_address=allow_address,
    )
    if as_json:
        print_json(verification_as_json(card, verification))
    else:
        print_verification(progress.console, verification)
    if not verification.holds:
        raise typer.Exit(1)


def verified(
    stated: UnlearningCard,
    card: Path,
    progress: Progress,
    *,
    tolerance: float = TOLERANCE,
    study: Path | None = None,
    repeat: bool = False,
    allow_code: bool,
    allow_address: list[str] | None,
) -> Verification:
    """Verifies a card, if the user has agreed to what it names; see `verify_card` and `origin_checks`.

    Args:
        stated: The card.
        card: Its file.
        progress: Is told what happens.
        tolerance: See `verify_card`.
        study: See `origin_checks`.
        repeat: See `verify_card`.
        allow_code: Whether `--allow-code` was given.
        allow_address: What `--allow-address` says.

    Raises:
        AntisampleError: If the user has not agreed to it, or data or model cannot be read.
    """
    folder, study = card.parent.absolute(), None if study is None else study.absolute()
    kept = agreed_of_card(stated)
    check_stores(object_stores(stated.config.data), kept, allow_address)
    with chdir(place_of_command(stated, folder) or Path.cwd()):  # its relative paths start there
        check_code(named_code(stated.config.model), progress.say, allowed=allow_code, agreed_to=kept)
        origin = origin_checks(stated, folder, study)
        cache_dir = own_cache_dir(stated.config.data, kept)
        return verify_card(stated, folder, tolerance, progress, repeat=repeat, cache_dir=cache_dir) + origin
