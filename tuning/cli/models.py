"""`antisample pretrain`, `unlearn`, `verify` and `ledger`."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli import completion
from tuning.cli.options import (
    AcceptOriginal,
    AllowAddress,
    AllowCode,
    AsJson,
    CheckpointFile,
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
    Select,
    StorageAddress,
    StudyFile,
    ValueOverrides,
)

app = typer.Typer()


@app.command(epilog="Example: antisample pretrain studies/demo.yaml")
def pretrain(
    study: StudyFile,
    normalisation: Normalisation = None,
    accept_original: AcceptOriginal = False,
    overrides: Overrides = None,
    allow_code: AllowCode = False,
    as_json: AsJson = False,
) -> None:
    """Train and cache the original model of a study, or load it from the cache."""
    from tuning.cli.commands import models  # noqa: PLC0415

    models.pretrain(
        study,
        normalisation=normalisation,
        accept_original=accept_original,
        overrides=overrides,
        allow_code=allow_code,
        as_json=as_json,
    )


@app.command(
    "unlearn",
    epilog="Examples: antisample unlearn --study runs/demo --trial best --out runs/demo/unlearned; "
    "antisample unlearn --published ResNet18/cifar10/30 --forget 3 --dataset data/cifar10 --checkpoint resnet18.pt "
    "--out unlearned",
)
def unlearn_command(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the model and its card.")],
    study: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The directory of a study.", autocompletion=completion.studies)
    ] = None,
    trial: Annotated[
        str | None,
        typer.Option(
            metavar="best|N",
            help="The trial to apply: the chosen one (default), or a number.",
            autocompletion=completion.choices("best"),
        ),
    ] = None,
    select: Select = None,
    storage: StorageAddress = None,
    published: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A published hyperparameter set; see `antisample spaces`.",
            autocompletion=completion.published,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="An unlearning method, with its default hyperparameters.", autocompletion=completion.methods
        ),
    ] = None,
    forget: ForgetClasses = None,
    forget_samples: ForgetSamples = None,
    forget_column: ForgetColumn = None,
    forget_value: ForgetValue = None,
    duplicates: Duplicates = None,
    dataset: DatasetName = None,
    root: DataRoot = None,
    model: ModelName = None,
    checkpoint: CheckpointFile = None,
    normalisation: Normalisation = None,
    accept_original: AcceptOriginal = False,
    after: Annotated[
        Path | None,
        typer.Option(
            metavar="CARD.json",
            help="The card of an earlier unlearning, or its model file: start from its model, which must not recall "
            "what it has forgotten.",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Reference of the request, for the card, such as a file number; no name."),
    ] = None,
    operator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Who carries the request out, for the card.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    overrides: ValueOverrides = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="torch.export|onnx",
            help="Also write the model in this format; repeatable.",
            autocompletion=completion.choices("torch.export", "onnx"),
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=4096, help="Number of CPU threads; the same number gives the same weights."),
    ] = None,
    allow_code: AllowCode = False,
    allow_address: AllowAddress = None,
    as_json: AsJson = False,
) -> None:
    """Unlearn once with a trial, a published set or a method's defaults, and write the model and its card."""
    from tuning.cli.commands import models  # noqa: PLC0415
    from tuning.cli.flags import UnlearnFlags  # noqa: PLC0415

    models.unlearn(
        out,
        study=study,
        trial=trial,
        select=select,
        storage=storage,
        direct=UnlearnFlags(
            published=published,
            method=method,
            forget=forget,
            forget_samples=forget_samples,
            forget_column=forget_column,
            forget_value=forget_value,
            duplicates=duplicates,
            dataset=dataset,
            root=root,
            model=model,
            checkpoint=checkpoint,
            normalisation=normalisation,
            accept_original=accept_original,
            after=after,
            reference=reference,
            operator=operator,
            seed=seed,
            overrides=overrides,
        ),
        formats=formats,
        threads=threads,
        allow_code=allow_code,
        allow_address=allow_address,
        as_json=as_json,
    )


@app.command(epilog="Example: antisample verify runs/demo/unlearned/card.json")
def verify(
    card: Annotated[Path, typer.Argument(metavar="CARD.json", help="A card that `antisample unlearn` wrote.")],
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="Largest allowed difference, since floating-point results differ between machines."),
    ] = 1e-4,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The study of the card; by default, the one in the card's command.",
            autocompletion=completion.studies,
        ),
    ] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Unlearn again; the same hardware must give the same weights.")
    ] = False,
    allow_code: AllowCode = False,
    allow_address: AllowAddress = None,
    as_json: AsJson = False,
) -> None:
    """Report which statements of a card hold and which cannot be checked here; exit code 1 if any does not hold.

    The model is evaluated again, and every statement of the card is recomputed or compared where possible.
    """
    from tuning.cli.commands import models  # noqa: PLC0415

    models.verify(
        card,
        tolerance=tolerance,
        study=study,
        repeat=repeat,
        allow_code=allow_code,
        allow_address=allow_address,
        as_json=as_json,
    )


@app.command(epilog="Example: antisample ledger requests")
def ledger(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A directory with cards in it, at any depth.")],
    measure: Annotated[
        bool, typer.Option("--measure", help="Also verify every card, as `antisample verify` does; needs the data.")
    ] = False,
    allow_code: AllowCode = False,
    allow_address: AllowAddress = None,
    as_json: AsJson = False,
) -> None:
    """List the requests that a model has carried out, one after another; exit code 1 if a card cannot be relied on.

    Cards are held against the files beside them and against each other, so a card or model that was changed is found.
    """
    from tuning.cli.commands import ledger as command  # noqa: PLC0415

    command.ledger(folder, measure=measure, allow_code=allow_code, allow_address=allow_address, as_json=as_json)
