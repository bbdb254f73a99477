"""Ray's settings in the environment of this process, as they were before Ray was used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # compiled

_BEYOND_ITS_NAMES = ("PYTHONBREAKPOINT",)


@contextmanager
def kept_environment() -> Iterator[None]:
    """Has what the environment says to Ray be afterwards as it was before, whoever changed it; Ray does so itself.

    So a program can start a Ray of its own next.
    """
    before = _rays_variables()
    try:
        yield
    finally:
        for name in _rays_variables():
            del os.environ[name]
        os.environ.update(before)
        reread_environment()


def reread_environment() -> None:
    """Has Ray read its settings and its token anew: it keeps those of the first Ray in a process."""
    AuthenticationTokenLoader.instance().reset_cache()
    Config.initialize("")


def _rays_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RAY_") or name in _BEYOND_ITS_NAMES}
