"""The commands that do an unlearning again, as a card states them."""

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from antisample.export.local_paths import relative_path
from tuning.cli.flags import WITH_STUDY, UnlearnFlags

_PATHS = ("study", "forget_samples", "dataset", "root", "checkpoint", "after")


def unlearn_command(flags: UnlearnFlags, out: Path, formats: Sequence[str]) -> str:
    """The command that does an unlearning again; `{threads}` in it stands for the number of threads.

    Args:
        flags: As the command line gave them.
        out: Where the model goes.
        formats: Formats besides safetensors.
    """
    return _command(vars(flags).items(), out, formats)


def apply_again_command(
    study: Path,
    trial: int,
    out: Path,
    formats: Sequence[str],
    *,
    direct: UnlearnFlags,
) -> str:
    """The command that applies a trial of a study again; see `unlearn_command`."""
    flags: dict[str, Any] = {
        "study": study,
        "trial": trial,
        **{name: getattr(direct, name) for name in WITH_STUDY},
    }
    return _command(flags.items(), out, formats)


def _command(flags: Iterable[tuple[str, Any]], out: Path, formats: Sequence[str]) -> str:
    words = ["antisample", "unlearn"]
    for name, value in flags:
        flag = f"--{'set' if name == 'overrides' else name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            if each is not None and each is not False:
                words += [flag] if each is True else [flag, _in_command(name, each)]
    for form in formats:
        words += ["--format", form]
    return f"{shlex.join(words)} --threads {{threads}} --out {shlex.quote(relative_path(str(out), Path.cwd()))}"


def _in_command(flag: str, value: Any) -> str:
    """The value of a flag as the command of a card has it: with relative paths in the place of absolute ones."""
    text = str(value)
    if flag == "overrides":
        key, _, stated = text.partition("=")
        plain = stated.strip()
        bare = plain[1:-1] if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"" else plain
        moved = relative_path(bare, Path.cwd())
        return text if moved == bare else f"{key}={moved if bare == plain else json.dumps(moved)}"
    return relative_path(text, Path.cwd()) if flag in _PATHS else text
