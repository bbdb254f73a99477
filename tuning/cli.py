"""The command line: `antisample`."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from antisample.errors import AntisampleError
from search_spaces import SpaceError
from tuning.cluster_cli import cluster_app

app = typer.Typer(
    help="Search the hyperparameters of machine unlearning, and apply what was found.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

mlflow_app = typer.Typer(
    help="Deliver a study to MLflow: what it lacks, or everything to an empty store.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(mlflow_app, name="mlflow")
app.add_typer(cluster_app, name="cluster")

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study.")]
StudyDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="A study's directory, such as runs/demo.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Overrides a value of the study; repeatable."),
]
ForgetClasses = Annotated[
    list[str] | None, typer.Option(metavar="CLASS", help="A label or class name; repeatable, or separated by commas.")
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
    typer.Option(metavar="MEAN/STD", help="What the model expects; by default as the checkpoint's metadata says."),
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
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the outcome only, no progress.")]


@app.command(
    epilog="Examples: antisample run studies/demo.yaml --set n_trials=32 --set forget.classes=[7]; "
    "antisample run --model my_package.models:build --checkpoint model.safetensors --data images --forget cat"
)
def run(
    study: Annotated[Path | None, typer.Argument(metavar="STUDY.yaml", help="The study; or else give flags.")] = None,
    model: ModelName = None,
    checkpoint: CheckpointFile = None,
    normalisation: Normalisation = None,
    dataset: DatasetName = None,
    root: DataRoot = None,
    forget: ForgetClasses = None,
    forget_samples: ForgetSamples = None,
    overrides: Overrides = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow store or server; `none` switches tracking off.")
    ] = None,
    warm_start: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An earlier study over the same space, to start from.")
    ] = None,
    select: Select = None,
    cluster: ClusterFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search: run a study, or continue it if its directory exists."""
    flags = {
        "model": model,
        "checkpoint": checkpoint,
        "normalisation": normalisation,
        "dataset": dataset,
        "root": root,
        "forget": forget,
        "forget_samples": forget_samples,
    }
    _commands("studies").run(study, flags, overrides, tracking_uri, warm_start, select, cluster, as_json, quiet)


@app.command(epilog="Example: antisample resume runs/demo")
def resume(
    directory: StudyDirectory, cluster: ClusterFile = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Continue a study that was stopped or whose driver died."""
    _commands("studies").resume(directory, cluster, as_json, quiet)


@app.command(epilog="Example: antisample report runs/demo --json")
def report(directory: StudyDirectory, select: Select = None, as_json: AsJson = False) -> None:
    """Write report.html and trials.parquet anew and print the front."""
    _commands("studies").report(directory, select, as_json)


@mlflow_app.command("sync", epilog="Example: antisample mlflow sync runs/demo")
def mlflow_sync(
    directory: StudyDirectory,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow store or server; by default the study's own.")
    ] = None,
    register: Annotated[
        str | None, typer.Option(metavar="NAME", help="Put the chosen model into the registry under this name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deliver what MLflow lacks of a study, such as after the server was down; register its chosen model."""
    _commands("tracking").mlflow_sync(directory, tracking_uri, register, as_json)


@mlflow_app.command("rebuild", epilog="Example: antisample mlflow rebuild runs/demo --tracking-uri http://HOST:5000")
def mlflow_rebuild(
    directory: StudyDirectory,
    tracking_uri: Annotated[str, typer.Option(help="MLflow store or server without runs of this study.")],
    as_json: AsJson = False,
) -> None:
    """Make all runs of a study anew, equal to the first ones, in a store that has none of them."""
    _commands("tracking").mlflow_rebuild(directory, tracking_uri, as_json)


@app.command(epilog="Example: antisample spaces antisample")
def spaces(
    name: Annotated[str | None, typer.Argument(help="A packaged space or the path of a YAML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """List search spaces and published sets, or show one space with the reason for each parameter."""
    _commands("spaces").spaces(name, as_json)


@app.command(epilog="Example: antisample pretrain studies/demo.yaml")
def pretrain(study: StudyFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Train and cache the original model of a study, or find it in the cache."""
    _commands("models").pretrain(study, overrides, as_json)


@app.command(
    "unlearn",
    epilog="Examples: antisample unlearn --study runs/demo --trial best --out runs/demo/unlearned; "
    "antisample unlearn --published ResNet18/cifar10/30 --forget 3 --dataset data/cifar10 --checkpoint resnet18.pt "
    "--out unlearned",
)
def unlearn_command(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the model and its card go.")],
    study: Annotated[Path | None, typer.Option(metavar="DIR", help="A study's directory.")] = None,
    trial: Annotated[
        str | None, typer.Option(metavar="best|N", help="The chosen trial, the default, or one by number.")
    ] = None,
    select: Select = None,
    published: Annotated[
        str | None, typer.Option(metavar="NAME", help="A published set; see `antisample spaces`.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="A method, with its defaults.")] = None,
    forget: ForgetClasses = None,
    forget_samples: ForgetSamples = None,
    dataset: DatasetName = None,
    root: DataRoot = None,
    model: ModelName = None,
    checkpoint: CheckpointFile = None,
    normalisation: Normalisation = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    overrides: ValueOverrides = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="torch.export|onnx", help="Writes the model in this way, too; repeatable."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the processor; the same number gives the same weights.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Unlearn once, with a trial of a study, a published set, or a method's defaults: a model and its card."""
    _commands("models").unlearn(
        out,
        study=study,
        trial=trial,
        select=select,
        direct={
            "published": published,
            "method": method,
            "forget": forget,
            "forget_samples": forget_samples,
            "dataset": dataset,
            "root": root,
            "model": model,
            "checkpoint": checkpoint,
            "normalisation": normalisation,
            "seed": seed,
            "overrides": overrides,
        },
        formats=formats,
        threads=threads,
        as_json=as_json,
    )


@app.command(epilog="Example: antisample verify runs/demo/unlearned/card.json")
def verify(
    card: Annotated[Path, typer.Argument(metavar="CARD.json", help="A card that `antisample unlearn` wrote.")],
    tolerance: Annotated[
        float, typer.Option(min=0, help="By how much a figure may differ; other hardware rounds otherwise.")
    ] = 1e-4,
    as_json: AsJson = False,
) -> None:
    """Evaluate a card's model again and say which figures hold: exit code 1 if some do not."""
    _commands("models").verify(card, tolerance, as_json)


@app.command(
    epilog="Example: antisample reproduce --protocol single-class --model ResNet18 --dataset data/cifar10 "
    "--retain 30 --methods antisample,unsir,finetune,retrain --classes all"
)
def reproduce(
    model: Annotated[str, typer.Option(help="A registered model, or `package.module:function`.")],
    dataset: Annotated[str, typer.Option(metavar="NAME|PATH", help="A registered data set, or a folder.")],
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
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="By default a folder in runs/.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
    overrides: ValueOverrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a published protocol over classes, methods and seeds; writes one table, and pictures. Resumes."""
    _commands("published").reproduce(
        {
            "model": model,
            "dataset": dataset,
            "protocol": protocol,
            "retain": retain,
            "methods": methods,
            "classes": classes,
            "sizes": sizes,
            "draws": draws,
            "seeds": seeds,
            "reference_seeds": reference_seeds,
            "root": root,
            "checkpoint": checkpoint,
            "out": out,
            "seed": seed,
            "overrides": overrides,
        },
        as_json,
        quiet,
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
    _commands("published").toy(out, seeds, seed, overrides, as_json)


def _commands(module: str) -> ModuleType:
    """Torch, Ray and MLflow take seconds to import; only commands that use them wait for them."""
    return import_module(f"tuning.commands.{module}")


def main() -> None:
    """Runs the command line; a user's mistake gives one message and exit code 2, never a traceback."""
    sys.path.append(str(Path.cwd()))  # models of the user's, such as my_package.models:build
    try:
        app()
    except Exception as error:
        if not isinstance(error, (AntisampleError, SpaceError, *_cluster_errors())):
            raise
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)


def _cluster_errors() -> list[type[Exception]]:
    """The exception of launchers, which import Ray: where nobody has imported them, nobody has raised it."""
    return [module.ClusterError] if (module := sys.modules.get("cluster.errors")) is not None else []
