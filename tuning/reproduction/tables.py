"""The table of a reproduction: mean and standard deviation over forget requests, beside the published figures."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean, stdev
from typing import Any

from antisample.plain_text import spreadsheet_text
from tuning.reproduction.plan import ORIGINAL, UNTRAINED

COLUMNS = {
    "test/retain_accuracy": "retain test %",
    "test/forget_accuracy": "forget test %",
    "train/retain_accuracy": "retain train %",
    "train/forget_accuracy": "forget train %",
    "test/forget_confidence": "forget confidence %",
    "test/probe_left": "probe left %",
    "test/probe_forget": "probe forget %",
    "test/probe_gap": "probe gap points",
    "test/mia_loss": "MIA loss %",
    "test/mia_confidence": "MIA confidence %",
    "test/retrained_gap": "gap %",
    "test/tow": "ToW %",
    "test/forget_js_distance": "JS forget %",
    "test/retain_js_distance": "JS retain %",
    "test/forget_agreement": "agree forget %",
    "test/retain_agreement": "agree retain %",
    "test/zrf": "ZRF %",
    "validation/relearn_epochs": "relearn epochs",
    "elapsed_s": "seconds",
    "retrain_ratio": "of retraining %",
}
_PLAIN = {"validation/relearn_epochs", "elapsed_s"}
_PUBLISHED_METHODS = {"original": "original", "retrain": "retrain", "antisample": "anti-sample", "unsir": "UNSIR"}


@dataclass(frozen=True)
class Row:
    """One method on requests of one size.

    Attributes:
        label: The method.
        size: Classes forgotten at once.
        requests: How many forget requests the figures are taken over.
        seeds: The fewest repetitions that any of them had.
        mean: By column: mean over requests of the mean over repetitions; accuracies in percent.
        std: By column: sample standard deviation over requests; of repetitions where there is one request.
        published: The published result of the same method, if there is one.
    """

    label: str
    size: int
    requests: int
    seeds: int
    mean: dict[str, float]
    std: dict[str, float | None]
    published: "PublishedResult | None"


@dataclass(frozen=True)
class PublishedResult:
    """What the authors report.

    Attributes:
        accuracies: Retain and forget test accuracy in percent, `77.46 / 0.14`.
        conditions: What it was measured on, and how.
    """

    accuracies: str
    conditions: str


def summarise_results(results: Sequence[dict[str, Any]], model: str, dataset: str, retain: float) -> list[Row]:
    """Rows by number of classes and method, in the order of the results."""
    groups: dict[tuple[int, str], dict[tuple[int, ...], list[dict[str, float]]]] = {}
    for result in results:
        ratio = result["elapsed_s"] / result["reference_s"] if result["reference_s"] else None
        values = {**result["values"], "elapsed_s": result["elapsed_s"]}
        if ratio is not None:
            values["retrain_ratio"] = ratio
        if result["label"] in (ORIGINAL, UNTRAINED):
            values = {name: value for name, value in values.items() if name not in ("elapsed_s", "retrain_ratio")}
        classes = tuple(result["classes"])
        groups.setdefault((len(classes), result["label"]), {}).setdefault(classes, []).append(values)
    rows = []
    for (size, label), requests in groups.items():
        mean: dict[str, float] = {}
        std: dict[str, float | None] = {}
        for column in COLUMNS:
            scale = 1 if column in _PLAIN else 100
            figures = [[run[column] * scale for run in runs if column in run] for runs in requests.values()]
            figures = [runs for runs in figures if runs]
            if figures:
                means = [fmean(runs) for runs in figures]
                spread = means if len(means) > 1 else figures[0]
                mean[column], std[column] = fmean(means), stdev(spread) if len(spread) > 1 else None
        published = published_result(label, model, dataset, retain) if size == 1 else None
        rows.append(Row(label, size, len(requests), min(map(len, requests.values())), mean, std, published))
    return sorted(rows, key=lambda row: row.size)


def published_result(label: str, model: str, dataset: str, retain: float) -> PublishedResult | None:
    """The published result of a method on single classes, if there is one."""
    method, _, set_name = label.partition("@")
    if method == "antisample" and set_name.lower() != f"{model}/{dataset}/{retain:g}/notebook".lower():
        return None  # only the notebooks' sets have published results
    text = files("tuning.reproduction").joinpath("published_results.csv").read_text()
    for row in csv.DictReader(io.StringIO(text)):
        percent = {str(row["retain_percent"])} | ({f"{retain:g}"} if method in (ORIGINAL, "retrain") else set())
        if (
            row["method"] == _PUBLISHED_METHODS.get(method)
            and row["model"].lower() == model.lower()
            and row["dataset"].partition(" (")[0].lower() == dataset.lower()
            and f"{retain:g}" in percent
        ):
            accuracies = f"{row['retain_test_accuracy'] or '-'} / {row['forget_test_accuracy'] or '-'}"
            conditions = f"{row['dataset']}, {row['classes']} classes, {row['retain_percent']} % retain data"
            return PublishedResult(accuracies, f"{conditions}; {row['configuration'] or row['source']}")
    return None


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Heading and text of every cell; columns that no row has are left out."""
    used = [column for column in COLUMNS if any(column in row.mean for row in rows)]
    heading = [
        "method",
        "classes",
        "requests x seeds",
        *(COLUMNS[c] for c in used),
        "published retain / forget test %",
    ]
    body = []
    for row in rows:
        texts = [row.label, str(row.size), f"{row.requests} x {row.seeds}"]
        for column in used:
            if column not in row.mean:
                texts.append("")
                continue
            spread = row.std[column]
            texts.append(f"{row.mean[column]:.2f}" + (f" ± {spread:.2f}" if spread is not None else ""))
        body.append([*texts, row.published.accuracies if row.published is not None else ""])
    return heading, body


def to_markdown(rows: Sequence[Row], failures: Sequence[dict[str, Any]] = ()) -> str:
    """A table in Markdown; under it, how the published figures were measured, and which jobs failed."""
    heading, body = cells(rows)
    lines = [f"| {' | '.join(line)} |" for line in (heading, ["---"] * len(heading), *body)]
    notes = [f"- Published for {row.label}: {row.published.conditions}." for row in rows if row.published is not None]
    notes += [
        f"- Failed and missing above: {failure['label']}, classes {', '.join(map(str, failure['classes']))}, "
        f"repetition {failure['seed_index']}. {failure['error']}"
        for failure in failures
    ]
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def to_csv(rows: Sequence[Row]) -> str:
    """The table with means and deviations in columns of their own, full precision."""
    used = [column for column in COLUMNS if any(column in row.mean for row in rows)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [name for column in used for name in (column, f"{column} std")]
    writer.writerow(["method", "classes", "requests", "seeds", *names, "published"])
    for row in rows:
        figures = [value for column in used for value in (row.mean.get(column), row.std.get(column))]
        published = row.published.accuracies if row.published is not None else ""
        writer.writerow([spreadsheet_text(row.label), row.size, row.requests, row.seeds, *figures, published])
    return stream.getvalue()


def to_latex(rows: Sequence[Row]) -> str:
    """A tabular for the package booktabs."""
    heading, body = cells(rows)

    def line(texts: Sequence[str]) -> str:
        escaped = [t.replace("\\", "").replace("%", r"\%").replace("_", r"\_").replace("±", r"$\pm$") for t in texts]
        return " & ".join(escaped) + r" \\"

    columns = "l" + "r" * (len(heading) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line(heading),
            r"\midrule",
            *(line(texts) for texts in body),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def to_long_csv(results: Sequence[dict[str, Any]]) -> str:
    """Every metric of every job, a line each."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["method", "classes", "repetition", "metric", "value"])
    for result in results:
        classes = " ".join(map(str, result["classes"]))
        key = [spreadsheet_text(result["label"]), spreadsheet_text(classes), result["seed_index"]]
        for name, value in {**result["values"], "elapsed_s": result["elapsed_s"]}.items():
            writer.writerow([*key, spreadsheet_text(name), value])
    return stream.getvalue()
