"""The file for `ray up`, looked at by Ray's own validator."""

import copy

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from cluster import ClusterError
from cluster.vm import FILE, render, search_command

CLOUD = {"region": "us-west-2", "head_type": "m5.large", "worker_type": "g5.xlarge", "max_workers": 8}
PROVIDERS = {
    "aws": {**CLOUD, "spot": True, "image": "ami-0123"},
    "gcp": {**CLOUD, "project": "p", "zone": "us-west1-a", "image": "projects/x/global/images/y", "spot": True,
            "gpus_per_worker": 1, "gpu_type": "nvidia-tesla-t4"},
    "machines": {"head_host": "10.0.0.1", "worker_hosts": ["10.0.0.2", "10.0.0.3"], "ssh_private_key": "~/.ssh/id"},
}  # fmt: skip


@pytest.fixture
def up(load, job):
    def up(provider, **values):
        spec = load(
            launcher="vm", provider=provider, shared_dir="/shared", wheel="dist/antisample-1-py3-none-any.whl",
            **PROVIDERS[provider], **values,
        )  # fmt: skip
        return render(spec, job)

    return up


@pytest.mark.parametrize("provider", PROVIDERS)
def test_rays_own_validator_accepts_it(up, provider):
    prepared = prepare_config(yaml.safe_load(up(provider)[FILE]))
    validate_config(prepared)
    broken = copy.deepcopy(prepared)
    broken["workers"] = 1
    with pytest.raises(Exception, match="workers"):
        validate_config(broken)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_ray_asks_for_the_token_and_the_dashboard_stays_on_the_machine(up, provider):
    content = yaml.safe_load(up(provider)[FILE])
    for command in (*content["head_start_ray_commands"], *content["worker_start_ray_commands"]):
        assert "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$HOME/.antisample/token" in command
    assert "--dashboard-host=127.0.0.1" in content["head_start_ray_commands"][0]
    assert content["file_mounts"]["~/.antisample/token"].endswith("/.antisample/token")


def test_clouds_start_workers_on_demand_and_own_machines_are_all_used(up):
    for provider in ("aws", "gcp"):
        prepared = prepare_config(yaml.safe_load(up(provider)[FILE]))
        types = prepared["available_node_types"]
        assert (types["worker"]["min_workers"], types["worker"]["max_workers"]) == (0, 8)
        assert types["worker"]["resources"] == {"antisample_worker": 1}
        assert types["head"]["resources"] == {"CPU": 0}
        assert yaml.safe_load(up(provider)["cluster.yaml"])["autoscaled_workers"] == 8
    own = prepare_config(yaml.safe_load(up("machines")[FILE]))
    (only,) = own["available_node_types"].values()
    assert only["min_workers"] == only["max_workers"] == own["max_workers"] == 2
    assert yaml.safe_load(up("machines")["cluster.yaml"])["autoscaled_workers"] == 0


def test_the_search_runs_on_the_head_with_the_files_sent_there(up, job):
    assert "antisample run ./study.yaml --warm-start '/a b' --cluster ./cluster.yaml" in search_command(job)
    assert yaml.safe_load(up("aws")["study.yaml"])["n_trials"] == 4


def test_what_a_provider_needs_is_said(load):
    with pytest.raises(ClusterError, match="gcp needs `region`, `head_type`, `worker_type`, `zone`, `project`, `ima"):
        load(launcher="vm", provider="gcp", shared_dir="/shared", wheel="w.whl")
