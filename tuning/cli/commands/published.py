"""What was published, run again."""

from dataclasses import asdict
from functools import partial

import typer
from rich.console import Console

from antisample.models import find_builder
from tuning.cli.launching import watched_local_ray
from tuning.cli.reproduction_flags import ReproductionFlags, reproduction_config
from tuning.interruption import STOPPING, exit_code, once, second_signal_stops, stop_for_loss
from tuning.reproduction.config import ReproductionConfig
from tuning.reproduction.display import print_reproduction, reproduction_table
from tuning.reproduction.output import write_outputs
from tuning.reproduction.run import InterruptedReproductionError, ReproductionOutcome
from tuning.reproduction.run import reproduce as run_reproduction
from tuning.reproduction.tables import summarise_results
from tuning.trust.consent import check_code
from tuning.trust.named_code import named_code
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.progress import Progress


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
    stopping = once(partial(say, console, STOPPING))
    with second_signal_stops(f"Stopped immediately. {go_on}", say_stopped, stopping):
        try:
            outcome = run_reproduction(config, Progress(console, quiet=quiet), launch)
        except InterruptedReproductionError as stopped:
            stopping()
            _print_so_far(config, stopped.outcome, console, as_json)
            say_stopped()
            raise typer.Exit(exit_code()) from None
        except KeyboardInterrupt:  # before the first job
            stopping()
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
