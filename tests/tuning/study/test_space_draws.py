"""Parameter sets that stand for a whole search space."""

from statistics import fmean

import pytest

from search_spaces import SearchSpace, load_space
from tuning.study.space_draws import bounds, even_draws


@pytest.mark.parametrize("name", ["antisample", "unsir", "head", "filtration"])
def test_every_draw_lies_in_the_space_and_keeps_its_conditions(name):
    space = load_space(name)
    for draw in even_draws(space, 16):
        assert set(draw) == set(space.active(draw))
        assert all(space.parameters[each].contains(value) for each, value in draw.items())


def test_draws_are_even_the_same_each_time_and_reach_every_value():
    space = load_space("antisample")
    draws = even_draws(space, 50)
    assert draws == even_draws(space, 50)
    assert sorted({draw["epochs"] for draw in draws}) == [1, 2, 3, 4, 5]
    assert fmean(draw["epochs"] for draw in draws) == pytest.approx(3.0, abs=0.05)
    assert fmean(draw["retain_fraction"] for draw in draws) == pytest.approx(0.65, abs=0.01)
    rates = sorted(draw["unlearn_scale_lr"] for draw in draws)
    assert rates[24] < (0.1 * 6) ** 0.5 < rates[25], "half of a logarithmic range lies below its geometric mean"


def test_bounds_are_those_of_the_space_of_what_is_fixed_or_the_default():
    space = load_space("antisample")
    assert bounds(space, {}, "epochs", 5) == (1, 5)
    assert bounds(space.without({"epochs": 3}), {"epochs": 3}, "epochs", 5) == (3, 3)
    assert bounds(space.without({"epochs": 3}), {}, "epochs", 5) == (5, 5)
    chosen = {"why": "w", "choices": [2, 8, 4]}
    choices = SearchSpace.model_validate({"name": "own", "method": "antisample", "parameters": {"epochs": chosen}})
    assert bounds(choices, {}, "epochs", 5) == (2, 8)
