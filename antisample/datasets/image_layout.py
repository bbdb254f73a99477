"""Which folder of images serves as which split."""

from dataclasses import dataclass
from pathlib import Path

from antisample.datasets.listing import Entry, enumerated, is_folder, refuse_broken_link, visible
from antisample.datasets.split_names import split_named, uses_of_splits
from antisample.errors import DataError
from antisample.types import SplitName

_READABLE = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
_PICTURES = _READABLE | {".heic", ".heif", ".avif", ".svg", ".jp2", ".jxl"}


@dataclass(frozen=True)
class ImageLayout:
    """Where the images of each split lie.

    Attributes:
        folders: The folders of class folders of the training split, of the test split and of the validation split, as
            far as there are any.
        notes: What there is to say about them, whole sentences.
    """

    folders: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def image_layout(root: Path) -> ImageLayout:
    """Finds the splits: in the folder and its `data`, or else in the one other folder that holds any.

    Args:
        root: Holds `train` and others named like splits, or, without any, class folders.

    Raises:
        DataError: If there is no training split, or two folders are one and the same split, or several folders hold
            splits.
    """
    candidates = split_folders(root)
    if not candidates:
        within = {entry.name: inner for entry in _folders(root) if (inner := _named_folders(Path(entry)))}
        if len(within) > 1:
            raise DataError(
                f"{root}: {', '.join(sorted(within))} hold splits each; set `data.source` to the path of one of them."
            )
        candidates = next(iter(within.values()), [])
    if not candidates:
        return ImageLayout((root,), _classes_named_like_splits(root))
    by_split: dict[SplitName, Path] = {}
    for folder in candidates:
        split = split_named(folder.name)
        if split in by_split:
            raise DataError(
                f"{root}: the {split} split must be in one place, but got "
                f"{enumerated([by_split[split], folder], root)}; remove one of them."
            )
        if split is not None:
            by_split[split] = folder
    if "train" not in by_split:
        raise DataError(
            f"{root}: an image folder must hold `train` and `test`, but `train` is missing; "
            f"got {enumerated(candidates, root)}, and folders with such names are treated as splits."
        )
    uses, notes = uses_of_splits({split: folder.name for split, folder in by_split.items()})
    return ImageLayout(
        tuple(by_split[split] for split in uses.values()),
        notes + _left_out(root, candidates),
    )


def split_folders(root: Path) -> list[Path]:
    """Folders named like splits in a folder and its `data`, without those that hold Parquet files.

    Where each of them holds images and no folders, and so does one of another name, all of them are classes.

    Raises:
        DataError: If one is a broken link, or a folder cannot be listed.
    """
    return [*_named_folders(root), *(_named_folders(root / "data") if (root / "data").is_dir() else ())]


def holds_class_folders(root: Path) -> bool:
    """Whether a folder holds folders with pictures in them, as far as their names tell."""
    return any(Path(file.name).suffix.lower() in _PICTURES for entry in _folders(root) for file in visible(entry))


def holds_split_folders(root: Path) -> bool:
    """Whether a folder of this one holds folders named like splits."""
    return any(_named_folders(Path(entry)) for entry in _folders(root))


def _named_folders(folder: Path) -> list[Path]:
    named = []
    for entry in visible(folder):
        if split_named(entry.name) is None:
            continue
        refuse_broken_link(entry)
        if is_folder(entry) and not any(file.name.lower().endswith(".parquet") for file in visible(entry)):
            named.append(Path(entry))
    return [] if _are_classes(named, folder) else named


def _are_classes(named: list[Path], folder: Path) -> bool:
    others = (entry for entry in _folders(folder) if split_named(entry.name) is None)
    return all(map(_is_class_folder, named)) and any(map(_is_class_folder, others))


def _is_class_folder(folder: Path | Entry) -> bool:
    """Whether a folder holds pictures, as far as their names tell, and no folders."""
    entries = visible(folder)
    return not any(map(is_folder, entries)) and any(Path(e.name).suffix.lower() in _PICTURES for e in entries)


def _classes_named_like_splits(root: Path) -> tuple[str, ...]:
    names = [entry.name for entry in _folders(root) if split_named(entry.name) and _is_class_folder(entry)]
    if not names:
        return ()
    quoted = ", ".join(f"`{name}`" for name in names)
    if len(names) == 1:
        return (f"{quoted} holds images and no class folders, so it is treated as a class and not as a split.",)
    return (f"{quoted} hold images and no class folders, so they are treated as classes and not as splits.",)


def _folders(folder: Path) -> list[Entry]:
    return [entry for entry in visible(folder) if is_folder(entry)]


def _left_out(root: Path, used: list[Path]) -> tuple[str, ...]:
    """Says which other folders, and Parquet files, lie beside the splits."""
    places = dict.fromkeys(folder.parent for folder in used)
    others = [
        Path(entry)
        for place in places
        for entry in visible(place)
        if Path(entry) not in used
        and Path(entry) not in places
        and (is_folder(entry) or entry.name.lower().endswith(".parquet"))
    ]
    return (f"Ignored beside the splits: {enumerated(others, root)}.",) if others else ()
