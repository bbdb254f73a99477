"""Whatever is received: one sentence or a result, and nothing else is read, written, run or called.

`make hostile` runs all of the corpus, `make test` a part.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from hostile_corpus import corpus
from hostile_runs import Runs
from hostile_template import copy_template, make_template

CORPUS = corpus(0)
QUICK = {item.name for item in [item for item in CORPUS if item.is_quick][::3]}
ITEMS = [
    pytest.param(place, id=item.name, marks=[] if item.name in QUICK else pytest.mark.slow)
    for place, item in enumerate(CORPUS)
]


@pytest.fixture(scope="module")
def runs():
    process = Runs()
    yield process
    process.close()


@pytest.fixture(scope="module")
def made(runs):
    """A folder that any user may enter, with the template; what is tried there is told the socket's port."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    folder.chmod(0o755)
    make_template(folder / "template", runs)
    yield folder, corpus(runs.port)
    shutil.rmtree(folder)


@pytest.mark.integration
@pytest.mark.parametrize("place", ITEMS)
def test_a_hostile_input_does_no_harm(runs, made, place):
    folder, items = made
    root = folder / "item"
    copy_template(folder / "template", root)
    try:
        assert runs.faults(root, items[place]) == []
    finally:
        shutil.rmtree(root)
