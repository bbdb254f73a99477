"""The terminal, which text from outside cannot steer: names, origins and messages are shown, not obeyed."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from antisample.plain_text import plain_text


class PlainConsole(Console):
    r"""A console that prints as escapes, such as `\x1b`, whatever would act in a terminal; see `plain_text`.

    What rich itself sends to the terminal, such as colours, is no text and passes.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `Console.render`; everything that is printed comes by here."""
        for segment in super().render(renderable, options):
            plain = segment.text if segment.control else plain_text(segment.text, lines=True)
            yield segment if plain == segment.text else segment._replace(text=plain)
