"""What all pictures share: colours that colour-blind readers can tell apart, an empty figure, and saving it whole."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from antisample.storage.atomic import atomic_write

# Okabe and Ito (2008), Color Universal Design.
CLASS_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
CHOSEN, FRONT, START = CLASS_COLOURS[:3]
YELLOW = "#f0e442"
INK = "#222222"
QUIET = "#666666"

_DPI = 160


def class_colour(label: int) -> str:
    """The colour of a class, as hexadecimal; from the seventh class on they repeat."""
    return CLASS_COLOURS[label % len(CLASS_COLOURS)]


def tint(colour: str, strength: float) -> tuple[float, float, float]:
    """The colour mixed with white, as red, green and blue in [0, 1]; a strength of 1 is the colour itself."""
    red, green, blue = (1 - strength * (1 - channel) for channel in to_rgb(colour))
    return red, green, blue


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that belongs to no window.

    Args:
        width: In inches.
        height: In inches.

    Returns:
        A figure that lays out its panels without overlaps when it is drawn.
    """
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG; a reader finds the old picture or the whole new one, never a part.

    Args:
        figure: What to write.
        path: Where to; its folder is made if missing.

    Raises:
        DataError: If it cannot be written.
    """
    with atomic_write(path) as unfinished:
        figure.savefig(unfinished, format="png")
