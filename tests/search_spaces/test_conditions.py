"""Parameters that count only with certain values of others."""

import pytest
import yaml

from search_spaces import ChoiceParameter, NumberParameter, SearchSpace, SpaceError, load_space


def number(when=None):
    return NumberParameter(low=0, high=1, why="w", when=when)


def choice(*choices, when=None):
    return ChoiceParameter(choices=choices, why="w", when=when)


def space(**parameters):
    return SearchSpace(name="s", method="finetune", parameters=parameters)


CHAIN = space(
    momentum=number({"optimizer": "sgd", "decay": [True]}),
    decay=choice(True, False, when={"optimizer": ["sgd", "adamw"]}),
    optimizer=choice("adam", "adamw", "sgd"),
    rate=number(),
)


def problems(tmp_path, parameters):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"method": "finetune", "parameters": parameters}))
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    assert str(path) in str(caught.value)
    return caught.value.problems


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"optimizer": "adam"}, {"optimizer", "rate"}),
        ({"optimizer": "adamw"}, {"optimizer", "rate", "decay"}),
        ({"optimizer": "sgd", "decay": True}, {"optimizer", "rate", "decay", "momentum"}),
        ({"optimizer": "sgd", "decay": False}, {"optimizer", "rate", "decay"}),
        ({"optimizer": "sgd", "decay": 1}, {"optimizer", "rate", "decay"}),
        ({"optimizer": "adam", "decay": True}, {"optimizer", "rate"}),
        ({"decay": True}, {"optimizer", "rate"}),
        ({}, {"optimizer", "rate"}),
    ],
)
def test_every_condition_must_hold_and_what_it_names_must_count_itself(values, expected):
    names = CHAIN.active(values)
    assert set(names) == expected
    assert all(names.index(other) < names.index(n) for n in names for other in CHAIN.parameters[n].when or ())


def test_a_space_without_conditions_stays_in_its_order():
    plain = load_space("antisample-published")
    assert plain.order() == tuple(plain.parameters) == plain.active({})
    assert not plain.has_conditions
    assert CHAIN.has_conditions


@pytest.mark.parametrize(
    ("fixed", "left"),
    [
        ({"optimizer": "adam"}, {"rate": None}),
        ({"optimizer": "adamw"}, {"rate": None, "decay": None}),
        ({"optimizer": "sgd"}, {"rate": None, "decay": None, "momentum": {"decay": (True,)}}),
        ({"optimizer": "sgd", "decay": True}, {"rate": None, "momentum": None}),
        ({"decay": True, "rate": 0.5}, {"optimizer": None, "momentum": {"optimizer": ("sgd",)}}),
        ({"decay": False}, {"optimizer": None, "rate": None}),
        ({"optimizer": "lion"}, {"rate": None}),
    ],
)
def test_what_is_fixed_decides_conditions(fixed, left):
    assert {name: parameter.when for name, parameter in CHAIN.without(fixed).parameters.items()} == left


def test_a_fixed_value_passes_on_when_it_counts_itself():
    searched = space(a=choice(1, 2), b=choice(1, 2, when={"a": 1}), c=number({"b": 1}))
    assert searched.without({"b": 1}).parameters["c"].when == {"a": (1,)}
    with pytest.raises(SpaceError, match="nothing to search; c would only count with other values"):
        searched.without({"b": 1, "a": 2})


def test_nothing_left_is_refused_with_the_reason():
    searched = space(a=choice(1, 2), b=number({"a": 1}))
    assert set(searched.without({"a": 1}).parameters) == {"b"}
    with pytest.raises(
        SpaceError, match=r"the values that are fixed leave nothing to search; b would only count with"
    ):
        searched.without({"a": 2})
    with pytest.raises(SpaceError, match="fixing every parameter leaves nothing to search"):
        searched.without({"a": 1, "b": 0.5})


def test_values_with_which_a_parameter_counts():
    assert CHAIN.activating("rate", {}) == [{}]
    assert CHAIN.activating("decay", {}) == [{"optimizer": "sgd"}, {"optimizer": "adamw"}]
    assert CHAIN.activating("decay", {"optimizer": "adamw"}) == [{"optimizer": "adamw"}]
    assert CHAIN.activating("decay", {"optimizer": "adam"}) == []
    assert CHAIN.activating("momentum", {}) == [{"optimizer": "sgd", "decay": True}]


def test_conditions_change_the_fingerprint():
    prints = {
        space(a=choice(1, 2), b=number(when)).fingerprint() for when in (None, {"a": 1}, {"a": 2}, {"a": [1, 2]})
    }
    assert len(prints) == 4
    assert space(a=choice(1, 2), b=number({"a": [1]})).fingerprint() in prints


def test_fingerprints_of_spaces_without_conditions_are_those_of_earlier_versions():
    assert load_space("antisample-published").fingerprint() == "d3414f00779f8d41bd2fbb92"
    assert load_space("gradient_ascent").fingerprint() == "cab9a96b94516cd4db9ed6d9"


def test_all_mistakes_in_conditions_are_reported_at_once(tmp_path):
    a_range = {"low": 0, "high": 1, "why": "w"}
    a_choice = {"choices": ["x", "y"], "why": "w"}
    said = problems(
        tmp_path,
        {
            "broken": {"low": 1, "high": 0, "why": "w"},
            "a": {**a_range, "when": {"gone": 1}},
            "b": {**a_range, "when": {"b": 1}},
            "c": {**a_range, "when": {"a": 0.5}},
            "d": {**a_range, "when": {"e": ["x", "z", None]}},
            "e": a_choice,
            "f": {**a_choice, "when": {"g": "x"}},
            "g": {**a_choice, "when": {"f": "y"}},
        },
    )
    text = "\n".join(said)
    for part in (
        "`parameters.broken`",
        "`parameters.a.when` must name parameters of the space, but got 'gone'.",
        "`parameters.b.when` must name other parameters, but names 'b' itself.",
        "`parameters.c.when` must name parameters with `choices`, but 'a' has a range.",
        "`parameters.d.when.e` must be one of the choices of 'e', 'x', 'y', but got 'z'.",
        "but got nothing.",
        "conditions must not go in a circle, but 'f' names 'g', 'g' names 'f'.",
    ):
        assert part in text
    assert len(said) == 7


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (5, "`parameters.a.when` must contain keys and values, but got 5."),
        ({}, "`parameters.a.when` must have at least 1 value, but got {}."),
        ({"c": []}, "`parameters.a.when.c` must have at least 1 value"),
        ({"c": [[1]]}, "must be one of the choices of 'c', 1, 2, but got [1]."),
        ({"c": True}, "must be one of the choices of 'c', 1, 2, but got True."),
        ({"c": 1, "d": "y"}, "`parameters.a.when` can never hold, together with the conditions of the parameters"),
    ],
)
def test_conditions_of_no_use_are_refused(tmp_path, when, message):
    parameters = {
        "a": {"low": 0, "high": 1, "why": "w", "when": when},
        "c": {"choices": [1, 2], "why": "w"},
        "d": {"choices": ["x", "y"], "why": "w", "when": {"c": 2}},
    }
    assert message in " ".join(problems(tmp_path, parameters))


def chain_of(n):
    parameters = {"p0": {"choices": [1, 2], "why": "w"}}
    for i in range(1, n + 1):
        parameters[f"p{i}"] = {"choices": [1, 2], "why": "w", "when": {f"p{i - 1}": 1}}
    return parameters


def test_a_long_chain_is_no_depth_and_a_longer_one_is_refused(tmp_path):
    parameters = chain_of(500)
    chain = SearchSpace.model_validate({"name": "s", "method": "m", "parameters": dict(reversed(parameters.items()))})
    assert len(chain.active(dict.fromkeys(parameters, 1))) == 501
    assert len(chain.active({"p0": 1, "p1": 2})) == 2
    (said,) = problems(tmp_path, chain_of(501))
    assert said == "`parameters`: at most 500 may have conditions (`when`), but 501 have."
