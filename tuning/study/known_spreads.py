"""Figures of a trial over several seeds, as far as its study has run them."""

from antisample.data.forget_request import ForgetRequest
from antisample.export.card_parts import SpreadFigure
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord


def known_spreads(
    study: StudyReader, record: TrialRecord, request: ForgetRequest
) -> list[tuple[dict[str, SpreadFigure], str]]:
    """Figures of a trial over seeds, by metric, and what they are over in words.

    Returns:
        Over fresh seeds where it was run again with them, then over its replicates; the first belongs on a card.
        Nothing over nothing where the study has not this request alone, or the trial a single seed.
    """
    spreads: list[tuple[dict[str, SpreadFigure], str]] = []
    if study.config.forget != (request,):
        return [({}, "")]
    for confirmation in find_outcome(study).confirmations:
        if confirmation.number == record.number and len(confirmation.seeds) > 1:
            figures = {
                name: SpreadFigure(mean=spread.mean, std=spread.std, n=spread.n)
                for name, spread in confirmation.metrics.items()
            }
            spreads.append((figures, f"{len(confirmation.seeds)} seeds that the search had not used"))
    n = len(record.seeds)
    figures = {name: SpreadFigure(mean=record.metrics[name], std=std, n=n) for name, std in record.spread.items()}
    return [*spreads, (figures, f"the {n} seeds of the search" if figures else "")]
