"""Notebooks as Markdown pages: text, code, and the outputs that are stored in them."""

import json
from collections.abc import Iterator
from typing import Any


def as_markdown(notebook: str) -> str:
    """Renders a notebook.

    Args:
        notebook: The content of an .ipynb file.

    Returns:
        Its cells one after the other as Markdown.
    """
    return "\n\n".join(part for cell in json.loads(notebook)["cells"] for part in _cell(cell))


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
    elif cell["cell_type"] == "code":
        yield f"```python\n{source}\n```"
        yield from filter(None, map(_output, cell["outputs"]))


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![Output](data:image/png;base64,{''.join(data['image/png']).strip()})"
    text = "".join(output.get("text", data.get("text/plain", "")))
    return f"```text\n{text.rstrip()}\n```" if text else ""
