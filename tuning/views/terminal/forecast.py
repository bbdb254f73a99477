"""What `antisample run --dry-run` prints: what a study would do, on how many workers, and how long it would take."""

from typing import Any

from rich.console import Console

from tuning.config.command_lines import shown_path
from tuning.driver.dry_run import DryRun
from tuning.study.forecast import Forecast, Stage
from tuning.views.terminal.console import say
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.live import duration
from tuning.views.terminal.space_table import value_range


def print_dry_run(console: Console, run: DryRun) -> None:
    """Prints everything but the line about what is forgotten, which is printed once the data is there."""
    for line in (_retained(run), *_original(run), _study(run)):
        say(console, line)
    console.print(_space(run))
    config = run.plan.config
    fixed = ", ".join(f"{name} {value}" for name, value in config.fixed.items())
    say(console, f"Fixed: {fixed or 'nothing'}")
    for line in (_trials(run), _workers(run)):
        say(console, line)
    console.print(_stages(run.forecast))
    for line in _notes(run):
        say(console, line)


def dry_run_json(run: DryRun) -> dict[str, Any]:
    """The same for programs: plain values, times in seconds, memory in bytes."""
    config = run.plan.config
    return {
        "dry_run": True,
        "directory": str(config.directory),
        "continues": run.finished is not None,
        "finished_trials": run.finished or 0,
        "trials_left": run.trials_left,
        "forgetting": [vars(each) for each in run.forgetting],
        "retain_images": run.retain_images,
        "original": [vars(each) for each in run.accuracies] or None,
        "space": {
            name: parameter.model_dump(mode="json", exclude={"why"}, exclude_none=True)
            for name, parameter in run.plan.space.parameters.items()
        },
        "fixed": dict(config.fixed),
        "n_trials": config.n_trials,
        "replicates": config.replicates,
        "confirm_seeds": config.confirm_seeds,
        "references_to_train": run.missing_references,
        "workers": run.workers,
        "cpus_per_worker": run.share.cpus,
        "gpus_per_worker": run.share.gpus,
        "time": run.forecast.to_json(),
        "not_measured": list(run.measured.not_measured),
        "memory": {
            "worker": run.measured.worker_bytes,
            "all": run.memory,
            "free": run.free_memory,
            "gpu_per_worker": run.measured.gpu_bytes,
        },
    }


def _retained(run: DryRun) -> str:
    text = f"Retain images: {run.retain_images:,}"
    parameter = run.plan.space.parameters.get("retain_fraction")
    if parameter is not None:
        return f"{text}, of which a trial uses the fraction `retain_fraction`: {value_range(parameter)}"
    fraction = run.plan.config.fixed.get("retain_fraction")
    return text if fraction is None else f"{text}, of which a trial uses the fraction {fraction}"


def _original(run: DryRun) -> list[str]:
    if not run.accuracies:
        epochs = run.plan.config.model.recipe.epochs
        return [
            f"Original model: not trained yet, so its accuracy is unknown; the study first trains it, {epochs} epochs"
        ]
    several = len(run.accuracies) > 1
    return [
        f"Original model{f' for {each.describe_classes()}' if several else ''}: {accuracy.describe()}"
        for each, accuracy in zip(run.forgetting, run.accuracies, strict=True)
    ]


def _study(run: DryRun) -> str:
    place = shown_path(run.plan.config.directory)
    if run.finished is None:
        return f"Study: {place}, which does not exist yet"
    if not run.trials_left:
        return f"Study: {place}, which exists and has all of its trials"
    progress = f"{_n(run.finished, 'trial')} finished, {run.trials_left} left"
    return f"Study: {place}, which exists and would be continued: {progress}"


def _space(run: DryRun) -> FittedTable:
    space = run.plan.space
    columns = (
        Column("hyperparameter", text=True),
        Column("range", text=True),
        Column("only with", rank=1, text=True),
    )
    table = FittedTable(f"Search space {run.plan.config.space or space.name}", columns)
    for name, parameter in space.parameters.items():
        table.add_row(name, value_range(parameter), space.condition(name).replace("`", ""))
    return table


def _trials(run: DryRun) -> str:
    config = run.plan.config
    replicates = f" with {_n(config.replicates, 'replicate')} each"
    confirmed = (
        f"; {_n(config.confirm_seeds, 'fresh seed')} to re-run the chosen trial" if config.confirm_seeds else ""
    )
    references = (
        f"; {_n(run.missing_references, 'retrained reference')} to train first" if run.missing_references else ""
    )
    return f"Trials: {config.n_trials}{replicates}{confirmed}{references}"


def _workers(run: DryRun) -> str:
    config, machine, share = run.plan.config, run.machine, run.share
    each = f"{_n(share.cpus, 'core')}"
    there = f"{machine.cpus:g} cores"
    if share.gpus:
        each += f" and {share.gpus:.3g} GPUs"
        there += f" and {machine.gpus:g} GPUs"
    slots = share.slots([machine])
    limit = f"`resources.max_concurrent` is {config.resources.max_concurrent}"
    why = f"each takes {each}, and this machine has {there}"
    if run.workers < slots:
        why += f"; {limit}"
    return f"Workers: {run.workers} at once, since {why}"


def _stages(forecast: Forecast) -> FittedTable:
    columns = (Column("predicted time", text=True), Column("minutes"), Column("retrainings"), Column("range", rank=1))
    table = FittedTable("", columns)
    for stage in (*forecast.stages, forecast.total()):
        table.add_row(stage.name, *_figures(stage, forecast.retraining_s))
    return table


def _figures(stage: Stage, retraining_s: float) -> tuple[str, str, str]:
    varies = stage.least_s < stage.most_s
    between = f"{stage.least_s / 60:.1f} to {stage.most_s / 60:.1f}" if varies else ""
    retrainings = f"{stage.seconds / retraining_s:.1f}" if retraining_s else ""
    return f"{stage.seconds / 60:.1f}", retrainings, between


def _notes(run: DryRun) -> list[str]:
    forecast, config = run.forecast, run.plan.config
    least, mean, most = forecast.epochs
    lines = [f"One retraining on the retain images takes {duration(forecast.retraining_s)}."]
    if least < most:
        lines.append(
            f"The minutes are those of {mean:.1f} epochs, the mean of the space, and the range those of {least:g} to "
            f"{most:g} epochs. The sampler will prefer some of them."
        )
    if config.fidelity is not None:
        lines.append("Trials that are stopped early take less.")
    if config.time_budget_min is not None:
        lines.append(f"The search ends after {config.time_budget_min:g} minutes at the latest (`time_budget_min`).")
    if run.measured.not_measured:
        lines.append(f"Not included: {', '.join(run.measured.not_measured)}, which could not be timed cheaply.")
    gpu = f", {_gb(run.measured.gpu_bytes)} of GPU memory" if run.measured.gpu_bytes else ""
    lines.append(
        f"Memory: about {_gb(run.measured.worker_bytes)} for each worker{gpu}, {_gb(run.memory)} in all; this "
        f"machine has {_gb(run.free_memory)} free."
    )
    lines.append("Nothing was started or written, except for decoded images in `data.cache_dir`.")
    return lines


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


def _n(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
