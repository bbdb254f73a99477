"""Which Parquet file is of which split, by the names that the Hugging Face hub gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antisample.datasets.listing import (
    enumerated,
    is_file,
    is_folder,
    refuse_broken_link,
    refuse_unwritable_names,
    visible,
)
from antisample.datasets.split_names import ORDER, NamedFile, split_named, split_of_file
from antisample.errors import DataError
from antisample.types import SplitName

_SUFFIX = ".parquet"
_PARTIAL = "partial-"  # how the hub names the folder of a split that it converted in part
_NAMES = "`train-00000-of-00001.parquet`, `train.parquet` or `train/0000.parquet`"


@dataclass(frozen=True)
class ParquetLayout:
    """Where the rows of each split lie.

    Attributes:
        files: By split, its files by path.
        words: By split, its name as folder or files have it.
        notes: What there is to say about them, whole sentences.
    """

    files: dict[SplitName, list[Path]]
    words: dict[SplitName, str]
    notes: tuple[str, ...] = ()


def parquet_layout(root: Path) -> ParquetLayout:
    """Finds the splits: in the folder and its `data`, or else in the one configuration that there is.

    Args:
        root: A folder, or a single file, which is then the training split.

    Raises:
        DataError: If there is no training split, a split is in two places or of two kinds of names, a file of it is
            twice there, or there are several configurations.
    """
    if root.is_file():
        return ParquetLayout({"train": [root]}, {"train": root.stem})
    places = _places(root)
    default = [file for folder in (root, root / "data") for file in places.get(folder, ())]
    used = default
    if not any(named for _, named in default):
        configurations = {folder: files for folder, files in places.items() if any(named for _, named in files)}
        if len(configurations) > 1:
            raise DataError(
                f"{root}: holds several configurations, {enumerated(configurations, root)}; set `data.source` to the "
                "path of one of them."
            )
        used = next(iter(configurations.values()), [])
    everything = [path for files in places.values() for path, _ in files]
    if not used and len(everything) == 1:
        return ParquetLayout({"train": everything}, {"train": everything[0].stem})
    by_split: dict[SplitName, list[tuple[Path, NamedFile]]] = {}
    for path, named in used:
        if named is not None:
            by_split.setdefault(named.split, []).append((path, named))
    if "train" not in by_split:
        raise DataError(
            f"{root}: must hold the Parquet files of a train split, named like {_NAMES}, but got "
            f"{enumerated(everything, root)}."
        )
    by_split = {split: by_split[split] for split in ORDER if split in by_split}
    notes = [note for split in by_split.values() for note in _checked(split, root)]
    kept = {path for files in by_split.values() for path, _ in files}
    if others := [path for path in everything if path not in kept]:
        notes.append(f"Ignored files beside the splits: {enumerated(others, root)}.")
    return ParquetLayout(
        {split: [path for path, _ in files] for split, files in by_split.items()},
        {split: files[0][1].word for split, files in by_split.items()},
        tuple(notes),
    )


def holds_parquet_files(root: Path) -> bool:
    """Whether there are Parquet files where `parquet_layout` looks for them."""
    return any(_places(root).values())


def _places(root: Path) -> dict[Path, list[tuple[Path, NamedFile | None]]]:
    """Files in the folder, in `data`, and in those that may be configurations, with what their names say."""
    places = {root: _files(root)}
    for parent in (root, root / "data"):
        for entry in visible(parent) if parent.is_dir() else ():
            if is_folder(entry) and _split_of_folder(entry.name) is None:
                places.setdefault(Path(entry), _files(Path(entry)))
    return places


def _files(folder: Path) -> list[tuple[Path, NamedFile | None]]:
    """The Parquet files of a folder, and those of its folders that are named like splits."""
    files: list[tuple[Path, NamedFile | None]] = []
    for entry in visible(folder):
        split = _split_of_folder(entry.name)
        if _is_parquet(entry.name):
            refuse_broken_link(entry)
            refuse_unwritable_names([entry])
            if is_file(entry):
                files.append((Path(entry), split_of_file(Path(entry.name).stem)))
        elif split is not None:
            refuse_broken_link(entry)
            within = [Path(file) for file in visible(entry) if _is_parquet(file.name)] if is_folder(entry) else []
            refuse_unwritable_names(within)
            files += [(path, _in_folder(path, split, entry.name)) for path in within]
    return files


def _in_folder(path: Path, split: SplitName, word: str) -> NamedFile:
    """What is known of a file in a folder of a split: `0000.parquet`, say, or a name that repeats the split."""
    refuse_broken_link(path)
    named = split_of_file(path.stem)
    if named is None:
        return NamedFile(split, word, "in a folder", int(path.stem) if path.stem.isdecimal() else None)
    if named.split != split:
        raise DataError(f"{path}: a file of the {named.split} split must not be in `{word}`.")
    return NamedFile(split, word, named.form, named.number)


def _checked(files: Sequence[tuple[Path, NamedFile]], root: Path) -> list[str]:
    """Refuses a split that is there twice; says what is missing of one that is not there as a whole."""
    first, kind = files[0]
    numbers: dict[int | None, Path] = {}
    for path, named in files:
        if (path.parent, named.word.lower(), named.form) != (first.parent, kind.word.lower(), kind.form):
            raise DataError(
                f"{root}: the {kind.split} split must be in one folder and under one kind of name, but got "
                f"{enumerated([first, path], root)}; remove one of them."
            )
        if named.number is not None and named.number in numbers:
            raise DataError(
                f"{root}: each number must occur exactly once, but got "
                f"{enumerated([numbers[named.number], path], root)}; remove one of them."
            )
        numbers[named.number] = path
    notes = []
    total = int(kind.form.removeprefix("one of ")) if kind.form.startswith("one of ") else len(files)
    if total != len(files):
        notes.append(f"Of the {total} files of `{kind.word}`, {len(files)} are present.")
    if kind.word.startswith(_PARTIAL):
        notes.append(f"`{kind.word}` holds a part of the {kind.split} split, as the hub converted it.")
    return notes


def _split_of_folder(name: str) -> SplitName | None:
    return split_named(name.removeprefix(_PARTIAL))


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(_SUFFIX)
