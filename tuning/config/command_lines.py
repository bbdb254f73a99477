"""How commands and paths are written in messages, for a shell."""

import os
import shlex
import sys
from pathlib import Path


def shown_path(path: Path) -> str:
    """A path relative to the folder one stands in where that is shorter, quoted for a shell."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the environment's links
    shorter = absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute
    return shlex.quote(str(shorter))


def program(name: str) -> str:
    """How to call a program of this environment from the folder one stands in."""
    path = Path(sys.executable).parent / name
    return shown_path(path) if path.exists() and str(path.parent) not in os.get_exec_path() else name
