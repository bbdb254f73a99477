"""What pyproject.toml cannot say: README.md as a package index shows it, and the project's links.

A package index has no files beside the text. With an address of the repository, relative links become absolute ones
to this version; without one, links become their text and images are left out.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?!https?://|#|mailto:)[^)\s]+)\)")


def described(readme: str, repository: str, tag: str) -> str:
    """The text of README.md without relative links."""

    def absolute(link: re.Match[str]) -> str:
        image, text, target = link["image"], link["text"], link["target"]
        if repository:
            return f"{image}[{text}]({repository}/{'raw' if image else 'blob'}/{tag}/{target})"
        return "" if image else text

    return re.sub(r"\n{3,}", "\n\n", _LINK.sub(absolute, readme))


def links(repository: str) -> dict[str, str]:
    """The project's addresses by the names that package indexes know."""
    if not repository:
        return {}
    return {
        "Homepage": repository,
        "Documentation": f"{repository}/tree/main/docs",
        "Repository": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
    }


if __name__ == "__main__":
    folder = Path(__file__).parent
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    address = project["tool"]["antisample"]["repository"].rstrip("/")
    setup(
        long_description=described(
            (folder / "README.md").read_text(encoding="utf-8"), address, f"v{project['project']['version']}"
        ),
        long_description_content_type="text/markdown",
        project_urls=links(address),
    )
