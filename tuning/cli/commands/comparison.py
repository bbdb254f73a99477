"""Looking at several studies at once; none of them is written to."""

from collections.abc import Sequence
from pathlib import Path

from antisample.errors import ConfigError
from antisample.storage.atomic import check_writable
from tuning.cli.overriding import selected
from tuning.config.command_lines import shown_path
from tuning.study.directory import open_study
from tuning.views.comparison.comparison import compare
from tuning.views.comparison.page import check_target, write_comparison
from tuning.views.comparison.tables import plain_comparison, terminal_table
from tuning.views.terminal.console import output, print_json, say


def compare_studies(directories: Sequence[Path], *, select: str | None, out: Path, as_json: bool) -> None:
    """Writes a page that compares studies, and prints their chosen trials.

    Args:
        directories: Of the studies, at least two.
        select: How trials are chosen, where that is not what the studies say.
        out: The page.
        as_json: Whether to print plain values instead of a table.

    Raises:
        AntisampleError: If a study is missing or damaged, or the page cannot be written; nothing is written then.
    """
    places = [directory.resolve() for directory in directories]
    twice = next((d for d, place in zip(directories, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError(f"`antisample report` compares different studies, but {twice} is given twice.")
    check_target(out)
    check_writable(out.parent, [out.name])
    comparison = compare([open_study(directory, selected(select)) for directory in directories])
    write_comparison(comparison, out)
    if as_json:
        print_json({"page": str(out), **plain_comparison(comparison)})
        return
    console = output()
    if comparison.differences:
        say(console, "The figures of these studies are not directly comparable.")
    for sentence in comparison.differences:
        say(console, f"  {sentence}")
    console.print(terminal_table(comparison))
    if comparison.hypervolumes is not None:
        volumes = (f"{s.name} {v:.5f}" for s, v in zip(comparison.studies, comparison.hypervolumes, strict=True))
        say(console, f"Hypervolume: {', '.join(volumes)}")
    say(console, f"Comparison:    {shown_path(out)}")
