"""What a new study optimises, and what becomes of a network that was reset."""

import dataclasses
from typing import Literal

import pytest
import torch

from antisample.errors import ConfigError
from antisample.methods import _METHODS, MethodConfig
from antisample.methods.editing import EditedRun
from antisample.testing.digits import digits_config, digits_inputs
from antisample.unlearning import evaluate_finished, unlearn
from tuning.config.loading import parse_study
from tuning.config.objectives import DEPTH
from tuning.driver.settling import settled
from tuning.study.outcome import find_outcome


@pytest.fixture
def deep(values):
    """A study of the digits with the default objectives."""
    del values["evaluation"]
    return {**values, "published": [], "n_trials": 3}


def test_depth_is_an_objective_and_a_wrecked_network_does_not_count(deep):
    config, notes = settled(parse_study(deep), (digits_inputs(),))
    assert config.objectives[-1].metric == DEPTH
    (floor,) = config.constraints
    assert 0.85 < floor.at_least < 0.9, "a mask of the digits keeps over 95 %"
    assert "trials below" in notes[0]
    limited = parse_study({**deep, "constraints": [{"metric": "validation/retain_accuracy", "at_least": 0.5}]})
    assert settled(limited, (digits_inputs(),))[0] == limited


def test_where_the_probe_tells_nothing_there_are_two_objectives(deep):
    inputs = digits_inputs()
    blind = dataclasses.replace(inputs.probe, few_untrained=inputs.probe.few_original)
    config, notes = settled(parse_study(deep), (dataclasses.replace(inputs, probe=blind),))
    assert [objective.metric for objective in config.objectives][1:] == ["validation/retain_accuracy"]
    assert config.constraints == ()
    assert "uninformative" in notes[0]


def test_a_network_without_stages_has_none_that_start_anew(deep, monkeypatch):
    inputs = digits_inputs()

    def refuse(self, dataset):
        raise ConfigError("there are none")

    monkeypatch.setattr(type(inputs.original), "stage_names", refuse)
    config, notes = settled(parse_study(deep), (inputs,))
    assert config.fixed == {"reinitialise": 0}
    assert "`model.stages`" in notes[0]


class ResetConfig(MethodConfig):
    """A method of somebody else's."""

    name: Literal["reset"] = "reset"


class Reset:
    """Forgets everything: the weights start anew."""

    config_type = ResetConfig

    def prepare(self, context, config):
        """See `UnlearningMethod.prepare`."""
        assert config.name == "reset"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            return EditedRun(context.original.untrained(context.dataset))


def test_a_plug_in_that_resets_all_weights_is_never_promoted_shown_or_chosen(deep, make_study, monkeypatch):
    monkeypatch.setitem(_METHODS, "reset", Reset())
    inputs, plain = digits_inputs(), digits_config()
    config, _ = settled(
        parse_study({**deep, "replicates": 2, "fidelity": {"reduction_factor": 2}, "n_trials": 3}), (inputs,)
    )
    (report,) = unlearn(plain.model_copy(update={"method": ResetConfig()}), inputs)
    reset, kept = (
        report.metrics.values,
        evaluate_finished(inputs.original.build(inputs.dataset, torch.device("cpu")), inputs, plain),
    )
    assert reset[DEPTH] < 0.6
    assert reset["validation/forget_accuracy"] < kept.values["validation/forget_accuracy"]

    def content(step, replicate, metrics):
        times = {"elapsed_s": 1.0, "evaluation_s": 0.1, "train_loss": 0.0}
        return {"step": step, "replicate": replicate, **times, "metrics": metrics, "last": True}

    study = make_study(config)
    for key in ("defaults", "reset", "original"):
        study.ask(key)
    assert not study.report("reset", content(1, 0, reset)), "alone at its rung, it is not promoted"
    assert study.report("defaults", content(1, 0, reset)), "starting points are never stopped"
    study.report("defaults", content(2, 1, reset))
    study.complete("defaults", reset, {})
    assert find_outcome(study).front == ()
    assert find_outcome(study).chosen is None
    assert study.report("original", content(1, 0, kept.values))
    study.complete("original", kept.values, {})
    outcome = find_outcome(study)
    assert [record.number for record in outcome.front] == [2]
    assert outcome.chosen is None or outcome.chosen.number == 2
