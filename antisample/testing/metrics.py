"""What every family of metrics promises."""

import copy
import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch

from antisample.metrics import (
    EvaluationConfig,
    EvaluationSubject,
    RetrainedReference,
    evaluate,
    family_names,
    metric_names,
)
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.testing.digits import digits_config, digits_inputs
from antisample.types import SplitName


class MetricConformance:
    """Subclass it with the name of a family; pytest then runs the suite on real digits.

    Attributes:
        name: Of the family, as it is registered.
        needs_reference: Whether it compares with a retrained reference, which the suite then trains.
    """

    name: ClassVar[str]
    needs_reference: ClassVar[bool] = False

    @pytest.fixture
    def subject(self) -> EvaluationSubject:
        """The original model of the digits."""
        inputs = digits_inputs()
        model = inputs.original.build(inputs.dataset, torch.device("cpu"))
        settings = EvaluationConfig(relearn_max_epochs=2)
        reference = self._reference(settings) if self.needs_reference else None
        return EvaluationSubject(model, inputs.dataset, inputs.splits, inputs.original, settings, reference)

    def _reference(self, settings: EvaluationConfig) -> RetrainedReference:
        config, inputs = digits_config(), digits_inputs()
        training = ReferenceTraining(
            config.model.recipe, inputs.dataset, inputs.splits, inputs.original, config.data.cache_dir, seed=0
        )
        return training.reference(torch.device("cpu"), settings, with_features=True)

    def parts(self) -> Iterator[SplitName]:
        """The parts of the data that the family is defined on."""
        names = metric_names((self.name,))
        yield from (part for part in ("validation", "train", "test") if any(n.startswith(f"{part}/") for n in names))

    def test_it_is_registered_under_names_of_its_own(self) -> None:
        assert self.name in family_names()
        others = [name for name in family_names() if name != self.name]
        assert set(metric_names((self.name,))).isdisjoint(metric_names(others))

    def test_it_gives_a_finite_value_for_each_of_its_names(self, subject: EvaluationSubject) -> None:
        values = evaluate(subject, self.parts(), (self.name,)).values  # which refuses values that are not finite
        assert sorted(values) == sorted(metric_names((self.name,)))
        assert all(type(value) is float for value in values.values())

    def test_measuring_twice_gives_the_same(self, subject: EvaluationSubject) -> None:
        again = dataclasses.replace(subject, _known={})
        parts = tuple(self.parts())
        assert evaluate(subject, parts, (self.name,)) == evaluate(again, parts, (self.name,))

    @pytest.mark.parametrize("training", [True, False])
    def test_it_leaves_the_model_as_it_is(self, subject: EvaluationSubject, training: bool) -> None:
        subject.model.train(training)
        before = copy.deepcopy(subject.model.state_dict())
        evaluate(subject, self.parts(), (self.name,))
        assert subject.model.training is training
        assert all(torch.equal(before[name], value) for name, value in subject.model.state_dict().items())

    def test_its_values_do_not_depend_on_the_global_random_numbers(self, subject: EvaluationSubject) -> None:
        values = []
        for seed in (1, 2):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                values.append(evaluate(dataclasses.replace(subject, _known={}), self.parts(), (self.name,)).values)
        assert values[0] == values[1]
