"""A study in a folder that can only be read, such as a colleague's, or one on a snapshot."""

import json
import os
import shutil
import subprocess

import pytest


@pytest.fixture
def read_only(small_study):
    """The folder of a study, on a read-only mount where the permissions do not bind, as for root."""
    directory = small_study.config.directory
    for name in ("journal.lock", "journal.lines"):
        (directory / name).unlink(missing_ok=True)
    if os.geteuid():
        directory.chmod(0o555)
        yield directory
        directory.chmod(0o755)
        return
    if shutil.which("mount") is None:
        pytest.skip("root may write everywhere, and there is no mount to make a folder read-only with")
    mounted = subprocess.run(["mount", "--bind", directory, directory], check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"root may write everywhere, and a read-only mount cannot be made here: {mounted.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_report_of_a_read_only_folder_says_what_was_not_written_and_nothing_is_made(read_only, call):
    before = content(read_only)
    code, out, _ = call("report", read_only)
    assert code == 0
    (line,) = [line for line in out.splitlines() if "cannot be written" in line]
    assert line.endswith("Not written: trials.parquet, report.html, pareto.png, hypervolume.png.")
    assert "Chosen (*): trial 0" in out
    assert content(read_only) == before


def test_its_json_is_whole_and_the_line_is_beside_it(read_only, call):
    before = content(read_only)
    code, out, err = call("report", read_only, "--json")
    assert (code, json.loads(out)["chosen"]["number"]) == (0, 0)
    assert err.count("\n") == 1
    assert err.startswith(f"{read_only}: cannot be written (Read-only file system). Not written: trials.parquet, ")
    assert content(read_only) == before
