"""Commands that need an extra: whoever has not installed it learns so before the command does anything."""

from typing import Any

from typer.core import TyperCommand

from tuning.extras import require_extra


def needing(extra: str, *modules: str) -> type[TyperCommand]:
    """The class of a command that needs an extra, or the modules of it that are named; its help does not."""

    class Command(TyperCommand):
        def invoke(self, ctx: Any) -> Any:
            require_extra(extra, f"`antisample {_name(ctx)}`", *modules)
            return super().invoke(ctx)

    return Command


def _name(ctx: Any) -> str:
    """The words of a command after the program's, such as `mlflow sync`."""
    return f"{_name(ctx.parent)} {ctx.info_name}".strip() if ctx.parent is not None else ""
