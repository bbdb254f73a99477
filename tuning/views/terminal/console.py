"""The terminal, which text from outside cannot steer: names, origins and messages are shown, not obeyed."""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from antisample.plain_text import plain_text
from tuning.views.plain_values import finite


class PlainConsole(Console):
    r"""A console that prints as escapes, such as `\x1b`, whatever would act in a terminal; see `plain_text`.

    What rich itself sends to the terminal, such as colours, is no text and passes.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `Console.render`; everything that is printed comes by here."""
        for segment in super().render(renderable, options):
            plain = segment.text if segment.control else plain_text(segment.text, lines=True)
            yield segment if plain == segment.text else segment._replace(text=plain)


def output(stderr: bool = False) -> Console:
    """The console to print to: as wide as the terminal, and wide enough for the tables where there is none."""
    console = PlainConsole(highlight=False, stderr=stderr)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def say(console: Console, text: str) -> None:
    """Prints a sentence as it is: names may hold brackets, which are no markup.

    In a terminal it breaks between words, where the terminal itself would cut figures.
    """
    console.print(Text(text), soft_wrap=not console.is_terminal)


def print_json(content: Any) -> None:
    """The answer of a command, for programs."""
    sys.stdout.write(json.dumps(finite(content), indent=2, allow_nan=False) + "\n")
