"""Shared inputs: real digits and a small original model, made once a test run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Before torch is imported: tests run on two cores beside each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from antisample import testing
from antisample.config import UnlearnConfig
from antisample.inputs import UnlearnInputs

SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """What the user has agreed to is kept here, and what the person who runs the tests has agreed to is not seen."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(folder)
    os.environ.pop("ANTISAMPLE_ALLOW_CODE", None)
    return folder


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip("the shared data and models are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    return Path(testing.digits_config().data.cache_dir)


@pytest.fixture(scope="session")
def digits_config() -> UnlearnConfig:
    return testing.digits_config()


@pytest.fixture(scope="session")
def digits_inputs() -> UnlearnInputs:
    return testing.digits_inputs()


@pytest.fixture(scope="session")
def s3():
    """A real S3 server, with its credentials in the environment; see `S3Server`."""
    from s3_server import s3_server  # noqa: PLC0415  (imports boto3, which few tests need)

    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def gs():
    """A server that speaks Google Cloud Storage's language; see `GoogleServer`."""
    from gs_server import google_server  # noqa: PLC0415  (a server, which few tests need)

    with google_server() as server:
        yield server


@pytest.fixture(scope="session")
def toy_packages(tmp_path_factory):
    """A folder that tests/plugin_package is installed in, as `pip install --target` does; put it on the path."""
    folder = tmp_path_factory.mktemp("plugins")
    source = shutil.copytree(Path(__file__).parent / "plugin_package", folder / "source")
    target, uv = folder / "target", Path(sys.executable).with_name("uv")
    options = ["--quiet", "--offline", "--no-deps", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([uv, "pip", "install", *options, "--target", target, source], check=True, timeout=120)
    return target
