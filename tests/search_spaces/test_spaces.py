import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from search_spaces import SpaceError, earlier_space, load_space, published_set, published_sets, space_names


@pytest.mark.parametrize("name", space_names())
def test_packaged_spaces_load_and_give_reasons(name):
    space = load_space(name)
    assert space.parameters
    assert all(len(parameter.why) > 20 for parameter in space.parameters.values())


@pytest.mark.parametrize("name", list(published_sets()))
def test_every_published_set_lies_in_the_packaged_space(name):
    space = load_space("antisample-published")
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
        match=r"must be one of antisample, antisample-published, filtration, finetune, gradient_ascent, head, "
        r"neggrad_plus, random_labels, retrain, unsir or the path",
    ):
        load_space("wide")


def test_fixed_parameters_leave_the_space_and_its_fingerprint_follows():
    space = load_space("antisample-published")
    smaller = space.without({"epochs": 2, "p": 0.9})
    assert set(space.parameters) - set(smaller.parameters) == {"epochs", "p"}
    assert smaller.fingerprint() != space.fingerprint()
    with pytest.raises(SpaceError, match="nothing to search"):
        space.without(dict.fromkeys(space.parameters, 1))


def test_reasons_do_not_change_the_fingerprint():
    space = load_space("finetune")
    parameters = {name: parameter.model_copy(update={"why": "other"}) for name, parameter in space.parameters.items()}
    assert space.model_copy(update={"parameters": parameters}).fingerprint() == space.fingerprint()


@pytest.mark.integration
def test_reading_spaces_needs_no_search_library():
    code = (
        "import sys, search_spaces; print([m for m in ('ray', 'optuna', 'torch', 'antisample') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("{low: .nan, high: 1, why: x}", "`parameters.a.low` must be a finite number, but got nan."),
        ("{low: 0, high: .inf, why: x}", "`parameters.a.high` must be a finite number, but got inf."),
        ("{low: yes, high: 3, why: x}", "must be a number of 64 bits, but got True"),
        ("{low: 0, high: 1000000000000000000000000000000, why: x}", "must be a number of 64 bits"),
        ("{low: 0, high: 1.0e+30, integer: true, why: x}", "must be in [-2**53, 2**53]"),
        ("{low: -1.7e+308, high: 1.7e+308, why: x}", "too far apart"),
        (f"{{low: 0, high: {'9' * 5000}, why: x}}", "not readable as YAML"),
        ("{choices: [1, .nan], why: x}", "each choice must be a finite number, but got nan"),
        ("{choices: [1, -.inf], why: x}", "each choice must be a finite number, but got -inf"),
        ("{choices: [1, 99999999999999999999], why: x}", "each choice must fit into 64 bits"),
        ("{choices: [1, [2]], why: x}", "each choice must be a number, text, true or false, but got [2]"),
        ("{choices: [1, null], why: x}", "each choice must be a number, text, true or false, but got nothing"),
        ('{choices: [a, "b\\0"], why: x}', "each choice must be valid UTF-8 without null bytes"),
        ('{choices: [a, "\\uD800"], why: x}', "each choice must be valid UTF-8 without null bytes"),
        ("{choices: [a, b, a], why: x}", "must contain each value only once, but got 'a' and 'a'"),
        ("{choices: [1, 1.0, true], why: x}", "must contain each value only once, but got 1 and 1.0"),
        ("{choices: [no, 0], why: x}", "must contain each value only once, but got False and 0"),
        ("{choices: 5, why: x}", "`parameters.a.choices` must be a list, but got 5."),
        ("{choices: [1], why: x}", "`parameters.a.choices` must have at least 2 values, but got [1]."),
        ("{low: 0, high: 1, why: ''}", "`parameters.a.why` must not be empty, but got ''."),
        ("{low: a, high: [1], why: x}", "`parameters.a.low` must be a number, but got 'a'."),
        ("5", "`parameters.a` must contain keys and values, but got 5."),
        (
            "{low: 0, hgih: 1, why: x}",
            "`parameters.a.hgih` is not a setting. Did you mean `parameters.a.high`?",
        ),
        ("{low: 0, high: 1, why: x, colour: red}", "`parameters.a.colour` is not a setting."),
    ],
)
def test_values_that_are_valid_yaml_and_no_use_are_refused(tmp_path, parameter, message):
    path = tmp_path / "own.yaml"
    path.write_text(f"method: antisample\nparameters:\n  a: {parameter}\n")
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    assert message in " ".join(caught.value.problems)


def test_a_space_of_numbers_that_only_look_alike_is_fine(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("method: antisample\nparameters:\n  a: {choices: [1, '1', 0.1, true-ish], why: x}\n")
    assert load_space(path).parameters["a"].choices == (1, "1", 0.1, "true-ish")


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".yaml", "a\0b.yaml"])
def test_a_name_of_a_space_that_no_file_can_have_is_refused(name):
    with pytest.raises(SpaceError, match="`space` must be one of"):
        load_space(name)


def test_recipes_are_no_space():
    assert "recipes" not in space_names()
    with pytest.raises(SpaceError, match="`space` must be one of"):
        load_space("recipes")


def test_a_method_has_the_space_from_before_names_were_kept():
    assert earlier_space("antisample") == "antisample-published"
    assert earlier_space("finetune") == "finetune"
