"""Signals while Ray starts: it replaces their handlers, also behind Python's back, and never puts them back."""

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray import _raylet
from ray._private import utils

# Ray's C++ layer takes these over with `ray.init`: SIGTERM would end in a trace of addresses and exit code 134. With
# `ray.shutdown` it would leave them at the system's default.
_TAKEN_OVER = (signal.SIGTERM, signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS)
_LARGEST_ACTION = 512
"""Bytes that hold a `struct sigaction` of any system; Linux needs 152."""

_system = ctypes.CDLL(None)
_ray = ctypes.CDLL(_raylet.__file__)
_take_over = _ray["_ZN3ray6RayLog27InstallFailureSignalHandlerEPKcb"]
_let_go = _ray["_ZN3ray6RayLog21UninstallSignalActionEv"]


@contextmanager
def kept_signals() -> Iterator[None]:
    """Has Ray started within a `with` block that leaves all handlers of signals as they were, then and afterwards.

    Ray takes signals over once and lets go of them once. It is had to do so here, where they are put back at once.
    That works in any thread, since it asks the operating system: Python sets handlers in its main thread alone.
    """
    setter = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda _handler: None
    before = _actions()
    _take_over(b"", False)
    _put_back(before)
    try:
        yield
    finally:
        _let_go()
        _put_back(before)
        utils.set_sigterm_handler = setter


def _actions() -> dict[int, Any]:
    """What the operating system does at each of the signals."""
    actions = {int(number): ctypes.create_string_buffer(_LARGEST_ACTION) for number in _TAKEN_OVER}
    for number, action in actions.items():
        _system.sigaction(ctypes.c_int(number), None, action)
    return actions


def _put_back(actions: dict[int, Any]) -> None:
    for number, action in actions.items():
        _system.sigaction(ctypes.c_int(number), action, None)
