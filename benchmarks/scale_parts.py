"""What `bench_scale.py` measures, in a process each: functions of a folder, trials under way and trials in all."""

import os
import resource
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any

import overhead_trials
import psycopg
from mlflow_server import mlflow_server
from overhead_trials import StudyTrial, content, final, study_config

from cluster import local_ray
from tuning.config.study import StudyConfig
from tuning.driver.capacity import TrialResources
from tuning.driver.search import search
from tuning.study.attributes import CREATED_MS, ID
from tuning.study.history import record_search_end
from tuning.study.outcome import find_outcome
from tuning.study.storage.lease import held_lease, lease_backend
from tuning.study.study import Study
from tuning.views.mlflow import MlflowWriter, SearchSummary, StudyMetadata, Tracker

SIZES = (100, 300, 1000, 3000, 10_000)
EPOCHS = 5
Row = dict[str, float]


class NoTrial(StudyTrial):
    """Reports at once."""

    def step(self) -> dict[str, Any]:
        """The whole trial."""
        overhead_trials.SLEEP_S = 0.0
        return super().step()


def controller(folder: Path, workers: int, most: int) -> list[Row]:
    """Milliseconds a trial, the mean of the last tenth before each size; memory, and size of the journal."""
    config = _made(study_config(folder, most + workers + 1, "none", "random"))
    seconds: deque[float] = deque(maxlen=max(SIZES))
    rows = []
    for n, second in enumerate(_trials(Study(config), workers, most), 1):
        seconds.append(second)
        if n in SIZES:
            last = list(seconds)[-max(20, n // 10) :]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            journal = (config.directory / "journal.log").stat().st_size / 1e6
            rows.append(
                {"workers": workers, "trials": n, "ms_a_trial": 1000 * fmean(last), "peak_mib": peak, "mb": journal}
            )
    return rows


def epochs(folder: Path, workers: int, most: int) -> list[Row]:
    """Milliseconds a trial that reports five epochs instead of one."""
    config = _made(study_config(folder, most + workers + 1, "none", "random"))
    seconds = list(_trials(Study(config), workers, most, EPOCHS))
    return [{"workers": workers, "trials": most, "ms_a_trial": 1000 * fmean(seconds[-most // 10 :])}]


def suggestions(folder: Path, workers: int, most: int) -> list[Row]:
    """Milliseconds of TPE itself for a suggestion, the median of ten, in studies of different sizes."""
    config = _made(study_config(folder / "random", most + workers + 1, "none", "random"))
    rows = []
    for n, _ in enumerate(_trials(Study(config), workers, most), 1):
        if n in SIZES:
            place = folder / f"tpe-{n}"
            shutil.copytree(folder / "random", place)
            study = Study(study_config(place, most + 2 * workers + 100, "none", "tpe"))
            for number in range(workers):
                study.ask(f"under way {number}")
            sampler: Any = study.optuna_study().sampler
            timed = []
            for number in range(10):
                before = sampler.busy_s
                study.ask(f"timed {number}")
                timed.append(sampler.busy_s - before)
            rows.append({"workers": workers, "trials": n, "ms_a_suggestion": 1000 * median(timed)})
    return rows


def in_database(folder: Path, workers: int, most: int) -> list[Row]:
    """Trials of five reports on PostgreSQL (ANTISAMPLE_DATABASE): milliseconds, commits and kilobytes a trial."""
    address = os.environ["ANTISAMPLE_DATABASE"]
    config = _made(study_config(folder, most + workers + 1, "none", "random"))
    config = config.model_copy(update={"storage": address, "study_name": uuid.uuid4().hex})
    with (
        held_lease(lease_backend(config)) as lease,
        psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as database,
    ):
        study, before = Study(config, lease), _database_use(database)
        seconds = list(_trials(study, workers, most, EPOCHS))
        time.sleep(2)  # statistics are gathered late
        commits, size = (now - then for now, then in zip(_database_use(database), before, strict=True))
    row = {"workers": workers, "trials": most, "ms_a_trial": 1000 * fmean(seconds[-most // 10 :])}
    return [row | {"commits_a_trial": commits / most, "kb_a_trial": size / most / 1000}]


def delivery(folder: Path, workers: int, most: int) -> list[Row]:
    """Milliseconds a trial of five epochs, and its bytes, until everything is in an MLflow server on SQLite."""
    study = Study(_made(study_config(folder, most + workers + 1, "none", "random")))
    study.note(ID, uuid.uuid4().hex)
    study.note(CREATED_MS, time.time_ns() // 1_000_000)
    for _ in _trials(study, workers, most, EPOCHS):
        pass
    with mlflow_server(folder) as uri:
        before, started = (folder / "server.db").stat().st_size, time.perf_counter()
        tracker = Tracker(lambda: MlflowWriter(StudyMetadata.of(study), uri))
        for record in study.records():
            tracker.submit(record)
        record_search_end(study, find_outcome(study))
        problem = tracker.close(SearchSummary.of(study), timeout_s=None)
        elapsed, size = time.perf_counter() - started, (folder / "server.db").stat().st_size - before
    if problem is not None:
        raise RuntimeError(problem)
    return [
        {"workers": workers, "trials": most, "ms_a_trial": 1000 * elapsed / most, "kb_a_trial": size / most / 1000}
    ]


def on_ray(folder: Path, workers: int, most: int) -> list[Row]:
    """Milliseconds a trial of a search on Ray whose trials do nothing; start-up apart."""
    config = _made(study_config(folder, most, "none", "random"))
    with held_lease(lease_backend(config)) as lease, local_ray(workers):
        study, ends = Study(config, lease), []
        study.listen(lambda record: record.state == "COMPLETE" and ends.append(time.perf_counter()))
        started = time.perf_counter()
        search(study, NoTrial, TrialResources(1, 0), lambda: workers)
    steady = (ends[-1] - ends[most // 5]) / (most - 1 - most // 5)
    return [{"workers": workers, "trials": most, "first_trial_s": ends[0] - started, "ms_a_trial": 1000 * steady}]


PARTS: dict[str, Callable[[Path, int, int], list[Row]]] = {
    part.__name__: part for part in (controller, epochs, suggestions, in_database, delivery, on_ray)
}


def _made(config: StudyConfig) -> StudyConfig:
    config.directory.mkdir(parents=True)
    return config


def _trials(study: Study, workers: int, most: int, epochs: int = 1) -> Iterator[float]:
    """Seconds of the controller for each trial: asking, reports, telling, the front; so many are under way."""
    study.listen(lambda record: record.state == "RUNNING" or study.front())
    under_way: deque[tuple[str, dict[str, Any]]] = deque()
    for number in range(most + workers - 1):
        started = time.perf_counter()
        record = study.ask(str(number))
        if record is None:
            raise RuntimeError("the study suggests nothing more")
        under_way.append((str(number), record.params))
        if len(under_way) == workers:
            key, params = under_way.popleft()
            for step in range(1, epochs + 1):
                study.report(key, {**content(params), "step": step, "last": step == epochs})
            study.complete(key, **final(params))
            yield time.perf_counter() - started


def _database_use(database: psycopg.Connection) -> tuple[int, int]:
    query = "SELECT xact_commit, pg_database_size(datname) FROM pg_stat_database WHERE datname = current_database()"
    found = database.execute(query).fetchone()
    if found is None:
        raise RuntimeError("the database tells nothing of itself")
    return found[0], found[1]
