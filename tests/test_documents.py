"""Documents that have to keep up with the code."""

import re
from pathlib import Path

from antisample.metrics import metric_names

ROOT = Path(__file__).parents[1]


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
