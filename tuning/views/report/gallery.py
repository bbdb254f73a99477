"""The report's single images: forget images that are still recognised, and retain images that were lost."""

import base64
from dataclasses import dataclass

from tuning.study.attributes import CLASS_NAMES, JudgedImage
from tuning.study.outcome import Outcome
from tuning.study.pictures import Group, kept_gallery, kept_image
from tuning.study.reader import StudyReader


@dataclass(frozen=True)
class GalleryItem:
    """One image.

    Attributes:
        lines: Its caption, line by line.
        address: The picture as a data address; empty where it was not kept.
        alt: What it is, for those who do not see it.
    """

    lines: tuple[str, str, str]
    address: str
    alt: str


@dataclass(frozen=True)
class GalleryRow:
    """Images of a kind.

    Attributes:
        title: What they have in common.
        sentence: How many there are of how many.
        items: The most confident ones, the surest first.
    """

    title: str
    sentence: str
    items: list[GalleryItem]


def gallery_rows(study: StudyReader, outcome: Outcome) -> tuple[list[GalleryRow], str]:
    """What is still recognised and what was lost; or nothing, and a sentence that says why."""
    if outcome.chosen is None:
        return [], "No trial was chosen." if outcome.nearest is not None else "No trial has been chosen yet."
    number, kept = outcome.chosen.number, kept_gallery(study, outcome.chosen)
    if kept is None:
        return [], f"Not available for trial {number}: the images are judged when a search finishes."
    recognised = _sentence(kept["n_recognised"], kept["n_forget"], "forget images", "still recognised")
    right_before = "retain images that the original model classifies correctly"
    lost = _sentence(kept["n_lost"], kept["n_right_before"], right_before, "now misclassified")
    return [
        GalleryRow("Still recognised", recognised, _items(study, outcome, "recognised", kept["recognised"])),
        GalleryRow("Lost", lost, _items(study, outcome, "lost", kept["lost"])),
    ], ""


def _sentence(n: int, of: int, images: str, what: str) -> str:
    """How many images there are, of how many; those with the highest probability come with it."""
    if not n:
        return f"None of the {of:,} {images} is {what}."
    first = "" if n == 1 else "; the most confident come first"
    return f"{n:,} of the {of:,} {images} {'is' if n == 1 else 'are'} {what}{first}."


def _items(study: StudyReader, outcome: Outcome, group: Group, images: list[JudgedImage]) -> list[GalleryItem]:
    names, record = study.noted(CLASS_NAMES, []), outcome.chosen
    items = []
    for place, image in enumerate(images):
        true, predicted = (
            names[label] if label < len(names) else str(label) for label in (image["true"], image["predicted"])
        )
        probability = f"{100 * image['probability']:.1f} %"
        content = kept_image(study, record, group, place) if record is not None else None
        address = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}" if content else ""
        alt = f"An image of class {true}, predicted as {predicted} with a probability of {probability}"
        items.append(
            GalleryItem((f"true: {true}", f"predicted: {predicted}", f"probability: {probability}"), address, alt)
        )
    return items
