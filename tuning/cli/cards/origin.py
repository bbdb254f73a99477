"""Where a card says that it comes from, held against the study, where that is there."""

from pathlib import Path

from antisample.errors import AntisampleError, ConfigError
from antisample.export.card import UnlearningCard
from antisample.export.verification.statements import (
    Verification,
    checked,
    joined,
    not_checked,
)
from search_spaces import SpaceError
from tuning.cli.cards.command import command_checks, command_options
from tuning.cli.cards.spreads import describe_spread, unchecked_spreads
from tuning.config.loading import read_values
from tuning.extras import MissingExtraError, require_extra


def origin_checks(card: UnlearningCard, folder: Path, study: Path | None = None) -> Verification:
    """Holds command, origin and spreads of a card against each other and against the study.

    Args:
        card: What is stated.
        folder: Where the card lies.
        study: The study's directory. By default where the card's command says, if a study of the same model lies
            there and is kept in that directory; nothing on another machine is asked.

    Raises:
        ConfigError: If `study` is given, but the card comes from none.
        DataError: If `study` is given and holds none.
        MissingExtraError: If `study` is given and the packages that read it are not installed.
    """
    command = command_checks(card, folder)
    if "study" not in card.origin:
        if study is not None:
            raise ConfigError(
                "`--study` requires a card of a study's trial, but the origin of this card names no study."
            )
        return command + _no_spread(card)
    if study is not None:
        return command + _read_study(card, study, folder)
    directory, reason = _study_directory(card, folder)
    if directory is not None:
        try:
            return command + _read_study(card, directory, folder)
        except MissingExtraError as error:
            reason = str(error)
        except (AntisampleError, SpaceError) as error:
            reason = f"the study cannot be read: {str(error).splitlines()[0]}"
    return command + _unchecked(card, reason)


def _read_study(card: UnlearningCard, directory: Path, folder: Path) -> Verification:
    require_extra("report", "Comparing a card with its study", "optuna")
    from tuning.cli.cards.study_checks import study_checks  # noqa: PLC0415  (needs the extra)

    return study_checks(card, directory, folder)


def _study_directory(card: UnlearningCard, folder: Path) -> tuple[Path | None, str]:
    """The study that the card's command names, if it may be looked at without being asked; else why not."""
    named = (command_options(card.command) or {}).get("study")
    for directory in (folder / card.folder / named, Path(named)) if named else ():
        try:
            if not (directory / "study.yaml").is_file():
                continue
            values = read_values(directory / "study.yaml", inside=directory)
        except (OSError, AntisampleError):
            continue
        model = values.get("model")
        if not isinstance(model, dict) or model.get("name") != card.config.model.name:
            return None, "the study in that directory has another model; use `--study`"
        if values.get("storage") is not None:
            return None, "the study is in a database; use `--study`"
        return directory, ""
    return None, "the study was not found; use `--study`"


def _unchecked(card: UnlearningCard, why: str) -> Verification:
    origin = joined([not_checked(f"origin.{name}", value, why) for name, value in card.origin.items()])
    return origin + unchecked_spreads(card, why)


def _no_spread(card: UnlearningCard) -> Verification:
    """Only trials of studies have been run several times."""
    wrong = [(f"spread {metric.name}", describe_spread(metric.spread)) for metric in card.metrics if metric.spread]
    if card.spread_over or wrong:
        wrong.append(("spread_over", card.spread_over))
    return joined([checked(what, stated, "a single run") for what, stated in wrong])
