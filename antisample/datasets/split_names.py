"""Which split a folder or a file is of, by its name, and what each split is used for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from antisample.types import SplitName

# The words of the Hugging Face hub.
_WORDS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
}
ORDER: tuple[SplitName, ...] = ("train", "test", "validation")
"""The order in which splits are read and told."""

_FILE_STEM = re.compile(r"([a-z]+)(?:(-)(\d+)-of-(\d+)(?:-[0-9a-f]+)?|[-_.]?(\d+))?", re.IGNORECASE)


@dataclass(frozen=True)
class NamedFile:
    """What the name of a file says.

    Attributes:
        split: The split that it belongs to.
        word: The split as the name has it.
        form: `one of N`, `numbered` or `whole`; the files of a split are all of one form.
        number: Its number among the files of the split; None if it is the whole split.
    """

    split: SplitName
    word: str
    form: str
    number: int | None


def split_named(name: str) -> SplitName | None:
    """The split that a name stands for as a whole, whatever its case: `train_noisy` and `testmini` stand for none."""
    return _WORDS.get(name.lower())


def split_of_file(stem: str) -> NamedFile | None:
    """Reads the name of a file, without its suffix, as the hub writes it.

    Args:
        stem: `train`, `train-00000-of-00002`, the same with a digest behind it, or `train-0`, `train_0`, `train0`.

    Returns:
        What it says; None if it is none of these.
    """
    match = _FILE_STEM.fullmatch(stem)
    split = split_named(match[1]) if match else None
    if match is None or split is None:
        return None
    if match[2]:
        return NamedFile(split, match[1], f"one of {int(match[4])}", int(match[3]))
    return NamedFile(split, match[1], "numbered" if match[5] else "whole", int(match[5]) if match[5] else None)


def uses_of_splits(words: Mapping[SplitName, str]) -> tuple[dict[SplitName, SplitName], tuple[str, ...]]:
    """Says what each split of the data serves as: validation images beside training images alone are for testing.

    Args:
        words: Of each split that there is, its name as the data has it.

    Returns:
        By use (train, test, validation, in this order), the split that serves it; and a sentence about validation
        images, if there are any.
    """
    uses: dict[SplitName, SplitName] = {split: split for split in ORDER if split in words}
    if "validation" not in words:
        return uses, ()
    word = words["validation"]
    if "test" in words:
        return uses, (
            f"`{word}` is the validation split; if a checkpoint has seen it, `split.validation_from: test` takes "
            f"validation images from the test split instead, and `{word}` is not used.",
        )
    uses["test"] = uses.pop("validation")
    return uses, (
        f"There is no test split, so `{word}` serves as one; validation images are held out from train or test, as "
        "`split.validation_from` says.",
    )
