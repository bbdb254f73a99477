"""Writes a study to an MLflow store: what the store has not got yet, in few requests."""

import hashlib
import json
from dataclasses import dataclass, replace

from mlflow import MlflowClient
from mlflow.entities import Metric

from antisample.storage.regular_files import read_regular
from tuning.trials.records import TrialRecord
from tuning.views.mlflow.batches import batches
from tuning.views.mlflow.delivered import DeliveryLog
from tuning.views.mlflow.logged_model import deliver_model
from tuning.views.mlflow.parent import data_set
from tuning.views.mlflow.payload import (
    PLOTS,
    STATUS,
    SearchSummary,
    StudyMetadata,
    final_metrics,
    final_tags,
    params_of,
    step_metrics,
)
from tuning.views.mlflow.runs import StudyRuns
from tuning.views.plain_values import finite
from tuning.views.projections import FILES


@dataclass
class Sent:
    """What was sent by one view: steps and ends of trials, files, and models."""

    steps: int = 0
    ends: int = 0
    files: int = 0
    models: int = 0


class MlflowWriter:
    """Writes trials to an MLflow store. Writing again what is there changes nothing.

    Args:
        facts: The study.
        uri: MLflow store or server.
    """

    def __init__(self, facts: StudyMetadata, uri: str) -> None:
        self._facts = facts
        self._cursor = DeliveryLog(facts.directory / "mlflow.json", uri)
        self.runs = StudyRuns(facts, uri)
        self.sent = Sent()
        self._ready = False

    def write(self, record: TrialRecord) -> None:
        """Writes one trial as far as it has come. Raises whatever MLflow raises."""
        if record.state == "RUNNING" and not record.seeds:
            return  # being suggested at this moment by another process; parameters cannot be changed afterwards
        client = self._connect()
        run_id = self.runs.child(record).info.run_id
        has = self._cursor.of(run_id)
        steps = has.missing(record.steps)
        ends = record.state in STATUS and not has.ended
        waits = record.state == "WAITING"
        if not steps and not ends and has.begun and waits == has.waits:
            return
        for batch in batches(
            step_metrics(record, steps) + (final_metrics(record) if ends else []),
            [] if has.begun else self._facts.trial_params(record),
            final_tags(record) if ends else [],
        ):
            client.log_batch(run_id, **batch)
        if ends:
            client.set_terminated(run_id, STATUS[record.state], record.finished_ms)
        elif waits != has.waits:
            client.update_run(run_id, status="SCHEDULED" if waits else "RUNNING")
            client.set_tag(run_id, "antisample.state", record.state)
        has = replace(
            has,
            trial=record.number,
            waits=waits,
            begun=True,
            steps=len(record.steps),
            last_step=record.fidelity,
            ended=has.ended or ends,
        )
        self._cursor.note(run_id, has)
        self.sent.steps += len(steps)
        self.sent.ends += ends

    def finish(self, ending: SearchSummary | None) -> None:
        """Completes the parent run, if the search has come to an end. Raises whatever MLflow raises."""
        client = self._connect()
        self.runs.look()
        self._begin(client)  # the study's run may have been deleted meanwhile
        parent_id = self.runs.parent().info.run_id
        if ending is None:
            return
        self._write_files(client, parent_id, ending)
        chosen = ending.chosen[-1]
        if chosen is not None:
            experiment_id = self.runs.parent().info.experiment_id
            run_id = self.runs.child(chosen.record).info.run_id
            self.sent.models += deliver_model(client, self._facts, experiment_id, parent_id, chosen.record, run_id)
        has = self._cursor.of(parent_id)
        if has.steps < len(ending.ends):
            for batch in batches(ending.metrics(has.steps), tags=ending.tags()):
                client.log_batch(parent_id, **batch)
            client.set_terminated(parent_id, "FINISHED", ending.ends[-1].timestamp_ms)
            self._cursor.note(parent_id, replace(has, steps=len(ending.ends), ended=True))

    def reset(self) -> None:
        """Makes the next call look at the store anew: after an error nothing is certain."""
        self.runs.disconnect()
        self._ready = False

    def _connect(self) -> MlflowClient:
        client = self.runs.connect()
        if not self._ready:
            self._cursor.compare(self.runs.known())
            self._begin(client)
            self._ready = True
        return client

    def _begin(self, client: MlflowClient) -> None:
        self.runs.share_view()
        parent = self.runs.parent()
        parent_id = parent.info.run_id
        self.runs.gather()
        has, experiment_id = self._cursor.of(parent_id), str(parent.info.experiment_id)
        if has.begun:
            if has.experiment != experiment_id:
                self._cursor.note(parent_id, replace(has, experiment=experiment_id))
            return
        original = [
            Metric(f"original/{name}", value, self._facts.created_ms, 0)
            for name, value in self._facts.original.items()
        ]
        # What an earlier version told of the same study may read otherwise, and cannot be changed.
        params = {name: value for name, value in self._facts.params.items() if name not in parent.data.params}
        for batch in batches(original, params_of(params)):
            client.log_batch(parent_id, **batch)
        if self._facts.data is not None:
            client.log_inputs(parent_id, [data_set(**self._facts.data)])
        self._cursor.note(parent_id, replace(has, begun=True, experiment=experiment_id))

    def _write_files(self, client: MlflowClient, parent_id: str, ending: SearchSummary) -> None:
        contents = {"front.json": json.dumps(finite(ending.front), indent=2).encode()}
        paths = [self._facts.directory / name for name in (*FILES, *PLOTS)]
        contents |= {path.name: read_regular(path, inside=path.parent) for path in paths if path.is_file()}
        for name, content in contents.items():
            fingerprint = hashlib.sha256(content).hexdigest()
            if (self._cursor.of(parent_id).files or {}).get(name) == fingerprint:
                continue
            if name in (*FILES, *PLOTS):
                client.log_artifact(parent_id, str(self._facts.directory / name))
            else:
                client.log_text(parent_id, content.decode(), name)
            self._cursor.note_file(parent_id, name, fingerprint)
            self.sent.files += 1
