"""CASIA-WebFace: photographs of 10,575 people, a folder each, of which the published experiments use 300."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antisample.datasets.archives import refuse_archives
from antisample.datasets.image_folder import (
    FilesByClass,
    ImageFolder,
    all_files,
    decode_splits,
    files_by_class,
)
from antisample.datasets.image_layout import split_folders
from antisample.datasets.listing import refuse_broken_link, visible
from antisample.datasets.source import DecodedData, file_identity
from antisample.errors import DataError

_ADVICE = (
    "unpack the archive with the program that made it, in a sandbox you trust, and save each image as "
    "`<root>/<identity>/<number>.png`"
)
_DEFAULT_SIZE = 64
_TEST_PERCENT = 20


@dataclass(frozen=True)
class CasiaWebFace:
    """CASIA-WebFace (Yi et al., 2014) as images in `<root>/<identity>/`, the way its zip archive unpacks.

    Of more identities than `max_identities`, those with the most images are taken, and of equals those whose
    names come first. Which 300 the published experiments drew is not known, so results compare in kind and not
    identity by identity. Images are resized to squares, to 64 x 64 pixels unless told otherwise, whatever their
    shape is.

    The data set has no split of its own. A fixed one takes 20 % of each identity's images to test, at least 1:
    those whose relative paths `<identity>/<file>` have the smallest BLAKE2b digests. It depends on names alone,
    not on the order of a listing nor on the version of a library. If `<root>` holds `train` and `test`, these are
    the splits, laid out as for `ImageFolder`.

    The set also circulates as pickles and NumPy files, which can execute code when they are read, and as the record
    files `train.rec` and `train.idx` of MXNet. Neither is opened. To convert one, work in a container or virtual
    machine without network access and without anything of value in it, read the archive there with the program that
    wrote it, save each image with Pillow as `<identity>/<number>.png`, and bring only these images out. The
    JPEG files within MXNet's records can be saved as they are.

    Nothing is downloaded: whoever uses the faces has to obtain them, and the right to use them, from the publisher.

    Attributes:
        root: The folder that holds one folder an identity, or `train` and `test`.
        max_identities: How many identities to take at most.
    """

    root: Path | None
    max_identities: int = 300

    def identity(self) -> Sequence[str]:
        """Lists the files of the identities taken.

        Returns:
            The rule of the split, then path, size and time of change of every file.

        Raises:
            DataError: If there is no root, it is or holds an archive, its layout is another one, or an identity
                has too few images for both splits.
        """
        files = file_identity(self._root(), all_files(self.splits()))
        rule = f"{_TEST_PERCENT} % by path, at most {self.max_identities}"
        return ["CASIA-WebFace", rule, *files, *self._notes()]

    def decode(self, image_size: int | None) -> DecodedData:
        """Decodes all images in parallel, to 64 x 64 pixels if no size is given; see `DatasetSource.decode`."""
        return decode_splits(self.splits(), image_size or _DEFAULT_SIZE, str(self._root()), self._notes())

    def splits(self) -> tuple[FilesByClass, ...]:
        """Lists the image files by identity: of train, of test and, where the folder has one, of validation.

        Raises:
            DataError: As `identity` does.
        """
        root = self._root()
        if split_folders(root):
            splits = ImageFolder(root).splits(_ADVICE)
            if len(splits) < 2:
                raise DataError(f"{root}: beside `train`, the root of casia-webface must hold `test`.")
            taken = self._taken({name: sum(len(files[name]) for files in splits) for name in splits[0]})
            return tuple({name: files[name] for name in taken} for files in splits)
        files = files_by_class(root, _ADVICE)
        pairs = {
            name: _split(root / name, files[name]) for name in self._taken({n: len(f) for n, f in files.items()})
        }
        return {name: train for name, (train, _) in pairs.items()}, {name: test for name, (_, test) in pairs.items()}

    def _notes(self) -> tuple[str, ...]:
        root = self._root()
        return ImageFolder(root).layout.notes if split_folders(root) else ()

    def _root(self) -> Path:
        if self.root is None:
            raise DataError(
                "casia-webface: `data.root` must be the folder that holds one folder of images per identity, but got "
                "None; the data set is not downloaded."
            )
        root = self.root.expanduser()
        refuse_archives([root], _ADVICE)
        refuse_broken_link(root)
        if not root.is_dir():
            raise DataError(
                f"{root}: the root of casia-webface must be a folder that holds one folder of images per identity."
            )
        refuse_archives(map(Path, visible(root)), _ADVICE)
        return root

    def _taken(self, counts: dict[str, int]) -> list[str]:
        """Names of the identities with the most images, sorted by name."""
        return sorted(sorted(counts, key=lambda name: (-counts[name], name))[: self.max_identities])


def _split(folder: Path, files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Training and test files of one identity, each sorted by name."""
    if len(files) < 2:
        raise DataError(
            f"{folder}: every identity must have at least 2 images, one for each split, but got {len(files)}."
        )

    def digest(file: Path) -> bytes:
        return hashlib.blake2b(f"{folder.name}/{file.name}".encode(), digest_size=16).digest()

    n_test = max(1, (len(files) * _TEST_PERCENT + 50) // 100)
    test = set(sorted(files, key=digest)[:n_test])
    return [file for file in files if file not in test], sorted(test)
