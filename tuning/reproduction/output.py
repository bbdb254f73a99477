"""Everything a reproduction leaves in its folder besides the results of its jobs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from antisample.errors import DataError
from antisample.unlearning import UnlearnInputs
from tuning.reproduction.pictures import draw_anti_samples, draw_class_accuracy, draw_confusion, draw_losses
from tuning.reproduction.plan import ReproductionConfig, plan_jobs
from tuning.reproduction.tables import Row, summarise_results, to_csv, to_latex, to_long_csv, to_markdown


def write_outputs(config: ReproductionConfig, results: Sequence[dict[str, Any]], inputs: UnlearnInputs) -> list[Row]:
    """Writes table.md, table.csv, table.tex, results.csv and the pictures.

    Args:
        config: The reproduction.
        results: Of its finished jobs.
        inputs: Data and original model.

    Returns:
        The rows of the table.

    Raises:
        DataError: If the folder cannot be written.
    """
    rows = summarise_results(results, config.model.name, inputs.dataset.name, config.retain)
    texts = {
        "table.md": to_markdown(rows),
        "table.csv": to_csv(rows),
        "table.tex": to_latex(rows),
        "results.csv": to_long_csv(results),
    }
    for name, text in texts.items():
        _write(config.out / name, text)
    if results:
        names = inputs.dataset.class_names
        draw_class_accuracy(results, names, config.out / "class_accuracy.png")
        draw_confusion(results, names, config.out / "confusion.png")
        draw_losses(results, config.out / "losses.png")
    jobs = plan_jobs(config, inputs.dataset.name, inputs.dataset.class_names)
    first = next((job for job in jobs if job.label.partition("@")[0] == "antisample"), None)
    if first is not None:
        draw_anti_samples(first.config, inputs, config.out / "anti_samples.png")
    return rows


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text)
        unfinished.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}).") from error
