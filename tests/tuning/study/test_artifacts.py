"""The files of a study beside its journal: whose they are, which are deleted, and what the study's views are."""

import re
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from antisample.errors import ConfigError, DataError
from antisample.storage.cache import Cache
from antisample.storage.file_store import FolderStore
from tuning.config.loading import load_study, parse_study
from tuning.driver.retention import ArtifactRetention
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import ORIGINAL
from tuning.study.directory import check_directory, open_study, prepared_directory
from tuning.study.storage.lease import Lease, held_lease, lease_backend
from tuning.trials.finalists import find_finalists
from tuning.views.projections import copy_projections, write_projections


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "files")


def test_files_are_in_the_studys_directory_or_in_a_folder_of_its_name(values, tmp_path, monkeypatch):
    def address(**changes):
        return StudyFiles.of(parse_study({**values, **changes})).store.address

    monkeypatch.chdir(tmp_path)
    assert address() == str(tmp_path / "made")
    assert address(storage_path="shared") == str(tmp_path / "shared" / "made")
    assert address(storage_path="s3://bucket/studies/?region=eu-west-1") == "s3://bucket/studies/made"


def test_wrong_places_are_said_with_all_other_problems_and_without_secrets(values):
    data = {"source": "digits", "cache_dir": "ftp://host/cache"}
    with pytest.raises(ConfigError) as refused:
        parse_study({**values, "storage_path": "s3://key:hidden@bucket", "data": data, "n_trials": 0})
    assert len(refused.value.problems) == 3
    assert "`storage_path` must not contain credentials" in str(refused.value)
    assert "`data.cache_dir` must begin with s3:// or gs://, but got ftp://" in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_study_is_written_and_read_with_its_places(values):
    places = {"storage_path": "s3://bucket/a", "data": {"source": "digits", "cache_dir": "gs://bucket/cache"}}
    config = parse_study({**values, **places})
    assert config.data.cache_dir == "gs://bucket/cache"
    assert parse_study(config.model_dump(mode="json")) == config


def test_a_place_belongs_to_one_study(store):
    files = StudyFiles(store)
    files.check()
    files.claim("mine")
    files.claim("mine")
    with pytest.raises(ConfigError, match="holds the files of another study"):
        StudyFiles(store).claim("another")
    store.write("study.json", b"rubbish")
    with pytest.raises(ConfigError, match="holds the files of another study"):
        files.claim("mine")


def test_models_of_the_front_stay_and_checkpoints_of_running_trials(small_study, store):
    small_study.ask("running")
    names = [f"models/trial-{number:05d}.safetensors" for number in range(6)]
    names += [f"checkpoints/trial-{number:05d}.pt" for number in range(6)] + ["models/mine.safetensors"]
    for name in names:
        store.write(name, b"1")
    (running,) = [record for record in small_study.records() if record.state == "RUNNING"]
    (failed,) = [record for record in small_study.records() if record.state == "FAIL"]
    with ArtifactRetention(small_study, StudyFiles(store)) as housekeeping:
        housekeeping.trial(running)
        assert len(store.names("models")) == 7
        housekeeping.trial(failed)
    # Trials 0 and 1 are the front, 2 failed, 3 runs; 4 and 5 may have begun since.
    assert store.names("models") == ["mine.safetensors", *(f"trial-{n:05d}.safetensors" for n in (0, 1, 3, 4, 5))]
    assert store.names("checkpoints") == [f"trial-{n:05d}.pt" for n in (3, 4, 5)]


def test_models_of_finalists_stay_once_they_are_off_the_front_and_after_another_driver(
    make_study, values, store, metrics
):
    study = make_study(parse_study({**values, "n_trials": 6}))
    for number in range(6):
        store.write(f"models/trial-{number:05d}.safetensors", b"1")

    def end(retention, key, forget, retain):
        number = study.ask(key).number
        study.complete(key, metrics(forget, retain), {})
        retention.trial(study.records()[number])

    with ArtifactRetention(study, StudyFiles(store)) as before:
        end(before, "a", 0.0, 0.80)  # alone, so no finalist, but on the front
        end(before, "b", 0.0, 0.82)  # dominates it
        end(before, "c", 0.9, 0.60)  # forgets nothing, and is off the front
    with ArtifactRetention(study, StudyFiles(store)) as after:
        end(after, "d", 0.0, 0.81)
    finalists = find_finalists(study.records(), study.config, study.noted(ORIGINAL, {}))
    assert {record.number for record in finalists} == {0, 1, 3}
    assert store.names("models") == [f"trial-{number:05d}.safetensors" for number in (0, 1, 3, 4, 5)]


def test_views_are_copied_to_the_storage(small_study, tmp_path):
    config = small_study.config
    assert copy_projections(config) is None
    study = open_study(config.directory, [f"storage_path={tmp_path / 'shared'}"])
    write_projections(study)
    assert copy_projections(study.config) is None
    for name in ("trials.parquet", "report.html", "study.yaml"):
        assert (tmp_path / "shared" / "made" / name).read_bytes() == (config.directory / name).read_bytes()


def test_views_that_cannot_be_copied_are_said(small_study, tmp_path):
    (tmp_path / "shared").write_text("a file")
    study = open_study(small_study.config.directory, [f"storage_path={tmp_path / 'shared'}"])
    write_projections(study)
    assert "shared/made/trials.parquet: cannot be written" in copy_projections(study.config)


@contextmanager
def driver(config):
    """A study's directory as `run_study` prepares it; the lease is held to the end of the block."""
    with ExitStack() as stack:
        check_directory(config)
        lease = stack.enter_context(held_lease(lease_backend(config)))
        with prepared_directory(config, lease):
            yield


def kept(config):
    return load_study(config.directory / "study.yaml").n_trials


def test_a_study_may_go_on_with_another_storage(config, tmp_path):
    with driver(config):
        pass
    with driver(config.model_copy(update={"storage_path": str(tmp_path / "elsewhere")})):
        pass


def test_a_refused_driver_leaves_the_directory_of_the_one_that_prepares_it_alone(config):
    second = config.model_copy(update={"n_trials": 9})
    with driver(config):
        (config.directory / "journal.log").touch()
        with pytest.raises(ConfigError, match="is being searched by"), driver(second):
            pass
    assert kept(config) == config.n_trials
    assert (config.directory / "journal.log").exists()


def test_what_another_driver_has_begun_since_a_driver_looked_is_compared_again(config, values):
    other = parse_study({**values, "seed": 7})
    check_directory(other)
    with driver(config):
        pass
    with held_lease(lease_backend(other)) as lease:
        preparing = prepared_directory(other, lease)
        with pytest.raises(ConfigError, match="`seed` was 0 and is now 7"):
            preparing.__enter__()
    assert load_study(config.directory / "study.yaml").seed == 0


def without_data(config):
    with driver(config):
        (config.directory / "journal.log").touch()
        raise DataError("the data are damaged")


def test_a_directory_is_deleted_only_if_it_is_new_and_could_not_be_prepared(config):
    with pytest.raises(DataError, match="damaged"):
        without_data(config)
    assert not config.directory.exists()
    config.directory.mkdir()
    (config.directory / "notes.txt").touch()
    with pytest.raises(DataError, match="damaged"):
        without_data(config)
    assert (config.directory / "notes.txt").exists()
    assert not (config.directory / "study.yaml").exists()


def overtaken(config, newer, error):
    """Prepares the directory while a newer driver, to whom this process seems dead, comes and goes."""
    lease = Lease(lease_backend(config))
    lease._mine = replace(lease._mine, process_started=lease._mine.process_started - 100)
    lease.acquire()
    try:
        with prepared_directory(config, lease):
            with driver(newer):
                pass
            if error is not None:
                raise error
    finally:
        lease.release()


@pytest.mark.parametrize("error", [None, DataError("the data are damaged")])
def test_a_driver_whose_lease_was_taken_over_leaves_the_directory_to_the_newer_one(config, error):
    with pytest.raises(DataError, match="another driver has taken over" if error is None else "damaged"):
        overtaken(config, config.model_copy(update={"n_trials": 9}), error)
    assert kept(config) == 9


def test_the_guides_places_are_understood(values):
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "storage.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        config = parse_study({**values, **yaml.safe_load(block)})
        assert StudyFiles.of(config).store.address.endswith("/made")
        Cache.at(config.data.cache_dir)
