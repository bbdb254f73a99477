"""Recipes: what we have measured ourselves."""

import pytest

from antisample.methods import find_method
from search_spaces import SpaceError, load_recipes, packaged_recipes


def test_packaged_recipes_are_those_of_a_record_and_fit_their_method(request):
    for recipe in packaged_recipes().values():
        assert (request.config.rootpath / recipe.record).is_file(), recipe.name
        find_method(recipe.method).config_type.model_validate(recipe.parameters)


def test_a_file_without_recipes_is_one(tmp_path):
    (tmp_path / "none.yaml").write_text("# nothing yet\n")
    assert load_recipes(tmp_path / "none.yaml") == {}


def test_recipes_are_read_by_name(tmp_path):
    (tmp_path / "some.yaml").write_text(
        "quick: {method: finetune, parameters: {epochs: 2}, record: r.json, data: [digits]}\n"
        "long: {method: finetune, parameters: {epochs: 9, batchnorm_mode: train}, record: r.json}\n"
    )
    read = load_recipes(tmp_path / "some.yaml")
    assert list(read) == ["quick", "long"]
    assert (read["quick"].name, read["quick"].parameters, read["quick"].data) == ("quick", {"epochs": 2}, ("digits",))


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("- a\n", ["expected recipes by name"]),
        ("{", ["not readable as YAML"]),
        ("a: 5\nb: {}\n", ["`a` must contain keys and values, but got 5.", "`b.method` is required."]),
        ("a: {method: m, parameters: {x: [1]}, record: r, z: 1}\n", ["the value of 'x' must be a number", "`a.z`"]),
        ("a: {method: m, parameters: {x: 1}, record: r}\na: {}\n", ["the key `a` occurs twice"]),
    ],
)
def test_files_that_are_no_recipes(tmp_path, text, messages):
    (tmp_path / "no.yaml").write_text(text)
    with pytest.raises(SpaceError) as caught:
        load_recipes(tmp_path / "no.yaml")
    assert all(message in str(caught.value) for message in messages)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SpaceError, match=r"gone.yaml: cannot be read"):
        load_recipes(tmp_path / "gone.yaml")
