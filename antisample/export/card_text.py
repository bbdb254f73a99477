"""The unlearning card as Markdown, for people."""

import json
from pathlib import Path

from antisample.export.card import UnlearningCard
from antisample.export.card_parts import CardMetric, SpreadFigure
from antisample.export.card_sections import depth_lines, front_matter, limitation_lines
from antisample.models.in_memory import is_in_memory
from antisample.plain_text import markdown_block, markdown_code, markdown_text

_PARTS = {
    "validation": "unseen by the original model, used for every decision",
    "test": "unseen by everything, for this report alone",
    "train": "seen by the original model",
}
_BASELINES = ("mask", "untrained")


def card_text(card: UnlearningCard) -> str:
    """The card as Markdown; the same card always gives the same text, and what it says is text and no markup.

    Args:
        card: As it was read from its file, so that it is known what the file states.
    """
    request, data, original = card.request, card.data, card.original
    stated = card.config.method.model_fields_set  # a card of before knows nothing of hyperparameters since
    method = card.config.method.model_dump(mode="json", include={"name", *stated})
    environment = card.environment
    says_more = "limitations" in card.model_fields_set  # cards of before have neither
    lines = [
        *(front_matter(card) if says_more else []),
        f"# Unlearning card: {markdown_text(card.config.model.name)} forgets {markdown_text(request.in_words)}",
        "",
        *_facts(
            [
                *_noted(card),
                ("Forgotten", _forgotten(card)),
                *(("Forgotten earlier", text) for text in _earlier(card)),
                *_copies(card),
                ("Data", f"{markdown_text(data.name)}, fingerprint `{data.fingerprint}`"),
                ("Splits", _splits(card)),
                (
                    "Original model",
                    f"fingerprint `{original.fingerprint}`, started from {markdown_text(original.initial_weights)}",
                ),
                ("Unlearned model", f"fingerprint `{card.fingerprint}`"),
                ("Input", f"(pixel / 255 - mean) / std, mean {list(original.mean)}, std {list(original.std)}"),
                *(("Note", markdown_text(note)) for note in (*data.notes, *original.notes)),
                ("Method", f"{method['name']}, seed {card.seed}"),
                (
                    "Hyperparameters",
                    markdown_text(", ".join(f"{name}: {value}" for name, value in card.origin.items())),
                ),
                ("Time", _time(card)),
                ("Made", markdown_text(f"{card.created} on {environment.device}, {environment.machine}")),
                (
                    "Versions",
                    markdown_text(", ".join(f"{name} {version}" for name, version in environment.versions.items())),
                ),
                *(("Plug-in", markdown_text(facts.plugin().describe())) for facts in environment.plugins),
                ("Repeatable", _repeatable(card)),
            ]
        ),
        *(depth_lines(card, _figure) if says_more else []),
        *(limitation_lines(card) if says_more else []),
        "",
        "## Hyperparameters",
        "",
        *(f"- {name}: {markdown_text(json.dumps(value))}" for name, value in method.items() if name != "name"),
        "",
        "## What was measured",
        "",
        "Each figure is defined in docs/metrics.md. Membership inference (`mia_...`) is at best 0.5.",
    ]
    if any(metric.limits is not None for metric in card.metrics):
        lines += ["", "In brackets: 95 % limits, for as many images."]
    if card.spread_over:
        lines += ["", f"Spread: mean ± standard deviation over {markdown_text(card.spread_over)}."]
    for part, meaning in _PARTS.items():
        rows = [metric for metric in card.metrics if metric.name.startswith(f"{part}/")]
        if rows:
            lines += ["", f"### {part.capitalize()}: {meaning}", "", *_table(rows)]
    lines += ["", "## Files", "", *_file_lines(card), "", "## Repeat and verify", ""]
    lines += [
        f"In {markdown_code(card.folder)}{'' if Path(card.folder).is_absolute() else ', as seen from this card'}:",
        "",
        *markdown_block(card.command),
        "",
        _how_to_verify(card),
    ]
    return "\n".join(lines) + "\n"


def _how_to_verify(card: UnlearningCard) -> str:
    if is_in_memory(card.config.model.name):
        return (
            "`model`, `train` and `test` were objects in memory, which no file names. Whoever has them can call this "
            "again, and compare the fingerprint of the weights."
        )
    return (
        "There, `antisample verify` with the path of card.json measures the model again and says which figures hold."
    )


def _facts(pairs: list[tuple[str, str]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in pairs)]


def _forgotten(card: UnlearningCard) -> str:
    request = card.request
    labels = request.labels or (None,) * len(request.classes)
    classes = ", ".join(
        markdown_text(json.dumps(name, ensure_ascii=False)) + (f" (label {label})" if label is not None else "")
        for name, label in zip(request.classes, labels, strict=True)
    )
    if card.config.forget.by_samples:
        never = f"; {request.never_seen} more were never trained on" if request.never_seen else ""
        return f"{markdown_text(request.in_words)}: {request.images} training images of {classes}{never}"
    unseen = f", {request.validation} validation and {request.test} test images" if request.labels else " images"
    return f"{classes}: {request.images} training{unseen}"


def _noted(card: UnlearningCard) -> list[tuple[str, str]]:
    """Reference and operator, and digests of the images, as far as they are stated."""
    request = card.request
    noted = [("Request", request.reference), ("Operator", request.operator)]
    if request.image_digests:
        first, last = request.image_digests[0], request.image_digests[-1]
        digests = f"{len(request.image_digests)} in card.json, from {first} to {last}"
        noted.append(("Digests of the images", digests))
    return [(name, markdown_text(text)) for name, text in noted if text]


def _earlier(card: UnlearningCard) -> list[str]:
    """The requests that came before, oldest first."""
    after = card.config.after
    return [
        f"{markdown_text(request.in_words)}; model `{request.model}`, card SHA-256 `{request.card}`"
        for request in (after.requests if after is not None else ())
    ]


def _copies(card: UnlearningCard) -> list[tuple[str, str]]:
    copies = card.request.copies
    if copies is None:
        return []
    number = copies.retain + copies.validation + copies.test
    done = {"report": "they stayed there", "forget": "the first were forgotten, too, and the others left out"}
    text = "none were found"
    if number:
        text = (
            f"{copies.retain} among the images to retain, {copies.validation} in validation and {copies.test} in "
            f"test, {copies.exact} of them exact; {done.get(copies.duplicates, 'refused')}"
        )
    return [("Copies of them", text)]


def _splits(card: UnlearningCard) -> str:
    data = card.data
    origin = "the data's own split" if data.validation_from == "validation" else f"from {data.validation_from}"
    return (
        f"{data.retain} training images to keep, {data.validation} for validation ({origin}), "
        f"{data.test} for test; fingerprint `{data.splits_fingerprint}`"
    )


def _time(card: UnlearningCard) -> str:
    time = card.time
    text = f"{time.unlearning_s:.1f} s of unlearning, {time.evaluation_s:.1f} s of measuring"
    if time.retraining_s is not None:
        text += f"; retraining took {time.retraining_s:.1f} s"
        if time.retraining_s > 0:
            text += f" ({time.unlearning_s / time.retraining_s:.1%})"
    if time.request_s is not None:
        text += f"; the whole request took {time.request_s:.1f} s of workers"
        if time.request_retrainings is not None:
            text += f", {time.request_retrainings:.2f} retrainings"
    return text


def _repeatable(card: UnlearningCard) -> str:
    environment = card.environment
    if environment.not_deterministic:
        return f"not bit by bit: {markdown_text(', '.join(environment.not_deterministic))} may give other last digits"
    same = "from the same original model, on the same hardware and versions"
    return f"bit by bit {same}, with {environment.threads} threads"


def _table(metrics: list[CardMetric]) -> list[str]:
    retrained = any(metric.retrained is not None for metric in metrics)
    spread = any(metric.spread is not None for metric in metrics)
    others = [name for name in _BASELINES if any(getattr(metric, name) is not None for metric in metrics)]
    headings = ["metric", "images", "original", "unlearned"]
    headings += ["retrained"] * retrained + others + ["unlearned, over seeds"] * spread
    rows = []
    for metric in metrics:
        name = metric.name.split("/", 1)[1]
        cells = [markdown_text(name.replace("_", " ")), "" if metric.images is None else str(metric.images)]
        cells += [_shown(name, metric.original), _shown(name, metric.unlearned) + _limits(name, metric)]
        cells += [_shown(name, metric.retrained)] * retrained
        cells += [_shown(name, getattr(metric, other)) for other in others]
        cells += [_spread(name, metric.spread)] * spread
        rows.append("| " + " | ".join(cells) + " |")
    return ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1), *rows]


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if name.endswith(("accuracy", "forget_gap")) else f"{value:.4f}"


def _figure(metric: str, value: float | None) -> str:
    return _shown(metric.split("/", 1)[1], value)


def _limits(name: str, metric: CardMetric) -> str:
    if metric.limits is None:
        return ""
    low, high = (_shown(name, limit).removesuffix(" %") for limit in metric.limits)
    return f" [{low}, {high}]"


def _spread(name: str, spread: SpreadFigure | None) -> str:
    if spread is None:
        return ""
    return f"{_shown(name, spread.mean)} ± {_shown(name, spread.std)} (n = {spread.n})"


def _file_lines(card: UnlearningCard) -> list[str]:
    lines = []
    for file in card.files:
        checked = ""
        if file.largest_difference is not None:
            checked = f"; its logits differ from the model's by at most {file.largest_difference:.2g} on real images"
        lines.append(f"- {markdown_code(file.file)} ({file.format}), SHA-256 `{file.sha256}`{checked}")
    return lines
