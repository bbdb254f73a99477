"""The command line in processes of its own, on real digits, as a user starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

PROGRAM = Path(sys.executable).with_name("antisample")


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("integration-cache")


@pytest.fixture(scope="session")
def make_workplace(tmp_path_factory, cache):
    """An empty folder with a small study in it; its `run` calls the program there, its `start` does not wait."""

    def make(**changes):
        folder = tmp_path_factory.mktemp("workplace")
        study = {
            "name": "small",
            "data": {"source": "digits", "cache_dir": str(cache)},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
            "forget": {"classes": [3]},
            "published": ["ResNet9/mnist/100"],
            "n_trials": 5,
            "memory": "none",
            "confirm_seeds": 2,
            "log_model": False,
            **changes,
        }
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        environment = {**os.environ, "RAY_DEDUP_LOGS": "0"}
        environment.pop("OMP_NUM_THREADS", None)

        def start(*arguments):
            return subprocess.Popen(
                [PROGRAM, *map(str, arguments)],
                cwd=folder,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )

        def run(*arguments):
            with start(*arguments) as process:
                try:
                    out, err = process.communicate(timeout=300)
                finally:
                    process.kill()
            return SimpleNamespace(code=process.returncode, out=out, err=err)

        def results(*arguments):
            done = run(*arguments, "--json")
            assert done.code == 0, done.err
            return json.loads(done.out)

        return SimpleNamespace(
            folder=folder,
            directory=folder / "runs" / "small",
            environment=environment,
            start=start,
            run=run,
            results=results,
        )

    return make
