"""What standard output cannot take ends nothing: whole processes, as a shell starts them."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from tuning.views.plain_values import as_ascii, finite, storable

TALKS = """
import sys
from tuning.cli.streams import use_forgiving_streams
use_forgiving_streams()
from rich.console import Console
from rich.table import Table
table = Table()
table.add_column("trial ±")
for number in range(2000):
    table.add_row(str(number))
Console().print(table)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def shell(tmp_path):
    """Runs a line of shell, in which $TALK prints a long table as the command line does, and ends with a code."""
    (tmp_path / "talk.py").write_text(TALKS)

    def run(line, **environment):
        talk = f"{sys.executable} {tmp_path / 'talk.py'}"
        given = {**os.environ, "TALK": talk, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
        return subprocess.run(["bash", "-c", line], env=given, capture_output=True, check=False)

    return run


@pytest.mark.integration
@pytest.mark.parametrize("code", [0, 2])
@pytest.mark.parametrize(
    "line",
    [
        "$TALK {} > /dev/full",
        "$TALK {} > /dev/full 2>&1",
        "$TALK {} >&-",
        "$TALK {} >&- 2>&-",
        "$TALK {} <&- >&-",
        "set -o pipefail; $TALK {} | head -1 > /dev/null",
        "set -o pipefail; $TALK {} | true",
    ],
)
def test_an_output_that_is_full_or_closed_changes_no_exit_code(shell, line, code):
    done = shell(line.format(code))
    assert done.returncode == code, done.stderr
    full = b"Standard output cannot be written (No space left on device); its remaining output is lost.\n"
    assert done.stderr == (full if "/dev/full" in line and "2>" not in line else b"")


@pytest.mark.integration
def test_a_report_succeeds_whatever_its_output_is(small_study):
    command = f"{sys.executable} -m tuning report {small_study.config.directory}"
    line = f"set -o pipefail; {command} | head -1 | grep -q Chosen && {command} --json > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (
        done.stderr == b"Standard output cannot be written (No space left on device); its remaining output is lost.\n"
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONIOENCODING": ""}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}],
)
def test_an_output_of_ascii_alone_gets_ascii(shell, environment):
    done = shell("$TALK 0", **environment)
    assert done.returncode == 0, done.stderr
    assert "| trial +/- |" in done.stdout.decode("ascii")


@pytest.mark.integration
def test_other_outputs_get_lines_and_signs_as_they_are(shell):
    assert "┃ trial ± ┃" in shell("$TALK 0", LC_ALL="C.UTF-8").stdout.decode()


@pytest.mark.integration
def test_a_narrow_terminal_has_whole_figures(small_study):
    width = 20
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tuning", "report", str(small_study.config.directory)]
    environment = {**os.environ, "COLUMNS": str(width), "TERM": "xterm"}
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        text = b""
        while True:
            try:
                part = os.read(leader, 10_000)
            except OSError:  # the other end is closed
                break
            text += part
            if not part:
                break
    os.close(leader)
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).splitlines()
    before = lines[: next(at for at, line in enumerate(lines) if line.startswith("Report:"))]
    assert max(map(len, before)) <= width
    shown = " ".join(" ".join(before).split())
    for figure in ("0.0%", "80.0%", "10.0%", "90.0%"):
        assert figure in shown


def test_values_that_a_view_cannot_hold_become_what_it_can():
    assert as_ascii("1 ± 2 … ö") == r"1 +/- 2 ... \xf6"
    assert storable("a\0b\ud800ö") == "a\\0b\\ud800ö"
    content = finite({"a": [1.0, float("nan")], "b": (float("inf"), 3), "c": "x"})
    assert json.dumps(content, allow_nan=False) == '{"a": [1.0, null], "b": [null, 3], "c": "x"}'


def test_a_message_does_not_hold_a_word_of_thousands_of_letters(call):
    code, _, err = call("report", "x" * 3000)
    assert code == 2
    assert "the name is too long for a file name." in err
    assert len(err) < 300


@pytest.mark.integration
def test_a_home_that_cannot_be_written_brings_no_warning_of_matplotlib(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "MPL"))}
    environment |= {"HOME": "/dev/null", "TMPDIR": str(tmp_path)}
    code = (
        "import tuning.views.plots.style as s; s.save_figure(s.new_figure(1, 1), __import__('pathlib').Path('a.png'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"], "the folder for its caches is gone afterwards"
