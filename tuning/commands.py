"""What each command of the command line does; `tuning.cli` says how it is called."""

import json
import sys
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from antisample.device import choose_device, describe_device
from antisample.metrics import evaluate
from antisample.pretrain import pretrained_path
from antisample.unlearning import load_inputs, subject_of
from cluster import local_ray
from search_spaces import ChoiceParameter, load_space, published_sets, space_names
from tuning.apply import apply_trial, find_trial
from tuning.config import StudyConfig
from tuning.directory import open_study, write_projections
from tuning.display import apply_command, print_outcome, program, shown_path
from tuning.progress import Progress, output
from tuning.run import InterruptedStudyError, run_study
from tuning.study_file import load_study


def run(study: Path, overrides: list[str] | None, tracking_uri: str | None, as_json: bool, quiet: bool) -> None:
    """Runs or continues the study of a YAML file and prints its outcome."""
    config = load_study(study, overrides)
    if tracking_uri is not None:
        config = config.model_copy(update={"tracking_uri": tracking_uri})
    _search(config, as_json, quiet)


def resume(directory: Path, as_json: bool, quiet: bool) -> None:
    """Continues the study in a directory and prints its outcome."""
    _search(open_study(directory).config, as_json, quiet)


def report(directory: Path, as_json: bool) -> None:
    """Writes the views of a study anew and prints its outcome."""
    study = open_study(directory)
    outcome = write_projections(study)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(output(), outcome, study.config)


def spaces(name: str | None, as_json: bool) -> None:
    """Lists spaces and published sets, or shows one space."""
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


def pretrain(study: Path, overrides: list[str] | None, as_json: bool) -> None:
    """Trains or finds the original model of a study and prints its metrics."""
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
    metrics = evaluate(subject_of(model, inputs, unlearn_config), ("validation", "test"))
    if as_json:
        _print_json({"path": str(path), "metrics": metrics.values, "counts": metrics.counts})
        return
    console.print(f"Original model: {path}", soft_wrap=True)
    for name in ("forget_accuracy", "retain_accuracy"):
        console.print(
            f"  {name.replace('_', ' ')}: validation {metrics.values[f'validation/{name}']:.1%}, "
            f"test {metrics.values[f'test/{name}']:.1%}"
        )


def unlearn(study: Path, trial: str, out: Path, as_json: bool) -> None:
    """Applies a trial; see `apply_trial`."""
    opened = open_study(study)
    applied = apply_trial(opened, find_trial(opened, trial), out, Progress(output(stderr=as_json)))
    if as_json:
        _print_json(applied)


def _search(config: StudyConfig, as_json: bool, quiet: bool) -> None:
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
