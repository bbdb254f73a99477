"""The wheel: what is in it, and that it works where nothing else is."""

import os
import subprocess
import sys
import zipfile
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


def test_it_installs_in_a_clean_environment_and_starts(wheel, tmp_path):
    call(UV, "venv", "--quiet", "--python", sys.executable, "clean", cwd=tmp_path)
    python = tmp_path / "clean" / "bin" / "python"
    locked = ROOT / "requirements.lock"
    call(UV, "pip", "install", "--quiet", "--python", python, "--constraint", locked, wheel, cwd=tmp_path)
    program = python.with_name("antisample")
    assert "Search hyperparameters" in call(program, "--help", cwd=tmp_path)
    assert "ResNet18/cifar10/30" in call(program, "spaces", cwd=tmp_path)
    installed = call(UV, "pip", "list", "--python", python, "--format", "freeze", cwd=tmp_path)
    assert "pytest==" not in installed
