"""Handing a study to a cluster's own program; where that is not installed, to one that writes down what it gets."""

import json
import sys

import pytest
import yaml

from cluster import ClusterError, StudyJob, submit
from cluster.submission import files_folder

KUBERAY = {"launcher": "kuberay", "shared_dir": "/shared", "image": "i", "volume_claim": "c", "namespace": "ml"}
VM = {"launcher": "vm", "provider": "machines", "head_host": "10.0.0.1", "shared_dir": "/shared", "wheel": "w.whl"}
SCRIPT = """#!{python}
import json, os, sys
text = sys.stdin.read() if "/dev/stdin" in " ".join(sys.argv) else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], text]) + "\\n")
"""


@pytest.fixture
def job(tmp_path):
    return StudyJob("small", tmp_path / "runs" / "small", "name: small\n", home=tmp_path)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Installs a program by name; returns what it was called with, and what it read."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def install(name):
        log, program = tmp_path / f"{name}.log", tmp_path / "bin" / name
        log.touch()
        program.write_text(SCRIPT.format(python=sys.executable, log=str(log)))
        program.chmod(0o755)
        return lambda: [json.loads(line) for line in log.read_text().splitlines()]

    return install


def test_a_missing_program_is_named_and_nothing_is_written(load, job, tmp_path, calls):
    for values, program in ((KUBERAY, "kubectl"), ({"launcher": "slurm", "shared_dir": str(tmp_path)}, "sbatch")):
        spec = load(**values)
        with pytest.raises(ClusterError, match=f"`{program}` is not installed"):
            submit(spec, job, print)
        assert not files_folder(spec, job).exists()


def test_kubernetes_gets_the_token_through_a_pipe_before_the_job(load, job, calls):
    called, said = calls("kubectl"), []
    spec = load(**KUBERAY)
    submit(spec, job, said.append)
    words = [words for words, _ in called()]
    assert all(line[:2] == ["--namespace", "ml"] for line in words)
    assert [line[2] for line in words] == ["get", "create", "delete", "apply"]
    token = called()[1][1]
    assert len(token) == 64
    assert token not in json.dumps(words) + "".join(said)
    folder = files_folder(spec, job)
    assert not [path for path in folder.iterdir() if token in path.read_text()]
    assert words[3][3:] == ["-f", str(folder / "study-files.yaml"), "-f", str(folder / "rayjob.yaml")]


def test_machines_get_a_token_the_study_and_the_search(load, job, tmp_path, calls):
    called, said = calls("ray"), []
    spec = load(**VM, token_file=str(tmp_path / "secret" / "token"))
    submit(spec, job, said.append)
    words = [words for words, _ in called()]
    assert [line[0] for line in words] == ["up", "rsync-up", "rsync-up", "exec"]
    assert {line[3] for line in words[1:3]} == {"~/study.yaml", "~/cluster.yaml"}
    assert "antisample run" in words[3][2]
    token = tmp_path / "secret" / "token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text() not in json.dumps(words)
    up = yaml.safe_load((files_folder(spec, job) / "ray-up.yaml").read_text())
    assert up["file_mounts"]["~/.antisample/token"] == str(token)


def test_what_the_program_says_when_it_refuses_is_the_error(load, job, tmp_path, calls):
    calls("sbatch")
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'invalid partition: gpu' >&2\nexit 1\n")
    with pytest.raises(ClusterError, match="invalid partition: gpu"):
        submit(load(launcher="slurm", shared_dir=str(tmp_path)), job, print)


def test_only_a_study_that_is_there_is_continued(load, tmp_path, calls):
    calls("sbatch")
    with pytest.raises(ClusterError, match="holds no study to continue"):
        submit(load(launcher="slurm", shared_dir=str(tmp_path)), StudyJob("x", tmp_path / "runs" / "x", None), print)
