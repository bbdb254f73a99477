"""Shell completion: what may stand in the place of a word.

Completing a word starts the program, so nothing is imported here that takes long: names are listed, and a test holds
them against the registries. Those of plug-ins are not imported, either.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from antisample.plugins.discovery import PluginKind, declared_plugins
from search_spaces import packaged_recipes, published_sets, space_names

PROGRAM = "antisample"
COMPLETE = "_ANTISAMPLE_COMPLETE"
"""The variable by which a shell asks for completions."""

METHODS = (
    *("antisample", "filtration", "finetune", "gradient_ascent", "head", "mask", "neggrad_plus", "random_labels"),
    *("retrain", "unsir"),
)
MODELS = ("SmallCNN", "ResNet9", "AllCNN", "ResNet18", "MobileNet_v2")
SAMPLERS = ("auto", "tpe", "gp", "nsga2", "qmc", "random")
DATASETS = ("digits", "cifar10", "svhn", "mnist", "fashionMNIST", "casia-webface")

Complete = Callable[[str], list[str]]


def spaces(incomplete: str) -> list[str]:
    """Packaged search spaces."""
    return _starting(incomplete, space_names())


def published(incomplete: str) -> list[str]:
    """Published sets."""
    return _starting(incomplete, published_sets())


def methods(incomplete: str) -> list[str]:
    """Unlearning methods."""
    return _starting(incomplete, [*METHODS, *_plugins("method")])


def models(incomplete: str) -> list[str]:
    """Models."""
    return _starting(incomplete, MODELS)


def datasets(incomplete: str) -> list[str]:
    """Data sets; folders are completed by the shell."""
    return _starting(incomplete, [*DATASETS, *_plugins("dataset")])


def studies(incomplete: str) -> list[str]:
    """Directories of studies: those below what is written so far, or those in `runs`."""
    folder = Path(os.path.dirname(incomplete) or ".")  # noqa: PTH120  (of `runs/` it is `runs`)
    folders = [folder, *([Path("runs")] if folder == Path() else [])]
    return _starting(incomplete, [path for each in folders for path in _studies_in(each) if _is_plain(path)])


def _studies_in(folder: Path) -> list[str]:
    try:
        return sorted(str(path) for path in folder.expanduser().iterdir() if (path / "study.yaml").is_file())
    except OSError:
        return []


def choices(*names: str) -> Complete:
    """A few words, of which one is meant."""
    return lambda incomplete: _starting(incomplete, names)


def changes(incomplete: str) -> list[str]:
    """`resume --set`: the keys that are changed most often."""
    keys = (
        "n_trials",
        "budget",
        "time_budget_min",
        "resources.max_concurrent",
        "resources.cpus_per_trial",
        "selection.by",
    )
    return _starting(incomplete, [f"{key}=" for key in keys])


def settings(incomplete: str) -> list[str]:
    """`--set`: the keys whose values are names, and those names."""
    values: dict[str, Callable[[], Iterable[str]]] = {
        "method": lambda: [*METHODS, *_plugins("method")],
        "model.name": lambda: MODELS,
        "data.source": lambda: [*DATASETS, *_plugins("dataset")],
        "space": space_names,
        "sampler": lambda: [*SAMPLERS, *_plugins("sampler")],
        "published": lambda: [f"[{name}]" for name in published_sets()],
        "recipes": lambda: [f"[{name}]" for name in packaged_recipes()],
        "precision": lambda: ("float32", "bfloat16"),
        "selection.by": lambda: ("rule", "oracle"),
        "fidelity.attribute": lambda: ("replicates", "epochs"),
    }
    key, is_value, _ = incomplete.partition("=")
    if is_value:
        return _starting(incomplete, [f"{key}={value}" for value in values[key]()] if key in values else [])
    return _starting(incomplete, [f"{key}=" for key in values])


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _plugins(kind: PluginKind) -> list[str]:
    return [declared.plugin.name for declared in declared_plugins(kind)]


def _is_plain(path: str) -> bool:
    """Whether bash takes a path as it is; one that must be quoted is left to bash, which completes files itself."""
    return "bash" not in os.environ.get(COMPLETE, "") or re.fullmatch(r"[\w@%+=:,./~-]+", path) is not None
