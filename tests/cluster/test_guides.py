"""The cluster files in the guides are ones that the program reads."""

import re
from pathlib import Path

import pytest
import yaml

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def blocks():
    for guide in ("slurm", "kuberay", "vm", "cluster"):
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", (GUIDES / f"{guide}.md").read_text(), re.S)):
            yield pytest.param(yaml.safe_load(text), id=f"{guide}-{number}")


@pytest.mark.parametrize("values", blocks())
def test_a_guides_cluster_file_is_read(load, values):
    assert load(**values).launcher == values["launcher"]
