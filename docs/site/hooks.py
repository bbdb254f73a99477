"""What MkDocs calls while it builds the site: pages that are generated, and links that a site writes otherwise."""

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any

from command_reference import command_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebooks import as_markdown
from study_reference import study_reference

ROOT = Path(__file__).parents[2]

# A page for each package. A module's `__all__` says what of it is public.
API_PAGES = {
    "antisample": (
        "antisample",
        "antisample.datasets",
        "antisample.methods",
        "antisample.metrics",
        "antisample.models",
    ),
    "tuning": ("tuning",),
    "search_spaces": ("search_spaces",),
    "cluster": ("cluster",),
}
# The page's own heading is that of its first module.
_TOP = "::: {}\n    options: {{show_root_heading: false, show_root_toc_entry: false}}"
LISTED = {"adr": "Decisions"}
# Pages that the site makes of sources: in the repository, a document links to the source.
SOURCES = {
    "../CHANGELOG.md": "changelog.md",
    "../README.md": "index.md",
    "../tuning/config/study.py": "study.md",
    **{f"../{package}/__init__.py": f"api/{package}.md" for package in API_PAGES},
}
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages, and resolves `*` in the navigation."""
    pages = {
        "index.md": _from_docs((ROOT / "README.md").read_text()),
        "changelog.md": _from_docs((ROOT / "CHANGELOG.md").read_text()),
        "commands.md": command_reference(),
        "study.md": study_reference(),
    }
    for page, modules in API_PAGES.items():
        pages[f"api/{page}.md"] = "\n\n".join(
            [f"# {page}", _TOP.format(modules[0]), *map("::: {}".format, modules[1:])]
        )
    for file in files:
        if file.src_uri.endswith(".ipynb"):
            pages[file.src_uri.removesuffix(".ipynb") + ".md"] = as_markdown(file.content_string)
    for folder, title in LISTED.items():
        found = sorted(file.src_uri for file in files.documentation_pages() if file.src_uri.startswith(f"{folder}/"))
        listed = [f"- [{_title(files, uri)}]({uri.removeprefix(f'{folder}/')})" for uri in found]
        pages[f"{folder}/index.md"] = "\n".join([f"# {title}", "", *listed])
    pages["guides/index.md"] = _guides(files, config.nav or [])
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    unlisted = {file.src_uri for file in files.documentation_pages()} - set(_listed(config.nav or []))
    config.nav = list(_expanded(config.nav or [], sorted(unlisted)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links to folders and notebooks lead to their pages; those to files that the site lacks become plain text."""

    def on_site(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith("#"):
            return match[0]
        path = normpath(f"{page.file.src_uri}/../{target}")
        if path in SOURCES:
            return f"[{match['text']}]({relpath(SOURCES[path], dirname(page.file.src_uri))})"
        if path.startswith("../"):
            return match["text"]
        page_target = f"{target}index.md" if target.endswith("/") else re.sub(r"\.ipynb$", ".md", target)
        return f"{match['image']}[{match['text']}]({page_target})"

    # A figure and its spread or unit stay in one line.
    return re.sub(r"(?<=[\d*]) (?=[±%])|(?<=±) ", "\N{NO-BREAK SPACE}", _LINK.sub(on_site, markdown))


def _from_docs(readme: str) -> str:
    """The README with its links as seen from docs/."""

    def moved(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" not in target and not target.startswith("#"):
            target = target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"
        return f"{match['image']}[{match['text']}]({target})"

    return re.sub(r'((?:src|srcset|href)=")docs/', r"\1", _LINK.sub(moved, readme))


def _guides(files: Files, nav: list[Any]) -> str:
    """The guides as the navigation groups them, each with its first sentence."""
    (groups,) = (entry["Guides"] for entry in nav if isinstance(entry, dict) and "Guides" in entry)
    lines = ["# Guides", "", "One page for each thing that you may want to do."]
    for title, uris in (item for group in groups if isinstance(group, dict) for item in group.items()):
        lines += ["", f"## {title}", ""]
        lines += [f"- [{_title(files, uri)}]({uri.removeprefix('guides/')}): {_gist(files, uri)}" for uri in uris]
    return "\n".join(lines)


def _gist(files: Files, uri: str) -> str:
    """The first sentence of a page, without its links."""
    file = files.get_file_from_path(uri)
    paragraph = file.content_string.split("\n\n")[1] if file else ""
    plain = _LINK.sub(lambda link: link["text"], " ".join(paragraph.split()))
    return re.split(r"(?<=[.?!])\s", plain)[0]


def _title(files: Files, uri: str) -> str:
    file = files.get_file_from_path(uri)
    return file.content_string.partition("\n")[0].removeprefix("# ") if file else uri


def _listed(nav: list[Any]) -> Iterator[str]:
    """The pages that the navigation names one by one."""
    for entry in nav:
        for part in entry.values() if isinstance(entry, dict) else [entry]:
            yield from _listed(part) if isinstance(part, list) else [part]


def _expanded(nav: list[Any], unlisted: list[str]) -> Iterator[Any]:
    """The navigation with each pattern replaced by the pages that match it, a folder's index first."""
    for entry in nav:
        if isinstance(entry, dict):
            for title, part in entry.items():
                yield {title: list(_expanded(part, unlisted)) if isinstance(part, list) else part}
        elif "*" in entry:
            yield from sorted(fnmatch.filter(unlisted, entry), key=lambda uri: not uri.endswith("/index.md"))
        else:
            yield entry
