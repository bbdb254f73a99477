"""The rule for the mean and standard deviation of an input, wherever they come from: flag, study, Python or file."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from antisample.types import Preprocessing

_SMALLEST_STD = 1e-8  # less is 0 in float32, or makes numbers of its inverse that no network can take
_TOGETHER = "`mean` and `std` must be given together"


def channel_values(name: str, values: Any) -> tuple[float, ...]:
    """Checks the mean or the standard deviation of an input.

    Args:
        name: `mean` or `std`.
        values: What was given: numbers, one a channel, of pixels scaled to [0, 1]; a list, an array or a tensor.

    Returns:
        The numbers.

    Raises:
        ValueError: With the rule that is broken, in words that follow the name: "must be ..., but got ...".
    """
    if callable(as_list := getattr(values, "tolist", None)):
        values = as_list()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not len(values):
        raise ValueError(f"must be a list of numbers, one for each channel, but got {values!r}")
    other = [value for value in values if not is_number(value)]
    if other:
        raise ValueError(f"must be a list of numbers, one for each channel, but got {other[0]!r} among them")
    lowest = _SMALLEST_STD if name == "std" else 0
    for value in values:
        if not lowest <= value <= 255:  # NaN is not either
            raise ValueError(f"must be from {lowest:g} to 1, of pixels scaled to [0, 1], but got {value!r}")
    if max(values) > 1:
        divided = ", ".join(f"{value / 255:.4g}" for value in values)
        raise ValueError(
            f"must be of pixels scaled to [0, 1], but got {list(values)!r}; if that is of pixels from 0 to 255, "
            f"divide by 255: {divided}"
        )
    return tuple(float(value) for value in values)


def is_number(value: Any) -> bool:
    """Whether a value is a number, which a truth value is not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def checked_preprocessing(mean: Any, std: Any) -> Preprocessing:
    """Checks both together.

    Args:
        mean: See `channel_values`.
        std: Likewise.

    Returns:
        What the model expects of its input.

    Raises:
        ValueError: With the rule that is broken and the name of what breaks it.
    """
    if mean is None or std is None:
        raise ValueError(_TOGETHER)
    checked = []
    for name, values in (("mean", mean), ("std", std)):
        try:
            checked.append(channel_values(name, values))
        except ValueError as error:
            raise ValueError(f"`{name}` {error}") from None
    check_lengths(*checked)
    return Preprocessing(*checked)


def check_lengths(mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
    """Raises ValueError unless both are given, with as many values, or neither is."""
    if (mean is None) != (std is None):
        raise ValueError(_TOGETHER)
    if len(mean or ()) != len(std or ()):
        raise ValueError(f"{_TOGETHER} and with one value a channel, but got {len(mean or ())} and {len(std or ())}")
