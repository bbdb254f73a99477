import optuna
import pytest

from antisample.errors import ConfigError
from search_spaces import ChoiceParameter, NumberParameter, SearchSpace, load_space, space_names
from tuning.strategies.samplers import distribution, distributions, make_sampler, resolve_sampler, sampler_names

NUMBERS = SearchSpace(name="n", method="finetune", parameters={"x": NumberParameter(low=0, high=1, why="w")})
CHOICES = SearchSpace(name="c", method="finetune", parameters={"x": ChoiceParameter(choices=("a", "b"), why="w")})


@pytest.mark.parametrize("name", space_names())
def test_every_parameter_survives_the_translation_at_both_bounds(name):
    for parameter in load_space(name).parameters.values():
        found = distribution(parameter)
        if isinstance(parameter, ChoiceParameter):
            bounds = parameter.choices
        else:
            kind = int if parameter.integer else float
            bounds = (kind(parameter.low), kind(parameter.high))
        for value in bounds:
            back = found.to_external_repr(found.to_internal_repr(value))
            assert back == value
            assert parameter.contains(back)


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2", "qmc", "random", "optuna.samplers:RandomSampler"])
def test_every_sampler_suggests_values_of_the_space(name):
    space = load_space("antisample-published")
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=make_sampler(name, space, 8, 0, 0))
    for number in range(6):
        trial = study.ask(distributions(space))
        assert all(space.parameters[key].contains(value) for key, value in trial.params.items())
        study.tell(trial, [number / 6, 1 - number / 7])


@pytest.mark.parametrize("space", [NUMBERS, CHOICES])
@pytest.mark.parametrize("n_trials", [8, 1000])
def test_auto_is_tpe_in_every_space(space, n_trials):
    assert resolve_sampler("auto") == "tpe"
    assert isinstance(make_sampler("auto", space, n_trials, 0, 0), optuna.samplers.TPESampler)
    assert resolve_sampler("gp") == "gp"


def test_a_resumed_search_does_not_repeat_its_draws():
    def first_draw(seed, n_existing):
        study = optuna.create_study(sampler=make_sampler("random", NUMBERS, 8, seed, n_existing))
        return study.ask(distributions(NUMBERS)).params["x"]

    assert first_draw(0, 0) == first_draw(0, 0)
    assert len({first_draw(0, 0), first_draw(0, 5), first_draw(1, 0)}) == 3


@pytest.mark.parametrize(
    "name", ["annealing", "optuna.samplers:NoSuch", "no_module:Sampler", "builtins:dict", ":x", "sys:exit"]
)
def test_unknown_samplers_are_refused(name):
    with pytest.raises(ConfigError, match="`sampler`"):
        make_sampler(name, NUMBERS, 8, 0, 0)


def test_names_include_auto():
    assert sampler_names()[0] == "auto"


CONDITIONS = SearchSpace(
    name="o",
    method="finetune",
    parameters={
        "x": NumberParameter(low=0, high=1, why="w", when={"c": "b"}),
        "c": ChoiceParameter(choices=("a", "b"), why="w"),
    },
)


def test_conditions_are_for_samplers_that_can_have_them():
    assert make_sampler("auto", CONDITIONS, 8, 0, 0)._group
    assert not make_sampler("tpe", CHOICES, 8, 0, 0)._group


@pytest.mark.parametrize(("after_portfolio", "startup"), [(False, 10), (True, 4)])
@pytest.mark.parametrize("n_trials", [8, 40, 1000])
def test_a_model_is_used_after_ten_trials_or_after_four_of_a_portfolio(after_portfolio, startup, n_trials):
    for name, space in (("tpe", CHOICES), ("tpe", CONDITIONS), ("gp", NUMBERS)):
        sampler = make_sampler(name, space, n_trials, 0, 0, after_portfolio=after_portfolio)
        assert sampler._n_startup_trials == startup
