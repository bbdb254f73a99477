"""`antisample cluster render` as a user calls it: everything is shown and nothing is started."""

import pytest
import yaml
from typer.testing import CliRunner

from antisample.errors import ConfigError
from cluster import ClusterError
from tuning.cli.program import app

STUDY = {"name": "small", "data": {"source": "digits"}, "model": {"name": "SmallCNN"}, "forget": {"classes": [3]}}
CLUSTERS = {
    "slurm": {"launcher": "slurm"},
    "kuberay": {"launcher": "kuberay", "image": "i", "volume_claim": "c"},
    "vm": {"launcher": "vm", "provider": "machines", "head_host": "10.0.0.1", "wheel": "w.whl"},
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    def files(**cluster):
        (tmp_path / "cluster.yaml").write_text(yaml.safe_dump({"shared_dir": str(tmp_path / "shared"), **cluster}))
        return ["cluster", "render", "cluster.yaml", "--study", "study.yaml", "--set", "n_trials=7"]

    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    monkeypatch.chdir(tmp_path)
    return files


@pytest.mark.parametrize("launcher", CLUSTERS)
def test_it_prints_all_files_or_writes_them(files, tmp_path, launcher):
    words = files(**CLUSTERS[launcher])
    shown = CliRunner().invoke(app, words, catch_exceptions=False)
    assert shown.exit_code == 0
    written = CliRunner().invoke(app, [*words, "--out", "out"], catch_exceptions=False)
    assert written.exit_code == 0
    out = sorted((tmp_path / "out").iterdir())
    assert sorted(written.output.split()) == [f"out/{path.name}" for path in out]
    for path in out:
        assert f"# ---- {path.name}\n{path.read_text()}" in shown.output
    assert "n_trials: 7" in shown.output
    assert f"runs_dir: {tmp_path}/shared/runs" in shown.output
    assert not (tmp_path / "shared").exists()


def test_files_are_written_all_or_none(files, tmp_path):
    words = [*files(**CLUSTERS["slurm"]), "--out"]
    CliRunner().invoke(app, [*words, "out"], catch_exceptions=False)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    (tmp_path / "blocked" / names[-1]).mkdir(parents=True)
    with pytest.raises(ClusterError, match=r"cannot be written \(it is a folder\)"):
        CliRunner().invoke(app, [*words, "blocked"], catch_exceptions=False)
    assert [path.name for path in (tmp_path / "blocked").iterdir()] == [names[-1]]
    with pytest.raises(ClusterError, match="/dev/full: cannot be written"):
        CliRunner().invoke(app, [*words, "/dev/full"], catch_exceptions=False)


def test_a_cluster_that_is_joined_has_nothing_to_render(files):
    with pytest.raises(ConfigError, match="nothing to render"):
        CliRunner().invoke(app, files(launcher="existing", address="head:6379"), catch_exceptions=False)
