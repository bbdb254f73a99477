"""The command line: `antisample`."""

import sys

_NOT_ON_WINDOWS = (
    "Error: antisample does not run on Windows; it needs Linux, such as the Windows Subsystem for Linux (WSL)."
)


def main() -> None:
    """Runs the command line, where it can run."""
    if sys.platform == "win32":  # before anything is imported: modules of Unix are missing there
        sys.stderr.write(f"{_NOT_ON_WINDOWS}\n")
        sys.exit(2)
    _main()


def _main() -> None:
    """Runs the command line; a user's mistake gives one message and exit code 2, never a traceback.

    Ctrl-C and SIGTERM end each command with a sentence, from the first import on. A library in which the signal
    arrives may turn it into an error of its own, or swallow it: what has not ended after a few seconds is ended.
    """
    from tuning.interruption import (  # noqa: PLC0415  (see `main`)
        exit_code,
        is_stopped,
        leave,
        once,
        second_signal_stops,
        sigterm_like_ctrl_c,
    )

    say_stopped = once(lambda: sys.stderr.writelines(["Stopped.\n"]))
    with sigterm_like_ctrl_c(), second_signal_stops("Stopped immediately.", say_stopped):
        try:
            from tuning.cli.program import run  # noqa: PLC0415  (a signal may come while it is imported)

            run()
        except SystemExit as end:
            if is_stopped() and end.code:
                leave(exit_code())  # libraries may still be importing, or wait for what the signal has ended, too
            raise
        except BaseException as error:
            if not is_stopped() and not isinstance(error, KeyboardInterrupt):
                raise
            say_stopped()  # what the command writes is whole or not there
            leave(exit_code())
