"""What a data set with random transforms yielded once, kept on disk: it will not yield the same again."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from antisample.errors import DataError
from antisample.objects.reading import ReadImages
from antisample.storage.atomic import write_new


def kept_images(read: ReadImages, folder: Path) -> tuple[ReadImages, Path]:
    """Writes images to a file that is named by their fingerprint, and maps them from there.

    Args:
        read: What was read.
        folder: Where the file goes; made if missing.

    Returns:
        The same, its images read-only and mapped from the file, and the file.

    Raises:
        DataError: If the file cannot be written.
    """
    digest = hashlib.blake2b(repr((read.images.shape, str(read.images.dtype))).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(read.images).data)
    digest.update(read.labels.tobytes())
    path = folder / f"{digest.hexdigest()}.npy"
    if not path.is_file():
        content = io.BytesIO()
        np.save(content, read.images, allow_pickle=False)
        write_new(path, content.getvalue())
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it.") from error
    if not np.array_equal(images, read.images):
        raise DataError(f"{path}: damaged, it holds other images than were written; delete it.")
    return replace(read, images=images), path
