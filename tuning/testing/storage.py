"""What every storage of studies promises, for trials, notes and the lease of the driver."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from antisample.errors import AntisampleError, ConfigError
from tuning.config.loading import parse_study
from tuning.config.study import StudyConfig
from tuning.study.attributes import COMMAND, ID, ORIGINAL, StudyAttribute
from tuning.study.reader import StudyReader
from tuning.study.storage.lease import Lease, held_lease, lease_backend
from tuning.study.storage.lease_owner import LeaseLostError, LeaseOwner
from tuning.study.study import Study

_ANOTHER_PROCESS = (
    "import sys, yaml; from tuning.config.loading import parse_study; "
    "from tuning.study.storage.lease import Lease, lease_backend; "
    "Lease(lease_backend(parse_study(yaml.safe_load(sys.stdin)))).acquire()"
)

MakeStudy = Callable[[StudyConfig], Study]


class StudyStorageConformance:
    """Subclass it and override the fixture `storage`; pytest then runs the suite on that storage."""

    @pytest.fixture
    def storage(self) -> str | None:
        """The key `storage` of a study: an address that no other test uses, or None for the study's directory."""
        raise NotImplementedError("override the fixture `storage`")

    @pytest.fixture
    def config(self, tmp_path: Path, storage: str | None) -> StudyConfig:
        """A study that is kept there; nothing of it is computed."""
        return parse_study(
            {
                "name": "conformance",
                "runs_dir": str(tmp_path),
                "data": {"source": "digits"},
                "model": {"name": "SmallCNN"},
                "forget": {"classes": [3]},
                "objectives": [
                    {"metric": "validation/forget_accuracy", "direction": "minimize"},
                    {"metric": "validation/retain_accuracy", "direction": "maximize"},
                ],
                "sampler": "random",
                "n_trials": 30,
                "storage": storage,
            }
        )

    @pytest.fixture
    def drive(self) -> Iterator[MakeStudy]:
        """Opens a study with its lease, as a driver does; the next driver takes the lease from the one before."""
        leases: list[Lease] = []

        def make(config: StudyConfig) -> Study:
            config.directory.mkdir(parents=True, exist_ok=True)
            for lease in leases:
                lease.release()
            leases.append(Lease(lease_backend(config)))
            leases[-1].acquire()
            study = Study(config, leases[-1])
            if study.noted(ORIGINAL) is None:
                study.note(ORIGINAL, {"validation/forget_accuracy": 0.9, "validation/retain_accuracy": 0.9})
                study.note(ID, "an id")
            return study

        yield make
        for lease in leases:
            lease.release()

    def test_what_a_driver_writes_another_process_reads(self, config: StudyConfig, drive: MakeStudy) -> None:
        study, reader = drive(config), StudyReader(config)
        study.ask("a")
        study.report("a", _epoch(1))
        study.complete("a", _metrics(0.1), {"validation/forget": 9}, worker="here/1")
        study.ask("b")
        assert reader.records() == study.records() == StudyReader(config).records()
        first, second = reader.records()
        assert (first.state, first.values, first.counts) == ("COMPLETE", (0.1, 0.8), {"validation/forget": 9})
        assert [step.metrics for step in first.steps] == [_epoch(1)["metrics"]]
        assert (second.state, second.number) == ("RUNNING", 1)

    def test_parameters_come_back_exactly_as_they_were_suggested(self, config: StudyConfig, drive: MakeStudy) -> None:
        study = drive(config)
        suggested = [record.params for key in map(str, range(12)) if (record := study.ask(key)) is not None]
        assert [record.params for record in StudyReader(config).records()] == suggested

    def test_trials_are_numbered_without_gaps(self, config: StudyConfig, drive: MakeStudy) -> None:
        study = drive(config)
        for key in map(str, range(40)):
            if study.ask(key) is not None:
                study.complete(key, _metrics(0.1), {})
        assert [record.number for record in StudyReader(config).records()] == list(range(30))

    @pytest.mark.parametrize(
        "value", [3, 0.1, "text", "ünïcödé ✓", [1, [2.5, "x"]], {"a": {"b": [None, True]}}, "x" * 100_000]
    )
    def test_notes_are_kept_and_replaced(self, config: StudyConfig, drive: MakeStudy, value: Any) -> None:
        study = drive(config)
        anything = StudyAttribute[Any]("anything", Any)
        study.note(anything, "before")
        study.note(anything, value)
        assert StudyReader(config).noted(anything) == value
        assert StudyReader(config).noted(COMMAND, "a default") == "a default"

    def test_the_next_driver_goes_on_with_trials_under_way(self, config: StudyConfig, drive: MakeStudy) -> None:
        study = drive(config)
        begun = [record for key in "abc" if (record := study.ask(key)) is not None]
        study.report("b", _epoch(1))
        study.complete("a", _metrics(0.1), {})
        continued = drive(config)
        again = [continued.ask(key) for key in ("x", "y", "z")]
        numbers_and_params = [(record.number, record.params) for record in again if record is not None]
        assert numbers_and_params[:2] == [
            (record.number, record.params) for record in begun[1:] if record is not None
        ]
        assert numbers_and_params[2][0] == 3
        assert [len(record.steps) for record in continued.records()] == [0, 1, 0, 0]

    def test_a_trial_that_has_ended_stays_as_it_is(self, config: StudyConfig, drive: MakeStudy) -> None:
        study = drive(config)
        study.ask("a")
        study.complete("a", _metrics(0.1), {})
        study.complete("a", _metrics(0.9), {})
        study.fail("a", "too late")
        (record,) = StudyReader(config).records()
        assert (record.state, record.values, record.error) == ("COMPLETE", (0.1, 0.8), None)

    def test_studies_of_two_names_know_nothing_of_each_other(self, config: StudyConfig, drive: MakeStudy) -> None:
        drive(config).ask("a")
        other = config.model_copy(update={"name": "other", "study_name": "other"})
        assert drive(other).records() == []
        assert len(StudyReader(config).records()) == 1

    def test_a_study_with_other_objectives_is_refused(self, config: StudyConfig, drive: MakeStudy) -> None:
        drive(config).ask("a")
        other = {**config.model_dump(mode="json"), "storage": config.storage}
        with pytest.raises(ConfigError, match="other objectives"):
            drive(parse_study({**other, "objectives": other["objectives"][:1]}))

    def test_reading_begins_no_study(self, config: StudyConfig) -> None:
        config.directory.mkdir()
        for _ in range(2):
            with pytest.raises(AntisampleError):
                StudyReader(config)

    def test_a_second_driver_is_refused_with_host_process_and_time(self, config: StudyConfig) -> None:
        config.directory.mkdir()
        backend = lease_backend(config)
        assert backend.read() is None
        with held_lease(backend) as lease, pytest.raises(ConfigError) as caught, held_lease(backend):
            pass
        said = f"{backend.where} is being searched by process {os.getpid()} on {socket.gethostname()} since 2"
        assert said in str(caught.value)
        assert lease.previous is None
        with held_lease(backend) as again:
            assert again.previous is None
        assert backend.read() is None

    def test_the_lease_of_a_dead_process_is_taken_over(self, config: StudyConfig) -> None:
        config.directory.mkdir()
        backend = lease_backend(config)
        command = [sys.executable, "-c", _ANOTHER_PROCESS]
        subprocess.run(command, input=config.to_yaml(), text=True, check=True)  # noqa: S603  (our own code)
        left = backend.read()
        assert left is not None
        assert not left.is_alive()
        with held_lease(backend) as lease:
            assert lease.previous is not None
            assert lease.previous.token == left.token

    def test_a_driver_elsewhere_keeps_its_lease(self, config: StudyConfig) -> None:
        config.directory.mkdir()
        backend, here = lease_backend(config), LeaseOwner.this_process()
        away = replace(here, host="another machine")
        assert backend.acquire(away) is None
        with pytest.raises(ConfigError, match=r"is being searched by process .* on another machine"):
            backend.acquire(replace(here, token=f"{away.token}, another"))
        owner = backend.read()
        assert owner is not None
        assert owner.token == away.token

    def test_a_heartbeat_renews_the_lease(self, config: StudyConfig) -> None:
        config.directory.mkdir()
        backend = lease_backend(config)
        owner = LeaseOwner.this_process()
        backend.acquire(owner)
        before = backend.read()
        backend.heartbeat(replace(owner, beat=owner.beat + 5))
        after = backend.read()
        assert before is not None
        assert after is not None
        assert after.beat > before.beat

    def test_an_older_driver_writes_nothing_more(self, config: StudyConfig) -> None:
        config.directory.mkdir()
        backend = lease_backend(config)
        lease = Lease(backend)
        lease._mine = replace(lease._mine, process_started=lease._mine.process_started - 100)  # a process that died
        lease.acquire()
        study = Study(config, lease)
        study.ask("a")
        with held_lease(backend) as newer:
            assert newer.previous is not None
            assert newer.previous.token == lease.token
            writes: list[Callable[[], object]] = [
                lambda: study.ask("b"),
                lambda: study.report("a", {}),
                lambda: study.complete("a", _metrics(0.0), {}),
                lambda: study.fail("a", "whatever"),
                lambda: study.abort_running("whatever"),
                lambda: study.note(StudyAttribute("a", int), 1),
            ]
            for write in writes:
                with pytest.raises(LeaseLostError, match="another driver has taken over"):
                    write()
            lease.release()
            owner = backend.read()
            assert owner is not None
            assert owner.token == newer.token, "what another holds is not given back"
        (left,) = StudyReader(config).optuna_study().trials
        assert (left.state.name, "error" in left.user_attrs) == ("RUNNING", False)


def _metrics(forget: float) -> dict[str, float]:
    return {
        "validation/forget_accuracy": forget,
        "validation/retain_accuracy": 0.8,
        "validation/forget_confidence": forget,
    }


def _epoch(number: int) -> dict[str, Any]:
    return {
        "step": number,
        "replicate": 0,
        "elapsed_s": float(number),
        "evaluation_s": 0.5,
        "train_loss": 0.1,
        "metrics": {"validation/forget_accuracy": 0.5, "validation/retain_accuracy": 0.8},
    }
