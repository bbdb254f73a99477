"""Parts of card.md that are no facts in a table: its front matter for hubs, a summary of depth, the limitations."""

import json
import re
from collections.abc import Callable

from antisample.export.card import UnlearningCard
from antisample.export.card_parts import CardMetric
from antisample.plain_text import markdown_text, plain_text

_ACTIVE = re.compile(r"[<>&*_`|~#$!()\[\]]")
_SUMMARY = {
    "forget_accuracy": "forget accuracy",
    "retain_accuracy": "retain accuracy",
    "probe_left": "probe left: 1 as in the original, 0 as in an untrained network",
    "earlier_forget_accuracy": "accuracy on what was forgotten earlier",
    "earlier_probe": "probe of what was forgotten earlier",
}
_ROLES = ("original", "mask", "unlearned", "retrained", "untrained")


def front_matter(card: UnlearningCard) -> list[str]:
    """Model-card metadata as the Hugging Face hub reads it: YAML, in which no text is markup or more than a text."""
    lines = [
        "---",
        "pipeline_tag: image-classification",
        "tags:",
        "- machine-unlearning",
        "- image-classification",
        "model-index:",
        f"- name: {_yaml_text(f'{card.config.model.name} without {card.request.in_words}')}",
        "  results:",
        "  - task:",
        "      type: image-classification",
        "    dataset:",
        f"      name: {_yaml_text(card.data.name)}",
        "      type: image-classification",
        "      split: test",
        "    metrics:",
    ]
    for name, text in (("retain_accuracy", "Retain accuracy"), ("forget_accuracy", "Forget accuracy")):
        metric = _test(card, name)
        if metric is not None:
            lines += ["    - type: accuracy", f"      name: {text}", f"      value: {metric.unlearned}"]
    return [*lines, "---", ""]


def _yaml_text(text: str) -> str:
    """A text as a YAML string in double quotes; signs that Markdown or HTML may act on are escaped."""
    quoted = json.dumps(plain_text(text), ensure_ascii=False)
    return _ACTIVE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def depth_lines(card: UnlearningCard, figure: Callable[[str, float | None], str]) -> list[str]:
    """The figures of the test split to look at first, of this model and of those that it is held against.

    Args:
        card: Any.
        figure: How a metric's value is written.
    """
    rows = [(text, metric) for name, text in _SUMMARY.items() if (metric := _test(card, name)) is not None]
    roles = [role for role in _ROLES if any(getattr(metric, role) is not None for _, metric in rows)]
    lines = ["| test images | " + " | ".join(roles) + " |", "|---|" + "---:|" * len(roles)]
    for text, metric in rows:
        cells = [figure(metric.name, getattr(metric, role)) for role in roles]
        lines.append(f"| {text} | " + " | ".join(cells) + " |")
    return [
        "",
        "## Forgotten, and how deeply",
        "",
        "A mask costs nothing and hides the classes; what is deeper than a mask has a smaller probe left.",
        "",
        *lines,
    ]


def limitation_lines(card: UnlearningCard) -> list[str]:
    """What the figures do not show."""
    return ["", "## What this does not show", "", *(f"- {markdown_text(text)}" for text in card.limitations)]


def _test(card: UnlearningCard, name: str) -> CardMetric | None:
    return next((metric for metric in card.metrics if metric.name == f"test/{name}"), None)
