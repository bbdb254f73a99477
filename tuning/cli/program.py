"""What the command line consists of, and how it says what a user did wrong."""

import errno
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.core import TyperGroup

import antisample
from antisample.errors import AntisampleError
from antisample.plain_text import plain_text
from antisample.validation.addresses import without_secrets
from search_spaces import SpaceError
from tuning.cli import cluster, completion, completion_scripts, models, published, studies, tracking
from tuning.cli.streams import use_forgiving_streams
from tuning.interruption import exit_code, is_stopped

_LONGEST_WORD = 500


class _Commands(TyperGroup):
    """The commands, each of which Ctrl-C and SIGTERM stop with a sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # which the command did not expect; what it writes is whole or not there
            sys.stderr.write("Stopped.\n")
            raise typer.Exit(exit_code()) from None


app = typer.Typer(
    cls=_Commands,
    help="Search hyperparameters for machine unlearning and apply the result.",
    no_args_is_help=True,
    add_completion=False,  # typer's own changes how all programs complete in zsh, and cannot complete after =
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for part in (studies, models, published):
    app.add_typer(part.app)
app.add_typer(tracking.app, name="mlflow")
app.add_typer(cluster.app, name="cluster")


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"antisample {antisample.__version__}\n")
        raise typer.Exit


@app.callback()
def _common(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Install completion for this shell (bash, zsh or fish).",
            callback=completion_scripts.install_callback,
            is_eager=True,
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Print the completion script for this shell.",
            callback=completion_scripts.show_callback,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Takes the options that need no command."""


def run() -> None:
    """Runs the command that the arguments of this process name, and ends the process."""
    use_forgiving_streams()
    sys.path.append(str(Path.cwd()))  # models of the user's, such as my_package.models:build
    try:
        if completion.COMPLETE in os.environ:
            completion_init()
            app(prog_name=completion.PROGRAM)
        app()
    except Exception as error:
        said = str(error)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            said = f"{_shortened(str(error.filename))}: the name is too long for a file name."
        elif is_stopped() or not isinstance(error, (AntisampleError, SpaceError, *_cluster_errors())):
            raise
        sys.stderr.write(f"Error: {plain_text(_shortened(without_secrets(said)), lines=True)}\n")
        sys.exit(2)


def _shortened(text: str) -> str:
    """A message without the middle of words that nobody reads to their end, such as a value of 10,000 letters."""
    return re.sub(
        rf"\S{{{_LONGEST_WORD},}}",
        lambda word: f"{word[0][:60]}...{word[0][-20:]} ({len(word[0]):,} characters)",
        text,
    )


def _cluster_errors() -> list[type[Exception]]:
    """The exception of launchers, which import Ray: where nobody has imported them, nobody has raised it."""
    return [module.ClusterError] if (module := sys.modules.get("cluster.errors")) is not None else []
