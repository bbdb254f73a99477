"""Ctrl-C and SIGTERM on the command line: once ends in order and within seconds, twice stops at once."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import psutil

INTERRUPTED = 130
"""Exit code of a program that was ended by Ctrl-C."""
TERMINATED = 143
"""Exit code of a program that was ended by SIGTERM."""
STOPPING = "Stopping. Press Ctrl-C again to stop immediately."
"""The answer to the first signal where the end in order may take seconds."""
LAST_WORDS_S = 1.0
"""How long an end in order is waited for before what it would print at its end is printed without it."""
PATIENCE_S = 6.0
"""What an end in order may take: who sends SIGTERM kills soon after. What was reported is safe either way."""
_SAME_S = 1.0
"""SIGTERM comes twice from `timeout` and from Slurm, to the process and to its group: within this time it is one."""

_SIGNAL_FOLLOWS_S = 0.2
"""Job systems signal all processes of a job: what ended Ray's reaches this one about then."""

_terminated = threading.Event()
_heard = threading.Event()
_leaving = threading.Lock()


def is_stopped() -> bool:
    """Whether Ctrl-C or SIGTERM has come: an error that follows may come of it."""
    return _heard.is_set()


def exit_code() -> int:
    """The exit code of a program that was stopped: by SIGTERM if one has come, else by Ctrl-C."""
    return TERMINATED if _terminated.is_set() else INTERRUPTED


@contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """Has the first SIGTERM within the block do what Ctrl-C does at that moment; needs the main thread.

    A shell leaves SIGINT ignored in what it starts in the background, which then hears SIGTERM all the same. Both are
    noted for `is_stopped`.
    """
    came = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _heard.set()
        raise KeyboardInterrupt

    def hear(_number: int, frame: FrameType | None) -> None:
        nonlocal came
        _heard.set()
        _terminated.set()
        if came:
            return  # `second_signal_stops` counts
        came = True
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):
            raise KeyboardInterrupt
        on_ctrl_c(signal.SIGINT, frame)

    _heard.clear()
    _terminated.clear()
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, hear)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def second_signal_stops(
    message: str, last_words: Callable[[], None] | None = None, answer: Callable[[], None] | None = None
) -> Iterator[None]:
    """Has the second Ctrl-C or SIGTERM within the block, or an end that takes too long, end the process at once.

    The first is left to whoever handles it, and answered. Signals are counted by a thread, since a main thread that
    waits inside of a library would not hear of them.

    Args:
        message: Printed to standard error when the process is stopped at once.
        last_words: Called in another thread when the end in order takes more than `LAST_WORDS_S`; after `PATIENCE_S`
            the process ends. Without it the end has all the time it takes.
        answer: Called in that thread at the first signal.

    Yields:
        Nothing.
    """
    heard, writer = socket.socketpair()
    writer.setblocking(False)
    threading.Thread(target=_count, args=(heard, message, last_words, answer), name="signals", daemon=True).start()
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()


@contextmanager
def interrupts_noted() -> Iterator[threading.Event]:
    """Has the first Ctrl-C within the block set an event instead of raising, so that nothing is left half done.

    Only in the main thread, which alone hears of signals. What the block does to the handlers of Ctrl-C and SIGUSR1
    is undone at its end: Ray Tune leaves its own behind.

    Yields:
        The event.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def hear(*_: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)}
    signal.signal(signal.SIGINT, hear)
    try:
        yield event
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def once(words: Callable[[], None]) -> Callable[[], None]:
    """The same function, which does nothing from its second call on: two threads may want to say the same.

    A second thread waits for the first to have said it.
    """
    lock, said = threading.Lock(), False

    def say() -> None:
        nonlocal said
        with lock:
            if not said:
                said = True
                words()

    return say


def stop_for_loss(message: str) -> None:
    """Ends the process with exit code 1, since it lost what it needs; does nothing where a signal is ending it."""
    if not _heard.wait(_SIGNAL_FOLLOWS_S) and not _leaving.locked():
        _stop_at_once(message, 1)


def leave(code: int) -> NoReturn:
    """Ends the process and all that it has started, without waiting for threads and libraries; output is written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    _exit(code)


def _count(
    heard: socket.socket,
    message: str,
    last_words: Callable[[], None] | None,
    answer: Callable[[], None] | None,
) -> None:
    first: float | None = None
    ends = threading.Event()
    with heard:
        while numbers := heard.recv(16):
            for number in numbers:
                if number not in (signal.SIGINT, signal.SIGTERM):
                    continue
                _heard.set()
                if number == signal.SIGTERM:
                    _terminated.set()  # the main thread may not have come to its handler
                now = time.monotonic()
                if first is None:
                    first = now
                    threading.Thread(target=_end, args=(ends, last_words, answer), name="end", daemon=True).start()
                elif number == signal.SIGINT or now - first > _SAME_S:
                    _stop_at_once(message, exit_code())
    ends.set()


def _end(ends: threading.Event, last_words: Callable[[], None] | None, answer: Callable[[], None] | None) -> None:
    """Says what is to be said after the first signal, until the block ends; a thread of its own may be held up."""
    signalled = time.monotonic()
    if answer is not None:
        answer()
    if last_words is not None and not ends.wait(LAST_WORDS_S):
        last_words()
        if not ends.wait(max(0.0, signalled + PATIENCE_S - time.monotonic())):
            leave(exit_code())


def _stop_at_once(message: str, code: int) -> NoReturn:
    # The live table hides the cursor.
    show_cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    os.write(sys.stderr.fileno(), f"{show_cursor}{message}\n".encode())
    _exit(code)


def _exit(code: int) -> NoReturn:
    _leaving.acquire()  # never released: another thread that would end the process, too, waits for its end
    for process in psutil.Process().children(recursive=True):  # Ray's would end by themselves within a minute
        with suppress(psutil.Error):
            process.kill()
    os._exit(code)
