"""The documentation site as readers get it: built without the network, complete, and silent when it is viewed."""

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer

from tuning.cli.program import app

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.integration

PACKAGES = ("antisample", "search_spaces", "tuning", "cluster")
# What a stranger types, and the page that answers it.
QUESTIONS = {
    "own model": "guides/own-model.html",
    "own data": "guides/own-data.html",
    "GDPR": "guides/deletion-request.html",
    "how long": "guides/time-and-cost.html",
    "which method": "guides/which-method.html",
    "figures convince": "guides/convincing-figures.html",
    "limits": "limits.html",
    "password": "guides/secrets.html",
    "Python": "api/index.html",
}


class Parts(HTMLParser):
    """Ids, links and what a page loads."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values["id"]} if values.get("id") else set()
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(values["href"])
        self.loaded += [values[name] for name in ("src", "srcset") if values.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; where the kernel allows it, built with no network interface at all."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    alone = ["unshare", "--net"]
    if shutil.which("unshare") and subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
        command = [*alone, *command]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {page: Parts(page) for page in site.rglob("*.html")}


def test_every_link_of_the_site_leads_somewhere(pages):
    broken = []
    for page, parts in pages.items():
        if page.name == "404.html":
            continue
        for link in [*parts.links, *parts.loaded]:
            name, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", name):
                continue
            target = (page.parent / name).resolve() if name else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].ids):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_another_server(site, pages):
    remote = re.compile(r"^(?:https?:)?//")
    assert [url for parts in pages.values() for url in parts.loaded if remote.match(url)] == []
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']+", style.read_text()) == [], style


def test_every_command_and_option_is_in_the_reference(site):
    text = re.sub(r"<[^>]+>", "", (site / "commands.html").read_text())
    missing = [
        word
        for words in _command_words(typer.main.get_command(app), "antisample")
        for word in words
        if word not in text
    ]
    assert missing == []
    assert "antisample mlflow rebuild" in text


def _command_words(command, name):
    if hasattr(command, "list_commands"):
        for each in command.list_commands(None):
            yield from _command_words(command.get_command(None, each), f"{name} {each}")
    else:
        yield [
            name,
            *(option for parameter in command.params for option in parameter.opts if option.startswith("--")),
        ]


def test_every_key_of_a_study_has_a_meaning(site):
    rows = re.findall(r"<tr>\s*(.*?)\s*</tr>", (site / "study.html").read_text(), re.DOTALL)
    cells = [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)] for row in rows]
    keys = {row[0]: row[2] for row in cells if row}
    assert {"name", "forget[].classes", "resources.gpus_per_trial", "fidelity.min", "unlearn_scale_lr"} <= set(keys)
    assert [key for key, meaning in keys.items() if not meaning] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_class_and_function_is_in_the_api_reference(pages, site, package):
    ids = pages[site / "api" / f"{package}.html"].ids
    module = importlib.import_module(package)
    missing = [name for name in module.__all__ if f"{package}.{name}" not in ids]
    assert [
        name for name in missing if inspect.isroutine(value := getattr(module, name)) or inspect.isclass(value)
    ] == []


def test_the_guides_are_grouped_and_each_has_a_sentence(site):
    page = (site / "guides" / "index.html").read_text()
    article = page[page.index("<article") : page.index("</article")]
    listed = dict(re.findall(r'<li><a href="([^"]+)">[^<]+</a>: (.+?)</li>', article))
    assert set(listed) == {path.with_suffix(".html").name for path in (ROOT / "docs" / "guides").glob("*.md")}
    assert [link for link, gist in listed.items() if not gist.endswith(".")] == []
    assert article.count("<h2") > 3


@pytest.mark.parametrize("question", QUESTIONS)
def test_titles_answer_what_a_stranger_types(site, question):
    """A title counts a thousand times as much as text, so few pages may have all these words in their titles."""
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert index["config"]["pipeline"] == ["trimmer"]  # words such as "own", "how" and "which" are not dropped
    titles = {doc["location"]: doc["title"] for doc in index["docs"] if "#" not in doc["location"]}
    answers = [page for page, title in titles.items() if _holds_words(title, question, index["config"]["separator"])]
    assert QUESTIONS[question] in answers
    assert len(answers) <= 3


def _holds_words(title, question, separator):
    """Whether each word of the question begins one of the title's, cut into words as the search does."""
    words = [re.sub(r"^\W+|\W+$", "", word) for word in re.split(separator, title.lower())]
    return all(any(word.startswith(asked) for word in words) for asked in question.lower().split())


@pytest.mark.slow
def test_a_browser_shows_and_searches_it_without_a_request(site):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (make system)")
    foreign, errors = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        backgrounds = set()
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390)):
            page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
            page.on(
                "request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else foreign.append(r.url)
            )
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            for path in sorted(set(site.rglob("*.html")) - {site / "404.html"}):
                page.goto(path.as_uri())
                wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert page.evaluate(wider) <= 0, (path.name, width)
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(backgrounds) == 2
        for question, answer in {**QUESTIONS, "hypervolume": "metrics.html"}.items():
            page.goto((site / "index.html").as_uri())
            page.evaluate("document.querySelector('[for=__search]').click()")
            page.keyboard.type(question)
            page.wait_for_selector(".md-search-result__link", state="attached", timeout=60_000)
            hits = "each => each.map(item => item.querySelector('a').href)"
            pages_by_rank = page.locator(".md-search-result__item").evaluate_all(hits)
            first = pages_by_rank[: 5 if question == "hypervolume" else 3]
            assert any(f"/{answer}" in hit for hit in first), (question, first)
        browser.close()
    assert (foreign, errors) == ([], [])
