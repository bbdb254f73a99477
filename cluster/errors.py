"""The exception of this package."""

from collections.abc import Sequence


class ClusterError(Exception):
    """A cluster cannot be described, reached or used as asked; the command line prints it without a traceback.

    Args:
        problems: Every problem found, each naming key, rule and value; they are reported all at once.
        source: The file that holds the values, if there is one.
    """

    def __init__(self, problems: Sequence[str], source: str | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(self.problems, source)

    def __str__(self) -> str:
        prefix = f"{self.source}: " if self.source else ""
        if len(self.problems) == 1:
            return prefix + self.problems[0]
        return f"{prefix}{len(self.problems)} problems:\n" + "\n".join(f"  - {p}" for p in self.problems)
