"""The views that live in a study's directory: the table, the report and the plots."""

from collections.abc import Callable

from antisample.errors import DataError, StorageError
from antisample.storage.atomic import check_writable
from tuning.config.study import StudyConfig
from tuning.study.artifacts import StudyFiles
from tuning.study.lost_trials import refuse_lost_trials
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.reader import StudyReader
from tuning.trials.depth import is_judged_by_depth
from tuning.views.report import write_report
from tuning.views.table import write_table

FILES = ("trials.parquet", "report.html", "study.yaml")


def write_projections(study: StudyReader) -> Outcome:
    """Writes the views that live in the study's directory: the table, the report and the pictures.

    Raises:
        DataError: If the directory cannot be written, or a table there shows trials that the study has lost.
    """
    refuse_lost_trials(study)
    for write in _views(study).values():
        write()
    return find_outcome(study)


def rewrite_projections(study: StudyReader) -> tuple[Outcome, str | None]:
    """The same where the directory may be read-only; also what could not be written, or None."""
    left, reason = [], ""
    for names, write in _views(study).items():
        try:
            check_writable(study.config.directory)
            write()
        except DataError as error:
            left.append(names)
            reason = reason or str(error)
    return find_outcome(study), f"{reason} Not written: {', '.join(left)}." if left else None


def _views(study: StudyReader) -> dict[str, Callable[[], None]]:
    directory = study.config.directory

    def draw() -> None:
        from tuning.views.plots.study import draw_study  # noqa: PLC0415  (Matplotlib takes a second to import)

        draw_study(study, find_outcome(study), directory)

    depth = "depth.png, " if is_judged_by_depth(study.config) else ""
    return {
        "trials.parquet": lambda: write_table([r for r in study.rows() if r.has_ended], directory / "trials.parquet"),
        "report.html": lambda: write_report(study, directory / "report.html"),
        f"pareto.png, {depth}hypervolume.png": draw,
    }


def copy_projections(config: StudyConfig) -> str | None:
    """Copies the views to where the study's files are, if that is another place; what hindered it, or None."""
    if config.storage_path is None:
        return None
    try:
        files = StudyFiles.of(config)
        for name in FILES:
            files.copy(config.directory / name)
    except (StorageError, DataError) as error:
        return f"The report and the table could not be copied. {error}"
    return None
