"""`antisample ledger`: the requests of a model, their cards, and whether they can be relied on."""

from pathlib import Path
from typing import Any

import typer

from antisample.errors import AntisampleError
from antisample.export.ledger import LedgerEntry, read_ledger
from antisample.plain_text import plain_text
from tuning.cli.commands.models import verified
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.progress import Progress


def ledger(folder: Path, *, measure: bool, allow_code: bool, allow_address: list[str] | None, as_json: bool) -> None:
    """Lists all cards of a folder in the order of their requests; exit code 1 if one cannot be relied on."""
    entries = read_ledger(folder)
    progress = Progress(output(stderr=as_json), quiet=True)
    problems = {
        entry.path: (
            *entry.problems,
            *(_differing(entry, progress, allow_code, allow_address) if measure else ()),
        )
        for entry in entries
    }
    if as_json:
        print_json([_as_json(entry, problems[entry.path]) for entry in entries])
    else:
        _print(entries, problems, folder)
    if any(problems.values()):
        raise typer.Exit(1)


def _differing(
    entry: LedgerEntry, progress: Progress, allow_code: bool, allow_address: list[str] | None
) -> tuple[str, ...]:
    """What differs when a card's model is measured again."""
    if entry.card is None:
        return ()
    try:
        verification = verified(entry.card, entry.path, progress, allow_code=allow_code, allow_address=allow_address)
    except AntisampleError as error:
        return (f"it cannot be measured: {str(error).splitlines()[0]}",)
    return tuple(
        f"{check.what} is {check.found}, but the card says {check.stated}." for check in verification.differing
    )


def _as_json(entry: LedgerEntry, problems: tuple[str, ...]) -> dict[str, Any]:
    card = entry.card
    facts = {"card": str(entry.path), "holds": not problems, "problems": list(problems)}
    if card is None:
        return facts
    return {
        **facts,
        "place": entry.place,
        "after": None if entry.after is None else str(entry.after),
        "created": card.created,
        "forgotten": card.request.in_words,
        "classes": list(card.request.classes),
        "kind": card.request.kind,
        "method": card.config.method.name,
        "original": card.original.fingerprint,
        "model": card.fingerprint,
        "sha256": entry.digest,
    }


def _print(entries: tuple[LedgerEntry, ...], problems: dict[Path, tuple[str, ...]], folder: Path) -> None:
    console = output()
    columns = (Column("forgets", text=True), Column("method", text=True), Column("made"), Column("model"))
    table = FittedTable("", (Column("#"), Column("card", text=True), *columns, Column("holds")))
    for entry in entries:
        card, name = entry.card, plain_text(str(entry.path.parent.relative_to(folder)))
        holds = "NO" if problems[entry.path] else "yes"
        if card is None:
            table.add_row("", name, "", "", "", "", holds)
            continue
        facts = (plain_text(card.request.in_words), card.config.method.name, card.created[:10], card.fingerprint[:8])
        table.add_row(str(entry.place), name, *facts, holds)
    console.print(table)
    for entry in entries:
        for problem in problems[entry.path]:
            say(console, f"{plain_text(str(entry.path))}: {plain_text(problem)}")
    wrong = sum(bool(each) for each in problems.values())
    told = f"{wrong} cannot be relied on" if wrong else "nothing was changed"
    say(console, f"{len(entries)} card{'s' if len(entries) != 1 else ''}: {told}.")
