"""The job script on a real Slurm, with stand-ins for Ray and the search that write down what happens to them."""

import subprocess
import time
from types import SimpleNamespace

import pytest
from slurm_cluster import missing, slurm

from cluster import StudyJob, load_cluster
from cluster.slurm import SCRIPT, render

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=f"no Slurm here: {missing()}"),
]

RAY = """#!/bin/bash
echo "Ray runtime started."
trap 'echo "ray ends" >> {calls}; exit' TERM
while :; do sleep 0.2; done
"""
SEARCH = """#!/bin/bash
[ "$(wc -c < "$RAY_AUTH_TOKEN_PATH")" = 64 ] && [ "$(stat -c %a "$RAY_AUTH_TOKEN_PATH")" = 600 ] || exit 9
[ "$RAY_AUTH_MODE $RAY_ADDRESS ${{RAY_AUTH_TOKEN-}}" = "token 192.0.2.1:1234 " ] || exit 8
echo "$1" >> {calls}
trap 'echo "search stops in order" >> {calls}; exit 143' TERM
touch {directory}/study.yaml
for _ in $(seq 50); do sleep 0.2; done
"""


@pytest.fixture(scope="module")
def queue():
    with slurm() as running:
        yield running


@pytest.fixture
def job(tmp_path, queue):
    """A job that has begun to search: its number, what happened in it, and a wait for its end."""
    directory, folder, calls = tmp_path / "runs" / "small", tmp_path / "runs" / "small.slurm", tmp_path / "calls"
    programs = tmp_path / "bin"
    for path in (directory, folder, programs):
        path.mkdir(parents=True)
    texts = {"ray": RAY, "antisample": SEARCH, "python": "#!/bin/bash\necho 192.0.2.1 1234\n"}
    for name, text in texts.items():
        (programs / name).write_text(text.format(calls=calls, directory=directory) if name != "python" else text)
        (programs / name).chmod(0o755)
    (tmp_path / "slurm.yaml").write_text(f"launcher: slurm\nshared_dir: {tmp_path}\ncpus_per_node: 2\n")
    study = StudyJob("small", directory, "name: small\n", home=tmp_path)
    for name, text in render(load_cluster(tmp_path / "slurm.yaml"), study, folder, programs).items():
        (folder / name).write_text(text)
    calls.touch()
    number = queue.ask("sbatch", "--parsable", str(folder / SCRIPT))
    deadline = time.monotonic() + 120
    while "run" not in calls.read_text():
        assert time.monotonic() < deadline, (folder / f"job-{number}.log").read_text()
        time.sleep(0.2)

    def ends(restarts):
        while queue.restarts(number) < restarts:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        state = queue.wait(number, ("COMPLETED", "FAILED", "CANCELLED"), 120)
        return state, calls.read_text().split("\n")[:-1]

    yield SimpleNamespace(number=number, ends=ends)
    assert not [path for path in folder.iterdir() if path.name.startswith("token")]
    still = subprocess.run(["pgrep", "-f", str(programs)], capture_output=True, text=True, check=False).stdout.split()
    assert still == []


def test_it_ends_with_its_search(job):
    state, calls = job.ends(restarts=0)
    assert (state, calls[0]) == ("COMPLETED", "run")


def test_a_cancelled_job_takes_ray_with_it(job, queue):
    queue.ask("scancel", job.number)
    state, calls = job.ends(restarts=0)
    assert (state, calls[0]) == ("CANCELLED", "run")
    assert sorted(set(calls[1:])) == ["ray ends", "search stops in order"]


def test_a_job_that_is_queued_again_resumes(job, queue):
    queue.ask("scontrol", "requeue", job.number)
    state, calls = job.ends(restarts=1)
    calls = [call for call in calls if call != "search stops in order"]
    assert (state, calls[:3]) == ("COMPLETED", ["run", "ray ends", "resume"])


def test_a_job_whose_time_is_nearly_up_stops_in_order_and_queues_itself_again(job, queue):
    queue.ask("scancel", "--batch", "--signal=USR1", job.number)
    state, calls = job.ends(restarts=1)
    assert state == "COMPLETED"
    assert calls[:2] == ["run", "search stops in order"]
    assert "resume" in calls
