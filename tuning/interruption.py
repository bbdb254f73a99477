"""Ctrl-C on the command line: once ends in order, twice stops at once."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

INTERRUPTED = 130
"""Exit code of a program that was ended by Ctrl-C."""


@contextmanager
def second_ctrl_c_stops(message: str) -> Iterator[None]:
    """Has the second Ctrl-C within the block end the process at once.

    The first is left to whoever handles it: Ray Tune while it searches, Python's KeyboardInterrupt elsewhere. Signals
    are counted by a thread, since a main thread that waits inside of a library would not hear of the second.

    Args:
        message: Printed to standard error when the process is stopped.

    Yields:
        Nothing.
    """
    heard, writer = socket.socketpair()
    writer.setblocking(False)
    Thread(target=_count, args=(heard, message), name="ctrl-c", daemon=True).start()
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()


def _count(heard: socket.socket, message: str) -> None:
    interrupts = 0
    with heard:
        while numbers := heard.recv(16):
            interrupts += numbers.count(signal.SIGINT)
            if interrupts > 1:
                # The live table hides the cursor.
                shown = "\x1b[?25h\n" if sys.stderr.isatty() else ""
                os.write(sys.stderr.fileno(), f"{shown}{message}\n".encode())
                os._exit(INTERRUPTED)
