"""Everything a reproduction leaves in its folder besides the results of its jobs."""

from antisample.storage.atomic import atomic_write
from tuning.reproduction.config import ReproductionConfig
from tuning.reproduction.plan import plan_jobs
from tuning.reproduction.plots import draw_anti_samples, draw_class_accuracy, draw_confusion, draw_losses
from tuning.reproduction.run import TABLES, ReproductionOutcome
from tuning.reproduction.tables import Row, summarise_results, to_csv, to_latex, to_long_csv, to_markdown


def write_outputs(config: ReproductionConfig, outcome: ReproductionOutcome) -> list[Row]:
    """Writes table.md, table.csv, table.tex, results.csv and the pictures.

    Args:
        config: The reproduction.
        outcome: What became of its jobs.

    Returns:
        The rows of the table.

    Raises:
        DataError: If the folder cannot be written.
    """
    results, inputs = outcome.results, outcome.inputs
    rows = summarise_results(results, config.model.name, inputs.dataset.name, config.retain)
    texts = to_markdown(rows, outcome.failures), to_csv(rows), to_latex(rows), to_long_csv(results)
    for name, text in zip(TABLES, texts, strict=True):
        with atomic_write(config.out / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    if any(result["seed_index"] == 0 for result in results):
        names = inputs.dataset.class_names
        draw_class_accuracy(results, names, config.out / "class_accuracy.png")
        draw_confusion(results, names, config.out / "confusion.png")
        draw_losses(results, config.out / "losses.png")
    jobs = plan_jobs(config, inputs.dataset.name, inputs.dataset.class_names)
    first = next((job for job in jobs if job.label.partition("@")[0] == "antisample"), None)
    if first is not None:
        draw_anti_samples(first.config, inputs, config.out / "anti_samples.png")
    return rows
