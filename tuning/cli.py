"""The command line: `antisample`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from antisample.device import choose_device, describe_device
from antisample.errors import AntisampleError
from antisample.pretrain import pretrained_path
from antisample.unlearn import evaluate_parts, load_inputs
from cluster import local_ray
from search_spaces import ChoiceParameter, SpaceError, load_space, published_sets, space_names
from tuning.apply import apply_trial, find_trial
from tuning.config import StudyConfig
from tuning.directory import open_study, write_projections
from tuning.display import apply_command, print_outcome, program, shown_path
from tuning.progress import Progress, output
from tuning.run import InterruptedStudyError, run_study
from tuning.study_file import load_study

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
    config = load_study(study, overrides)
    if tracking_uri is not None:
        config = config.model_copy(update={"tracking_uri": tracking_uri})
    _run(config, as_json, quiet)


@app.command(epilog="Example: antisample resume runs/demo")
def resume(directory: StudyDirectory, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Continue a study that was stopped or whose driver died."""
    _run(open_study(directory).config, as_json, quiet)


@app.command(epilog="Example: antisample report runs/demo --json")
def report(directory: StudyDirectory, as_json: AsJson = False) -> None:
    """Write report.html and trials.parquet anew and print the front."""
    study = open_study(directory)
    outcome = write_projections(study)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(output(), outcome, study.config)


@app.command(epilog="Example: antisample spaces antisample")
def spaces(
    name: Annotated[str | None, typer.Argument(help="A packaged space or the path of a YAML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """List search spaces and published sets, or show one space with the reason for each parameter."""
    if name is None:
        if as_json:
            _print_json(
                {"spaces": space_names(), "published": {n: s.parameters for n, s in published_sets().items()}}
            )
            return
        console = output()
        console.print("Spaces: " + ", ".join(space_names()))
        console.print("Published sets: " + ", ".join(published_sets()))
        return
    space = load_space(name)
    if as_json:
        _print_json(space.model_dump(mode="json"))
        return
    table = Table(title=f"{space.name}: search space of the method {space.method}", title_justify="left")
    for heading in ("parameter", "range", "why"):
        table.add_column(heading)
    for parameter_name, parameter in space.parameters.items():
        if isinstance(parameter, ChoiceParameter):
            shown = " or ".join(map(str, parameter.choices))
        else:
            kind = ("whole, " if parameter.integer else "") + ("log" if parameter.log else "linear")
            shown = f"{parameter.low:g} to {parameter.high:g} ({kind})"
        table.add_row(parameter_name, shown, parameter.why)
    output().print(table)


@app.command(epilog="Example: antisample pretrain studies/demo.yaml")
def pretrain(study: StudyFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Train and cache the original model of a study, or find it in the cache."""
    config = load_study(study, overrides)
    console = output(stderr=as_json)
    unlearn_config = config.starting_config()
    device = choose_device(config.device)
    console.print(f"Device: {describe_device(device)}")
    inputs = load_inputs(unlearn_config, Progress(console).training_epoch)
    path = config.model.checkpoint or pretrained_path(
        config.model, inputs.dataset, inputs.splits, config.data.cache_dir
    )
    model = inputs.original.build(inputs.dataset, device)
    metrics = evaluate_parts(model, inputs, ("validation", "test"), unlearn_config)
    if as_json:
        _print_json({"path": str(path), "metrics": metrics.values, "counts": metrics.counts})
        return
    console.print(f"Original model: {path}", soft_wrap=True)
    for name in ("forget_accuracy", "retain_accuracy"):
        console.print(
            f"  {name.replace('_', ' ')}: validation {metrics.values[f'validation/{name}']:.1%}, "
            f"test {metrics.values[f'test/{name}']:.1%}"
        )


@app.command("unlearn", epilog="Example: antisample unlearn --study runs/demo --trial best --out runs/demo/unlearned")
def unlearn_command(
    study: Annotated[Path, typer.Option(metavar="DIR", help="A study's directory.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where model.safetensors and unlearning.json go.")],
    trial: Annotated[str, typer.Option(metavar="best|N", help="The chosen trial, or one by number.")] = "best",
    as_json: AsJson = False,
) -> None:
    """Apply a trial: unlearn with its hyperparameters and seed, and write the model."""
    opened = open_study(study)
    applied = apply_trial(opened, find_trial(opened, trial), out, Progress(output(stderr=as_json)))
    if as_json:
        _print_json(applied)


def _run(config: StudyConfig, as_json: bool, quiet: bool) -> None:
    console = output(stderr=as_json)
    progress = Progress(console, quiet=quiet)
    try:
        outcome = run_study(config, progress, local_ray)
    except InterruptedStudyError:
        progress.close()
        console.print(
            f"Stopped. Continue with: {program('antisample')} resume {shown_path(config.directory)}",
            soft_wrap=True,
        )
        raise typer.Exit(130) from None
    finally:
        progress.close()
    if as_json:
        _print_json({**outcome.to_json(), "directory": str(config.directory), "apply": apply_command(config)})
    else:
        print_outcome(console, outcome, config, progress.mlflow_link)


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def main() -> None:
    """Runs the command line; a user's mistake gives one message and exit code 2, never a traceback."""
    try:
        app()
    except (AntisampleError, SpaceError) as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
