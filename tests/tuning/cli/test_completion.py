"""Words are completed in a shell: quickly, and with the names that there are."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from antisample.datasets import _SOURCES
from antisample.methods import _METHODS
from antisample.models import model_names
from search_spaces import space_names
from tuning.cli import completion
from tuning.cli.completion_scripts import SCRIPTS, install_completion
from tuning.strategies.samplers import _SAMPLERS

PROGRAM = Path(sys.executable).with_name("antisample")
ROOT = Path(__file__).parents[3]


def test_the_names_are_those_that_are_registered():
    assert tuple(_METHODS) == completion.METHODS
    assert model_names() == completion.MODELS
    assert ("auto", *_SAMPLERS) == completion.SAMPLERS
    assert tuple(_SOURCES) == completion.DATASETS


@pytest.fixture
def complete(call, monkeypatch):
    def run(*words, shell="bash"):
        monkeypatch.setenv(completion.COMPLETE, f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["antisample", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(["antisample", *words]))
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        code, out, err = call()
        assert (code, err) == (0, "")
        return out.split()

    return run


@pytest.fixture
def some_studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/demo", "runs/seven", "else where/other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "study.yaml").write_text("name: x\n")
    (tmp_path / "runs" / "cache").mkdir()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["re"], ["resume", "report", "reproduce"]),
        (["li"], ["list"]),
        (["resume", ""], ["runs/demo", "runs/seven"]),
        (["report", "runs/s"], ["runs/seven"]),
        (["mlflow", "sync", "runs/"], ["runs/demo", "runs/seven"]),
        (["unlearn", "--study", "runs/d"], ["runs/demo"]),
        (["run", "--warm-start", "runs/d"], ["runs/demo"]),
        (["run", "--model", "Res"], ["ResNet9", "ResNet18"]),
        (["run", "--data", "d"], ["digits"]),
        (["unlearn", "--method", "f"], ["filtration", "finetune"]),
        (["unlearn", "--published", "ResNet9/mnist/"], ["ResNet9/mnist/30", "ResNet9/mnist/100"]),
        (["spaces", "antis"], ["antisample", "antisample-published"]),
        (["run", "--set", "samp"], ["sampler="]),
        (["run", "--set", "sampler=t"], ["sampler=tpe"]),
        (["run", "--set", "colour="], []),
        (["resume", "runs/demo", "--set", "n_"], ["n_trials="]),
        (["run", "studies/"], []),  # files, which the shell knows
    ],
)
def test_words_are_completed(complete, some_studies, words, completed):
    assert sorted(complete(*words)) == sorted(completed)


def test_every_space_is_offered_in_every_shell(complete):
    for shell in SCRIPTS:
        assert all(name in " ".join(complete("spaces", "", shell=shell)) for name in space_names())


def test_a_path_with_spaces_is_left_to_bash(some_studies, monkeypatch):
    monkeypatch.setenv(completion.COMPLETE, "complete_bash")
    assert completion.studies("else where/") == []
    monkeypatch.setenv(completion.COMPLETE, "complete_fish")
    assert completion.studies("else where/") == ["else where/other"]


def test_completing_loads_nothing_that_takes_seconds():
    code = (
        "import sys; from tuning.cli import completion, program; "
        "completion.studies(''), completion.methods(''), completion.settings('sampler='); "
        "print([m for m in ('torch', 'ray', 'optuna', 'mlflow', 'pyarrow', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_installed_once(call, tmp_path, monkeypatch, shell):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    reader = tmp_path / {"bash": ".bashrc", "zsh": ".zshrc", "fish": "none"}[shell]
    if shell != "fish":
        reader.write_text("export MINE=1")
    script, changed = install_completion(shell)
    assert script.read_text() == SCRIPTS[shell]
    assert changed == (None if shell == "fish" else reader)
    before = reader.read_text() if shell != "fish" else ""
    assert shell == "fish" or (before.startswith("export MINE=1\n") and before.count(str(script)) > 1)
    assert install_completion(shell) == (script, None)
    assert shell == "fish" or reader.read_text() == before


def test_a_shell_without_completion_is_told_so(call, monkeypatch):
    monkeypatch.setattr("tuning.cli.completion_scripts._parents", list)
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    code, out, err = call("--install-completion")
    assert (code, out) == (2, "")
    assert "Completion exists for bash, zsh, fish" in err
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    code, out, _ = call("--show-completion")
    assert (code, out) == (0, SCRIPTS["zsh"])


def test_a_home_that_cannot_be_written_is_one_sentence(call, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = call("--install-completion")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot be written" in err


class _Terminal:
    """A bash in a terminal, with the completion read."""

    def __init__(self, folder: Path) -> None:
        self.process, self.descriptor = pty.fork()
        if not self.process:
            os.chdir(folder)
            environment = {
                **os.environ,
                "PS1": "$ ",
                "TERM": "dumb",
                "PYTHONPATH": str(ROOT),
                "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            }
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)

    def until(self, text: str, timeout_s: float = 60.0) -> str:
        seen, end = "", time.monotonic() + timeout_s
        while text not in seen:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} did not come, but {seen!r}"
            seen += os.read(self.descriptor, 4096).decode()
        return seen

    def write(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def close(self) -> None:
        os.close(self.descriptor)
        os.waitpid(self.process, 0)


@pytest.mark.skipif(shutil.which("bash") is None or not PROGRAM.exists(), reason="needs bash and the program")
def test_bash_completes_in_a_terminal(tmp_path, some_studies):
    script = tmp_path / "completion.bash"
    script.write_text(SCRIPTS["bash"])
    terminal = _Terminal(tmp_path)
    try:
        terminal.until("$ ")
        terminal.write(". ./completion.bash; echo re''ady\n")
        terminal.until("ready")
        for typed, completed in (
            ("antisample resu\t", "antisample resume "),
            ("antisample report runs/se\t", "antisample report runs/seven "),
            ("antisample run --set sampler=ran\t", "--set sampler=random "),
            ("antisample run --set samp\tgp", "--set sampler=gp"),
            ("antisample run comp\t", "antisample run completion.bash"),
        ):
            terminal.write(typed)
            terminal.until(completed)
            terminal.write("\x15")
    finally:
        terminal.write("\x15exit\n")
        terminal.close()
