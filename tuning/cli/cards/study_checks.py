"""What a card says of its study, held against that study: this alone of verifying needs the library that reads it."""

from collections.abc import Mapping
from pathlib import Path

from antisample.config import UnlearnConfig
from antisample.export.card import UnlearningCard
from antisample.export.local_paths import command_folder, with_relative_paths
from antisample.export.verification.statements import Check, Verification, checked, compared_values, joined
from tuning.applied_trial import trial_config
from tuning.cli.cards.spreads import describe_spread, is_same_spread, unchecked_spreads
from tuning.study.attributes import PREPROCESSING
from tuning.study.directory import open_study
from tuning.study.known_spreads import known_spreads
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord


def study_checks(card: UnlearningCard, directory: Path, folder: Path) -> Verification:
    """Holds origin, configuration, digests and spreads of a card against the study in a directory.

    Args:
        card: What is stated.
        directory: Of the study.
        folder: Where the card lies.

    Raises:
        DataError: If there is no study.
    """
    study = open_study(directory)
    origin, number = dict(card.origin), card.origin.get("trial")
    record = next((one for one in study.records() if one.state == "COMPLETE" and one.number == number), None)
    names = {study.config.name, study.optuna_study().study_name}
    name = origin["study"] if origin["study"] in names else study.config.name
    if record is None:
        return checked("origin.study", origin["study"], name) + checked("origin.trial", number, "no finished trial")
    config, provenance = trial_config(study, record, card.config.forget, "")
    stated, noted = (
        card.config.model_dump(mode="json"),
        _as_on_card(config, card, folder, directory).model_dump(mode="json"),
    )
    if card.config.model.accept_original:  # as a flag may say it for this unlearning alone
        noted["model"]["accept_original"] = True
    if card.config.request is not None:  # likewise
        noted["request"] = stated["request"]
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


def _as_on_card(config: UnlearnConfig, card: UnlearningCard, folder: Path, study: Path) -> UnlearnConfig:
    """The study's configuration with paths as the card has them, if they lead to the same places.

    Relative paths of a card that was moved may start where its study lies, or where one stands.
    """
    places = [command_folder(card, folder), *study.resolve().parents, Path.cwd()]
    ways = [config, *(with_relative_paths(config, place) for place in places if place is not None)]
    return next((each for each in ways if _paths(each) == _paths(card.config)), ways[0])


def _paths(config: UnlearnConfig) -> tuple[object, ...]:
    return config.data, config.model.checkpoint, config.model.initial_weights


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
        return unchecked_spreads(card, f"the study has them over {over or 'no seeds'} now")
    parts = [checked("spread_over", card.spread_over, over)]
    for metric in card.metrics:
        actual = figures.get(metric.name)
        if metric.spread is not None or actual is not None:
            holds = is_same_spread(metric.spread, actual)
            what = f"spread {metric.name}"
            parts.append(Verification((Check(what, describe_spread(metric.spread), describe_spread(actual), holds),)))
    return joined(parts)
