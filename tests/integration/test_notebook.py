"""The notebook of the documents runs from top to bottom, and says nothing about the machine it was made on."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def test_it_holds_answers_and_no_paths_of_a_machine():
    text = NOTEBOOK.read_text()
    assert re.findall(r"/(?:home|root|tmp|usr|opt|var|work|Users)/\S*", text) == []
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in cells if "print" in cell["source"])
    assert len(text) < 200_000


@pytest.mark.integration
@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    kernels = tmp_path / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernels / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "here", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, startup_timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "samples to forget, " in said
    assert notebook.cells[-1]["outputs"][-1]["data"]["text/plain"] == "(True, True)"
    assert (tmp_path / "runs" / "notebook" / "report.html").exists()
