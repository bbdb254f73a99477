"""Arguments and options that commands share.

Commands import what they do when they run: Torch, Ray and MLflow take seconds to import.
"""

from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study.")]
StudyDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="A study's directory, such as runs/demo.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Overrides a value of the study; repeatable."),
]
ForgetClasses = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS",
        help="A class name, or a label; repeatable, or separated by commas. A name with a comma stands in quotes.",
    ),
]
ForgetSamples = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Positions of training images, as text, CSV or Parquet, instead of classes."),
]
ModelName = Annotated[str | None, typer.Option(help="A registered model, or `package.module:function`.")]
DatasetName = Annotated[
    str | None, typer.Option("--data", "--dataset", metavar="NAME|PATH", help="A registered data set, or a folder.")
]
Normalisation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|MEAN/STD",
        help="What the model expects of its input: 0..1, data, imagenet, -1..1, 0..255, or mean and deviation; by "
        "default as the checkpoint's metadata says.",
    ),
]
AcceptOriginal = Annotated[
    bool,
    typer.Option(
        "--accept-original", help="Go on with an original that is no better than guessing, or has nothing to forget."
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code", help="Import the module that the model or the sampler names: that executes its code."
    ),
]
AllowAddress = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-address",
        metavar="s3://BUCKET/FOLDER",
        help="Use this object store, which the study or card names, with your keys; repeatable.",
    ),
]
StorageAddress = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="postgresql://USER@HOST/NAME",
        help="The database that holds the study; needed for a study that was not made here by you.",
    ),
]
DataRoot = Annotated[Path | None, typer.Option(metavar="DIR", help="Where torchvision data sets lie.")]
CheckpointFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The original's weights; trained without it.")
]
ValueOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Sets another value, such as model.recipe.epochs=30; repeatable."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output, nothing else.")]
Select = Annotated[
    str | None,
    typer.Option(
        metavar="rule|oracle", help="How the trial is chosen: oracle takes the gap to the retrained reference."
    ),
]
ClusterFile = Annotated[
    Path | None, typer.Option(metavar="CLUSTER.yaml", help="Where to run; by default on this machine.")
]
RegisterAs = Annotated[
    str | None,
    typer.Option("--register", metavar="NAME", help="Put the chosen model into MLflow's registry as NAME."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print what is forgotten and the outcome only, no progress.")]
