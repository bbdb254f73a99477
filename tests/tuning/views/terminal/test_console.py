"""Text from outside in a terminal."""

import io

from rich.table import Table
from rich.text import Text

from tuning.views.terminal.console import PlainConsole

HOSTILE = "cat\x1b[2J\x1b]0;owned\x07\x9b31m\u202egod\u200b"


def printed(*what, **options):
    stream = io.StringIO()
    PlainConsole(file=stream, highlight=False, force_terminal=True, color_system=None, width=200).print(
        *what, **options
    )
    return stream.getvalue()


def test_what_steers_a_terminal_is_shown():
    table = Table("name")
    table.add_row(HOSTILE)
    for text in (printed(HOSTILE), printed(Text(HOSTILE)), printed(table), printed(f"[bold]{HOSTILE}[/bold]")):
        assert "\\x1b" in text
        assert not set(text) & set("\x1b\x07\x9b\u202e\u200b")


def test_lines_letters_and_colours_stay():
    stream = io.StringIO()
    console = PlainConsole(file=stream, highlight=False, force_terminal=True, color_system="standard")
    console.print("one\n\u7f8e\u00e9", style="red")
    assert stream.getvalue() == "\x1b[31mone\x1b[0m\n\x1b[31m\u7f8e\u00e9\x1b[0m\n"
