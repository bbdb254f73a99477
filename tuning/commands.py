"""What each command of the command line does; `tuning.cli` says how it is called."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError
from antisample.metrics import evaluate
from antisample.pretrain import pretrained_path
from antisample.unlearning import subject_of
from cluster import local_ray
from search_spaces import ChoiceParameter, load_space, published_sets, space_names
from tuning.apply import apply_config, apply_trial, find_trial
from tuning.config import StudyConfig, tracking_problem
from tuning.directory import open_study, write_projections
from tuning.display import apply_command, print_mlflow, print_outcome, program, shown_path
from tuning.options import direct_config, forget_request, reproduction_config
from tuning.progress import Progress, output
from tuning.reproduction.display import print_reproduction
from tuning.reproduction.output import write_outputs
from tuning.reproduction.run import InterruptedReproductionError
from tuning.reproduction.run import reproduce as run_reproduction
from tuning.requests import load_requests, mean, summed
from tuning.run import InterruptedStudyError, run_study
from tuning.study import Study
from tuning.study_file import load_study
from tuning.toy import run_toy_seeds, toy_json, toy_table
from tuning.tracking import Delivery, DeliveryError, rebuild, sync


def run(
    study: Path,
    overrides: list[str] | None,
    tracking_uri: str | None,
    warm_start: Path | None,
    select: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Runs or continues the study of a YAML file and prints its outcome."""
    config = load_study(study, [*(overrides or []), *_selected(select)])
    if tracking_uri is not None:
        if tracking_uri != "none":
            _check_uri(tracking_uri)
        config = config.model_copy(update={"tracking_uri": tracking_uri})
    _search(config, as_json, quiet, warm_start)


def resume(directory: Path, as_json: bool, quiet: bool) -> None:
    """Continues the study in a directory and prints its outcome."""
    _search(open_study(directory).config, as_json, quiet)


def report(directory: Path, select: str | None, as_json: bool) -> None:
    """Writes the views of a study anew and prints its outcome."""
    study = open_study(directory, _selected(select))
    outcome = write_projections(study)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(output(), outcome, study.config)


def mlflow_sync(directory: Path, tracking_uri: str | None, as_json: bool) -> None:
    """Delivers what MLflow lacks of a study."""
    study = open_study(directory)
    uri = tracking_uri or study.config.mlflow_uri()
    if uri is None:
        raise ConfigError(
            f"{directory}: the study's `tracking_uri` is none, so `--tracking-uri` must say where to deliver it."
        )
    _deliver(sync, study, uri, as_json)


def mlflow_rebuild(directory: Path, tracking_uri: str, as_json: bool) -> None:
    """Makes the runs of a study anew in a store that has none of them."""
    _deliver(rebuild, open_study(directory), tracking_uri, as_json)


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
    progress = Progress(console)
    inputs = load_requests(config, progress.training_epoch, progress.reference_epoch)
    first = inputs[0]
    path = config.model.checkpoint or pretrained_path(
        config.model, first.dataset, first.splits, config.data.cache_dir, first.original.initial
    )
    initial = first.original.initial.origin
    model = first.original.build(first.dataset, device)
    found = [evaluate(subject_of(model, each, unlearn_config), ("validation", "test")) for each in inputs]
    metrics, counts = mean([each.values for each in found]), summed([each.counts for each in found])
    if as_json:
        _print_json({"path": str(path), "initial_weights": initial, "metrics": metrics, "counts": counts})
        return
    console.print(f"Original model: {path}", soft_wrap=True)
    if config.model.checkpoint is None:
        console.print(f"  started from {initial}", soft_wrap=True)
    for name in ("forget_accuracy", "retain_accuracy"):
        console.print(
            f"  {name.replace('_', ' ')}: validation {metrics[f'validation/{name}']:.1%}, "
            f"test {metrics[f'test/{name}']:.1%}"
        )


def unlearn(
    out: Path, *, study: Path | None, trial: str | None, select: str | None, direct: dict[str, Any], as_json: bool
) -> None:
    """Unlearns once, with a trial of a study or without a study; see `apply_config`."""
    progress = Progress(output(stderr=as_json))
    if study is not None:
        given = [
            f"`--{'set' if name == 'overrides' else name}`"
            for name, value in direct.items()
            if value and name != "forget"
        ]
        if given:
            raise ConfigError(f"`--study` says everything itself, so {given[0]} cannot be given beside it.")
        if select is not None and trial not in (None, "best"):
            raise ConfigError(f"`--select` chooses the trial, so it cannot be given beside `--trial {trial}`.")
        opened = open_study(study, _selected(select))
        request = forget_request(opened.config, direct["forget"])
        applied = apply_trial(opened, find_trial(opened, trial or "best"), request, out, progress)
    else:
        for name, value in (("trial", trial), ("select", select)):
            if value is not None:
                raise ConfigError(f"`--{name}` belongs to a study, so it cannot be given without `--study`.")
        config, origin = direct_config(direct)
        applied = apply_config(config, out, progress, origin)
    if as_json:
        _print_json(applied)


def reproduce(options: dict[str, Any], as_json: bool, quiet: bool) -> None:
    """Runs or continues a reproduction and prints its table."""
    config = reproduction_config(options)
    console = output(stderr=as_json)
    try:
        outcome = run_reproduction(config, Progress(console, quiet=quiet), local_ray)
    except InterruptedReproductionError:
        console.print("Stopped. The same command continues; finished jobs are kept.")
        raise typer.Exit(130) from None
    rows = write_outputs(config, outcome)
    if as_json:
        content = {"out": str(config.out), "rows": [asdict(row) for row in rows], "failed": outcome.failures}
        _print_json(content)
    else:
        print_reproduction(config, outcome, rows, console)
    if outcome.failures:
        raise typer.Exit(1)


def toy(out: Path, seeds: int, seed: int, overrides: list[str] | None, as_json: bool) -> None:
    """Runs the toy problem over several seeds and prints its summary beside the published figures."""
    console = output(stderr=as_json)
    rows = run_toy_seeds(out, seeds, seed, console, overrides or ())
    if as_json:
        _print_json({**toy_json(rows), "picture": str(out / "toy.png"), "table": str(out / "toy.csv")})
        return
    console.print(toy_table(rows))
    console.print(f"Picture: {shown_path(out / 'toy.png')} (seed {seed})", soft_wrap=True)
    console.print(f"Table:   {shown_path(out / 'toy.csv')} (a line for each seed and network)", soft_wrap=True)


def _selected(select: str | None) -> list[str]:
    return [] if select is None else [f"selection.by={select}"]


def _search(config: StudyConfig, as_json: bool, quiet: bool, warm_start: Path | None = None) -> None:
    console = output(stderr=as_json)
    progress = Progress(console, quiet=quiet)
    try:
        outcome = run_study(config, progress, local_ray, warm_start)
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
    if progress.mlflow_problem is not None:
        command = f"{program('antisample')} mlflow sync {shown_path(config.directory)}"
        console.print(
            f"MLflow lacks some of this study. {escape(progress.mlflow_problem)} Deliver it with: {command}",
            soft_wrap=True,
            style="yellow",
        )


def _deliver(deliver: Callable[[Study, str], Delivery], study: Study, uri: str, as_json: bool) -> None:
    _check_uri(uri)
    try:
        done = deliver(study, uri)
    except DeliveryError as error:
        sys.stderr.write(f"MLflow lacks some of this study: {error}\n")
        raise typer.Exit(1) from None
    if as_json:
        _print_json(asdict(done))
        return
    console = output()
    console.print(
        f"{done.store} has all {done.trials} trials of {study.config.directory}. Sent: {done.runs} new runs, "
        f"{done.steps} steps, {done.ends} ends of trials, {done.files} files.",
        soft_wrap=True,
    )
    print_mlflow(console, uri, done.link)


def _check_uri(uri: str) -> None:
    problem = tracking_problem(uri)
    if problem is not None:
        raise ConfigError(f"`--tracking-uri` {problem}")


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
