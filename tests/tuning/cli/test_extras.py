"""Commands without the packages of an extra: each names what is missing, and those of the core need none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tuning
from antisample import testing
from tuning.extras import MissingExtraError, require_extra

ROOT = Path(__file__).parents[3]
EXTRAS = (
    "ray",
    "optuna",
    "mlflow",
    "plotly",
    "matplotlib",
    "moocore",
    "greenlet",
    "sqlalchemy",
)
SEARCH = " needs Ray, Optuna and MLflow: pip install 'antisample[search]'.\n"
REPORT = " needs Optuna, Plotly and Matplotlib: pip install 'antisample[report]'.\n"


@pytest.fixture
def light(monkeypatch):
    """What an environment looks like to the import system in which none of the extras is installed."""
    for name in EXTRAS:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run study.yaml", SEARCH),
        ("run --dataset digits --model SmallCNN --forget 3", SEARCH),
        ("resume runs/x", SEARCH),
        ("report runs/x", REPORT),
        ("reproduce --model SmallCNN --dataset digits", SEARCH),
        ("toy", " needs Matplotlib: pip install 'antisample[report]'.\n"),
        ("mlflow sync runs/x", SEARCH),
        ("mlflow rebuild runs/x --tracking-uri http://127.0.0.1:1", SEARCH),
        ("cluster check cluster.yaml", SEARCH),
        ("cluster render cluster.yaml --study study.yaml", SEARCH),
        ("cluster services --database postgresql://h/x --artifacts a", SEARCH),
        ("unlearn --study runs/x --out out", " needs Optuna: pip install 'antisample[report]'.\n"),
    ],
)
def test_a_command_names_the_extra_that_it_needs_before_it_does_anything(light, call, command, message, tmp_path):
    words = command.split()
    named = [*words[:1], *words[1:2]] if words[0] in ("mlflow", "cluster") else words[:1]
    named += ["--study"] if words[0] == "unlearn" else []
    assert call(*words) == (2, "", f"Error: `antisample {' '.join(named)}`{message}")
    assert not Path("out").exists()


def test_only_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"^`x` needs MLflow: pip install 'antisample\[search\]'\.$"):
        require_extra("search", "`x`")
    require_extra("report", "`x`")


def test_a_folder_of_that_name_is_no_package(monkeypatch, tmp_path):
    (tmp_path / "plotly").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtraError, match="needs Plotly"):
        require_extra("report", "`x`", "plotly")


def test_python_names_the_extra_as_an_import_error(light):
    with pytest.raises(ImportError, match=r"^`tuning.run_study` needs Ray, Optuna and MLflow: pip install"):
        tuning.run_study  # noqa: B018
    assert callable(tuning.load_study)


LIGHT = f"""
import sys
for name in {EXTRAS}:
    sys.modules[name] = None
from tuning.cli import main
main()
"""


@pytest.mark.slow
def test_the_core_unlearns_and_verifies_without_extras(tmp_path):
    """One process a command, as a user has it: whatever imports an extra on the way ends with a traceback."""

    def antisample(*words, code=0):
        command = [sys.executable, "-c", LIGHT, *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        settings = {"capture_output": True, "text": True, "timeout": 300, "cwd": tmp_path, "env": environment}
        done = subprocess.run(command, check=False, **settings)
        assert done.returncode == code, done.stderr
        return done.stdout

    cache = f"data.cache_dir={testing.digits_config().data.cache_dir}"
    settings = [
        word for each in ("model.recipe.epochs=6", "model.recipe.batch_size=64", cache) for word in ("--set", each)
    ]
    task = ["--dataset", "digits", "--model", "SmallCNN"]
    assert "ResNet18/cifar10/30" in antisample("spaces")
    antisample("unlearn", "--method", "mask", "--forget", "3", *task, *settings, "--out", "out")
    assert "0 differ" in antisample("verify", "out/card.json")


def test_windows_is_refused_in_one_sentence(tmp_path):
    command = "import sys; sys.platform = 'win32'; from tuning.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", command], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: antisample does not run on Windows; it needs Linux, such as the Windows Subsystem for Linux (WSL).\n"
    )
