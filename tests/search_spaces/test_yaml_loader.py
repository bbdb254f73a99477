"""YAML that would take memory or time without end, of both loaders."""

import subprocess
import sys

import pytest
import yaml

import cluster.yaml_loader
import search_spaces.yaml_loader

NINETY_NINE_THOUSAND = "- &a [" + 999 * "1, " + "]\n" + 98 * "- *a\n"
LOADERS = [search_spaces.yaml_loader.UniqueKeyLoader, cluster.yaml_loader.UniqueKeyLoader]
LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{after}: &{after} [{', '.join(9 * [f'*{before}'])}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (LAUGHS, "at most 100,000 values, aliases included"),
        (LAUGHS.replace("[", "{x: [").replace("]", "]}"), "at most 100,000 values, aliases included"),
        ("[" * 100_000, "nested at most 50 deep"),
        ("{a: " * 100_000, "nested at most 50 deep"),
        ("- " * 100_000, "nested at most 50 deep"),
        ("&a [*a]", "line 1 must not contain itself"),
        ("x: &a {y: [1, *a]}", "line 1 must not contain itself"),
        ("x" * 2_000_001, "at most 2,000,000 characters, but has 2,000,001"),
        (NINETY_NINE_THOUSAND + 1_000 * "- 1\n", "at most 100,000 values"),
        pytest.param("[" + "1," * 100_001 + "]", "at most 100,000 values", marks=pytest.mark.slow),
    ],
)
def test_what_multiplies_is_refused(loader, text, rule):
    with pytest.raises(yaml.YAMLError, match=rule):
        yaml.load(text, loader)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "a: 1",
        "base: &b {x: 1}\nother:\n  <<: *b\n  y: [*b, *b]",
        "[" * 49 + "1" + "]" * 49,
        NINETY_NINE_THOUSAND + 999 * "- 1\n",
        pytest.param("- 1\n" * 90_000, marks=pytest.mark.slow),
    ],
)
def test_anything_else_is_as_with_the_safe_loader(loader, text):
    assert yaml.load(text, loader) == yaml.safe_load(text)


@pytest.mark.integration
def test_a_study_of_that_kind_is_one_sentence_within_little_memory(tmp_path):
    (tmp_path / "study.yaml").write_text(
        f"name: x\ndata: {{source: digits}}\nfixed:\n  {LAUGHS.replace(chr(10), chr(10) + '  ')}"
    )
    limited = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)); "
    done = subprocess.run(
        [sys.executable, "-c", limited + "from tuning.cli import main; main()", "run", "study.yaml"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert "at most 100,000 values, aliases included" in said
