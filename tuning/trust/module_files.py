"""Where a module lies, found out without importing it."""

import sys
from collections.abc import Sequence
from pathlib import Path


def module_files(name: str) -> tuple[str, ...]:
    """The files that an import of a module executes, from the outermost package inwards.

    `importlib.util.find_spec` imports the packages around a module to find it; here the finders are asked one step
    after the other, so nothing of the module or its packages is executed.

    Args:
        name: Dotted, such as `my_package.models`.

    Returns:
        Paths; `built in` for what comes with Python itself, the folder of a package without a file of its own. Fewer
        than the name has parts where the rest does not lie where such modules do; none if nothing of it does.
    """
    files: list[str] = []
    within: Sequence[str] | None = None
    parts = name.split(".")
    for last in range(1, len(parts) + 1):
        place = _place(".".join(parts[:last]), within)
        if place is None:
            break
        file, within = place
        files.append(file)
    return tuple(files)


def _place(name: str, within: Sequence[str] | None) -> tuple[str, Sequence[str]] | None:
    """The file of one step of an import and the folders in which the next step looks; None if there is no module.

    A module that is imported already is what it is.
    """
    imported = sys.modules.get(name)
    if imported is not None:
        folders = list(getattr(imported, "__path__", ()))
        return getattr(imported, "__file__", None) or _without_file(folders), folders
    part = name.rpartition(".")[2]
    if not part.isidentifier():
        return None
    specs = (finder.find_spec(name, within, None) for finder in sys.meta_path)
    try:
        spec = next((spec for spec in specs if spec is not None), None)
    except KeyError:  # a folder without a file of its own in a package: Python wants the package imported
        folders = [str(Path(folder, part)) for folder in within or () if Path(folder, part).is_dir()]
        return (folders[0], folders) if folders else None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    return spec.origin if spec.has_location and spec.origin else _without_file(folders), folders


def _without_file(folders: Sequence[str]) -> str:
    return folders[0] if folders else "built in"
