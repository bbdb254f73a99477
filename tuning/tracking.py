"""MLflow as a view of the study: one parent run a study, one child a trial. Logging never blocks or ends a search."""

import logging
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from tuning.config import StudyConfig
from tuning.outcome import Outcome
from tuning.records import TrialRecord

EXPERIMENT = "antisample"
_STUDY_TAG, _TRIAL_TAG = "antisample.study", "antisample.trial"
_BATCH = 1000  # MLflow takes no more metrics at once
_STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


class MlflowView:
    """Writes trials to an MLflow store.

    Writing a trial again changes nothing: runs are found by tag before they are created, and timestamps belong to the
    trial, so MLflow drops exact duplicates.

    Args:
        config: The study.
        study_id: Unique name of the study; the tag that its runs are found by.
        uri: MLflow store or server.
    """

    def __init__(self, config: StudyConfig, study_id: str, uri: str) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._config, self._study_id, self._uri = config, study_id, uri
        self._client: MlflowClient | None = None
        self._parent: Run | None = None
        self._children: dict[int, Run] = {}

    def connect(self) -> None:
        """Finds or creates the experiment and the parent run. Raises whatever MLflow raises."""
        if self._parent is not None:
            return
        client = MlflowClient(self._uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            experiment_id = experiment.experiment_id
        else:
            artifacts = (
                None if "://" in self._uri and not self._uri.startswith("sqlite") else _artifacts(self._config)
            )
            experiment_id = client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        mine = client.search_runs([experiment_id], f"tags.`{_STUDY_TAG}` = '{self._study_id}'", max_results=50_000)
        self._client = client
        for run in mine:
            if _TRIAL_TAG in run.data.tags:
                self._children[int(run.data.tags[_TRIAL_TAG])] = run
        parents = [run for run in mine if _TRIAL_TAG not in run.data.tags]
        self._parent = parents[0] if parents else self._create_parent(client, experiment_id)

    def write(self, record: TrialRecord) -> None:
        """Writes one trial as far as it has come. Raises whatever MLflow raises."""
        self.connect()
        client, parent = self._connected()
        run = self._children.get(record.number)
        if run is None:
            run = client.create_run(
                parent.info.experiment_id,
                start_time=record.started_ms,
                run_name=f"{self._config.name}/{record.number}",
                tags={
                    _STUDY_TAG: self._study_id,
                    _TRIAL_TAG: str(record.number),
                    MLFLOW_PARENT_RUN_ID: parent.info.run_id,
                },
            )
            self._children[record.number] = run
        client.log_batch(run.info.run_id, params=self._params(record), tags=_tags(record))
        metrics = _metrics(record)
        for start in range(0, len(metrics), _BATCH):
            client.log_batch(run.info.run_id, metrics=metrics[start : start + _BATCH])
        if record.state in _STATUS:
            client.set_terminated(run.info.run_id, _STATUS[record.state], record.finished_ms)

    def finish(self, outcome: Outcome, records: list[TrialRecord], files: list[Path]) -> None:
        """Writes what is missing and completes the parent run. Raises whatever MLflow raises."""
        self.connect()
        client, parent = self._connected()
        for record in records:
            child = self._children.get(record.number)
            if child is None or client.get_run(child.info.run_id).info.status == "RUNNING":
                self.write(record)
        parent_id = parent.info.run_id
        last_ms = max((record.finished_ms or 0 for record in records), default=0)
        values = {"hypervolume": outcome.hypervolume, "front_size": float(len(outcome.front))}
        values |= {f"original/{name}": value for name, value in outcome.original.items()}
        if outcome.chosen is not None:
            values |= {f"chosen/{name}": value for name, value in outcome.chosen.metrics.items()}
            client.set_tag(parent_id, "antisample.chosen", str(outcome.chosen.number))
        client.log_batch(parent_id, [Metric(name, value, last_ms, len(records)) for name, value in values.items()])
        client.log_dict(parent_id, outcome.to_json(), "front.json")
        for path in files:
            client.log_artifact(parent_id, str(path))
        client.set_terminated(parent_id, "FINISHED", last_ms)

    def link(self) -> str | None:
        """Path and query of the study's runs in the MLflow UI, behind the server's address."""
        if self._parent is None:
            return None
        wanted = quote(f"tags.`{_STUDY_TAG}` = '{self._study_id}'", safe="")
        return (
            f"/#/experiments/{self._parent.info.experiment_id}/runs?workflowType=machine_learning"
            f"&searchFilter={wanted}&orderByKey=metrics.%60validation%2Fretain_accuracy%60&orderByAsc=false"
        )

    def _connected(self) -> tuple[MlflowClient, Run]:
        if self._client is None or self._parent is None:
            raise RuntimeError("connect() comes first")
        return self._client, self._parent

    def _create_parent(self, client: MlflowClient, experiment_id: str) -> Run:
        tags = {_STUDY_TAG: self._study_id, MLFLOW_RUN_NAME: self._config.name}
        parent = client.create_run(experiment_id, run_name=self._config.name, tags=tags)
        config = self._config
        facts = {
            "data": config.data.source,
            "model": config.model.name,
            "method": config.method,
            "forget": ",".join(map(str, config.forget.classes)),
            "space": config.space or config.method,
            "sampler": config.sampler,
            "seed": config.seed,
            "n_trials": config.n_trials,
        }
        client.log_batch(parent.info.run_id, params=[Param(name, str(value)) for name, value in facts.items()])
        return parent

    def _params(self, record: TrialRecord) -> list[Param]:
        values = {**self._config.fixed, **record.params, "seeds": list(record.seeds)}
        return [Param(name, str(value)) for name, value in values.items()]


class Tracker:
    """Feeds an `MlflowView` from a background thread; the study is what a lost message is recovered from.

    Args:
        view: Receives the trials.
    """

    def __init__(self, view: MlflowView) -> None:
        self._view = view
        self._pending: dict[int, TrialRecord] = {}
        self._changed = threading.Condition()
        self._closing = False
        self.error: str | None = None
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def submit(self, record: TrialRecord) -> None:
        """Hands over the newest state of a trial; returns at once."""
        with self._changed:
            self._pending[record.number] = record
            self._changed.notify()

    def close(self, outcome: Outcome, records: list[TrialRecord], files: list[Path], timeout_s: float) -> str | None:
        """Writes the rest and the parent, for at most `timeout_s` seconds.

        Returns:
            What went wrong, or None if MLflow has everything.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return self.error or f"MLflow did not answer within {timeout_s:.0f} s"
        final: list[str | None] = ["MLflow did not answer"]

        def finish() -> None:
            try:
                self._view.finish(outcome, records, files)
                final[0] = None
            except Exception as error:
                final[0] = _short(error)

        thread = threading.Thread(target=finish, daemon=True)
        thread.start()
        thread.join(timeout_s)
        return final[0]

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing)
                if not self._pending:
                    return
                number, record = next(iter(self._pending.items()))
                del self._pending[number]
            try:
                self._view.write(record)
                self.error = None
            except Exception as error:
                self.error = _short(error)
                with self._changed:
                    self._pending.setdefault(number, record)
                    if self._closing:
                        return
                    self._changed.wait(5)


def _artifacts(config: StudyConfig) -> str:
    return (config.runs_dir / "mlartifacts").resolve().as_uri()


def _metrics(record: TrialRecord) -> list[Metric]:
    metrics: list[Metric] = []
    for step in record.steps:
        values = {
            **step.metrics,
            "train_loss": step.train_loss,
            "elapsed_s": step.elapsed_s,
            "evaluation_s": step.evaluation_s,
        }
        metrics += [Metric(name, value, step.timestamp_ms, step.step) for name, value in values.items()]
    if record.state == "COMPLETE" and len(record.seeds) > 1:
        # MLflow shows the newest value of a metric: the mean over the replicates, not the last one's.
        end_ms = max(record.finished_ms or 0, record.steps[-1].timestamp_ms + 1) if record.steps else 0
        metrics += [Metric(name, value, end_ms, record.fidelity) for name, value in record.metrics.items()]
    return metrics


def _tags(record: TrialRecord) -> list[RunTag]:
    facts: dict[str, Any] = {
        "antisample.state": record.state,
        "antisample.origin": record.origin,
        "antisample.worker": record.worker,
        "antisample.error": record.error,
        **{f"antisample.version.{name}": version for name, version in record.versions.items()},
    }
    return [RunTag(name, str(value)[:5000]) for name, value in facts.items() if value is not None]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
