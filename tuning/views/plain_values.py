"""Values as a view can hold them: one that it cannot hold as it is must not take the whole view with it."""

import math
from typing import Any

_REPLACEMENTS = {
    "\u00b1": "+/-",
    "\u00b7": ".",
    "\u00d7": "x",
    "\u2013": "-",
    "\u2014": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2022": "*",
    "\u2026": "...",
    "\u2192": "->",
    "\u2212": "-",
    "\u2264": "<=",
    "\u2265": ">=",
}
"""Plus or minus, dots, dashes, quotation marks and the like, as ASCII has them."""


def as_ascii(text: str) -> str:
    """The text with something like them in the place of other characters, or their number."""
    return "".join(c if c.isascii() else _REPLACEMENTS.get(c) or ascii(c)[1:-1] for c in text)


def storable(text: str) -> str:
    """The text with escapes in the place of what neither a file nor a database holds: null bytes, surrogates."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def finite(content: Any) -> Any:
    """The same JSON content with nothing in the place of numbers that JSON has not: infinities and NaN."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return content
