import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from postgresql import postgresql, programs

from tuning import cli
from tuning.config.loading import parse_study
from tuning.config.study import StudyConfig
from tuning.study.attributes import CREATED_MS, ID, ORIGINAL
from tuning.study.promoting import study_of
from tuning.study.storage.lease import Lease, lease_backend
from tuning.study.study import Study
from tuning.views.mlflow import EXPERIMENT


@pytest.fixture(scope="session")
def database_server():
    """The address of a real server, started when a test first asks for it."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (make system)")
    with postgresql() as address:
        yield address


@pytest.fixture
def database(database_server) -> str:
    """The address of an empty database."""
    name = f"study_{uuid4().hex}"
    with psycopg.connect(database_server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return database_server.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(params=["journal", pytest.param("postgresql", marks=pytest.mark.integration)])
def storage(request) -> str | None:
    """Both places where a study can be: what holds for one must hold for the other."""
    return None if request.param == "journal" else request.getfixturevalue("database")


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["antisample", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        output = capsys.readouterr()
        return caught.value.code or 0, output.out, output.err

    return run


@pytest.fixture
def values(tmp_path) -> dict:
    """A study that names everything and computes nothing."""
    return {
        "name": "made",
        "runs_dir": str(tmp_path),
        "data": {"source": "digits"},
        "model": {"name": "SmallCNN"},
        "forget": {"classes": [3]},
        "published": ["ResNet9/mnist/100"],
        "recipes": False,
        "memory": "none",
        "evaluation": {"final": ["membership", "zrf"]},
        "sampler": "random",
        "n_trials": 4,
        "max_failures": 2,
    }


@pytest.fixture
def config(values) -> StudyConfig:
    return parse_study(values)


@pytest.fixture
def make_study():
    """Opens a study; calling it again is what a new driver does."""

    def make(config: StudyConfig, lease: Lease | None = None) -> Study:
        config.directory.mkdir(parents=True, exist_ok=True)
        study = study_of(config, lease)
        if study.noted(ORIGINAL) is None:
            study.note(ORIGINAL, {"validation/forget_accuracy": 0.9, "validation/retain_accuracy": 0.9})
            study.note(ID, "an id")
            study.note(CREATED_MS, 1_700_000_000_123)
        return study

    return make


@pytest.fixture
def driven_study(make_study):
    """The same with the study's lease, as drivers have it; a new driver takes it from the one before."""
    leases: dict[str, Lease] = {}

    def make(config: StudyConfig) -> Study:
        config.directory.mkdir(parents=True, exist_ok=True)
        place = lease_backend(config)
        if place.where in leases:
            leases[place.where].release()
        leases[place.where] = lease = Lease(place)
        lease.acquire()
        return make_study(config, lease)

    yield make
    for lease in leases.values():
        lease.release()


@pytest.fixture
def dying_study():
    """A study whose driver dies, as by a signal, just before it keeps the fact of a name."""

    class Dying(Study):
        last: str

        def note(self, attribute, value) -> None:
            if attribute.key == self.last:
                raise SystemExit
            super().note(attribute, value)

    def make(config: StudyConfig, last: str) -> Study:
        config.directory.mkdir(parents=True, exist_ok=True)
        study = Dying(config)
        study.last = last
        return study

    return make


@pytest.fixture
def metrics():
    def make(forget: float, retain: float, confidence: float = 0.0) -> dict[str, float]:
        return {
            "validation/forget_accuracy": forget,
            "validation/retain_accuracy": retain,
            "validation/forget_confidence": confidence,
        }

    return make


@pytest.fixture
def report():
    def make(number: int, forget: float = 0.2) -> dict[str, Any]:
        return {
            "step": number,
            "replicate": 0,
            "elapsed_s": float(number),
            "evaluation_s": 0.1,
            "train_loss": 0.3,
            "metrics": {"validation/forget_accuracy": forget, "validation/retain_accuracy": 0.8},
        }

    return make


@pytest.fixture
def small_study(config, make_study, metrics, report):
    """Two finished trials of two epochs, and one that failed; its study.yaml is there."""
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    for key, (forget, retain) in enumerate([(0.0, 0.8), (0.1, 0.9)]):
        study.ask(str(key))
        study.report(str(key), report(1))
        study.report(str(key), report(2, forget))
        study.complete(str(key), metrics(forget, retain), {}, versions={"torch": "2"})
    study.ask("x")
    study.fail("x", "DivergedError: the loss is nan")
    return study


@pytest.fixture
def runs_of():
    """What a store holds: the client, the parent run, and the children by trial."""

    def find(uri: str) -> tuple[MlflowClient, Run | None, dict[str, Run]]:
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        runs = client.search_runs([experiment.experiment_id]) if experiment is not None else []
        children = {run.data.tags["antisample.trial"]: run for run in runs if "antisample.trial" in run.data.tags}
        parents = [run for run in runs if "antisample.trial" not in run.data.tags]
        return client, parents[0] if parents else None, children

    return find


@pytest.fixture
def everything(runs_of, tmp_path_factory):
    """All that a store says of a study, by name of the run; what the server itself makes up only with `ids`."""

    def read(uri: str, *, ids: bool = False) -> dict[str, dict[str, Any]]:
        client, parent, children = runs_of(uri)
        found: dict[str, dict[str, Any]] = {}
        for run in [parent, *children.values()]:
            tags = {name: value for name, value in run.data.tags.items() if ids or name != "mlflow.parentRunId"}
            folder = tmp_path_factory.mktemp("artifacts")
            files = client.list_artifacts(run.info.run_id)
            contents = {
                file.path: Path(client.download_artifacts(run.info.run_id, file.path, str(folder))).read_bytes()
                for file in files
            }
            found[run.info.run_name] = {
                "params": run.data.params,
                "tags": tags,
                "times": (run.info.start_time, run.info.end_time, run.info.status),
                "histories": {
                    name: [(m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, name)]
                    for name in run.data.metrics
                },
                "files": contents,
                "id": run.info.run_id if ids else None,
            }
        return found

    return read
