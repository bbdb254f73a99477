"""Signals while Ray starts and stops: it replaces their handlers, also behind Python's back, and puts none back."""

import ctypes
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray._private import utils
from ray._private.node import Node

# Ray's C++ layer takes these over with `ray.init`: SIGTERM would end in a trace of addresses and exit code 134. With
# `ray.shutdown` it leaves them at the system's default.
_TAKEN_OVER = (signal.SIGTERM, signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS)
_LARGEST_ACTION = 512
"""Bytes that hold a `struct sigaction` of any system; Linux needs 152."""


@contextmanager
def kept_signals() -> Iterator[None]:
    """Has Ray started or stopped within a `with` block that leaves all handlers of signals as they were.

    It works in any thread, since it asks the operating system: Python sets handlers in its main thread alone.
    """
    before = _actions()

    def first_put_back(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            _set(before)
            return method(*arguments, **options)

        return call

    setter, ending = utils.set_sigterm_handler, Node.kill_all_processes
    utils.set_sigterm_handler = lambda _handler: None
    Node.kill_all_processes = first_put_back(ending)  # type: ignore[method-assign]  # it takes up to a second
    try:
        yield
    finally:
        utils.set_sigterm_handler = setter
        Node.kill_all_processes = ending  # type: ignore[method-assign]
        _set(before)


def _actions() -> dict[int, Any]:
    """What the operating system does at each of the signals."""
    actions = {}
    for number in _TAKEN_OVER:
        action = ctypes.create_string_buffer(_LARGEST_ACTION)
        if _sigaction(number, None, action) == 0:
            actions[int(number)] = action
    return actions


def _set(actions: dict[int, Any]) -> None:
    for number, action in actions.items():
        _sigaction(number, action, None)


def _sigaction(number: int, new: Any, old: Any) -> int:
    result: int = ctypes.CDLL(None).sigaction(ctypes.c_int(number), new, old)
    return result
