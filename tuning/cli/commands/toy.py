"""The method in two dimensions."""

from pathlib import Path

from tuning.config.command_lines import shown_path
from tuning.reproduction.toy import run_toy_seeds, toy_json, toy_table
from tuning.views.terminal.console import output, print_json


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
