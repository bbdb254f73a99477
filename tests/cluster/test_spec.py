"""What a cluster file may say."""

import pytest
import yaml

from cluster import ClusterError, load_cluster


@pytest.fixture
def load(tmp_path):
    def load(**values):
        path = tmp_path / "cluster.yaml"
        path.write_text(yaml.safe_dump(values))
        return load_cluster(path)

    return load


def test_a_running_cluster_is_named_by_its_address(load):
    spec = load(launcher="existing", address="10.0.0.1:6379", shared_dir="/shared")
    assert (spec.address, spec.is_jobs_endpoint, spec.allow_insecure) == ("10.0.0.1:6379", False, False)
    assert load(launcher="existing", address="http://head:8265/", shared_dir="/shared").is_jobs_endpoint


def test_a_driver_on_the_cluster_needs_neither_the_token_nor_the_program(load):
    within = load(launcher="existing", address="http://head:8265", shared_dir="/shared").within()
    assert (within.address, within.token_file, within.ship_program) == ("auto", None, False)


def test_every_problem_is_reported_at_once(load):
    with pytest.raises(ClusterError) as refused:
        load(launcher="existing", address="head", shared_dir="shared", gpus=2)
    text = str(refused.value)
    assert len(refused.value.problems) == 3
    for said in ("`address`: must be HOST:PORT", "but got 'head'", "`shared_dir`: must be an absolute", "`gpus`"):
        assert said in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"launcher": "moon"}, "moon"),
        ({"address": "head:1"}, "launcher"),
        ({"launcher": "local", "num_cpus": 0}, "0"),
    ],
)
def test_what_no_launcher_takes_is_refused(load, values, said):
    with pytest.raises(ClusterError, match=said):
        load(**values)


@pytest.mark.parametrize("text", ["- a list", "a: [", ""])
def test_a_file_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(ClusterError, match=r"cluster\.yaml"):
        load_cluster(tmp_path / "cluster.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ClusterError, match=r"absent\.yaml"):
        load_cluster(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"launcher": "moon"}, "`launcher` must be 'local', 'existing', 'slurm', 'kuberay', 'vm', but got 'moon'."),
        ({}, "`launcher` is required."),
        ({"launcher": "local", "num_cpus": 0}, "`num_cpus` must be at least 1, but got 0."),
        ({"launcher": "local", "num_cpus": 10**30}, "`num_cpus`: must fit into 64 bits"),
        ({"launcher": "local", "num_cpus": float("inf")}, "`num_cpus` must be a finite number, but got inf."),
        ({"launcher": "local", "tracking_uri": "a\0b"}, "must be a single line without control characters"),
        ({"launcher": "local", "tracking_uri": 5}, "`tracking_uri` must be text, but got 5."),
        ({"launcher": "existing", "address": "h:1", "shared_dir": 5}, "`shared_dir` must be a path, but got 5."),
        ({"launcher": "slurm", "shared_dir": "/s", "time": "noon"}, "`time`: must be a time as Slurm writes it"),
        ({"launcher": "slurm", "shared_dir": "/s", "mem": "x" * 500}, "such as 64G, but got 'xxxx"),
        ({"launcher": "slurm", "shared_dir": "/s", "options": ["a100"]}, "`options`: must be options of sbatch"),
        ({"launcher": "slurm", "shared_dir": "/s", "options": 5}, "`options` must be a list, but got 5."),
        ({"launcher": "kuberay", "shared_dir": "/s", "image": "i", "volume_claim": "v", "head": 5},
         "`head` must contain keys and values, but got 5."),
        ({"launcher": "kuberay", "shared_dir": "/s", "image": None, "volume_claim": "v"},
         "`image` must be text, but got nothing."),
        ({"launcher": "local", "num_cpu": 3}, "`num_cpu` is not a setting. Did you mean `num_cpus`?"),
        ({"launcher": "kuberay", "workers": {"cpu": 3}},
         "`workers.cpu` is not a setting. Did you mean `workers.cpus`?"),
        ({"launcher": "loacl"}, "but got 'loacl'. Did you mean 'local'?"),
    ],
)  # fmt: skip
def test_problems_are_told_in_words_of_our_own(load, values, said):
    with pytest.raises(ClusterError) as refused:
        load(**values)
    assert said in str(refused.value)
    assert "Input should" not in str(refused.value)
    assert len(str(refused.value)) < 400
