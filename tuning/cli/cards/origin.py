"""Where a card says that it comes from, held against the study, where that is there."""

from collections.abc import Mapping
from pathlib import Path

from antisample.errors import AntisampleError, ConfigError
from antisample.export.card import SpreadFigure, UnlearningCard
from antisample.export.verification.statements import (
    Check,
    Verification,
    checked,
    compared_values,
    joined,
    not_checked,
)
from search_spaces import SpaceError
from tuning.apply import trial_config
from tuning.cli.cards.command import command_checks, command_options
from tuning.config.loading import read_values
from tuning.study.attributes import PREPROCESSING
from tuning.study.directory import open_study
from tuning.study.known_spreads import known_spreads
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord


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
    """
    command = command_checks(card, folder)
    if "study" not in card.origin:
        if study is not None:
            raise ConfigError(
                "`--study` requires a card of a study's trial, but the origin of this card names no study."
            )
        return command + _no_spread(card)
    if study is not None:
        return command + _study_checks(card, open_study(study))
    directory, reason = _study_directory(card)
    if directory is not None:
        try:
            return command + _study_checks(card, open_study(directory))
        except (AntisampleError, SpaceError) as error:
            reason = f"the study cannot be read: {str(error).splitlines()[0]}"
    return command + _unchecked(card, reason)


def _study_directory(card: UnlearningCard) -> tuple[Path | None, str]:
    """The study that the card's command names, if it may be looked at without being asked; else why not."""
    named = (command_options(card.command) or {}).get("study")
    for directory in (Path(card.folder) / named, Path(named)) if named else ():
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
    return origin + _unchecked_spreads(card, why)


def _no_spread(card: UnlearningCard) -> Verification:
    """Only trials of studies have been run several times."""
    wrong = [(f"spread {metric.name}", _describe(metric.spread)) for metric in card.metrics if metric.spread]
    if card.spread_over or wrong:
        wrong.append(("spread_over", card.spread_over))
    return joined([checked(what, stated, "a single run") for what, stated in wrong])


def _study_checks(card: UnlearningCard, study: StudyReader) -> Verification:
    origin, number = dict(card.origin), card.origin.get("trial")
    record = next((one for one in study.records() if one.state == "COMPLETE" and one.number == number), None)
    names = {study.config.name, study.optuna_study().study_name}
    name = origin["study"] if origin["study"] in names else study.config.name
    if record is None:
        return checked("origin.study", origin["study"], name) + checked("origin.trial", number, "no finished trial")
    config, provenance = trial_config(study, record, card.config.forget, "")
    stated, noted = card.config.model_dump(mode="json"), config.model_dump(mode="json")
    if card.config.model.accept_original:  # as a flag may say it for this unlearning alone
        noted["model"]["accept_original"] = True
    return joined(
        [
            compared_values("origin", origin, {**provenance.origin, "study": name}, " of the study"),
            compared_values("config", stated, noted, " of the study"),
            checked("seed of the study", card.seed, config.seed),
            _digests(card, provenance.fingerprints),
            _normalisation(card, study),
            _spreads(card, study, record),
        ]
    )


def _digests(card: UnlearningCard, noted: Mapping[str, str]) -> Verification:
    """Data, splits and original model as the study noted them; nothing where the request is none of the study's."""
    stated = {
        "data": card.data.fingerprint,
        "splits": card.data.splits_fingerprint,
        "model": card.original.fingerprint,
    }
    return joined([checked(f"{name} fingerprint of the study", stated[name], noted[name]) for name in noted])


def _normalisation(card: UnlearningCard, study: StudyReader) -> Verification:
    noted = study.noted(PREPROCESSING)
    if noted is None:
        return Verification()
    return checked("mean of the study", card.original.mean, tuple(noted["mean"])) + checked(
        "std of the study", card.original.std, tuple(noted["std"])
    )


def _spreads(card: UnlearningCard, study: StudyReader, record: TrialRecord) -> Verification:
    """Spreads against the runs that the study keeps; it may have run more seeds since the card was made."""
    spreads = known_spreads(study, record, card.config.forget)
    figures, over = next((one for one in spreads if one[1] == card.spread_over), spreads[0])
    if card.spread_over != over and card.spread_over.endswith("seeds that the search had not used"):
        return _unchecked_spreads(card, f"the study has them over {over or 'no seeds'} now")
    parts = [checked("spread_over", card.spread_over, over)]
    for metric in card.metrics:
        actual = figures.get(metric.name)
        if metric.spread is not None or actual is not None:
            holds = _same_spread(metric.spread, actual)
            what = f"spread {metric.name}"
            parts.append(Verification((Check(what, _describe(metric.spread), _describe(actual), holds),)))
    return joined(parts)


def _unchecked_spreads(card: UnlearningCard, why: str) -> Verification:
    """All in one statement, since they stand or fall together."""
    n = sum(metric.spread is not None for metric in card.metrics)
    if not n and not card.spread_over:
        return Verification()
    return not_checked("spreads", f"of {n} metrics, over {card.spread_over or 'nothing that is named'}", why)


def _same_spread(one: SpreadFigure | None, other: SpreadFigure | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.n == other.n and abs(one.mean - other.mean) <= 1e-9 and abs(one.std - other.std) <= 1e-9


def _describe(spread: SpreadFigure | None) -> str | None:
    return None if spread is None else f"{spread.mean!r} ± {spread.std!r} (n = {spread.n})"
