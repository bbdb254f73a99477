"""The image's RUN steps, in an environment that has nothing else, and the Jobs endpoint of a Ray that lives in it.

There is no container engine here, so `apt-get` and `useradd` are left out, and uv installs into an environment of its
own instead of the system's.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cluster.token import make_token
from tuning.study.directory import open_study

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DASHBOARD = "http://127.0.0.1:8277"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The folder of programs that the image would have; made by its own COPY and RUN lines."""
    folder = tmp_path_factory.mktemp("image")
    work, environment = folder / "work", folder / "environment"
    work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    text = re.sub(r"\\\n", " ", (ROOT / "docker" / "Dockerfile").read_text())
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            *sources, to = rest.split()
            tracked = subprocess.run(
                ["git", "ls-files", *sources], cwd=ROOT, capture_output=True, text=True, check=True
            )
            for name in tracked.stdout.split():
                target = work / (name if to not in ("./",) else Path(name).name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((ROOT / name).read_bytes())
        if word == "RUN" and "apt-get" not in rest:
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
            shown = {**kept, "PATH": f"{environment / 'bin'}:{os.environ['PATH']}"}
            command = rest.replace("--system", f"--python {environment / 'bin' / 'python'}").replace(
                "--no-cache ", ""
            )
            done = subprocess.run(
                ["sh", "-ec", command], cwd=work, env=shown, capture_output=True, text=True, timeout=900, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
    return environment / "bin"


def call(program, *arguments, cwd, environment):
    return subprocess.run(
        [program, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def endpoint(image, tmp_path_factory):
    """Ray with its dashboard on loopback, asking for a token; yields the token, folder and environment."""
    folder = tmp_path_factory.mktemp("jobs")
    environment = {
        "PATH": f"{image}:{os.environ['PATH']}",
        "HOME": str(folder),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(make_token(folder / "token")),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [
        image / "ray", "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--port=6412", "--num-cpus=2",
        "--include-dashboard=true", "--dashboard-host=127.0.0.1", "--dashboard-port=8277",
    ]  # fmt: skip
    log = folder / "head.log"
    with log.open("w") as output:
        head = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + 180
    while "Ray runtime started" not in log.read_text():
        assert head.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.5)
    yield folder, {"PATH": os.environ["PATH"], "HOME": str(folder)}
    head.terminate()
    try:
        head.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(head.pid, signal.SIGKILL)


def test_the_image_has_the_program_with_ray_and_its_dashboard(image, tmp_path):
    environment = {"PATH": str(image), "HOME": str(tmp_path)}
    assert call(image / "antisample", "--version", cwd=tmp_path, environment=environment).stdout.startswith(
        "antisample "
    )
    spaces = call(image / "antisample", "spaces", cwd=tmp_path, environment=environment)
    assert "ResNet18/cifar10/30" in spaces.stdout, spaces.stderr
    dashboard = call(
        image / "python", "-c", "import ray.dashboard.head, psycopg", cwd=tmp_path, environment=environment
    )
    assert dashboard.returncode == 0, dashboard.stderr


def write_cluster(folder, **changes):
    spec = {
        "launcher": "existing", "address": DASHBOARD, "shared_dir": str(folder / "shared"),
        "token_file": str(folder / "token"), **changes,
    }  # fmt: skip
    (folder / "cluster.yaml").write_text(yaml.safe_dump(spec))


def test_a_study_runs_as_a_job_and_is_found_where_all_machines_see_it(image, endpoint):
    folder, environment = endpoint
    study = {
        "name": "sent", "data": {"source": "digits"}, "model": {"name": "SmallCNN", "recipe": {"epochs": 4}},
        "forget": {"classes": [3]}, "n_trials": 3, "confirm_seeds": 0, "log_model": False, "memory": "none",
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    write_cluster(folder)
    done = call(
        image / "antisample", "run", "study.yaml", "--cluster", "cluster.yaml", cwd=folder, environment=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ray job stop" in done.stdout
    assert "Pareto front" in done.stdout
    place = folder / "shared" / "runs" / "sent"
    assert sorted(record.state for record in open_study(place).records()) == ["COMPLETE"] * 3
    again = call(
        image / "antisample",
        "resume",
        place,
        "--cluster",
        "cluster.yaml",
        "--json",
        cwd=folder,
        environment=environment,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(again.stdout)["chosen"] is not None


def test_the_endpoint_turns_away_who_has_another_token(image, endpoint):
    folder, environment = endpoint
    write_cluster(folder, token_file=str(make_token(folder / "other")))
    done = call(
        image / "antisample", "run", "study.yaml", "--cluster", "cluster.yaml", cwd=folder, environment=environment
    )
    assert done.returncode == 2, done.stdout
    assert "refuses" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_study_of_this_machine_runs_beside_a_ray_that_is_there_already(image, endpoint):
    folder, environment = endpoint
    environment = {**environment, "RAY_ADDRESS": "127.0.0.1:6412"}
    changes = ["--set", "name=beside", "--set", "tracking_uri=none", "--quiet"]
    done = call(image / "antisample", "run", "study.yaml", *changes, cwd=folder, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "runs" / "beside" / "report.html").is_file()
