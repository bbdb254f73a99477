"""The job that is handed to Slurm, as text."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cluster import ClusterError, StudyJob, load_cluster
from cluster.slurm import SCRIPT, render
from cluster.submission import rendered
from cluster.temporary import fits

FOLDER = Path("/shared/me & you/100%/runs/small.slurm")


@pytest.fixture
def script(load, job):
    def script(**values):
        spec = load(launcher="slurm", shared_dir="/shared/me & you", **values)
        return render(spec, job, FOLDER, Path("/my env/bin"))[SCRIPT]

    return script


def options(script):
    lines = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH ")]
    words = [word for line in lines for word in shlex.split(line)]
    return {word.partition("=")[0]: word.partition("=")[2] for word in words}


def test_the_job_asks_for_what_the_file_says(script):
    wanted = options(
        script(
            partition="gpu", account="ml", qos="high", time="1-12:00:00", nodes=3, cpus_per_node=16, gpus_per_node=4,
            mem="64G", options=["--constraint=a100"],
        )
    )  # fmt: skip
    assert wanted.items() >= {
        "--partition": "gpu", "--account": "ml", "--qos": "high", "--time": "1-12:00:00", "--nodes": "3",
        "--ntasks-per-node": "1", "--cpus-per-task": "16", "--gpus-per-node": "4", "--mem": "64G",
        "--constraint": "a100", "--requeue": "", "--signal": "B:USR1@120", "--chdir": "/home",
    }.items()  # fmt: skip
    assert wanted["--output"] == "/shared/me & you/100%%/runs/small.slurm/job-%j.log"


def test_what_is_not_said_is_left_to_slurm(script):
    wanted = options(script(requeue=False))
    assert not wanted.keys() & {
        "--partition",
        "--account",
        "--qos",
        "--time",
        "--mem",
        "--gpus-per-node",
        "--requeue",
    }
    assert "--no-requeue" in wanted
    assert "scontrol requeue" not in script(requeue=False)
    assert "scontrol requeue" in script()


def test_the_script_is_one_that_bash_reads(script):
    for text in (script(), script(nodes=2, setup=["module load cuda", 'source "$HOME/env/bin/activate"'])):
        checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_what_ends_the_job_ends_the_search_in_order(script):
    """SIGTERM of `scancel` and of the time limit, and the notice before it, reach the driver as SIGTERM."""
    text = script()
    assert 'kill -TERM "$driver"' in text
    assert "trap stop TERM" in text
    assert "trap 'out_of_time=yes; stop' USR1" in text


def test_rays_folder_is_short_wherever_the_job_keeps_its_temporary_files(script):
    """Socket paths have at most 107 bytes, and folders of jobs are long."""
    text = script(setup=["export TMPDIR=/scratch/" + 100 * "x"])
    assert "temp=/tmp/ray-$SLURM_JOB_ID\n" in text
    assert text.count('--temp-dir="$0"') == 1
    assert fits("/tmp/ray-" + 10 * "9")


def test_the_environment_is_the_submitting_one_unless_lines_say_otherwise(script):
    assert "export PATH='/my env/bin':$PATH\n" in script()
    assert "my env" not in script(setup=["module load x"])
    assert "module load x\n" in script(setup=["module load x"])


def test_the_driver_joins_this_jobs_cluster_and_continues_when_queued_again(script, load, job, tmp_path):
    commands = [shlex.split(found) for found in re.findall(r"exec (antisample .*);", script())]
    at = "--cluster", f"{FOLDER}/cluster.yaml"
    assert commands == [
        ["antisample", "run", f"{FOLDER}/study.yaml", "--warm-start", "/a b", *at],
        ["antisample", "resume", "/shared/me & you/runs/small", *at],
    ]
    spec = load(launcher="slurm", shared_dir="/shared/me & you", tracking_uri="http://db:5000")
    files = render(spec, job, FOLDER, Path("/bin"))
    assert yaml.safe_load(files["study.yaml"])["name"] == "my study's"
    (tmp_path / "within.yaml").write_text(files["cluster.yaml"])
    within = load_cluster(tmp_path / "within.yaml")
    assert (within.address, within.token_file, within.tracking_uri) == ("auto", None, "http://db:5000")
    assert str(within.shared_dir) == "/shared/me & you"


def test_a_study_is_continued_without_sending_it_again(load):
    spec = load(launcher="slurm", shared_dir="/shared")
    files = render(spec, StudyJob("small", Path("/shared/runs/small"), None), FOLDER, Path("/bin"))
    assert files.keys() == {SCRIPT, "cluster.yaml"}
    assert "run " not in " ".join(re.findall(r"exec (antisample .*);", files[SCRIPT]))


def test_the_token_is_in_a_file_alone(script):
    """No word of a command line: `ps` shows those to everyone."""
    text = script()
    assert "umask 077" in text.split('> "$token"', maxsplit=1)[0]
    assert not re.search(r"RAY_AUTH_TOKEN=|cat .*token", text)
    assert "RAY_AUTH_MODE=token" in text


def test_every_problem_is_reported_at_once(load):
    with pytest.raises(ClusterError) as refused:
        load(launcher="slurm", shared_dir="here", nodes=0, time="soon", mem="much", options=["a\nb"], gpus=1)
    assert len(refused.value.problems) == 6


BREAKS = ["\n", "\r", "\x0b", "\x85", "\u2028"]


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("key", ["partition", "account", "qos", "options", "setup", "shared_dir"])
def test_no_line_break_of_a_cluster_file_enters_the_script(load, key, line_break):
    text = f"/x{line_break}rm -rf ~" if key == "shared_dir" else f"--x{line_break}rm -rf ~"
    values = {"launcher": "slurm", "shared_dir": "/shared", key: [text] if key in ("options", "setup") else text}
    with pytest.raises(ClusterError, match=f"`{key}`: must be a single line without control characters"):
        load(**values)


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("field", ["name", "directory", "home", "options", "register"])
def test_no_line_break_of_a_study_enters_the_script(load, job, field, line_break):
    text = f"x{line_break}rm -rf ~"
    values = {"directory": Path("/shared", text), "home": Path("/home", text), "options": (text,)}
    spoiled = replace(job, **{field: values.get(field, text)})
    with pytest.raises(
        ClusterError, match="Names and folders of a job must be a single line without control characters"
    ):
        rendered(load(launcher="slurm", shared_dir="/shared"), spoiled)
