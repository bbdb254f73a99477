"""What is shown beside the pointer. Figures name trials by number in `customdata`; the page has each text once."""

import html
from collections.abc import Iterable, Mapping

from antisample.metrics.share_limits import limits_text
from tuning.config.objectives import Objective
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import Figure, formatted, label


def hover_texts(
    figures: Iterable[Figure], records: Iterable[TrialRecord], objectives: tuple[Objective, ...]
) -> dict[str, str]:
    """The texts of the trials that figures draw, by number as text."""
    numbers = {
        number
        for figure in figures
        for trace in figure["data"]
        for number in trace.get("customdata", ())
        if number is not None
    }
    return {str(record.number): hover(record, objectives) for record in records if record.number in numbers}


def hover(record: TrialRecord, objectives: tuple[Objective, ...]) -> str:
    """The lines of a trial; everything from outside is escaped, because Plotly reads tags."""
    lines = [f"trial {record.number} ({html.escape(record.origin)})"]
    lines += [
        _line(o.metric, value, record.counts) + _over_replicates(record, o.metric)
        for o, value in zip(objectives, record.values or (), strict=False)
    ]
    lines += [f"{html.escape(name)} = {html.escape(formatted('', value))}" for name, value in record.params.items()]
    return "\n".join(lines)


def mark_hover(
    name: str, metrics: Mapping[str, float], counts: Mapping[str, int], objectives: tuple[Objective, ...]
) -> str:
    """The text of a baseline, such as the mask; its name is escaped already."""
    lines = [_line(o.metric, metrics[o.metric], counts) for o in objectives if o.metric in metrics]
    return "<br>".join([f"<b>{name}</b>", *lines])


def _line(metric: str, value: float, counts: Mapping[str, int]) -> str:
    """A metric with its images and the limits that follow from their number, where that is known."""
    part, _, rest = metric.partition("/")
    count = counts.get(f"{part}/{rest.partition('_')[0]}")
    text = f"{label(metric)}: {formatted(metric, value)}"
    if not count:
        return text
    limits = f" ({limits_text(value, count)})" if metric.endswith("accuracy") and 0 <= value <= 1 else ""
    return f"{text} of {count} images{limits}"


def _over_replicates(record: TrialRecord, metric: str) -> str:
    if len(record.seeds) < 2 or metric not in record.spread:
        return ""
    deviation = record.spread[metric]
    text = f"{100 * deviation:.1f}" if metric.endswith("accuracy") else f"{deviation:.3f}"
    return f", standard deviation {text} over {len(record.seeds)} replicates"
