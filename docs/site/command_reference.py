"""The command reference: what `antisample --help` and the help of each command say, as one page."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from tuning.cli.program import app

_INTRODUCTION = """# Command line

Exit codes: 0 success, 1 partial success (the output says what is missing), 2 an error in the command or the
configuration, 130 stopped by Ctrl-C, 143 stopped by SIGTERM.
"""


def command_reference() -> str:
    """Describes every command with its arguments, options, defaults and examples.

    Returns:
        Markdown with one heading a command; commands of groups follow their group.
    """
    root: Any = typer.main.get_command(app)
    context = root.make_context("antisample", ["--help"], resilient_parsing=True)
    return "\n".join([_INTRODUCTION, *_commands(root, context, "antisample")])


def _commands(group: Any, context: Any, name: str) -> Iterator[str]:
    for command_name in group.list_commands(context):
        command = group.get_command(context, command_name)
        if not command.hidden:
            yield from _command(command, context, f"{name} {command_name}")


def _command(command: Any, parent: Any, name: str) -> Iterator[str]:
    context = type(parent)(command, parent=parent, info_name=name.rpartition(" ")[2])
    yield f"## {name}\n\n{_text(command.help)}\n"
    if hasattr(command, "list_commands"):
        yield from _commands(command, context, name)
        return
    yield f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    yield "| argument or option | meaning |\n|---|---|"
    yield from (f"| `{term}` | {_text(meaning).replace('|', '&#124;')} |" for term, meaning in records)
    yield ""
    yield from _examples(command.epilog)


def _examples(epilog: str | None) -> Iterator[str]:
    kind, _, examples = (epilog or "").partition(":")
    if kind in ("Example", "Examples"):
        yield "```bash\n" + "\n".join(re.split(r";\s+", examples.strip())) + "\n```\n"
    elif epilog:
        yield f"{_text(epilog)}\n"


def _text(help_text: str | None) -> str:
    """One paragraph; square and angle brackets stay what they are outside of code."""
    return " ".join((help_text or "").split()).replace("<", "&lt;").replace("[", "&#91;")
