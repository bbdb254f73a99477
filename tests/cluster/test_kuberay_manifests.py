"""The manifests for KubeRay, against the fields of its custom resources."""

import copy
import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from cluster import StudyJob
from cluster.kuberay import render

SCHEMA = json.loads(Path(__file__).with_name("kuberay_fields.json").read_text())
WORKERS = {"cpus": 8, "memory_gb": 64, "gpus": 2, "min_workers": 1, "max_workers": 16,
           "node_selector": {"pool": "gpu"},
           "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}  # fmt: skip
EVERYTHING = {"namespace": "ml", "image_pull_secret": "registry", "service_account": "search", "secret": "ray-token",
              "tracking_secret": "mlflow", "tracking_uri": "http://mlflow:5000", "head": {"cpus": 4}, "keep_s": 60,
              "workers": WORKERS}  # fmt: skip


@pytest.fixture
def manifests(load, job):
    def manifests(**values):
        spec = load(
            launcher="kuberay", shared_dir="/shared", image="registry/antisample:1", volume_claim="shared", **values
        )
        return {name: yaml.safe_load(text) for name, text in render(spec, job).items()}

    return manifests


def pods(cluster):
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["least", "everything"])
def test_they_have_the_form_of_the_published_definitions(manifests, values):
    found = manifests(**values)
    for name in ("rayjob.yaml", "raycluster.yaml"):
        jsonschema.validate(found[name], SCHEMA)
        broken = copy.deepcopy(found[name])
        cluster = broken["spec"].get("rayClusterSpec", broken["spec"])
        cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["gpus"] = 1
        with pytest.raises(jsonschema.ValidationError, match="gpus"):
            jsonschema.validate(broken, SCHEMA)


def test_ray_asks_for_the_token_of_a_secret_that_no_manifest_shows(manifests):
    found = manifests(**EVERYTHING)
    for cluster in (found["rayjob.yaml"]["spec"]["rayClusterSpec"], found["raycluster.yaml"]["spec"]):
        assert cluster["authOptions"] == {"mode": "token", "secretName": "ray-token"}
        assert cluster["rayVersion"] == ray.__version__
    assert not [content for content in found.values() if content["kind"] == "Secret"]


def test_workers_have_gpus_and_are_started_on_demand(manifests):
    found = manifests(**EVERYTHING)
    cluster = found["rayjob.yaml"]["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert (group["minReplicas"], group["maxReplicas"]) == (1, 16)
    # KubeRay pastes this into a shell line: what arrives there must be JSON.
    assert json.loads(*shlex.split(group["rayStartParams"]["resources"])) == {"antisample_worker": 1}
    head, worker = pods(cluster)
    assert worker["containers"][0]["resources"]["limits"] == {"cpu": 8, "memory": "64Gi", "nvidia.com/gpu": 2}
    assert worker["nodeSelector"] == {"pool": "gpu"}
    assert "nvidia.com/gpu" not in head["containers"][0]["resources"]["limits"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    within = yaml.safe_load(found["study-files.yaml"]["data"]["cluster.yaml"])
    assert (within["autoscaled_workers"], within["tracking_uri"]) == (16, "http://mlflow:5000")


def test_every_pod_mounts_the_shared_volume_and_the_head_the_study(manifests):
    found = manifests()
    name = found["study-files.yaml"]["metadata"]["name"]
    head, worker = pods(found["rayjob.yaml"]["spec"]["rayClusterSpec"])
    for pod in (head, worker):
        mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts["shared"] == "/shared"
        assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    assert {"name": "files", "configMap": {"name": name}} in head["volumes"]
    assert yaml.safe_load(found["study-files.yaml"]["data"]["study.yaml"])["name"] == "my study's"
    assert shlex.split(found["rayjob.yaml"]["spec"]["entrypoint"]) == [
        "antisample", "run", "/etc/antisample/study.yaml", "--warm-start", "/a b",
        "--cluster", "/etc/antisample/cluster.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Demo_1.x", "demo-1-x-"), ("7", "7-"), ("a" * 60, "a" * 20 + "-"), ("A.", "a-"), ("_", "")],
)
def test_names_are_ones_that_kubernetes_takes(name, expected):
    label = StudyJob(name, Path("/x"), None).label
    assert re.fullmatch(rf"antisample-{expected}[0-9a-f]{{8}}", label)
    assert len(label) <= 40


def test_studies_whose_names_begin_alike_have_names_of_their_own():
    names = [f"MobileNet_v2-fashionMNIST-forget-{digit}" for digit in range(10)]
    assert len({StudyJob(name, Path("/shared/runs") / name, None).label for name in names}) == 10
    twice = [StudyJob("demo", Path(f"/shared/{user}/runs/demo"), None).label for user in ("me", "you")]
    assert len(set(twice)) == 2
