"""The command line: `antisample`."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from antisample.errors import AntisampleError
from search_spaces import SpaceError

app = typer.Typer(
    help="Search the hyperparameters of machine unlearning, and apply what was found.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study.")]
StudyDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="A study's directory, such as runs/demo.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Overrides a value of the study; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output, nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the outcome only, no progress.")]


@app.command(epilog="Example: antisample run studies/demo.yaml --set n_trials=32 --set forget.classes=[7]")
def run(
    study: StudyFile,
    overrides: Overrides = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow store or server; `none` switches tracking off.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search: run a study, or continue it if its directory exists."""
    _commands().run(study, overrides, tracking_uri, as_json, quiet)


@app.command(epilog="Example: antisample resume runs/demo")
def resume(directory: StudyDirectory, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Continue a study that was stopped or whose driver died."""
    _commands().resume(directory, as_json, quiet)


@app.command(epilog="Example: antisample report runs/demo --json")
def report(directory: StudyDirectory, as_json: AsJson = False) -> None:
    """Write report.html and trials.parquet anew and print the front."""
    _commands().report(directory, as_json)


@app.command(epilog="Example: antisample spaces antisample")
def spaces(
    name: Annotated[str | None, typer.Argument(help="A packaged space or the path of a YAML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """List search spaces and published sets, or show one space with the reason for each parameter."""
    _commands().spaces(name, as_json)


@app.command(epilog="Example: antisample pretrain studies/demo.yaml")
def pretrain(study: StudyFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Train and cache the original model of a study, or find it in the cache."""
    _commands().pretrain(study, overrides, as_json)


@app.command("unlearn", epilog="Example: antisample unlearn --study runs/demo --trial best --out runs/demo/unlearned")
def unlearn_command(
    study: Annotated[Path, typer.Option(metavar="DIR", help="A study's directory.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where model.safetensors and unlearning.json go.")],
    trial: Annotated[str, typer.Option(metavar="best|N", help="The chosen trial, or one by number.")] = "best",
    as_json: AsJson = False,
) -> None:
    """Apply a trial: unlearn with its hyperparameters and seed, and write the model."""
    _commands().unlearn(study, trial, out, as_json)


def _commands() -> ModuleType:
    """Torch, Ray and MLflow take seconds to import; help and misspelt flags do not wait for them."""
    return import_module("tuning.commands")


def main() -> None:
    """Runs the command line; a user's mistake gives one message and exit code 2, never a traceback."""
    try:
        app()
    except (AntisampleError, SpaceError) as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
