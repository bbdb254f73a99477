"""What was published, run again."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from antisample.models import find_builder
from tuning.cli.launching import watched_local_ray
from tuning.cli.reproduction_flags import ReproductionFlags, reproduction_config
from tuning.config.command_lines import shown_path
from tuning.interruption import exit_code, once, second_signal_stops, stop_for_loss
from tuning.reproduction.config import ReproductionConfig
from tuning.reproduction.display import print_reproduction, reproduction_table
from tuning.reproduction.output import write_outputs
from tuning.reproduction.run import InterruptedReproductionError, ReproductionOutcome
from tuning.reproduction.run import reproduce as run_reproduction
from tuning.reproduction.tables import summarise_results
from tuning.reproduction.toy import run_toy_seeds, toy_json, toy_table
from tuning.trust.consent import check_code
from tuning.trust.named_code import named_code
from tuning.views.terminal.console import print_json, say
from tuning.views.terminal.progress import Progress, output


def reproduce(flags: ReproductionFlags, *, as_json: bool, quiet: bool) -> None:
    """Runs or continues a reproduction and prints its table."""
    config = reproduction_config(flags)
    console = output(stderr=as_json)
    named = named_code(config.model)
    check_code(named, partial(say, console), by_user=[code.name for code in named])
    find_builder(config.model.name)
    go_on = "Run the same command to continue; finished jobs are kept."
    say_stopped = once(lambda: console.print(f"Stopped. {go_on}"))
    launch = partial(watched_local_ray, None, None, lambda loss: stop_for_loss(f"{loss} {go_on}"))
    with second_signal_stops(f"Stopped immediately. {go_on}", say_stopped):
        try:
            outcome = run_reproduction(config, Progress(console, quiet=quiet), launch)
        except InterruptedReproductionError as stopped:
            _print_so_far(config, stopped.outcome, console, as_json)
            say_stopped()
            raise typer.Exit(exit_code()) from None
        except KeyboardInterrupt:  # before the first job
            say_stopped()
            raise typer.Exit(exit_code()) from None
    rows = write_outputs(config, outcome)
    if as_json:
        content = {"out": str(config.out), "rows": [asdict(row) for row in rows], "failed": outcome.failures}
        print_json(content)
    else:
        print_reproduction(config, outcome, rows, console)
    if outcome.failures:
        raise typer.Exit(1)


def _print_so_far(config: ReproductionConfig, outcome: ReproductionOutcome, console: Console, as_json: bool) -> None:
    """Prints the table of the jobs that are finished; files are written at the end."""
    if not outcome.results:
        return
    rows = summarise_results(outcome.results, config.model.name, outcome.inputs.dataset.name, config.retain)
    if as_json:
        print_json(
            {
                "out": str(config.out),
                "rows": [asdict(row) for row in rows],
                "failed": outcome.failures,
                "stopped": True,
            }
        )
    else:
        console.print(reproduction_table(config, outcome, rows))


def toy(*, out: Path, seeds: int, seed: int, overrides: list[str] | None, as_json: bool) -> None:
    """Runs the toy problem over several seeds and prints its summary beside the published figures."""
    console = output(stderr=as_json)
    rows = run_toy_seeds(out, seeds, seed, console, overrides or ())
    if as_json:
        print_json({**toy_json(rows), "picture": str(out / "toy.png"), "table": str(out / "toy.csv")})
        return
    console.print(toy_table(rows))
    console.print(f"Picture: {shown_path(out / 'toy.png')} (seed {seed})", soft_wrap=True)
    console.print(f"Table:   {shown_path(out / 'toy.csv')} (one line per seed and network)", soft_wrap=True)
