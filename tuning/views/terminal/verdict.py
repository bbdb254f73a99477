"""What came of verifying a card, on the terminal and as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from antisample.export.verification.statements import Check, Value, Verification
from antisample.plain_text import plain_text
from tuning.views.terminal.console import say
from tuning.views.terminal.fitted_table import Column, FittedTable

_SHORT = 24
_LONGEST = 400


def verification_as_json(card: Path, verification: Verification) -> dict[str, Any]:
    """Both lists as plain values: `checks` and `not_checked`.

    Args:
        card: The card's file.
        verification: What came of it.
    """
    return {
        "card": str(card),
        "holds": verification.holds,
        "checks": [asdict(check) for check in verification.checks],
        "not_checked": [asdict(statement) for statement in verification.unchecked],
    }


def print_verification(console: Console, verification: Verification) -> None:
    """Prints figures as a table, longer statements and those that nothing checked below it, and their numbers.

    Digests are whole, and what a card says is printed as text, whatever it holds.
    """
    table = FittedTable("", (Column("statement", text=True), Column("card"), Column("actual"), Column("holds")))
    long = []
    for check in verification.checks:
        texts = _texts(check)
        if max(map(len, texts)) > _SHORT:
            long.append((check, *texts))
        else:
            table.add_row(plain_text(check.what), *texts, "yes" if check.holds else "NO")
    console.print(table)
    for check, stated, actual in long:
        what = plain_text(check.what)
        say(
            console,
            f"{what}: {stated}, holds"
            if stated == actual
            else f"{what}: card {stated}, actual {actual}: {_holds(check)}",
        )
    if verification.unchecked:
        say(console, "Stated, not checked:")
        for statement in verification.unchecked:
            say(console, f"  {plain_text(statement.what)}: {_text(statement.stated)} ({_cut(statement.why)})")
    say(console, verification.describe())


def _holds(check: Check) -> str:
    return "holds" if check.holds else "DIFFERS"


def _texts(check: Check) -> tuple[str, str]:
    stated, actual = _text(check.stated), _text(check.found)
    if stated == actual and not check.holds:  # they differ in digits that are not shown
        stated, actual = _cut(repr(check.stated)), _cut(repr(check.found))
    return stated, actual


def _text(value: Value) -> str:
    if value is None:
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else _cut(str(value))


def _cut(text: str) -> str:
    plain = plain_text(text)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}... ({len(text):,} characters)"
