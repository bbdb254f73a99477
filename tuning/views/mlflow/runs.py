"""The runs of one study in one MLflow store: found by tag before they are created, so that no trial has two."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tuning.config.password_rule import keep_to_rule
from tuning.study.storage.kernel_lock import KernelLock
from tuning.trials.records import TrialRecord
from tuning.views.mlflow.delivered import ui_link
from tuning.views.mlflow.payload import EXPERIMENT, STUDY_TAG, TRIAL_TAG, StudyMetadata
from tuning.views.mlflow.sqlite_file import check_writable
from tuning.views.mlflow.ui_state import SHARED_VIEW, shared_view

_PAGE, _EXPERIMENTS = 10_000, 100
T = TypeVar("T")


def bound_requests() -> None:
    """Sets how MLflow's client behaves, where the user has not: it reads these variables at every request.

    It would wait 120 s for an answer and try 8 times. A request repeated inside the client creates a run twice where
    the first answer was lost; here a repetition looks for the run first. The links it prints would break `--json`.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)


class StudyRuns:
    """Finds and creates the runs of a study. Every method raises whatever MLflow raises.

    Args:
        facts: The study.
        uri: MLflow store or server.
    """

    def __init__(self, facts: StudyMetadata, uri: str) -> None:
        bound_requests()
        self._facts, self._uri = facts, uri
        # One process at a time looks for a run and creates it, be it a search or a delivery afterwards.
        self._lock = KernelLock(facts.directory / "mlflow.lock")
        self._connection: tuple[MlflowClient, str] | None = None
        self._runs: dict[int | None, Run] = {}
        self.created = 0

    def connect(self) -> MlflowClient:
        """The client; the first call finds or creates the experiment and finds the runs."""
        if self._connection is None:
            keep_to_rule(self._uri)
            check_writable(self._uri)
            client = MlflowClient(self._uri)
            self._connection = (client, self._experiment(client))
            try:
                self.look()
            except BaseException:
                self._connection = None
                raise
        return self._connection[0]

    def disconnect(self) -> None:
        """Makes the next call look at the store anew: after an error nothing is certain."""
        self._connection = None
        self._runs = {}

    def look(self) -> None:
        """Finds the runs anew, and removes the second run of a trial.

        There can be one if the store created a run after the client had given up waiting for it. Every process keeps
        the same one of them.
        """
        with self._lock:
            client, _ = self._connected()
            by_trial: dict[int | None, list[Run]] = {}
            for run in self._search(self._mine()):
                by_trial.setdefault(_trial_of(run), []).append(run)
            for runs in by_trial.values():
                runs.sort(key=lambda run: run.info.run_id)
                for run in runs[1:]:
                    client.delete_run(run.info.run_id)
            self._runs = {trial: runs[0] for trial, runs in by_trial.items()}

    def known(self) -> list[Run]:
        """The runs that were found or created, the parent among them."""
        return list(self._runs.values())

    def parent(self) -> Run:
        """The run of the study."""
        self.connect()
        return self._runs.get(None) or self._create(None, self._facts.name, self._facts.created_ms, {})

    def gather(self) -> None:
        """Hangs the runs of trials below the study's run, where theirs was deleted in MLflow and made anew."""
        client, parent_id = self.connect(), self.parent().info.run_id
        for trial, run in self._runs.items():
            if trial is not None and run.data.tags.get(MLFLOW_PARENT_RUN_ID) != parent_id:
                client.set_tag(run.info.run_id, MLFLOW_PARENT_RUN_ID, parent_id)
                self._runs[trial] = client.get_run(run.info.run_id)

    def child(self, record: TrialRecord) -> Run:
        """The run of a trial."""
        self.connect()
        return self._runs.get(record.number) or self._create(
            record.number,
            f"{self._facts.name}/{record.number}",
            record.started_ms,
            {
                TRIAL_TAG: str(record.number),
                MLFLOW_PARENT_RUN_ID: self.parent().info.run_id,
                "antisample.state": "RUNNING",
                "antisample.origin": record.origin,
            },
        )

    def share_view(self) -> None:
        """Has the MLflow UI open the study with its own filter, columns and charts; see `shared_view`."""
        client, experiment_id = self._connected()
        view = shared_view(self._facts.metrics, self._facts.searched, self._mine())
        client.set_experiment_tag(experiment_id, f"{SHARED_VIEW}{self._facts.study_id}", view)

    def link(self) -> str | None:
        """Path and query of the study's runs in the MLflow UI, behind the server's address."""
        if self._connection is None:
            return None
        return ui_link(self._connection[1], self._facts.study_id)

    def _create(self, trial: int | None, name: str, start_ms: int, tags: dict[str, str]) -> Run:
        client, experiment_id = self._connected()
        mine = self._mine()
        if trial is not None:
            mine += f" and tags.`{TRIAL_TAG}` = '{trial}'"
        with self._lock:
            runs = [run for run in self._search(mine) if _trial_of(run) == trial]
            if runs:
                run = min(runs, key=lambda run: run.info.run_id)
            else:
                tags = {STUDY_TAG: self._facts.study_id, **tags}
                run = client.create_run(experiment_id, start_time=start_ms, run_name=name, tags=tags)
                self.created += 1
        self._runs[trial] = run
        return run

    def _mine(self) -> str:
        return f"tags.`{STUDY_TAG}` = '{self._facts.study_id}'"

    def _search(self, wanted: str) -> list[Run]:
        client, experiment_id = self._connected()
        return list(
            _pages(lambda token: client.search_runs([experiment_id], wanted, max_results=_PAGE, page_token=token))
        )

    def _connected(self) -> tuple[MlflowClient, str]:
        if self._connection is None:
            raise RuntimeError("connect() comes first")
        return self._connection

    def _experiment(self, client: MlflowClient) -> str:
        """The experiment that has the study's runs, however it is called now; else the one of our name."""
        named = client.get_experiment_by_name(EXPERIMENT)
        active = named is not None and named.lifecycle_stage == "active"
        first = [named.experiment_id] if named is not None and active else []
        experiment_id = self._with_my_runs(client, first) or self._with_my_runs(client, self._others(client, first))
        if experiment_id is not None:
            return experiment_id
        if named is None:
            server = self._uri.startswith(("http", "databricks"))
            try:
                return str(client.create_experiment(EXPERIMENT, None if server else self._artifacts()))
            except MlflowException:
                named = client.get_experiment_by_name(EXPERIMENT)  # another study was faster
                if named is None:
                    raise
        if named.lifecycle_stage != "active":
            raise MlflowException(
                f"The experiment {EXPERIMENT!r} was deleted in MLflow; restore it there, or delete it permanently "
                "with `mlflow gc`."
            )
        return str(named.experiment_id)

    def _others(self, client: MlflowClient, but_for: list[str]) -> list[str]:
        pages = _pages(lambda token: client.search_experiments(max_results=_EXPERIMENTS, page_token=token))
        return [each.experiment_id for each in pages if each.experiment_id not in but_for]

    def _with_my_runs(self, client: MlflowClient, experiment_ids: list[str]) -> str | None:
        for start in range(0, len(experiment_ids), _EXPERIMENTS):
            some = experiment_ids[start : start + _EXPERIMENTS]
            for run in client.search_runs(some, self._mine(), max_results=1):
                return str(run.info.experiment_id)
        return None

    def _artifacts(self) -> str:
        folder: Path = self._facts.directory.parent / "mlartifacts"
        return folder.as_uri()


def _trial_of(run: Run) -> int | None:
    trial = run.data.tags.get(TRIAL_TAG)
    return None if trial is None else int(trial)


def _pages(ask: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    """Everything that a store gives page by page."""
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return
