"""The commands `antisample memory`, and `--memory` of `run`."""

import json
import subprocess
import sys

import pytest

from tuning.memory.discovery import IMPORTED
from tuning.memory.evidence import EarlierStudy, EarlierTrial, Request
from tuning.memory.files import write_memory
from tuning.study.attributes import FINGERPRINTS, FORGET_REQUESTS


@pytest.fixture
def runs(small_study, tmp_path, metrics):
    """A folder of studies with one study, of whose three finished trials the last is the best."""
    small_study.ask("y")
    small_study.complete("y", metrics(0.0, 0.88), {})
    small_study.note(FINGERPRINTS, {"model": "a model", "data": "some data"})
    small_study.note(FORGET_REQUESTS, [[3]])
    return tmp_path


def test_studies_are_listed_exported_and_imported(call, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("memory", "list", ".", "--json")
    listed = json.loads(out)["studies"]
    assert (code, listed[0]) == (
        0,
        {"study": "made", "method": "antisample", "model": "SmallCNN", "forgotten": "3", "trials": 3, "from": "."},
    )
    assert {each["from"] for each in listed[1:]} == {"packaged"}
    assert call("memory", "export", "ours.parquet", "--from", ".")[:2] == (0, "ours.parquet: 3 trials of 1 study\n")
    code, _, err = call("memory", "export", "ours.parquet", "--from", ".")
    assert (code, "exists already" in err) == (2, True)
    assert call("memory", "import", "ours.parquet", "--to", "others")[0] == 0
    assert (tmp_path / "others" / IMPORTED / "ours.parquet").is_file()
    code, out, _ = call("memory", "list", "others", "--json")
    assert json.loads(out)["studies"][0] == {**listed[0], "from": "others"}
    code, out, _ = call("memory", "list", "others")
    assert (code, "made" in out) == (0, True)


def test_what_a_study_would_take_over_and_has_taken_over_is_shown(call, runs, small_study, values):
    file = runs / "new.yaml"
    file.write_text(json.dumps({**values, "name": "new", "forget": {"classes": [7]}, "memory": str(runs)}))
    code, out, err = call("memory", "show", file)
    assert (code, "before the data and the model are loaded" in out) == (0, True), err
    assert "From memory: 1 configuration that did best in 1 earlier request (made; same architecture)" in out
    _, out, _ = call("memory", "show", file, "--json")
    memory = json.loads(out)["memory"]
    small_study.remember(memory)
    code, out, _ = call("memory", "show", small_study.config.directory)
    assert (code, "memory made/3" in out) == (0, True)
    (runs / "none.yaml").write_text(json.dumps({**values, "name": "none"}))
    assert "has `memory: none`" in call("memory", "show", runs / "none.yaml")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "nowhere"), "there is no such directory or file"),
        (("export", "a.csv"), "must be named *.parquet"),
        (("export", "a.parquet", "--from", "empty"), "holds no study with a finished trial"),
        (("import", "nowhere.parquet"), "cannot be read"),
        (("import", "bad.parquet"), "damaged or of another kind"),
        (("show", "nowhere.yaml"), "nowhere.yaml"),
        (("show", "empty"), "contains no study"),
    ],
)
def test_mistakes_are_said_in_a_sentence(call, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    code, _, err = call("memory", *words)
    assert (code, message in err, "Traceback" in err) == (2, True, False), err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("nowhere", "`memory` must be auto, none, a folder of studies or a memory file"),
        ("bad.parquet", "damaged or of another kind"),
        ("", "`--memory` must be auto, none"),
    ],
)
def test_a_memory_that_cannot_be_is_refused_before_anything_starts(
    call, values, tmp_path, monkeypatch, memory, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.parquet").write_bytes(b"no")
    (tmp_path / "study.yaml").write_text(json.dumps(values))
    code, _, err = call("run", "study.yaml", "--memory", memory)
    assert (code, message in err) == (2, True), err
    assert not (tmp_path / "made").exists()


def test_the_commands_need_no_ray(tmp_path):
    trial = EarlierTrial(0, {"p": 0.9}, {"validation/forget_accuracy": 0.0, "validation/retain_accuracy": 0.9}, {})
    request = Request("m", "SmallCNN", "d", "[[3]]", by_samples=False)
    write_memory([EarlierStudy("made", "antisample", request, "3", None, (trial,))], tmp_path / "memory.parquet")
    words = ["memory", "list", str(tmp_path / "memory.parquet"), "--json"]
    code = (
        "import sys; sys.modules['ray'] = sys.modules['mlflow'] = None; sys.argv = ['antisample', *sys.argv[1:]]; "
        "from tuning.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["studies"][0]["study"] == "made"
