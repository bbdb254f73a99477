"""Commands that need an extra: whoever has not installed it learns so before the command does anything."""

from typing import Any

from typer.core import TyperCommand

from tuning.extras import require_extra


def needing(extra: str, *modules: str) -> type[TyperCommand]:
    """The class of a command that needs an extra, or the modules of it that are named; its help does not."""

    class Command(TyperCommand):
        def invoke(self, ctx: Any) -> Any:
            require_extra(extra, f"`{ctx.command_path}`", *modules)
            return super().invoke(ctx)

    return Command
