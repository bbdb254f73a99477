"""`antisample spaces`, `reproduce` and `toy`."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli import completion
from tuning.cli.needs import needing
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
    name: Annotated[
        str | None,
        typer.Argument(help="A packaged search space, or the path of a YAML file.", autocompletion=completion.spaces),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List search spaces and published sets, or show one search space with the reason for each parameter."""
    from tuning.cli.commands import spaces  # noqa: PLC0415

    spaces.spaces(name, as_json=as_json)


@app.command(
    cls=needing("search"),
    epilog="Example: antisample reproduce --protocol single-class --model ResNet18 --dataset data/cifar10 "
    "--retain 30 --methods antisample,unsir,finetune,retrain --classes all",
)
def reproduce(
    model: Annotated[
        str, typer.Option(help="A built-in model, or `package.module:function`.", autocompletion=completion.models)
    ],
    dataset: Annotated[
        str,
        typer.Option(
            "--data",
            "--dataset",
            metavar="NAME|PATH",
            help="A built-in data set, or a directory.",
            autocompletion=completion.datasets,
        ),
    ],
    protocol: Annotated[
        str,
        typer.Option(
            metavar="single-class|multi-class",
            help="What to forget.",
            autocompletion=completion.choices("single-class", "multi-class"),
        ),
    ] = ("single-class"),
    retain: Annotated[float, typer.Option(help="Percentage of each retain class to fine-tune on.")] = 100,
    methods: Annotated[
        str, typer.Option(help="Comma-separated methods; `antisample@NAME` uses the published set NAME.")
    ] = "antisample,unsir,finetune,retrain",
    classes: Annotated[
        str | None,
        typer.Option(
            help="`all`, or names or labels; by default all classes, or 10 random ones if there are more than 100."
        ),
    ] = None,
    sizes: Annotated[str, typer.Option(help="Multi-class: numbers of classes to forget at once.")] = "2,4,7",
    draws: Annotated[str, typer.Option(help="Multi-class: number of random class sets per size.")] = "10,5,3",
    seeds: Annotated[int, typer.Option(help="Number of seeds per method and forget request.")] = 1,
    reference_seeds: Annotated[int, typer.Option(help="Number of retrained references per forget request.")] = 1,
    root: DataRoot = None,
    checkpoint: CheckpointFile = None,
    normalisation: Normalisation = None,
    accept_original: AcceptOriginal = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Output directory; by default, one in runs/.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    overrides: ValueOverrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a published protocol over classes, methods and seeds, and write a table and plots. Resumable."""
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


@app.command(cls=needing("report", "matplotlib"), epilog="Example: antisample toy --out runs/toy --seeds 20")
def toy(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for toy.png and toy.csv.")] = Path("runs/toy"),
    seeds: Annotated[int, typer.Option(help="Number of seeds.")] = 20,
    seed: Annotated[int, typer.Option(help="The first seed, which the plot shows.")] = 0,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set any other value, such as batch_size=32; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Demonstrate the method in two dimensions: anti-sample and UNSIR on four Gaussians, over several seeds."""
    from tuning.cli.commands import toy  # noqa: PLC0415

    toy.toy(out=out, seeds=seeds, seed=seed, overrides=overrides, as_json=as_json)
