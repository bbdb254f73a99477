"""The commands `antisample memory`."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.needs import needing
from tuning.cli.options import AsJson

app = typer.Typer(
    help="Look at what earlier requests tell new ones, and take it to other machines.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
RunsDir = Annotated[Path, typer.Argument(metavar="DIR|FILE", help="A directory of studies, or a memory file.")]


@app.command("list", cls=needing("report"), epilog="Example: antisample memory list runs")
def memory_list(place: RunsDir = Path("runs"), as_json: AsJson = False) -> None:
    """List the earlier studies that new ones learn from, those that are packaged included."""
    from tuning.cli.commands import memory  # noqa: PLC0415

    memory.list_studies(place, as_json=as_json)


@app.command("show", cls=needing("report"), epilog="Example: antisample memory show runs/demo")
def memory_show(
    study: Annotated[
        Path, typer.Argument(metavar="DIR|STUDY.yaml", help="The directory of a study, or a study file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show what a study has taken over, or what the study of a file would take over now."""
    from tuning.cli.commands import memory  # noqa: PLC0415

    memory.show(study, as_json=as_json)


@app.command("export", cls=needing("report"), epilog="Example: antisample memory export ours.parquet --from runs")
def memory_export(
    file: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="The memory file to write.")],
    source: Annotated[
        Path, typer.Option("--from", metavar="DIR|FILE", help="A directory of studies, or a memory file.")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Write what the studies of a directory tell into one file, for `memory` on another machine."""
    from tuning.cli.commands import memory  # noqa: PLC0415

    memory.export(file, source, as_json=as_json)


@app.command("import", cls=needing("report"), epilog="Example: antisample memory import ours.parquet --to runs")
def memory_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="A memory file.")],
    runs_dir: Annotated[Path, typer.Option("--to", metavar="DIR", help="A directory of studies.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Have new studies of a directory learn from a memory file, too."""
    from tuning.cli.commands import memory  # noqa: PLC0415

    memory.import_file(file, runs_dir, as_json=as_json)
