"""Asks before code of a study's is imported: importing a module, and building a network, executes it."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from antisample.errors import ConfigError
from antisample.export.card import UnlearningCard
from tuning.config.study import StudyConfig
from tuning.trust.addresses import addresses, folders, object_stores, store_addresses
from tuning.trust.named_code import NamedCode, named_code
from tuning.trust.own_studies import agree, agreed, agreed_of_study, folder_subject

VARIABLE = "ANTISAMPLE_ALLOW_CODE"
"""Environment variable with the modules, or `module:function`, that any study may import, separated by commas."""


def check_code(
    named: Sequence[NamedCode],
    say: Callable[[str], object],
    *,
    allowed: bool = False,
    by_user: Collection[str] = (),
    agreed_to: Collection[str] = (),
) -> None:
    """Says which modules are about to be imported, or refuses to where the user has not agreed.

    Args:
        named: What a study or card names.
        say: Prints a line.
        allowed: Whether `--allow-code` was given.
        by_user: Names that stand on the command line themselves.
        agreed_to: Digests of what the user has agreed to before; see `agreed`.

    Raises:
        ConfigError: If there is code that nobody has agreed to; nothing was imported.
    """
    listed = {name.strip() for name in os.environ.get(VARIABLE, "").split(",")} - {""}
    refused = [
        code
        for code in named
        if code.files  # else nothing is executed: the import fails
        if not allowed and code.name not in by_user and code.digest() not in agreed_to
        if not {code.module, code.name} & listed
    ]
    if refused:
        raise ConfigError(
            [
                f"{code.describe()}, and importing it executes its code. If you trust it, use `--allow-code`, or "
                f"list it in the environment: {VARIABLE}={code.module}."
                for code in refused
            ]
        )
    for code in named:
        if code.files:
            say(f"{code.describe()}, which is imported now.")


def check_study_code(
    config: StudyConfig,
    say: Callable[[str], object],
    *,
    directory: Path | None = None,
    allowed: bool = False,
    overrides: Sequence[str] = (),
    model: str | None = None,
) -> bool:
    """`check_code` for a search, which needs the model and the sampler.

    Args:
        config: The study.
        say: See `check_code`.
        directory: Of the study, where it is not that of the configuration.
        allowed: See `check_code`.
        overrides: What `--set` says.
        model: What `--model` says.

    Returns:
        Whether the study names code, to which the user has agreed.

    Raises:
        ConfigError: See `check_code`.
    """
    named = named_code(config.model, config.sampler)
    by_user = {code.name for code in named if code.name == model or _says(overrides, code)}
    kept = agreed_of_study(directory or config.directory) if named else ()
    check_code(named, say, allowed=allowed, by_user=by_user, agreed_to=kept)
    return bool(named)


def remember_study(study_id: str, config: StudyConfig) -> bool:
    """Keeps that this user runs a study here, so that its code and its addresses need not be agreed to again.

    Returns:
        See `agree`.
    """
    return agree(study_id, _wanted(config))


def remember_sent_study(config: StudyConfig) -> None:
    """Keeps the same of a study that is sent to a cluster, where it will get its id."""
    agree(folder_subject(config.directory), _wanted(config))


def _wanted(config: StudyConfig) -> list[str]:
    return [*(code.digest() for code in named_code(config.model, config.sampler)), *addresses(config)]


def remember_card(card: UnlearningCard) -> None:
    """Keeps that this user made a card here, so that verifying it imports its network without asking."""
    data = card.config.data
    stores = store_addresses(object_stores(data))
    agree(_card(card), [*(code.digest() for code in named_code(card.config.model)), *stores, *folders(data)])


def agreed_of_card(card: UnlearningCard) -> Collection[str]:
    """What this user has agreed to by making a card here."""
    return agreed(_card(card))


def _card(card: UnlearningCard) -> str:
    return f"card {card.fingerprint}"


def _says(overrides: Sequence[str], code: NamedCode) -> bool:
    """Whether `--set` names a function or class itself: `model.name=my_models:build`, `model={name: ...}`."""
    pairs = [override.partition("=") for override in overrides]
    return any(key.strip() in (code.key, code.key.partition(".")[0]) and code.name in text for key, _, text in pairs)
