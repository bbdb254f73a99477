"""The command line's answers to users' mistakes: one message, exit code 2, nothing half-written."""

import io
import json
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from antisample.models import build_model
from tuning.config.loading import parse_study
from tuning.views.terminal.outcome import apply_command


@pytest.fixture
def study_file(values, tmp_path):
    def write(**changes):
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}))
        return path

    return write


@pytest.mark.parametrize(
    "command", ["run", "resume", "report", "spaces", "pretrain", "unlearn", "verify", "reproduce", "toy"]
)
def test_help_shows_a_working_example(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0
    assert f"antisample {command}" in " ".join(out.split())


def test_spaces_lists_spaces_and_published_sets(call):
    code, out, _ = call("spaces", "--json")
    assert code == 0
    content = json.loads(out)
    assert set(content["spaces"]) == {
        "antisample",
        "antisample-published",
        "filtration",
        "finetune",
        "gradient_ascent",
        "head",
        "neggrad_plus",
        "random_labels",
        "retrain",
        "unsir",
    }
    assert len(content["published"]) == 40


def test_a_space_is_shown_with_its_reasons(call):
    code, out, _ = call("spaces", "antisample")
    assert code == 0
    assert "unlearn_scale_lr" in out
    assert "0.1 to 6 (log)" in out


@pytest.mark.integration
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"method": "amnesia"},
            "`method` must be one of antisample, filtration, finetune, gradient_ascent, head, mask, neggrad_plus, "
            "random_labels, retrain, unsir, but got 'amnesia'.",
        ),
        ({"model": {"name": "ResNet10"}}, "`model.name` must be one of SmallCNN"),
        (
            {"space": "wide"},
            "`space` must be one of antisample, antisample-published, filtration, finetune, gradient_ascent, head, "
            "neggrad_plus, random_labels, retrain, unsir or the path",
        ),
        ({"forget": {"classes": [77]}}, "`forget.classes` must be class names, and some of these are numbers"),
        ({"forget": {"classes": list(range(10))}}, "must leave at least one class, but got all 10."),
        ({"data": {"source": "no_such_set"}}, "no_such_set"),
        ({"data": {"source": "./no/such/folder"}}, "no/such/folder"),
        ({"resources": {"gpus_per_trial": 64}}, "`resources.gpus_per_trial` must be at most"),
        ({"resources": {"cpus_per_trial": 5000}}, "`resources.cpus_per_trial` must be at most"),
        ({"device": "tpu"}, "`device` must be auto, cpu, cuda or cuda:N, but got 'tpu'."),
        ({"model": {"name": "SmallCNN", "checkpoint": "gone.pt"}}, "gone.pt: the checkpoint does not exist."),
        (
            {"objectives": [{"metric": "speed", "direction": "minimize"}]},
            "`objectives.0.metric` must be one of validation/",
        ),
    ],
)
def test_mistakes_in_a_study_exit_with_2_and_write_no_results(call, study_file, tmp_path, changes, message):
    code, out, err = call("run", study_file(**{"tracking_uri": "none", **changes}))
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "made").exists()


@pytest.mark.integration
def test_a_directory_with_another_study_is_refused_by_key(call, study_file, config, make_study):
    make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    before = sorted(path.name for path in config.directory.iterdir())
    code, _, err = call("run", study_file(seed=1, n_trials=9, forget={"classes": [4]}))
    assert code == 2
    assert "holds another study" in err
    assert "`seed` was 0 and is now 1." in err
    assert "`forget` was" in err
    assert "n_trials" not in err
    assert sorted(path.name for path in config.directory.iterdir()) == before


@pytest.mark.integration
def test_a_read_only_output_folder_is_refused(call, study_file, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    code, _, err = call("run", study_file(runs_dir=str(blocked)))
    assert code == 2
    assert "blocked/made: cannot be written" in err


@pytest.mark.parametrize("command", ["resume", "report"])
def test_a_directory_without_a_study_is_refused(call, command, tmp_path):
    code, _, err = call(command, tmp_path)
    assert code == 2
    assert "contains no study; expected study.yaml" in err


def test_a_missing_study_file_and_malformed_flags(call, study_file):
    assert call("run", "gone.yaml")[0] == 2
    assert call("run", study_file(), "--set", "n_trials")[0] == 2
    assert call("run")[0] == 2
    assert call("dance")[0] == 2


@pytest.fixture
def parquet_folder(tmp_path):
    """Ten images of two classes for each split, in the Hugging Face layout, and a way to spoil them."""

    def make(spoil):
        folder = tmp_path / "images"
        folder.mkdir()
        for split in ("train", "test"):
            file = io.BytesIO()
            Image.new("RGB", (8, 8), "white" if split == "train" else "black").save(file, "PNG")
            columns = {
                "image": [{"bytes": file.getvalue(), "path": None}] * 10,
                "label": [i % 2 for i in range(10)],
            }
            spoil(columns)
            pq.write_table(pa.table(columns), folder / f"{split}-00000.parquet")
        return str(folder)

    return make


def truncated(columns):
    whole = columns["image"][0]["bytes"]
    columns["image"] = [
        *columns["image"][:7],
        {"bytes": whole[: len(whole) // 2], "path": None},
        *columns["image"][8:],
    ]


def renamed(columns):
    columns["picture"] = columns.pop("image")


@pytest.mark.integration
@pytest.mark.parametrize(("spoil", "message"), [(truncated, "row 7"), (renamed, "picture")])
def test_spoilt_parquet_files_are_refused_with_file_and_place(
    call, study_file, tmp_path, parquet_folder, spoil, message
):
    data = {"source": parquet_folder(spoil), "cache_dir": str(tmp_path / "cache")}
    code, out, err = call("run", study_file(data=data, forget={"classes": [1]}, tracking_uri="none"))
    assert code == 2
    assert ".parquet" in err
    assert message in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "made").exists()


@pytest.mark.integration
def test_an_empty_data_folder_is_refused(call, study_file, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = call("run", study_file(data={"source": str(tmp_path / "empty")}))
    assert code == 2
    assert "empty" in err
    assert not (tmp_path / "made").exists()


@pytest.mark.integration
def test_a_checkpoint_of_another_architecture_is_refused(call, study_file, tmp_path):
    path = tmp_path / "resnet9.safetensors"
    save_file(build_model("ResNet9", 10, 1).state_dict(), path)
    code, _, err = call("run", study_file(model={"name": "SmallCNN", "checkpoint": str(path)}))
    assert code == 2
    assert "SmallCNN" in err
    assert not (tmp_path / "made").exists()


@pytest.mark.integration
def test_a_checkpoint_that_would_execute_code_is_refused_and_does_not_run(call, study_file, tmp_path):
    class Payload:
        def __reduce__(self):
            return open, (str(tmp_path / "executed"), "w")

    path = tmp_path / "evil.pt"
    torch.save({"state_dict": Payload()}, path, pickle_module=pickle)
    code, _, err = call("run", study_file(model={"name": "SmallCNN", "checkpoint": str(path)}))
    assert code == 2
    assert "evil.pt" in err
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "made").exists()


def test_all_problems_of_a_study_are_listed_at_once(call, study_file):
    changes = {"n_trials": 0, "colour": "blue", "method": "amnesia", "split": {"validation": 7}}
    code, _, err = call("run", study_file(**changes))
    assert code == 2
    for key in ("n_trials", "colour", "method", "split.validation"):
        assert f"`{key}`" in err


def test_toy_prints_its_summary_and_refuses_no_seeds(call, tmp_path):
    code, out, _ = call("toy", "--out", tmp_path / "toy", "--seeds", "2", "--set", "noise_epochs=2", "--json")
    assert code == 0
    assert json.loads(out)["picture"] == str(tmp_path / "toy" / "toy.png")
    assert {path.name for path in (tmp_path / "toy").iterdir()} == {"toy.png", "toy.csv"}
    code, _, err = call("toy", "--out", tmp_path / "none", "--seeds", "0")
    assert code == 2
    assert "`seeds` must be at least 1, but got 0" in err
    assert not (tmp_path / "none").exists()
    code, _, err = call("toy", "--out", tmp_path / "none", "--set", "batch_size=1", "--set", "colour=red")
    assert code == 2
    assert "`batch_size` must be greater than or equal to 2, but got 1" in err
    assert "`colour` is not a setting" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unlearn", "--out", "x"], "`--forget` is required without `--study`"),
        (["unlearn", "--out", "x", "--study", "runs/x", "--method", "unsir"], "`--method` cannot be used with it"),
        (["unlearn", "--out", "x", "--published", "ResNet9/mnist/30", "--method", "unsir"], "omit `--method`"),
        (["unlearn", "--out", "x", "--published", "LeNet/mnist/30", "--forget", "3"], "must be one of"),
        (
            ["unlearn", "--out", "x", "--dataset", "digits", "--model", "SmallCNN", "--forget", "77"],
            "`forget.classes` must be class names, and some of these are numbers",
        ),
        (["reproduce", "--model", "SmallCNN", "--dataset", "digits", "--methods", "amnesia"], "but got 'amnesia'"),
        (["reproduce", "--model", "SmallCNN", "--dataset", "digits", "--sizes", "two"], "`--sizes` must be whole"),
        (["reproduce", "--model", "LeNet", "--dataset", "digits"], "`model.name` must be one of"),
        (
            ["reproduce", "--model", "SmallCNN", "--dataset", "digits", "--classes", "3,77"],
            "`classes` must be class names",
        ),
    ],
)
def test_mistakes_without_a_study_are_refused_and_leave_nothing(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "x").exists()
    assert not list((tmp_path / "runs").glob("reproduce*")) if (tmp_path / "runs").exists() else True


def test_a_trial_without_its_study_is_refused(call, tmp_path):
    code, _, err = call(
        "unlearn", "--trial", "3", "--published", "ResNet9/mnist/30", "--forget", "3", "--out", tmp_path
    )
    assert code == 2
    assert "`--trial` belongs to a study" in err


def test_a_trial_of_several_requests_is_applied_to_one_that_is_named(call, values, cache_dir, make_study, tmp_path):
    config = parse_study(
        {
            **values,
            "data": {"source": "digits", "cache_dir": str(cache_dir)},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
            "forget": [{"classes": [3]}, {"classes": [0, 1]}],
            "published": [],
            "fixed": {"epochs": 1},
            "selection": {"max_loss": 1},
        }
    )
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    record = study.ask("one")
    found = {f"validation/{name}": 0.0 for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")}
    study.complete("one", found, {})
    code, _, err = call("unlearn", "--study", config.directory, "--out", tmp_path / "out")
    assert code == 2
    assert "`--forget` is required, since the study has several forget requests: 3; 0,1." in err
    arguments = ("--study", config.directory, "--forget", "0,1", "--out", tmp_path / "out", "--json")
    code, out, err = call("unlearn", *arguments)
    assert code == 0, err
    content = json.loads(out)
    assert [line for line in err.splitlines() if line.startswith("Forgetting")] == [
        'Forgetting "0" (label 0), "1" (label 1): 231 training, 57 validation and 72 test images'
    ]
    request = content["request"]
    assert (request["classes"], request["labels"]) == (["0", "1"], [0, 1])
    assert (request["images"], request["validation"], request["test"]) == (231, 57, 72)
    assert 'Forgotten | "0" (label 0), "1" (label 1): 231 training' in (tmp_path / "out" / "card.md").read_text()
    assert content["config"]["forget"] == {"classes": ["0", "1"]}
    assert content["seed"] == record.seeds[1]
    assert content["origin"]["trial"] == record.number


def test_choosing_a_trial_belongs_to_a_study_and_excludes_a_number(call, small_study, tmp_path):
    code, _, err = call("unlearn", "--method", "antisample", "--select", "oracle", "--out", tmp_path / "out")
    assert (code, "`--select` belongs to a study" in err) == (2, True)
    directory = small_study.config.directory
    code, _, err = call(
        "unlearn", "--study", directory, "--trial", "1", "--select", "rule", "--out", tmp_path / "out"
    )
    assert (code, "cannot be used with `--trial 1`" in err) == (2, True)
    for command in (("unlearn", "--out", tmp_path / "out", "--study"), ("report",)):
        code, _, err = call(*command, directory, "--select", "oracle")
        assert code == 2
        assert "`selection.by` can only be oracle if `evaluation.final` contains retrained" in err
    code, _, err = call("report", directory, "--select", "best")
    assert (code, "selection.by" in err) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.integration
def test_a_warm_start_from_a_folder_without_a_study_is_refused(call, study_file, tmp_path):
    code, _, err = call("run", study_file(tracking_uri="none"), "--warm-start", tmp_path / "nothing")
    assert code == 2
    assert "nothing" in err
    assert "Traceback" not in err
    assert not (tmp_path / "made").exists()


def test_the_command_that_applies_a_trial_chooses_as_the_report_did(call, small_study):
    config = small_study.config
    assert apply_command(config).count("--select") == 0
    assert "--trial best --select oracle --out" in apply_command(config, "oracle")
    code, out, err = call("report", config.directory, "--select", "rule")
    assert code == 0, err
    assert "--trial best --select rule --out" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [("name: [", "not readable as YAML"), ("", "expected keys and values"), ("- a", "expected keys and values")],
)
def test_a_study_file_that_was_spoiled_by_hand_is_an_error(call, tmp_path, content, message):
    (tmp_path / "study.yaml").write_text(content)
    for command in ("resume", "report"):
        code, out, err = call(command, tmp_path)
        assert (code, message in err, "Traceback" in out + err) == (2, True, False)


@pytest.mark.parametrize("option", ["--forget", "--forget-samples"])
def test_an_empty_request_is_an_error(call, small_study, tmp_path, option):
    (tmp_path / "none.txt").write_text("")
    value = "" if option == "--forget" else tmp_path / "none.txt"
    code, out, err = call(
        "unlearn", "--study", small_study.config.directory, option, value, "--out", tmp_path / "out"
    )
    assert (code, "Traceback" in out + err) == (2, False)


def test_a_jobs_endpoint_is_told_where_studies_are_on_the_cluster(call, tmp_path, monkeypatch):
    sent = []

    def send(_spec, words, *_):
        sent.append(words)
        raise SystemExit(0)

    monkeypatch.setattr("tuning.cli.commands.studies.send", send)
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("launcher: existing\naddress: http://127.0.0.1:8265\nshared_dir: /shared\n")
    call("resume", "runs/demo", "--cluster", cluster)
    call("run", "studies/demo.yaml", "--warm-start", "runs/old", "--cluster", cluster)
    assert sent[0][:2] == ["resume", "/shared/runs/demo"]
    assert sent[1][2:4] == ["--warm-start", "/shared/runs/old"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sampler=best", "`sampler` must be one of auto, tpe"),
        ("sampler=no_such.module:Sampler", "cannot be built"),
        ("resources.cpus_per_trial=9999", "`resources.cpus_per_trial` must be at most"),
        ("resources.gpus_per_trial=99", "`resources.gpus_per_trial` must be at most"),
        ("resources.max_concurrent=0", "`resources.max_concurrent` must be greater than or equal to 1"),
        ("device=tpu", "`device` must be auto, cpu, cuda or cuda:N"),
    ],
)
def test_what_is_wrong_in_a_study_is_found_before_ray_starts(call, study_file, monkeypatch, override, message):
    def started(**_):
        raise AssertionError("Ray was started")

    monkeypatch.setattr("ray.init", started)
    code, _, err = call("run", str(study_file()), "--set", override)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_every_problem_with_the_machine_is_said_at_once(call, study_file):
    code, _, err = call("run", str(study_file()), "--set", "sampler=best", "--set", "resources.cpus_per_trial=9999")
    assert code == 2
    assert "2 problems" in err


@pytest.mark.parametrize(
    "cluster",
    [
        {"launcher": "local", "num_cpus": 3},
        {"launcher": "slurm", "shared_dir": "/shared", "cpus_per_node": 3},
        {"launcher": "existing", "shared_dir": "/shared", "address": "http://192.0.2.1:8265"},
    ],
)
def test_what_a_cluster_has_not_got_is_found_before_anything_is_sent(call, study_file, tmp_path, cluster):
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    words = ["run", str(study_file()), "--cluster", str(tmp_path / "cluster.yaml")]
    if cluster["launcher"] == "existing":  # what its machines have is seen when it is joined
        code, _, err = call(*words, "--set", "sampler=best")
        assert "`sampler` must be one of" in err
    else:
        code, _, err = call(*words, "--set", "resources.cpus_per_trial=4")
        assert "`resources.cpus_per_trial` must be at most 3" in err
    assert code == 2
