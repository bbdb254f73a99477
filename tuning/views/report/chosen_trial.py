"""What the report shows of the chosen trial from inside: confusion matrices, and pictures of its anti-samples."""

import base64
import html

from tuning.study.attributes import CLASS_NAMES, FORGET_REQUESTS
from tuning.study.confusions import Cells, confusions
from tuning.study.outcome import Outcome
from tuning.study.pictures import PICTURE_ROWS, kept_pictures
from tuning.study.reader import StudyReader
from tuning.views.report.drawing import Figure, assembled

_MOST_CLASSES = 30


def confusion_figures(study: StudyReader, outcome: Outcome) -> tuple[list[tuple[str, Figure]], list[str]]:
    """Titled matrices before and after the chosen trial, and notes."""
    if outcome.chosen is None:
        return [], ["No trial was chosen." if outcome.nearest is not None else "No trial has been chosen yet."]
    kept = confusions(study, outcome.chosen)
    if kept is None:
        return [], [f"Not available for trial {outcome.chosen.number}: they are computed when a search finishes."]
    names = study.noted(CLASS_NAMES, [])
    requests = study.noted(FORGET_REQUESTS) or [[]]
    forgotten = [] if study.config.by_samples else requests[0]
    classes, notes = list(range(len(names))), []
    if len(names) > _MOST_CLASSES:
        errors = dict.fromkeys(classes, 0)
        for true, predicted, images in kept[1]:
            if true != predicted:
                errors[true] += images
                errors[predicted] += images
        others = sorted((c for c in classes if c not in forgotten), key=lambda c: (-errors[c], c))
        classes = sorted([*forgotten, *others[: max(0, _MOST_CLASSES - len(forgotten))]])
        notes = [f"Of {len(names)} classes, only those to forget and those with the most errors are classes."]
    words = [f"{names[c]}{' (forgotten)' if c in forgotten else ''}" for c in classes]
    seed = outcome.chosen.seeds[0]
    titles = ("Original model", f"Trial {outcome.chosen.number}: its first run in the search, seed {seed}")
    return [(title, _matrix(cells, classes, words)) for title, cells in zip(titles, kept, strict=True)], notes


def _matrix(cells: Cells, classes: list[int], words: list[str]) -> Figure:
    """Shares of each true class in percent; the hover text has the numbers of images."""
    counts = {(true, predicted): images for true, predicted, images in cells}
    totals = {true: sum(n for (row, _), n in counts.items() if row == true) for true in classes}
    words = [html.escape(word) for word in words]
    few = len(classes) <= 12
    trace = {
        "type": "heatmap",
        "x": list(range(len(classes))),
        "y": list(range(len(classes))),
        "z": [[round(100 * counts.get((t, p), 0) / max(1, totals[t]), 1) for p in classes] for t in classes],
        "zmin": 0,
        "zmax": 100,
        "colorscale": "Cividis",
        "colorbar": {"ticksuffix": " %", "thickness": 12, "outlinewidth": 0},
        "hovertext": [
            [
                f"{words[i]}, predicted as {words[j]}: {counts.get((t, p), 0)} of {totals[t]} images"
                for j, p in enumerate(classes)
            ]
            for i, t in enumerate(classes)
        ],
        "hoverinfo": "text",
        "xgap": 1,
        "ygap": 1,
    }
    if few:
        trace |= {
            "text": [[counts.get((t, p), 0) or "" for p in classes] for t in classes],
            "texttemplate": "%{text}",
        }
    ticks = {"tickvals": list(range(len(classes))), "ticktext": words, "automargin": True, "showgrid": False}
    across = {"title": {"text": "predicted class"}, **ticks}
    up = {"title": {"text": "true class"}, "autorange": "reversed", **ticks}
    return assembled([trace], across, up, height=460)


def pictures(study: StudyReader, outcome: Outcome) -> list[tuple[str, list[tuple[str, str]]]]:
    """By class to forget: pairs of a row's name and its strip as a data address."""
    if outcome.chosen is None:
        return []
    names = study.noted(CLASS_NAMES, [])
    return [
        (
            names[label] if label < len(names) else str(label),
            [
                (row, f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}")
                for row, content in zip(PICTURE_ROWS, strips, strict=True)
            ],
        )
        for label, strips in kept_pictures(study, outcome.chosen)
    ]
