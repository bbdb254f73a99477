"""What this user has agreed to on this machine: which study may import which code, and use which addresses.

It stands outside of studies, in the user's own folder for state, since whoever sends a study writes all that is in
its folder. Nothing in a folder that was sent can add to it.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from tuning.trust.study_id import known_id


def agreed(subject: str | None) -> frozenset[str]:
    """What the user has agreed to for a study or a card.

    Args:
        subject: The id of the study, or what names the card; None if it has none.

    Returns:
        Digests of code and addresses, as `agree` kept them; nothing where the file is missing, damaged, or another
        user may write it.
    """
    path = _file(subject) if subject else None
    if path is None:
        return frozenset()
    try:
        with path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return frozenset()
            kept = json.load(file)
    except (OSError, ValueError, RecursionError):
        return frozenset()
    if not isinstance(kept, dict) or kept.get("subject") != subject or not isinstance(kept.get("agreed"), list):
        return frozenset()
    return frozenset(text for text in kept["agreed"] if isinstance(text, str))


def agreed_of_study(directory: Path) -> frozenset[str]:
    """The same for the study in a folder: by its id, and by the folder where it was sent to a cluster."""
    return agreed(known_id(directory)) | agreed(folder_subject(directory))


def folder_subject(directory: Path) -> str:
    """What names a study that has no id yet: its folder."""
    return f"folder {directory.resolve()}"


def agree(subject: str, to: Iterable[str]) -> bool:
    """Keeps what the user has agreed to, with what was agreed to before.

    Args:
        subject: See `agreed`.
        to: Digests of code, and addresses; see `NamedCode.digest` and `tuning.trust.addresses`.

    Returns:
        Whether it is kept; where the user's folder cannot be written, the user is asked again next time.
    """
    wanted = frozenset(to)
    before = agreed(subject)
    if wanted <= before:
        return True
    path = _file(subject)
    if path is None:
        return False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with atomic_write(path) as unfinished:
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps({"subject": subject, "agreed": sorted(before | wanted)}, indent=1))
    except (OSError, DataError):
        return False
    return True


def _file(subject: str) -> Path | None:
    """The file of one study or card; None where the user has no folder."""
    stated = os.environ.get("XDG_STATE_HOME", "")
    try:
        # A relative one is to be ignored, says the specification: it would lie in the folder one stands in.
        state = Path(stated) if Path(stated).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return state / "antisample" / "agreed" / f"{hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()}.json"
