"""Reading the documents: snippets, commands, links, headings."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown.extensions.toc import slugify

ROOT = Path(__file__).parents[2]
# Their shell and Python snippets are run from top to bottom, as they stand (test_documents_as_written.py).
RUN_AS_WRITTEN = (
    "docs/tutorial.md",
    "README.md",
    "docs/guides/objects.md",
    "docs/guides/own-model.md",
    "docs/guides/deletion-request.md",
    "docs/api/index.md",
)

_FENCE = re.compile(
    r"^(?P<mark><!-- .*? -->\n)?\n*```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_PROGRAM = re.compile(r"^(?:\.venv/bin/)?antisample$")


@dataclass(frozen=True)
class Snippet:
    document: str
    line: int
    language: str
    title: str | None
    code: str
    not_run: str | None

    def __str__(self):
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    pages = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))
    return ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", *pages]


def text_of(document: str) -> str:
    return (ROOT / document).read_text()


def snippets(*chosen: str) -> Iterator[Snippet]:
    """Every fenced block; `<!-- not run: REASON -->` stands in the line before one that is not run."""
    for document in chosen or documents():
        text = text_of(document)
        for found in _FENCE.finditer(text):
            marked = re.match(r"<!-- not run: (.+?) -->", found["mark"] or "")
            line = text.count("\n", 0, found.start("language")) + 1
            yield Snippet(
                document, line, found["language"], found["title"], found["code"], marked[1] if marked else None
            )


def prose(document: str) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", text_of(document))


def shell_lines(code: str) -> list[list[str]]:
    """The words of every command of a shell snippet, comments left out."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines for part in line.split("&&") if (words := shlex.split(part, comments=True))]


def commands(document: str) -> Iterator[tuple[str, list[str]]]:
    """Every call of the program, in a snippet or in the text, and its arguments."""
    for snippet in snippets(document):
        if snippet.language in ("", "bash"):
            for words in shell_lines(snippet.code):
                if _PROGRAM.match(words[0]):
                    yield str(snippet), words[1:]
    for code in _CODE.findall(prose(document)):
        first = code.split()[0] if code.split() else ""
        if _PROGRAM.match(first):
            yield f"{document}: {code}", shlex.split(code)[1:]


def links(document: str) -> list[str]:
    """Targets of links and pictures, in Markdown and in HTML."""
    return [found[1] or found[2] for found in _LINK.finditer(_CODE.sub("", prose(document)))]


def anchors(document: str) -> set[str]:
    """What links may name after `#`: where a repository's page and the site call a heading the same."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    on_github = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    return on_github & {slugify(heading, "-") for heading in plain}
