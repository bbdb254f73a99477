"""Arguments and options that commands share.

Commands import what they do when they run: Torch, Ray and MLflow take seconds to import.
"""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli import completion

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")]
StudyDirectory = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The directory of a study, such as runs/demo.", autocompletion=completion.studies
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a value of the study; repeatable.",
        autocompletion=completion.settings,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting of the study from now on, such as n_trials=100; repeatable.",
        autocompletion=completion.changes,
    ),
]
ForgetClasses = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS",
        help="Class to forget, by name or label; repeatable or comma-separated. Quote a name that contains a comma.",
    ),
]
ForgetSamples = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Forget single training images instead of classes: their ids, as text, CSV or Parquet."
    ),
]
ForgetColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Forget all images of a group, whatever their class: the column that holds `--forget-value`, in the "
        "Parquet files or in `groups.csv` in an image folder.",
    ),
]
ForgetValue = Annotated[
    list[str] | None,
    typer.Option(metavar="VALUE", help="Value of `--forget-column` of the images to forget; repeatable."),
]
Duplicates = Annotated[
    str | None,
    typer.Option(
        metavar="report|forget|refuse",
        help="What to do about copies of the images to forget among the others: report them (default), forget them, "
        "too, or stop.",
        autocompletion=completion.choices("report", "forget", "refuse"),
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(help="A built-in model, or `package.module:function`.", autocompletion=completion.models),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--data",
        "--dataset",
        metavar="NAME|PATH",
        help="A built-in data set, or a directory.",
        autocompletion=completion.datasets,
    ),
]
Normalisation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|MEAN/STD",
        help="How the model's input is normalised: 0..1, data, imagenet, -1..1, 0..255, or a mean and standard "
        "deviation. The default comes from the checkpoint's metadata.",
        autocompletion=completion.choices("0..1", "data", "imagenet", "-1..1", "0..255"),
    ),
]
AcceptOriginal = Annotated[
    bool,
    typer.Option(
        "--accept-original",
        help="Continue even if the original model is no better than guessing or has nothing to forget.",
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code", help="Allow importing the module of a custom model or sampler, which executes its code."
    ),
]
AllowAddress = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-address",
        metavar="s3://BUCKET/FOLDER",
        help="Allow access with your credentials to this object store, named by the study or card; repeatable.",
    ),
]
StorageAddress = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="postgresql://USER@HOST/NAME",
        help="The database that holds the study; required for a study that you did not create on this machine.",
    ),
]
DataRoot = Annotated[Path | None, typer.Option(metavar="DIR", help="Directory of the torchvision data sets.")]
CheckpointFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Checkpoint of the original model; if omitted, one is trained.")
]
ValueOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set any other value, such as model.recipe.epochs=30; repeatable."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output and nothing else.")]
Select = Annotated[
    str | None,
    typer.Option(
        metavar="rule|oracle",
        help="How the trial is chosen: by the selection rule, or (oracle) by its gap to the retrained reference.",
        autocompletion=completion.choices("rule", "oracle"),
    ),
]
ClusterFile = Annotated[
    Path | None, typer.Option(metavar="CLUSTER.yaml", help="The cluster to run on; by default, this machine.")
]
RegisterAs = Annotated[
    str | None,
    typer.Option(
        "--register", metavar="NAME", help="Register the chosen model in the MLflow model registry as NAME."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only what is forgotten and the outcome, no progress.")]
