"""The requests of a model in their order: every card in a folder, how they follow each other, and what is wrong."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from antisample.errors import AntisampleError, ConfigError, DataError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import CARD_FILES, file_digest, read_card
from antisample.export.chain import earlier_requests
from antisample.export.consistency import card_problems

_MOST_CARDS = 10_000


@dataclass(frozen=True)
class LedgerEntry:
    """A card of the ledger.

    Attributes:
        path: Of the card.
        card: What it states; None where it cannot be read.
        digest: SHA-256 of the card; empty where it cannot be read.
        place: Its place in the chain, from 1; 0 where it cannot be read.
        after: The card of the request before, where that is in the ledger.
        problems: Why it cannot be relied on, one sentence each; empty if card, files and chain agree.
    """

    path: Path
    card: UnlearningCard | None
    digest: str
    place: int
    after: Path | None
    problems: tuple[str, ...]


def read_ledger(folder: Path) -> tuple[LedgerEntry, ...]:
    """Reads all cards in a folder and holds them against their files and each other. Nothing is measured.

    Args:
        folder: Is searched with all of its folders; links are not followed.

    Returns:
        An entry for each card: a request comes after the one that it builds on, and requests that build on nothing in
        the folder come in the order of their time. Cards that cannot be read come last.

    Raises:
        DataError: If there is no card, or too many of them.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: a ledger must be a folder with cards in it, but got no folder.")
    paths = _card_paths(folder)
    entries = [_entry(path) for path in paths]
    by_digest = {entry.digest: entry for entry in entries if entry.card is not None}
    linked = [_linked(entry, by_digest) for entry in entries if entry.card is not None]
    unreadable = [entry for entry in entries if entry.card is None]
    return (*_in_order(linked), *unreadable)


def _card_paths(folder: Path) -> list[Path]:
    paths = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        if CARD_FILES[0] in files:
            paths.append(Path(parent) / CARD_FILES[0])
        if len(paths) > _MOST_CARDS:
            raise DataError(f"{folder}: a ledger must have at most {_MOST_CARDS:,} cards, but there are more.")
    if not paths:
        raise DataError(f"{folder}: there is no {CARD_FILES[0]} in it or in its folders.")
    return paths


def _entry(path: Path) -> LedgerEntry:
    try:
        card = read_card(path)
        digest = file_digest(path)
    except (AntisampleError, OSError) as error:
        return LedgerEntry(path, None, "", 0, None, tuple(_sentences(error, path)))
    after = card.config.after
    place = 1 if after is None else 1 + len(after.requests)
    return LedgerEntry(path, card, digest, place, None, tuple(card_problems(card, path.parent)))


def _sentences(error: Exception, path: Path) -> list[str]:
    if isinstance(error, ConfigError):
        return list(error.problems)
    return [str(error).removeprefix(f"{path}: ")]


def _linked(entry: LedgerEntry, by_digest: Mapping[str, LedgerEntry]) -> LedgerEntry:
    """The entry with the card that it builds on, and what is wrong between the two."""
    card = entry.card
    after = card.config.after if card is not None else None
    if card is None or after is None:
        return entry
    latest, problems = after.requests[-1], list(entry.problems)
    if card.original.fingerprint != latest.model:
        problems.append("it did not start from the model that the card of its earlier request describes.")
    parent = by_digest.get(latest.card)
    if parent is not None and parent.card is not None:
        try:
            stated = earlier_requests(parent.path, parent.card).requests
        except DataError as error:
            return replace(entry, after=parent.path, problems=(*problems, str(error)))
        if stated != after.requests:
            problems.append(f"what it says of earlier requests is not what {parent.path} says.")
        return replace(entry, after=parent.path, problems=tuple(problems))
    same = [each for each in by_digest.values() if each.card is not None and each.card.fingerprint == latest.model]
    if same:
        problems.append(f"it builds on {same[0].path}, which was changed since: its SHA-256 differs.")
        return replace(entry, after=same[0].path, problems=tuple(problems))
    problems.append(
        f"the card of the request before, for {latest.in_words}, is missing, or was changed with its model."
    )
    return replace(entry, problems=tuple(problems))


def _in_order(entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Requests behind those that they build on; a walk along the chains, each from its beginning."""
    paths = {entry.path for entry in entries}
    by_time = sorted(entries, key=lambda entry: (entry.card.created if entry.card is not None else "", entry.path))
    children: dict[Path | None, list[LedgerEntry]] = {}
    for entry in by_time:
        children.setdefault(entry.after if entry.after in paths else None, []).append(entry)
    ordered: list[LedgerEntry] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        entry = waiting.pop()
        ordered.append(entry)
        waiting += children.get(entry.path, [])[::-1]
    listed = {entry.path for entry in ordered}
    return [*ordered, *(entry for entry in by_time if entry.path not in listed)]  # of cards that name each other
