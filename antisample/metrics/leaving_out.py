"""Families that cannot be computed on some data: which are left out, and what people are told."""

from collections.abc import Iterable, Mapping

from antisample.errors import ConfigError
from antisample.metrics.evaluation import EvaluationConfig
from antisample.metrics.families import EARLIER_FAMILIES, family_of
from antisample.types import Dataset, Splits

_EARLIER_DEFAULTS = (("membership", "zrf"),)
_FOR_CLASSES_ALONE = ("probe", "mask")


def left_out_families(families: Iterable[str], dataset: Dataset, splits: Splits) -> dict[str, str]:
    """Finds families that cannot be computed on this data, before any work is done.

    Families that were asked for are needed; of the default ones, those that the data are too few for are left out.

    Args:
        families: Of `EvaluationConfig.final`; if they are those that it has by default, nobody asked for them.
        dataset: The data.
        splits: What is to be forgotten, and on what it is judged.

    Returns:
        What is left out, and why, in a sentence.

    Raises:
        ConfigError: With every reason why families that were asked for cannot be computed.
    """
    families = tuple(families)
    problems = {name: family_of(name).problems(dataset, splits) for name in families}
    if is_default(families):
        return {name: skipped(name, ". ".join(reasons)) for name, reasons in problems.items() if reasons}
    told = [
        f"{reason}; remove `{name}` from `evaluation.final`."
        for name, reasons in problems.items()
        for reason in reasons
    ]
    if told:
        raise ConfigError(told)
    return {}


def unmeasured_earlier(families: Iterable[str], dataset: Dataset, splits: Splits) -> dict[str, str]:
    """Which of `EARLIER_FAMILIES` cannot be computed though the model has forgotten something before, and why.

    Args:
        families: Of `EvaluationConfig.final`; those that it names are required, and the probe is left to whoever asks
            for probes at all.
        dataset: The data.
        splits: Of the request.
    """
    families = tuple(families)
    problems = {name: family_of(name).problems(dataset, splits) for name in EARLIER_FAMILIES if name not in families}
    if not splits.earlier:
        return {}
    told = {name: skipped(name, ". ".join(reasons)) for name, reasons in problems.items() if reasons}
    if "probe" not in families:
        told.setdefault("earlier_probe", skipped("earlier_probe", "`evaluation.final` does not name `probe`"))
    return told


def is_default(families: tuple[str, ...]) -> bool:
    """Whether nobody asked for these families: they are those of the default, of today or of an earlier version."""
    return families in (EvaluationConfig().final, *_EARLIER_DEFAULTS)


def skipped(name: str, reason: str) -> str:
    """Says that a family is left out, and why; the reason comes without its full stop."""
    return f"The metrics {', '.join(family_of(name).names)} are skipped. {reason}."


def left_out_notes(left_out: Mapping[str, str], splits: Splits) -> tuple[str, ...]:
    """What people should know of families that are left out: not that what is made for classes is for no samples."""
    silent = _FOR_CLASSES_ALONE if splits.by_samples else ()
    return tuple(reason for name, reason in left_out.items() if name not in silent)
