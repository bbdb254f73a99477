"""Configuration: which images."""

from pathlib import Path

from pydantic import Field, field_validator

from antisample.storage.file_store import checked_place, is_object_store
from antisample.validation.settings import Settings

IN_MEMORY = "in memory"
"""What stands in the place of `data.source` for data that was handed over as objects."""


class DataConfig(Settings):
    """Which images.

    Attributes:
        source: A built-in data set, or the path of a folder (images by class, or Parquet files) or a Parquet file.
        root: Directory of torchvision data sets, also for downloading them; the folder of casia-webface.
        download: Whether torchvision may download into `root`.
        image_size: Resize images to this many pixels; by default they keep their size (64 for casia-webface).
        cache_dir: Where decoded images, original models, retrained references and neighbours are cached: a folder, or
            an object store such as s3://bucket/cache, with a local copy on each machine; see `Cache.at`.
    """

    source: str
    root: Path | None = None
    download: bool = False
    image_size: int | None = Field(default=None, ge=1, le=16_384)
    cache_dir: Path | str = Path("runs/cache")

    @field_validator("cache_dir")
    @classmethod
    def _folder_or_object_store(cls, place: Path | str) -> Path | str:
        return checked_place(str(place)) if is_object_store(place) else Path(place)
