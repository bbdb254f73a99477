"""Commands that need an extra: whoever has not installed it learns so before the command does anything."""

from typing import Any

from typer.core import TyperCommand

from tuning.extras import require_extra


class NeedsSearch(TyperCommand):
    """A command that needs the extra `search`; its help does not."""

    extra = "search"

    def invoke(self, ctx: Any) -> Any:
        """Runs the command if its packages are installed."""
        require_extra(self.extra, f"`{ctx.command_path}`")
        return super().invoke(ctx)


class NeedsReport(NeedsSearch):
    """A command that needs the extra `report`."""

    extra = "report"
