"""`antisample spaces`, `reproduce` and `toy`."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.options import (
    AcceptOriginal,
    AsJson,
    CheckpointFile,
    DataRoot,
    Normalisation,
    Quiet,
    ValueOverrides,
)

app = typer.Typer()


@app.command(epilog="Example: antisample spaces antisample")
def spaces(
    name: Annotated[str | None, typer.Argument(help="A packaged space or the path of a YAML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """List search spaces and published sets, or show one space with the reason for each parameter."""
    from tuning.cli.commands import spaces  # noqa: PLC0415

    spaces.spaces(name, as_json=as_json)


@app.command(
    epilog="Example: antisample reproduce --protocol single-class --model ResNet18 --dataset data/cifar10 "
    "--retain 30 --methods antisample,unsir,finetune,retrain --classes all"
)
def reproduce(
    model: Annotated[str, typer.Option(help="A registered model, or `package.module:function`.")],
    dataset: Annotated[
        str, typer.Option("--data", "--dataset", metavar="NAME|PATH", help="A registered data set, or a folder.")
    ],
    protocol: Annotated[str, typer.Option(metavar="single-class|multi-class", help="What is forgotten.")] = (
        "single-class"
    ),
    retain: Annotated[float, typer.Option(help="Percent of each retain class to fine-tune on.")] = 100,
    methods: Annotated[
        str, typer.Option(help="Separated by commas; `antisample@NAME` takes a published set by name.")
    ] = "antisample,unsir,finetune,retrain",
    classes: Annotated[
        str | None, typer.Option(help="`all`, or labels or names; by default all, or 10 random ones of over 100.")
    ] = None,
    sizes: Annotated[str, typer.Option(help="Multi-class: how many classes at once.")] = "2,4,7",
    draws: Annotated[str, typer.Option(help="Multi-class: random sets of each size.")] = "10,5,3",
    seeds: Annotated[int, typer.Option(help="Repetitions of every method on every request.")] = 1,
    reference_seeds: Annotated[int, typer.Option(help="Retrained references for every request.")] = 1,
    root: DataRoot = None,
    checkpoint: CheckpointFile = None,
    normalisation: Normalisation = None,
    accept_original: AcceptOriginal = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="By default a folder in runs/.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
    overrides: ValueOverrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a published protocol over classes, methods and seeds; writes one table, and pictures. Resumes."""
    from tuning.cli.commands import published  # noqa: PLC0415
    from tuning.cli.reproduction_flags import ReproductionFlags  # noqa: PLC0415

    published.reproduce(
        ReproductionFlags(
            model=model,
            dataset=dataset,
            protocol=protocol,
            retain=retain,
            methods=methods,
            classes=classes,
            sizes=sizes,
            draws=draws,
            seeds=seeds,
            reference_seeds=reference_seeds,
            root=root,
            checkpoint=checkpoint,
            normalisation=normalisation,
            accept_original=accept_original,
            out=out,
            seed=seed,
            overrides=overrides,
        ),
        as_json=as_json,
        quiet=quiet,
    )


@app.command(epilog="Example: antisample toy --out runs/toy --seeds 20")
def toy(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where toy.png and toy.csv go.")] = Path("runs/toy"),
    seeds: Annotated[int, typer.Option(help="How many seeds to run.")] = 20,
    seed: Annotated[int, typer.Option(help="The first of them; the picture shows it.")] = 0,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Sets another value, such as batch_size=32; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The method explained in two dimensions: anti-sample against UNSIR on four Gaussians, over many seeds."""
    from tuning.cli.commands import published  # noqa: PLC0415

    published.toy(out=out, seeds=seeds, seed=seed, overrides=overrides, as_json=as_json)
