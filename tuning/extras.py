"""Extras: packages that only a part of the program needs, such as Ray for a search."""

from importlib.util import find_spec

from antisample.errors import AntisampleError

_PACKAGES = {
    "search": {"ray": "Ray", "optuna": "Optuna", "mlflow": "MLflow"},
    "report": {"optuna": "Optuna", "plotly": "Plotly", "matplotlib": "Matplotlib", "jinja2": "Jinja"},
}
_INCLUDED = {"search": ("search", "report"), "report": ("report",)}


class MissingExtraError(AntisampleError, ImportError):
    """A part of the program needs packages that are not installed."""


def require_extra(extra: str, what: str, *modules: str) -> None:
    """Checks that the packages of an extra are installed, without importing them.

    Args:
        extra: `search` or `report`.
        what: What needs it, as the subject of a sentence.
        modules: What is needed of the extra; by default everything that a user knows by name.

    Raises:
        MissingExtraError: If they are not; the message names them and the command that installs them.
    """
    for part in _INCLUDED[extra]:
        needed = {module: name for module, name in _PACKAGES[part].items() if module in modules or not modules}
        missing = [name for module, name in needed.items() if not _is_installed(module)]
        if missing:
            names = ", ".join(missing[:-1]) + " and " * (len(missing) > 1) + missing[-1]
            raise MissingExtraError(f"{what} needs {names}: pip install 'antisample[{extra}]'.")


def _is_installed(module: str) -> bool:
    """Whether a package is there; a folder of that name without `__init__.py`, say of the user's, is none."""
    spec = find_spec(module)
    return spec is not None and spec.origin is not None
