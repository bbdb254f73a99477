"""Digests of single images: what a forgotten image can be recognised by when nobody may keep it."""

import hashlib
from collections.abc import Iterable

from antisample.types import ImageSet, IndexArray

MOST_LISTED = 100_000
"""Of more forgotten images, a card lists no digests."""


def image_digest(images: ImageSet, position: int) -> str:
    """Digest of the pixels of one image, as the program reads it: 16 bytes, hexadecimal; the label is not in it."""
    pixels = images.images[position]
    return hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).hexdigest()


def image_digests(parts: Iterable[tuple[ImageSet, IndexArray]]) -> tuple[str, ...]:
    """Digests of images by their positions, each once, in their own order, which says nothing of the positions."""
    return tuple(sorted({image_digest(images, int(place)) for images, places in parts for place in places}))
