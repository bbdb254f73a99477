"""What `antisample run --dry-run` prints: what a study would do, on how many workers, and how long it would take."""

from rich.console import Console

from tuning.config.command_lines import shown_path
from tuning.study.forecast import Forecast, Stage
from tuning.study.prospect import Prospect
from tuning.views.terminal.console import say
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.live import duration
from tuning.views.terminal.space_table import value_range


def print_prospect(console: Console, run: Prospect) -> None:
    """Prints everything but the line about what is forgotten, which is printed once the data is there."""
    for line in (_retained(run), *_original(run), _study(run)):
        say(console, line)
    console.print(_space(run))
    config = run.plan.config
    fixed = ", ".join(f"{name} {value}" for name, value in config.fixed.items())
    say(console, f"Fixed: {fixed or 'nothing'}")
    remembered = [f"From memory: {run.remembered}"] if run.remembered is not None else []
    for line in (*remembered, _trials(run), _workers(run)):
        say(console, line)
    console.print(_stages(run.forecast))
    for line in _notes(run):
        say(console, line)


def _retained(run: Prospect) -> str:
    text = f"Retain images: {run.retain_images:,}"
    parameter = run.plan.space.parameters.get("retain_fraction")
    if parameter is not None:
        return f"{text}, of which a trial uses the fraction `retain_fraction`: {value_range(parameter)}"
    fraction = run.plan.config.fixed.get("retain_fraction")
    return text if fraction is None else f"{text}, of which a trial uses the fraction {fraction}"


def _original(run: Prospect) -> list[str]:
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


def _study(run: Prospect) -> str:
    place = shown_path(run.plan.config.directory)
    if run.finished is None:
        return f"Study: {place}, which does not exist yet"
    if not run.trials_left:
        return f"Study: {place}, which exists and has all of its trials"
    progress = f"{_n(run.finished, 'trial')} finished, {run.trials_left} left"
    return f"Study: {place}, which exists and would be continued: {progress}"


def _space(run: Prospect) -> FittedTable:
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


def _trials(run: Prospect) -> str:
    config = run.plan.config
    replicates = f" with {_n(config.replicates, 'replicate')} each"
    confirmed = (
        f"; {_n(config.confirm_seeds, 'fresh seed')} to re-run the chosen trial" if config.confirm_seeds else ""
    )
    if run.plan.finalist_seeds:
        confirmed = f"; at most {_n(config.selection.finalist_replicates, 'run')} of finalists{confirmed}"
    references = (
        f"; {_n(run.missing_references, 'retrained reference')} to train first" if run.missing_references else ""
    )
    trials = "as many as the budget is enough for" if config.n_trials is None else str(config.n_trials)
    budget = f"; the budget of {config.budget} is enough for about {_n(run.trials_left, 'trial')}"
    return f"Trials: {trials}{replicates}{confirmed}{references}{budget if config.budget is not None else ''}"


def _workers(run: Prospect) -> str:
    workers = run.workers
    each, there = _n(workers.cpus, "core"), _n(workers.machine_cpus, "core")
    if workers.gpus:
        each += f" and {_n(workers.gpus, 'GPU')}"
        there += f" and {_n(workers.machine_gpus, 'GPU')}"
    why = f"each takes {each}, and this machine offers {there}"
    if workers.at_once < workers.slots:
        why += f"; `resources.max_concurrent` is {workers.at_once}"
    return f"Workers: {workers.at_once} at once, since {why}"


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


def _notes(run: Prospect) -> list[str]:
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
    if run.not_measured:
        lines.append(f"Not included are metrics that cannot be timed cheaply: {', '.join(run.not_measured)}.")
    gpu = f", {_gb(run.memory.gpu)} of GPU memory" if run.memory.gpu else ""
    lines.append(
        f"Memory: about {_gb(run.memory.worker)} for each worker{gpu}, {_gb(run.memory.total)} in all; this "
        f"machine has {_gb(run.memory.free)} free."
    )
    lines.append("Nothing was started or written, except for decoded images and found copies in `data.cache_dir`.")
    return lines


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


def _n(n: float, what: str) -> str:
    return f"{n:.3g} {what}{'' if n == 1 else 's'}" if n < 1000 else f"{n:,.0f} {what}s"
