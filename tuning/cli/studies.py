"""`antisample run`, `resume`, `list` and `report`."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli import completion
from tuning.cli.needs import needing
from tuning.cli.options import (
    AcceptOriginal,
    AllowAddress,
    AllowCode,
    AsJson,
    Changes,
    CheckpointFile,
    ClusterFile,
    DataRoot,
    DatasetName,
    Duplicates,
    ForgetClasses,
    ForgetColumn,
    ForgetSamples,
    ForgetValue,
    ModelName,
    Normalisation,
    Overrides,
    Quiet,
    RegisterAs,
    Select,
    StorageAddress,
    StudyDirectory,
)

app = typer.Typer()


@app.command(
    cls=needing("search"),
    epilog="Examples: antisample run studies/demo.yaml --set n_trials=32 --set forget.classes=[7]; "
    "antisample run --model my_package.models:build --checkpoint model.safetensors --data images --forget cat",
)
def run(
    study: Annotated[
        Path | None, typer.Argument(metavar="STUDY.yaml", help="The study file; if omitted, flags define the study.")
    ] = None,
    model: ModelName = None,
    checkpoint: CheckpointFile = None,
    normalisation: Normalisation = None,
    accept_original: AcceptOriginal = False,
    dataset: DatasetName = None,
    root: DataRoot = None,
    forget: ForgetClasses = None,
    forget_samples: ForgetSamples = None,
    forget_column: ForgetColumn = None,
    forget_value: ForgetValue = None,
    duplicates: Duplicates = None,
    overrides: Overrides = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow store or server; `none` disables tracking.")
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="One earlier study over the same search space, instead of `--memory auto`: the sampler knows its "
            "trials if it had the same task, otherwise its front is tried first.",
            autocompletion=completion.studies,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="auto|none|DIR|FILE.parquet",
            help="Where a new study looks for earlier requests, whose best configurations it tries first.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar='RETRAININGS|"N min"',
            help="What the request may cost, such as 1.5 (retrainings) or `30 min`, instead of `n_trials`.",
        ),
    ] = None,
    select: Select = None,
    register: RegisterAs = None,
    cluster: ClusterFile = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check the study and predict its time and memory, without starting Ray or writing anything but "
            "decoded images and the copies among them in `data.cache_dir`.",
        ),
    ] = False,
    allow_code: AllowCode = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a study, or continue it if its directory exists."""
    from tuning.cli.commands import studies  # noqa: PLC0415
    from tuning.cli.flags import TaskFlags  # noqa: PLC0415

    studies.run(
        study,
        TaskFlags(
            model=model,
            checkpoint=checkpoint,
            normalisation=normalisation,
            accept_original=accept_original,
            dataset=dataset,
            root=root,
            forget=forget,
            forget_samples=forget_samples,
            forget_column=forget_column,
            forget_value=forget_value,
            duplicates=duplicates,
        ),
        overrides=overrides,
        tracking_uri=tracking_uri,
        warm_start=warm_start,
        memory=memory,
        budget=budget,
        select=select,
        register=register,
        cluster=cluster,
        dry_run=dry_run,
        allow_code=allow_code,
        as_json=as_json,
        quiet=quiet,
    )


@app.command(
    cls=needing("search"),
    epilog="Examples: antisample resume runs/demo; antisample resume runs/demo --set n_trials=100",
)
def resume(
    directory: StudyDirectory,
    changes: Changes = None,
    accept_original: AcceptOriginal = False,
    storage: StorageAddress = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow store or server to use from now on; `none` disables tracking.")
    ] = None,
    register: RegisterAs = None,
    cluster: ClusterFile = None,
    allow_code: AllowCode = False,
    allow_address: AllowAddress = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Continue a study that was stopped or whose driver failed."""
    from tuning.cli.commands import studies  # noqa: PLC0415

    studies.resume(
        directory,
        changes=changes or [],
        accept_original=accept_original,
        storage=storage,
        tracking_uri=tracking_uri,
        register=register,
        cluster=cluster,
        allow_code=allow_code,
        allow_address=allow_address,
        as_json=as_json,
        quiet=quiet,
    )


@app.command("list", epilog="Examples: antisample list; antisample list /shared/me/runs --json")
def list_studies(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A directory of studies, or of one.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the studies in a directory: state, trials, the chosen trial, and when they were last active."""
    from tuning.cli.commands import listing  # noqa: PLC0415

    listing.list_studies(folder, as_json=as_json)


@app.command(
    cls=needing("report"),
    epilog="Examples: antisample report runs/demo --json; antisample report runs/demo runs/seven --out both.html",
)
def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="The directory of a study, such as runs/demo; several are compared on one page.",
            autocompletion=completion.studies,
        ),
    ],
    select: Select = None,
    storage: StorageAddress = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rewrite them even if they show trials that the journal has lost.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page that compares several studies; by default comparison.html."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite report.html and trials.parquet, and print the Pareto front; or compare several studies."""
    from tuning.cli.commands import report  # noqa: PLC0415

    report.report_or_compare(directories, select=select, storage=storage, rebuild=rebuild, out=out, as_json=as_json)
