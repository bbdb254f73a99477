"""The pictures that a study's folder keeps, of anti-samples and of single images, and which of them go into a report.

Whatever goes into a report leaves the machine with it, so only images do: a folder that was received could hold,
under the name of a picture, a link to a file of its reader's.
"""

import re
from pathlib import Path
from typing import Literal

from antisample.storage.regular_files import read_regular
from tuning.study.attributes import GALLERIES, Gallery
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

PICTURE_ROWS = ("forget images", "farthest neighbours", "one draw around each", "anti-samples")
Group = Literal["recognised", "lost"]
_FOLDER = "pictures"
_MOST_BYTES, _MOST_PIXELS = 8_000_000, 20_000_000
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""How a PNG file begins; its width and its height follow, of four bytes each."""


def picture_file(study: StudyReader, record: TrialRecord, label: int, place: int) -> Path:
    """Where the strip of one of `PICTURE_ROWS` is kept, for a class to forget."""
    return study.config.directory / _FOLDER / f"trial-{record.number:05d}-class-{label}-{place}.png"


def picture_files(study: StudyReader, record: TrialRecord) -> list[tuple[int, list[Path]]]:
    """By class to forget, a strip of pictures for each of `PICTURE_ROWS`; empty where none were kept."""
    by_label: dict[int, list[Path]] = {}
    name = re.compile(rf"trial-{record.number:05d}-class-(\d{{1,9}})-\d\.png")
    for path in sorted((study.config.directory / _FOLDER).glob("*.png")):
        if (match := name.fullmatch(path.name)) is not None:
            by_label.setdefault(int(match[1]), []).append(path)
    return [(label, paths) for label, paths in sorted(by_label.items()) if len(paths) == len(PICTURE_ROWS)]


def kept_pictures(study: StudyReader, record: TrialRecord) -> list[tuple[int, list[bytes]]]:
    """The contents of `picture_files`, but for classes of which a file is no PNG, too large, or behind a link."""
    contents = [
        (label, [_picture(path, study.config.directory) for path in paths])
        for label, paths in picture_files(study, record)
    ]
    return [(label, [strip for strip in strips if strip is not None]) for label, strips in contents if all(strips)]


def image_file(study: StudyReader, record: TrialRecord, group: Group, place: int) -> Path:
    """Where one image of a trial's gallery is kept."""
    return study.config.directory / _FOLDER / f"trial-{record.number:05d}-{group}-{place}.png"


def kept_gallery(study: StudyReader, record: TrialRecord) -> Gallery | None:
    """What was kept of single images; None in studies from before, and of trials that were not looked at."""
    return study.noted(GALLERIES, {}).get(str(record.number))


def kept_image(study: StudyReader, record: TrialRecord, group: Group, place: int) -> bytes | None:
    """An image of a trial's gallery; None where its file is missing, no PNG, too large, or behind a link."""
    return _picture(image_file(study, record, group, place), study.config.directory)


def _picture(path: Path, directory: Path) -> bytes | None:
    try:
        content = read_regular(path, inside=directory, most=_MOST_BYTES)
    except OSError:
        return None
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
    is_picture = content.startswith(_PNG) and 0 < width * height <= _MOST_PIXELS
    return content if is_picture else None
