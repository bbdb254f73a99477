"""Documents that have to keep up with the code: figures, metrics, links, commands and snippets."""

import ast
import copy
import json
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from urllib.parse import urlparse

import pytest
import typer
import yaml
from documents import ROOT, RUN_AS_WRITTEN, anchors, commands, documents, links, prose, shell_lines, snippets, text_of

from antisample.metrics import metric_names
from search_spaces import load_space
from tuning.cli.program import app
from tuning.config.loading import load_study, parse_study

# How many snippets are marked as not run, by document. Whoever marks one says so here, too.
NOT_RUN = {
    "README.md": 1,
    "docs/guides/cluster.md": 7,
    "docs/guides/deletion-request.md": 2,
    "docs/guides/kuberay.md": 4,
    "docs/guides/memory.md": 1,
    "docs/guides/mlflow.md": 1,
    "docs/guides/optuna-dashboard.md": 2,
    "docs/guides/own-model.md": 1,
    "docs/guides/postgresql.md": 4,
    "docs/guides/received-studies.md": 1,
    "docs/guides/report.md": 1,
    "docs/guides/slurm.md": 2,
    "docs/guides/vm.md": 2,
    "docs/guides/which-method.md": 2,
    "docs/tutorial.md": 2,
}
# Python snippets that a test runs by name.
RUN_BY_TESTS = {f"docs/guides/{name}.md": "tests/test_guides.py" for name in ("dataset", "method", "metric")}
# A space of a guide's own method is read by the guide's test.
YAML = [snippet for snippet in snippets() if snippet.language == "yaml" and snippet.document not in RUN_BY_TESTS]


def test_results_list_every_test_that_needs_a_gpu():
    results = (ROOT / "docs" / "results.md").read_text()
    marked = [
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in re.findall(r"@pytest\.mark\.gpu\n(?:@.*\n)*def (\w+)", path.read_text())
    ]
    assert marked
    assert [name for name in marked if f"`{name}`" not in results] == []


def test_every_metric_is_defined():
    defined = (ROOT / "docs" / "metrics.md").read_text()
    assert [name for name in metric_names() if f"`{name.split('/')[1]}`" not in defined] == []


def test_every_snippet_is_run_by_a_test_or_says_why_not():
    """Text is output, YAML is checked below; shell and Python run as written or by a test that names the document."""
    homeless = [
        f"{snippet}: give it a language (bash, python, toml, yaml, json or text)"
        if snippet.language not in ("bash", "python", "toml", "yaml", "json", "text")
        else f"{snippet}: no test runs it; write <!-- not run: REASON --> before it"
        for snippet in snippets()
        if not snippet.not_run
        and snippet.language not in ("yaml", "json", "text")
        and snippet.document not in RUN_AS_WRITTEN
        and not (snippet.language in ("python", "toml") and snippet.document in RUN_BY_TESTS)
    ]
    assert homeless == []
    assert [name for name, test in RUN_BY_TESTS.items() if Path(name).name not in (ROOT / test).read_text()] == []


def test_snippets_that_are_not_run_are_known():
    assert Counter(snippet.document for snippet in snippets() if snippet.not_run) == NOT_RUN


@pytest.mark.parametrize("snippet", YAML, ids=str)
def test_yaml_is_a_study_or_a_part_of_one_or_a_space_or_a_cluster(snippet, tmp_path):
    file = tmp_path / "snippet.yaml"
    file.write_text(snippet.code)
    values = yaml.safe_load(snippet.code)
    if "parameters" in values:
        load_space(file)
    elif "launcher" in values:
        import_module("cluster.spec").load_cluster(file)
    elif "name" in values:
        load_study(file)
    else:
        parse_study(_merged(yaml.safe_load(text_of("studies/demo.yaml")), values))


@pytest.mark.parametrize(("call", "most"), [("antisample.forget(", 6), ("tuning.search(", 10)])
def test_objects_of_your_own_take_few_lines(call, most):
    """Imports and all, wherever the README, the guide and the notebook show it for the first time."""
    notebook = json.loads(text_of("docs/notebook.ipynb"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = {"docs/notebook.ipynb": cells}
    for document in ("README.md", "docs/guides/objects.md"):
        shown[document] = [each.code for each in snippets() if (each.document, each.language) == (document, "python")]
    for document, codes in shown.items():
        lines = next(code.split(call)[0] + call for code in codes if call in code).splitlines()
        assert len([line for line in lines if line.strip()]) <= most, document


def test_commands_of_the_documents_exist():
    problems = []
    for document in documents():
        for where, arguments in commands(document):
            problems += [f"{where}: {problem}" for problem in _command_problems(arguments)]
    assert problems == []


def test_names_that_documents_import_exist():
    """In Python snippets, and in the table of what to import for what."""
    ours = re.compile(r"(?:antisample|search_spaces|tuning|cluster)(?:\.\w+)*")
    imported = [
        (str(snippet), node.module, [alias.name for alias in node.names])
        for snippet in snippets()
        if snippet.language == "python"
        for node in ast.walk(ast.parse(snippet.code))
        if isinstance(node, ast.ImportFrom) and ours.fullmatch(node.module or "")
    ]
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+) from `([\w.]+)` \|", text_of("docs/api/index.md"), re.MULTILINE)
    table = [("docs/api/index.md", module, re.findall(r"`(\w+)`", names)) for names, module in rows]
    assert len(table) > 5
    absent = [
        f"{where}: {module}.{name}"
        for where, module, names in [*imported, *(row for row in table if ours.fullmatch(row[1]))]
        for name in names
        if not hasattr(import_module(module), name)
    ]
    assert absent == []


def test_make_targets_of_the_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for document in documents():
        called = set(re.findall(r"`make ([a-z-]+)`", text_of(document)))
        for snippet in snippets(document):
            if snippet.language == "bash":
                called |= {words[1] for words in shell_lines(snippet.code) if words[0] == "make"}
        assert called <= targets, document


def test_files_and_tests_that_documents_name_exist():
    """All but those that the guides have their readers write."""
    names = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    suites = [ROOT / "antisample" / "testing", ROOT / "tuning" / "testing"]
    sources = [*(ROOT / "tests").rglob("test_*.py"), *(path for suite in suites for path in suite.glob("*.py"))]
    names |= {name for path in sources for name in re.findall(r"def (test_\w+)", path.read_text())}
    absent = []
    for document in documents():
        if document in RUN_BY_TESTS:
            continue
        text = prose(document)
        folders = "benchmarks|tests|docs|studies|antisample|search_spaces|tuning|cluster"
        files = re.findall(rf"(?:python |`)((?:{folders})/[\w./-]+\.(?:py|yaml|json|md|csv|parquet))", text)
        absent += [f"{document}: {name}" for name in files if not (ROOT / name).exists()]
        tests = re.findall(r"(?<!split\.)\btest_\w+(?:\.py)?", text)  # `split.test_fraction` is a key
        absent += [f"{document}: {name}" for name in tests if not any(each.startswith(name) for each in names)]
    titles = {snippet.title for snippet in snippets()}
    assert [name for name in absent if name.partition(": ")[2] not in titles] == []


def test_links_lead_somewhere():
    broken = []
    for document in documents():
        for target in links(document):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (ROOT / document).parent / name if name else ROOT / document
            if not path.exists():
                broken.append(f"{document}: {target} does not exist")
            elif anchor and anchor not in anchors(str(path.resolve().relative_to(ROOT))):
                broken.append(f"{document}: {target} names no heading")
    assert broken == []


def test_links_to_other_servers_are_well_formed():
    """Tests use no network: whether a server answers is not asked."""
    for document in documents():
        for target in links(document):
            if re.match(r"[a-z]+:", target):
                url = urlparse(target)
                assert url.scheme == "https", f"{document}: {target}"
                assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", url.netloc), f"{document}: {target}"


def _merged(values, changes):
    """A study's values with a part of them replaced, key by key; a forget request as a whole."""
    merged = copy.deepcopy(values)
    for key, value in changes.items():
        old = merged.get(key)
        within = isinstance(value, dict) and isinstance(old, dict) and key != "forget"
        merged[key] = _merged(old, value) if within else value
    return merged


def _command_problems(arguments):
    """What is wrong with a call of the program, as far as it can be seen without running it."""
    command, name = typer.main.get_command(app), "antisample"
    arguments = list(arguments)
    while hasattr(command, "list_commands") and arguments and not arguments[0].startswith("-"):
        name, command = arguments[0], command.get_command(None, arguments.pop(0))
        if command is None:
            return [f"there is no command {name}"]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    return [f"{name} has no option {option}" for option in options if option not in known]
