"""The wheel: what is in it, and that it works where nothing else is."""

import os
import re
import runpy
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


def call(*command, cwd):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    settings = {"capture_output": True, "text": True, "timeout": 400}
    done = subprocess.run([*map(str, command)], check=False, cwd=cwd, env=environment, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    call(UV, "build", "--wheel", "--quiet", "--out-dir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_the_four_packages_with_their_data_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"antisample", "search_spaces", "tuning", "cluster"}
    tracked = call("git", "ls-files", *sorted(tops), cwd=ROOT).split()
    assert set(tracked) <= set(names)
    assert not [name for name in names if "test" in Path(name).name]


def test_its_description_has_no_relative_links_and_its_extras_are_there(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(archive.read(name))
    described = metadata.get_payload()
    assert "Make a trained image classifier forget" in described
    targets = re.findall(r"\]\(([^)\s]+)", described)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert {"search", "report", "all", "onnx", "postgresql", "services", "jobs"} <= set(
        metadata.get_all("Provides-Extra")
    )
    bounded = [each for each in metadata.get_all("Requires-Dist") if "extra ==" not in each]
    assert [each for each in bounded if not re.search(r"<\d.*>=\d", each)] == []


def test_with_an_address_links_of_the_readme_become_absolute():
    scope = runpy.run_path(str(ROOT / "setup.py"), run_name="setup_functions")
    described = scope["described"]((ROOT / "README.md").read_text(), "https://host/owner/antisample", "v1")
    assert "](https://host/owner/antisample/blob/v1/docs/tutorial.md)" in described
    assert "](https://host/owner/antisample/raw/v1/docs/images/report-light.png)" in described
    assert "](docs/" not in described
    assert set(scope["links"]("https://host/x")) >= {"Homepage", "Documentation", "Repository", "Issues", "Changelog"}
    assert scope["links"]("") == {}


def test_it_installs_in_a_clean_environment_and_starts(wheel, tmp_path):
    call(UV, "venv", "--quiet", "--python", sys.executable, "clean", cwd=tmp_path)
    python = tmp_path / "clean" / "bin" / "python"
    locked = ROOT / "requirements.lock"
    call(UV, "pip", "install", "--quiet", "--python", python, "--constraint", locked, wheel, cwd=tmp_path)
    program = python.with_name("antisample")
    assert "Search hyperparameters" in call(program, "--help", cwd=tmp_path)
    assert "ResNet18/cifar10/30" in call(program, "spaces", cwd=tmp_path)
    installed = call(UV, "pip", "list", "--python", python, "--format", "freeze", cwd=tmp_path).split()
    names = {line.partition("==")[0] for line in installed}
    assert not names & {"pytest", "ray", "optuna", "mlflow", "plotly", "matplotlib"}
    assert len([name for name in names if not name.startswith(("nvidia", "cuda-", "triton"))]) <= 45
    refused = subprocess.run(
        [program, "run", "study.yaml"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert refused.returncode == 2
    assert refused.stderr == (
        "Error: `antisample run` needs Ray, Optuna and MLflow: pip install 'antisample[search]'.\n"
    )
