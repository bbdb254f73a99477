"""Text from outside, such as class names and what files say, as it can be shown: nothing in it acts.

A control character moves a terminal's cursor, a line break forges a line, `<script>` runs in a page, and a sign that
turns the direction of writing makes one name look like another.
"""

import re
import unicodedata

_FORMULA = ("=", "+", "-", "@")
_KEPT_IN_LINES = "\n\t"
_MARKDOWN = re.compile(r"[\\`*\[\]|~#$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=\bwww)\.")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain_text(text: str, *, lines: bool = False) -> str:
    r"""The text with escapes such as `\x1b` and `\u202e` in the place of characters that act and are not seen.

    These are control characters, line breaks, signs without width, signs that change the direction of writing, and
    lone surrogates. Letters of all scripts, blanks and backslashes stay as they are.

    Args:
        text: Whatever it holds.
        lines: Whether line breaks and tabs stay: for whole messages, never for a name in one.

    Returns:
        Text that can be printed in a terminal, encoded as UTF-8, and stands in one line unless `lines` is set.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = _KEPT_IN_LINES if lines else ""
    return "".join(one if one in kept or _is_seen(one) else _escape(one) for one in text)


def spreadsheet_text(text: str) -> str:
    """The text as a cell of a CSV file that a spreadsheet takes for text, never for a formula; see `plain_text`."""
    plain = plain_text(text)
    return f"'{plain}" if plain.lstrip().startswith(_FORMULA) else plain


def markdown_text(text: str) -> str:
    """The text as Markdown and HTML show it as it is, in one line and in a table's cell, too; see `plain_text`.

    No emphasis, link, picture, code, mathematics, element or entity comes of it, and no address becomes a link.
    """
    escaped = _MARKDOWN.sub(lambda match: f"\\{match[0]}", plain_text(text))
    return re.sub("[&<>]", lambda match: _ENTITIES[match[0]], escaped)


def markdown_code(text: str) -> str:
    """The text as a span of code in Markdown, outside tables; backquotes in it do not end the span."""
    plain = plain_text(text)
    fence = _longer_fence(plain, 1)
    inner = f" {plain} " if plain.startswith("`") or plain.endswith("`") or not plain.strip() else plain
    return f"{fence}{inner}{fence}"


def markdown_block(text: str) -> list[str]:
    """The lines of a block of code in Markdown that holds the text in one line."""
    plain = plain_text(text)
    fence = _longer_fence(plain, 3)
    return [fence, plain, fence]


def _longer_fence(text: str, least: int) -> str:
    """More backquotes than stand together in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _is_seen(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
