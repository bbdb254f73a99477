"""The command of a card, taken apart: what it would do is held against what the card says was done."""

import shlex
from pathlib import Path
from typing import Any

from antisample.data.class_names import joined_names, split_names
from antisample.errors import AntisampleError
from antisample.export.card import UnlearningCard
from antisample.export.local_paths import command_folder, with_relative_paths
from antisample.export.verification.statements import (
    Check,
    Verification,
    checked,
    compared_values,
    joined,
    not_checked,
)
from search_spaces import SpaceError
from tuning.cli.flags import UnlearnFlags, direct_config

_LISTED = "the file is not read; the card lists the samples"
_SEVERAL = {"forget", "forget-value", "set", "format"}
_SWITCHES = {"accept-original"}
_ONE = {
    "study",
    "trial",
    "published",
    "method",
    "forget-samples",
    "forget-column",
    "duplicates",
    "dataset",
    "root",
    "model",
    "checkpoint",
    "normalisation",
    "after",
    "reference",
    "operator",
    "seed",
    "threads",
    "out",
}


def command_options(command: str) -> dict[str, Any] | None:
    """The flags of a card's command by name: texts, lists of them where a flag may stand several times.

    Args:
        command: As `unlearn_command` writes it.

    Returns:
        The flags that it gives; None if it is no command of `antisample unlearn` that this program would take.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words[:2] != ["antisample", "unlearn"]:
        return None
    options: dict[str, Any] = {}
    rest = iter(words[2:])
    for word in rest:
        name = word.removeprefix("--")
        value = True if name in _SWITCHES else next(rest, None)
        if not word.startswith("--") or value is None or name not in _SEVERAL | _SWITCHES | _ONE:
            return None
        if name in _SEVERAL:
            options.setdefault(name, []).append(value)
        elif name in options:
            return None
        else:
            options[name] = value
    return options


def command_checks(card: UnlearningCard, folder: Path) -> Verification:
    """Holds the command of a card against the rest of it.

    Args:
        card: What is stated.
        folder: Where the card lies.

    Returns:
        Whether the command gives the card's configuration and origin, threads, files and place; where it names a
        study, the study has to say the first two.
    """
    if not card.command:
        return not_checked("command", None, "the card has none") + _folder(card, folder, None)
    options = command_options(card.command)
    if options is None:
        return checked("command", card.command, "no command of `antisample unlearn`") + _folder(card, folder, None)
    parts = [
        checked("threads of the command", options.get("threads"), str(card.environment.threads)),
        _formats(card, options.get("format", [])),
        _folder(card, folder, options.get("out")),
    ]
    if "study" in options:
        parts.append(checked("trial of the command", options.get("trial"), str(card.origin.get("trial"))))
        if "accept-original" in options:  # without the flag the study may say it
            parts.append(checked("config.model.accept_original", card.config.model.accept_original, actual=True))
        parts += [
            checked(f"{name} of the command", options[name], getattr(card.request, name))
            for name in ("reference", "operator")
            if name in options
        ]
        return joined([*parts, _request(card, options)])
    return joined([*parts, _direct(card, options)])


def _direct(card: UnlearningCard, options: dict[str, Any]) -> Verification:
    """What a command without a study gives; the file of its samples is not read, the card lists them."""
    flags = {name.replace("-", "_"): value for name, value in options.items()}
    seed = flags.get("seed", "0")
    samples = flags.get("forget_samples")
    if not seed.isascii() or not seed.isdecimal() or len(seed) > 20:
        return checked("seed of the command", seed, card.seed)
    if any(override.strip().startswith("forget") for override in flags.get("set", [])):
        return not_checked("command", card.command, "the request in `--set` is not read")
    try:
        config, origin = direct_config(
            UnlearnFlags(
                published=flags.get("published"),
                method=flags.get("method"),
                forget=["0"] if samples is not None else flags.get("forget"),
                forget_column=flags.get("forget_column"),
                forget_value=flags.get("forget_value"),
                duplicates=flags.get("duplicates"),
                dataset=flags.get("dataset"),
                root=flags.get("root"),
                model=flags.get("model"),
                checkpoint=flags.get("checkpoint"),
                normalisation=flags.get("normalisation"),
                accept_original="accept_original" in flags,
                reference=flags.get("reference"),
                operator=flags.get("operator"),
                seed=int(seed),
                overrides=flags.get("set"),
            )
        )
    except (AntisampleError, SpaceError) as error:
        return Verification((Check("command", card.command, f"is refused: {error}", holds=False),))
    parts = []
    if samples is not None:
        config = config.model_copy(update={"forget": card.config.forget})
        parts.append(not_checked("samples of the command", samples, _LISTED))
        parts.append(checked("kind of the request", bool(card.config.forget.samples), actual=True))
    if not Path(card.folder).is_absolute():  # cards of earlier versions hold paths as they were given
        config = with_relative_paths(config, Path.cwd())
    if "after" in flags:
        parts.append(checked("model of the command", flags.get("model"), card.config.model.name))
        parts.append(checked("a request after another", "--after", "--after" if card.config.after else "none"))
        config = config.model_copy(update={"after": card.config.after, "model": card.config.model})
    return joined(
        [
            compared_values(
                "config", card.config.model_dump(mode="json"), config.model_dump(mode="json"), " of the command"
            ),
            compared_values("origin", card.origin, origin, " of the command"),
            *parts,
        ]
    )


def _request(card: UnlearningCard, options: dict[str, Any]) -> Verification:
    """What a command with a study asks to forget."""
    if "forget-samples" in options:
        return not_checked("samples of the command", options["forget-samples"], _LISTED)
    if "forget-column" in options:
        stated = (options["forget-column"], sorted(options.get("forget-value", [])))
        return checked("group of the command", stated, (card.config.forget.column, list(card.config.forget.value)))
    if "forget" not in options:
        return Verification()
    classes = joined_names([name for text in options["forget"] for name in split_names(text)])
    return checked("classes of the command", classes, card.config.forget.describe())


def _formats(card: UnlearningCard, asked: list[str]) -> Verification:
    """The formats that a command asks for; one that could not be written has no file."""
    written = [file.format for file in card.files if file.format != "safetensors"]
    extra = [form for form in written if form not in asked]
    lacking = [form for form in asked if form not in written]
    parts = [
        not_checked(f"format {form} of the command", form, "the card reports that it failed") for form in lacking
    ]
    return joined([checked("formats that the command does not ask for", extra, []), *parts])


def _folder(card: UnlearningCard, folder: Path, out: str | None) -> Verification:
    """Where the command was given, which its `--out` leads to the card from, unless the card has been moved."""
    if is_in_place(card, folder, out):
        return checked("folder", card.folder, card.folder)
    return not_checked("folder", card.folder, "the card is in another directory now")


def is_in_place(card: UnlearningCard, folder: Path, out: str | None) -> bool:
    """Whether a card lies where its command put it.

    Args:
        card: What is stated.
        folder: Where it lies.
        out: What the command's `--out` says.
    """
    place = command_folder(card, folder)
    try:
        return out is not None and place is not None and (place / out).resolve() == folder.resolve()
    except (OSError, RuntimeError, ValueError):
        return False


def place_of_command(card: UnlearningCard, folder: Path) -> Path | None:
    """Where the paths of a card start, if it lies where its command put it; see `command_folder`."""
    out = (command_options(card.command) or {}).get("out")
    return command_folder(card, folder) if is_in_place(card, folder, out) else None
