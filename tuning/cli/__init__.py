"""The command line: `antisample`."""

import sys

from tuning.interruption import exit_code, is_stopped, leave, once, second_signal_stops, sigterm_like_ctrl_c


def main() -> None:
    """Runs the command line; a user's mistake gives one message and exit code 2, never a traceback.

    Ctrl-C and SIGTERM end each command with a sentence, from the first import on. A library in which the signal
    arrives may turn it into an error of its own, or swallow it: what has not ended after a few seconds is ended.
    """
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
