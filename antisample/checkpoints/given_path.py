"""A path that was given for a file of weights, and where there is none."""

from difflib import get_close_matches
from pathlib import Path

_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")


def path_problem(path: Path) -> str | None:
    """Says why there is no file at a path.

    Returns:
        What is there and what to do, to follow the path and a colon; None where a file is.

    Raises:
        OSError: If it cannot be looked at.
    """
    if path.is_dir():
        return _folder(path)
    return None if path.is_file() else _missing(path)


def _folder(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names:
        return "is a folder with a TensorFlow SavedModel; save its weights as safetensors."
    if any(name.endswith(".distcp") for name in names):
        return (
            "is a folder with a distributed checkpoint of torch's; make one file of it with "
            "`python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE`."
        )
    weights = [name for name in names if name.endswith(_WEIGHTS)]
    if weights:
        return f"is a folder; give the weights file, such as {path / weights[0]}."
    return "is a folder, and no weights are in it; give the weights file."


def _missing(path: Path) -> str:
    if path.is_symlink():
        return f"is a link to {path.readlink()}, which does not exist."
    if path.exists():
        return "is not a file; give the weights file."
    near = _near_names(path)
    return "the checkpoint does not exist" + (f"; did you mean {near[0]}?" if near else ".")


def _near_names(path: Path) -> list[str]:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return []
    same = [name for name in names if Path(name).stem == path.stem]
    return [str(path.parent / name) for name in same or get_close_matches(path.name, names, 1)]
