"""A study in a database whose answers get lost, that others use, too, or that is not there."""

import itertools
import shutil

import optuna
import psycopg
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from postgresql import postgresql_server, programs
from sqlalchemy.exc import OperationalError

from antisample.errors import ConfigError, DataError
from tuning.config.loading import parse_study
from tuning.study.attributes import ID
from tuning.study.directory import check_settings, note_settings, open_study
from tuning.study.reader import StudyReader
from tuning.study.storage.connection import connected, engine_arguments, opened, with_retries
from tuning.study.storage.lease import held_lease, lease_backend
from tuning.study.study import Study
from tuning.trust.study_id import remember_id

pytestmark = pytest.mark.integration


@pytest.fixture
def values(values, database):
    return {**values, "storage": database}


@pytest.mark.parametrize("asked", ["password", "md5", "scram-sha-256"])
def test_a_password_is_never_sent_in_clear_text(asked, monkeypatch):
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (make system)")
    monkeypatch.setenv("PGPASSWORD", "swordfish")
    with postgresql_server() as server:
        address = server.add_user("careful", "swordfish", asked)
        with psycopg.connect(address):  # as a client does that takes no care
            pass
        if asked == "password":
            with pytest.raises(DataError, match="authentication method requirement") as caught:
                opened(address, lambda: connected(address).connect().close())
            assert "swordfish" not in str(caught.value)
        else:  # a password that is kept as SCRAM has no MD5, so such a server asks for SCRAM, too
            opened(address, lambda: connected(address).connect().close())


@pytest.mark.parametrize(
    ("mode", "given"), [("verify-full", True), ("require", True), ("prefer", False), ("disable", False)]
)
def test_a_connection_by_tls_may_be_asked_for_any_password(mode, given, monkeypatch):
    def rule(address):
        return engine_arguments(address)[1]["connect_args"].get("require_auth")

    assert (rule(f"postgresql://me@host/db?sslmode={mode}") is None) is given
    monkeypatch.setenv("PGSSLMODE", mode)
    assert (rule("postgresql://me@host/db") is None) is given


def trials(study):
    return [(t.number, t.state, t.values, t.params.keys(), t.user_attrs.keys()) for t in study.optuna_study().trials]


def search(study, metrics, report):
    study.enqueue({"p": 0.5}, "by hand")
    for key in "abc":
        study.ask(key)
        study.report(key, report(1))
        study.complete(key, metrics(0.1, 0.8), {})
    study.ask("d")
    study.abort_running("it was stopped.")


def test_answers_that_get_lost_double_nothing(values, driven_study, metrics, report, monkeypatch):
    undisturbed = driven_study(parse_study({**values, "name": "undisturbed"}))
    search(undisturbed, metrics, report)
    study = driven_study(parse_study(values))
    dialect, lost, turns = study._storage.engine.dialect, [], itertools.cycle([True, False])
    commit = dialect.do_commit

    def commit_unheard(connection):
        commit(connection)
        if next(turns):
            connection.dbapi_connection.close()
            lost.append(connection)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(dialect, "do_commit", commit_unheard)
    monkeypatch.setattr("time.sleep", lambda _: None)
    search(study, metrics, report)
    assert len(lost) > 100
    assert trials(study) == trials(undisturbed)
    assert [state for _, state, *_ in trials(study)][:5] == [TrialState.COMPLETE] * 3 + [
        TrialState.FAIL,
        TrialState.WAITING,
    ]


def test_a_driver_sees_what_others_see_and_reads_only_what_it_changed(
    values, driven_study, metrics, report, monkeypatch
):
    study = driven_study(parse_study({**values, "n_trials": 40}))
    built, build = [], RDBStorage._build_frozen_trial_from_trial_model
    monkeypatch.setattr(
        RDBStorage,
        "_build_frozen_trial_from_trial_model",
        lambda self, trial: (built.append(trial.number), build(self, trial))[1],
    )
    for number in range(20):
        study.ask(f"under way {number}")
    assert len(built) < 5 * 20, "each new trial is read a few times, the others are not read again with it"
    for number in range(5):
        study.ask(f"{number}")
        study.report(f"{number}", report(1))
        study.complete(f"{number}", metrics(0.1, 0.8), {})
        seen = study.records()
        assert seen == StudyReader(study.config).records()
    study.fail("under way 3", "by itself")
    study.ask("after")
    built.clear()
    study.report("after", report(1))
    study.complete("after", metrics(0.2, 0.9), {})
    assert study.records()[-1].state == "COMPLETE"
    assert set(built) == {study.records()[-1].number}
    built.clear()
    study.report("under way 5", report(1))
    oldest = study.ask("under way 5").number
    study.records()
    assert set(built) == {oldest}, "a change of an older trial does not bring the newer ones along"
    assert study.records() == StudyReader(study.config).records()


def test_a_server_that_stays_away_is_an_error_in_the_end(monkeypatch):
    monkeypatch.setattr("tuning.study.storage.connection.PATIENCE_S", 0.5)

    def fail():
        raise OperationalError("SELECT 1", None, ConnectionError("connection refused"))

    with pytest.raises(DataError, match=r"postgresql://me@host/db: .* not responded for 0 s \(connection refused\)"):
        with_retries("postgresql://me:secret@host/db", fail)


def test_a_server_that_is_not_there_is_an_error_at_once(values, driven_study):
    with pytest.raises(DataError, match=r"postgresql://me@127.0.0.1:1/db: cannot be opened"):
        driven_study(parse_study({**values, "storage": "postgresql://me@127.0.0.1:1/db"}))


def test_studies_of_one_database_are_told_apart_by_name(values, driven_study):
    first, second = (driven_study(parse_study({**values, "study_name": name})) for name in ("first", "second"))
    first.ask("a")
    assert (len(first.records()), len(second.records())) == (1, 0)
    assert set(optuna.get_all_study_names(values["storage"])) == {"first", "second"}


def test_the_same_name_elsewhere_is_the_same_study_and_other_settings_are_refused(values, driven_study, tmp_path):
    study = driven_study(parse_study(values))
    note_settings(study)
    study.ask("a")
    elsewhere = {**values, "runs_dir": str(tmp_path / "elsewhere"), "n_trials": 9}
    again = driven_study(parse_study(elsewhere))
    note_settings(again)
    assert again.records() == study.records()
    with pytest.raises(ConfigError, match="holds another study 'made': 2 problems:\n  - `seed` was 0 and is now 7"):
        note_settings(driven_study(parse_study({**elsewhere, "seed": 7})))


def test_a_directory_goes_on_with_its_own_study_alone(values, driven_study, database_server, tmp_path):
    config = parse_study(values)
    study = driven_study(config)
    remember_id(config.directory, study.noted(ID))
    (config.directory / "study.yaml").write_text(config.to_yaml())
    with pytest.raises(ConfigError, match="you did not create this study on this machine"):
        open_study(config.directory)
    assert open_study(config.directory, storage=config.storage).records() == []
    assert open_study(config.directory).records() == []  # what was said once is remembered
    optuna.copy_study(
        from_study_name="made", from_storage=config.storage, to_storage=database_server, to_study_name="moved"
    )
    moved = config.model_copy(update={"storage": database_server, "study_name": "moved"})
    assert driven_study(moved).noted(ID) == study.noted(ID)
    with pytest.raises(ConfigError, match=r"The study 'lost' in the database is not there"):
        driven_study(moved.model_copy(update={"study_name": "lost"}))
    driven_study(moved.model_copy(update={"study_name": "other", "runs_dir": tmp_path / "elsewhere"})).note(
        ID, "other"
    )
    with pytest.raises(ConfigError, match=r"The study 'other' in the database is another study"):
        driven_study(moved.model_copy(update={"study_name": "other"}))


def test_a_start_that_failed_leaves_the_name_free(values, driven_study, tmp_path):
    first = parse_study(values)
    place = lease_backend(first)
    first.directory.mkdir()
    with held_lease(place) as lease:
        Study(first, lease)  # and then its data could not be read
    shutil.rmtree(first.directory)
    one = [{"metric": "validation/forget_accuracy", "direction": "minimize"}]
    second = driven_study(parse_study({**values, "objectives": one, "seed": 7}))
    check_settings(second)
    note_settings(second)
    assert second.ask("a").number == 0
    with pytest.raises(ConfigError, match="holds a study with other objectives"):
        driven_study(first)
