"""What `resume --set` may change, how it is kept, and how it travels to a cluster."""

import pytest
import yaml

from antisample.errors import ConfigError
from tuning.cli.commands import studies
from tuning.study.changes import BY_SET, MAY_CHANGE, check_changes
from tuning.study.directory import prepared_directory, study_config
from tuning.study.storage.lease import Lease, lease_backend


def test_what_can_be_set_is_among_what_may_change():
    assert set(BY_SET) < MAY_CHANGE
    check_changes([f"{key}=1" for key in BY_SET])
    check_changes(["resources.max_concurrent=2", " n_trials =3"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sampler=tpe", "`--set` cannot change `sampler` of a study that has begun."),
        ("fixed.epochs=3", "`--set` cannot change `fixed` of a study that has begun."),
        (
            "tracking_uri=none",
            "`--set` cannot change `tracking_uri` of a study that has begun; use `--tracking-uri`.",
        ),
        ("name=other", "`--set` cannot change `name` of a study that has begun; rename the study's folder."),
    ],
)
def test_what_is_searched_does_not_change_and_what_may_is_named(small_study, call, change, said):
    directory = small_study.config.directory
    before = (directory / "study.yaml").read_bytes()
    code, out, err = call("resume", directory, "--set", change)
    assert (code, out) == (2, "")
    assert said in err
    assert "`--set` can change n_trials, time_budget_min, " in err
    assert (directory / "study.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("n_trial=9", "`n_trial` is not a setting. Did you mean `n_trials`?"),
        ("n_trials=0", "`n_trials` must be greater than or equal to 1, but got 0."),
        ("resources.max_concurent=1", "Did you mean `resources.max_concurrent`?"),
        ("n_trials", "`--set` takes key=value, but got 'n_trials'."),
    ],
)
def test_a_change_that_is_no_setting_is_refused(small_study, call, change, said):
    code, _, err = call("resume", small_study.config.directory, "--set", change)
    assert code == 2
    assert said in err


def test_a_change_is_kept_for_the_next_resume(small_study):
    directory = small_study.config.directory
    changed = study_config(directory, ["n_trials=9", "resources.max_concurrent=2", "selection.max_loss=0.2"])
    lease = Lease(lease_backend(changed))
    lease.acquire()
    with prepared_directory(changed, lease):
        pass
    lease.release()
    kept = study_config(directory)
    assert (kept.n_trials, kept.resources.max_concurrent, kept.selection.max_loss) == (9, 2, 0.2)
    assert kept.sampler == small_study.config.sampler


def test_changes_travel_to_a_cluster(small_study, call, tmp_path, monkeypatch):
    cluster = tmp_path / "slurm.yaml"
    cluster.write_text(yaml.safe_dump({"launcher": "slurm", "shared_dir": str(tmp_path)}))
    jobs = []
    monkeypatch.setattr(studies, "submit_study", lambda _spec, job, _as_json: jobs.append(job))
    words = ["--set", "n_trials=9", "--set", "resources.max_concurrent=2"]
    code, _, err = call("resume", "made", *words, "--cluster", cluster)
    assert (code, err) == (0, "")
    command = jobs[0].command("folder")
    assert command[:2] == ["antisample", "resume"]
    assert " ".join(words) in " ".join(command)
    code, _, err = call("resume", "made", "--set", "n_trials=many", "--cluster", cluster)
    assert (code, len(jobs)) == (2, 1)
    assert "`n_trials` must be a whole number, but got 'many'." in err


def test_a_store_that_the_user_states_is_agreed_to(small_study):
    config = study_config(small_study.config.directory, ["storage_path=s3://bucket/studies"])
    assert studies.stated_stores(config, ["storage_path=s3://bucket/studies"]) == ["s3://bucket/studies"]
    assert studies.stated_stores(config, ["n_trials=9"]) == []


def test_several_settings_are_refused_at_once():
    with pytest.raises(ConfigError) as caught:
        check_changes(["sampler=tpe", "seed=3", "seed=4"])
    assert len(caught.value.problems) == 3
