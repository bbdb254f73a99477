"""Values of a column that says which group an image belongs to."""

from numbers import Integral
from typing import Any


def checked_values(value: Any) -> tuple[str, ...]:
    """Values of a column as a configuration gives them.

    Args:
        value: One or several strings or whole numbers; arrays of them, too.

    Returns:
        Each as text, once, sorted: 17 and "17" are the same value.

    Raises:
        ValueError: If one is something else: booleans, dates and floats have several spellings.
    """
    values = value.tolist() if hasattr(value, "tolist") else value
    several = list(values) if isinstance(values, list | tuple | set | frozenset | range) else [values]
    if not several:
        raise ValueError("must give at least one value")
    for each in several:
        if isinstance(each, bool) or not isinstance(each, str | Integral) or each == "":
            raise ValueError(
                f"must be whole numbers or text, but got {each!r} ({type(each).__name__}); a value that looks like "
                "something else is given as a string"
            )
    return tuple(sorted({each[:] if isinstance(each, str) else str(int(each)) for each in several}))
