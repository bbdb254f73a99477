import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from search_spaces import SpaceError, load_space, published_set, published_sets, space_names


@pytest.mark.parametrize("name", space_names())
def test_packaged_spaces_load_and_give_reasons(name):
    space = load_space(name)
    assert space.parameters
    assert all(len(parameter.why) > 20 for parameter in space.parameters.values())


@pytest.mark.parametrize("name", list(published_sets()))
def test_every_published_set_lies_in_the_packaged_space(name):
    space = load_space("antisample")
    parameters = published_set(name).parameters
    assert set(space.parameters) <= set(parameters)
    assert all(space.parameters[key].contains(parameters[key]) for key in space.parameters)


def test_all_forty_published_sets_are_there_and_found_in_any_case():
    assert len(published_sets()) == 40
    found = published_set("resnet18/CIFAR10/30")
    assert found.name == "ResNet18/cifar10/30"
    assert found.parameters["unlearn_scale_lr"] == 1.6
    assert found.parameters["retain_fraction"] == 0.3


def test_the_packaged_copy_equals_the_published_table(shared):
    ours = Path(sys.modules["search_spaces"].__file__).parent / "published.csv"
    assert ours.read_bytes() == (shared / "published" / "hyperparameters.csv").read_bytes()


def test_the_sets_of_the_notebooks_are_found_by_name_too():
    found = published_set("resnet18/cifar10/30/NOTEBOOK").parameters
    assert (found["no_generated_data"], found["neighbour_pool"], found["retain_fraction"]) == (500, "retain", 0.3)
    assert published_set("ResNet18/cifar10/100/notebook").parameters["tail_randomized"] == 50


def test_an_unknown_set_lists_the_near_ones():
    with pytest.raises(SpaceError, match=re.escape("must be one of ResNet9/cifar10/30")):
        published_set("ResNet9/imagenet/30")


def test_an_own_file_is_a_space(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("method: finetune\nparameters: {epochs: {low: 1, high: 3, integer: true, why: cost}}\n")
    space = load_space(path)
    assert (space.name, space.method, list(space.parameters)) == ("mine", "finetune", ["epochs"])


def test_all_problems_of_a_file_are_reported_at_once(tmp_path):
    path = tmp_path / "bad.yaml"
    parameters = {
        "a": {"low": 2, "high": 1, "why": "x"},
        "b": {"low": 0, "high": 1, "log": True, "why": "x"},
        "c": {"low": 0, "high": 1.5, "integer": True, "why": "x"},
        "d": {"choices": ["one"], "why": "x"},
        "e": {"low": 0, "high": 1, "step": 2},
        "f": 3,
    }
    path.write_text(yaml.safe_dump({"method": "finetune", "parameters": parameters}))
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    text = str(caught.value)
    assert "bad.yaml" in text
    for part in ("parameters.a", "parameters.b", "parameters.c", "parameters.d", "step", "e.why", "parameters.f"):
        assert part in text


@pytest.mark.parametrize(
    ("content", "message"),
    [("- a\n", "expected the keys"), ("{", "not readable as YAML"), ("method: x\nparameters: {}\n", "parameters")],
)
def test_files_that_are_no_space(tmp_path, content, message):
    (tmp_path / "no.yaml").write_text(content)
    with pytest.raises(SpaceError, match=message):
        load_space(tmp_path / "no.yaml")


def test_an_unknown_space_lists_the_valid_ones():
    with pytest.raises(
        SpaceError,
        match=r"must be one of antisample, finetune, gradient_ascent, neggrad_plus, random_labels, retrain, unsir "
        r"or the path",
    ):
        load_space("wide")


def test_fixed_parameters_leave_the_space_and_its_fingerprint_follows():
    space = load_space("antisample")
    smaller = space.without({"epochs", "p"})
    assert set(space.parameters) - set(smaller.parameters) == {"epochs", "p"}
    assert smaller.fingerprint() != space.fingerprint()
    with pytest.raises(SpaceError, match="nothing to search"):
        space.without(set(space.parameters))


def test_reasons_do_not_change_the_fingerprint():
    space = load_space("finetune")
    parameters = {name: parameter.model_copy(update={"why": "other"}) for name, parameter in space.parameters.items()}
    assert space.model_copy(update={"parameters": parameters}).fingerprint() == space.fingerprint()


def test_reading_spaces_needs_no_search_library():
    code = (
        "import sys, search_spaces; print([m for m in ('ray', 'optuna', 'torch', 'antisample') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"choices": [1, True]}, "`choices` must differ from each other, but True is equal to another one"),
        ({"choices": [0.5, 0.5]}, "must differ from each other"),
        ({"choices": [0.5, float("nan")]}, "`choices` must be finite, but got nan"),
        ({"choices": [[1], [2]]}, "choices"),
        ({"low": 0, "high": 1e30, "integer": True}, "at most 2^53, but got 0 and 1e+30"),
        ({"low": 0, "high": float("inf")}, "bounds must be finite"),
        ({"low": 0, "high": float("nan")}, "`high` must be larger"),
    ],
)
def test_values_that_no_search_and_no_table_can_hold_are_refused(tmp_path, values, message):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"method": "antisample", "parameters": {"p": {**values, "why": "a test"}}}))
    with pytest.raises(SpaceError) as refused:
        load_space(path)
    assert message in str(refused.value)


def test_values_of_several_kinds_may_be_chosen_from(tmp_path):
    path = tmp_path / "own.yaml"
    parameters = {"p": {"choices": [1, "auto", 0.5, 2**70], "why": "a test"}}
    path.write_text(yaml.safe_dump({"method": "antisample", "parameters": parameters}))
    assert load_space(path).parameters["p"].choices == (1, "auto", 0.5, 2**70)
