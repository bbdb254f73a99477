"""What every unlearning method promises."""

import copy
import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from antisample.methods import UnlearnContext, UnlearningRun, find_method, method_config, method_names
from antisample.testing.digits import digits_inputs


class MethodConformance:
    """Subclass it with the name of a method; pytest then runs the suite on real digits.

    Attributes:
        name: Of the method, as it is registered.
        values: Hyperparameters that keep the suite short; none for a method without epochs.
        draws_random_numbers: Whether another seed gives another model.
        trains_in_bfloat16: Whether the precision of the run reaches its training.
    """

    name: ClassVar[str]
    values: ClassVar[dict[str, Any]] = {"epochs": 2}
    draws_random_numbers: ClassVar[bool] = True
    trains_in_bfloat16: ClassVar[bool] = True

    @pytest.fixture
    def context(self) -> UnlearnContext:
        """The digits and their original model."""
        inputs = digits_inputs()
        return UnlearnContext(inputs.dataset, inputs.splits, inputs.original, torch.device("cpu"), seed=11)

    def prepare(self, context: UnlearnContext, **changes: Any) -> Any:
        """A run of the method with `values`, some of them changed."""
        return find_method(self.name).prepare(context, method_config(self.name, **{**self.values, **changes}))

    def test_it_is_registered(self) -> None:
        assert self.name in method_names()

    def test_its_configuration_carries_its_name_and_refuses_unknown_keys(self) -> None:
        assert method_config(self.name).name == self.name
        with pytest.raises(ValidationError, match="no_such_key"):
            method_config(self.name, no_such_key=1)

    def test_it_runs_its_epochs_and_changes_the_model(self, context: UnlearnContext) -> None:
        run = self.prepare(context)
        before = {name: value.clone() for name, value in run.model.state_dict().items()}
        if run.epochs == 0:  # what it does is done
            before = dict(context.original.state_dict)
        for epoch in range(1, run.epochs + 1):
            assert np.isfinite(run.run_epoch())
            assert run.epochs_done == epoch
        after = run.model.state_dict()
        assert after.keys() != before.keys() or any(not torch.equal(before[name], after[name]) for name in before)

    def test_it_leaves_the_original_alone(self, context: UnlearnContext) -> None:
        before = copy.deepcopy(context.original.state_dict)
        run_one(self.prepare(context))
        assert all(torch.equal(before[name], tensor) for name, tensor in context.original.state_dict.items())

    def test_the_same_seed_gives_the_same_model_and_another_seed_another(self, context: UnlearnContext) -> None:
        def trained(seed: int) -> torch.Tensor:
            run = self.prepare(dataclasses.replace(context, seed=seed))
            run_one(run)
            return weights(run)

        assert torch.equal(trained(1), trained(1))
        assert torch.equal(trained(1), trained(2)) is not self.draws_random_numbers

    def test_bfloat16_moves_weights_a_little_and_leaves_them_float32(self, context: UnlearnContext) -> None:
        exact, rounded = self.prepare(context), self.prepare(dataclasses.replace(context, precision="bfloat16"))
        start = weights(exact).clone()
        run_one(exact)
        run_one(rounded)
        assert all(value.dtype != torch.bfloat16 for value in rounded.model.state_dict().values())
        moved, apart = (weights(exact) - start).norm(), (weights(rounded) - weights(exact)).norm()
        assert 0 < apart < 0.5 * moved if self.trains_in_bfloat16 else apart == 0

    def test_it_continues_from_its_state_with_the_same_result(self, context: UnlearnContext) -> None:
        whole, first, second = self.prepare(context), self.prepare(context), self.prepare(context)
        for _ in range(whole.epochs):
            whole.run_epoch()
        run_one(first)
        second.load_state_dict(copy.deepcopy(first.state_dict()))
        while second.epochs_done < second.epochs:
            second.run_epoch()
        assert torch.equal(weights(second), weights(whole))

    def test_it_reads_no_validation_image_and_no_test_image(self, context: UnlearnContext) -> None:
        train, test = context.dataset.train, context.dataset.test
        used = np.concatenate([context.splits.forget, context.splits.retain])
        spoiled = np.array(train.images)
        spoiled[np.setdiff1d(np.arange(len(train)), used)] = 255
        without = dataclasses.replace(
            context,
            dataset=dataclasses.replace(
                context.dataset,
                train=dataclasses.replace(train, images=spoiled),
                test=dataclasses.replace(test, images=np.zeros_like(test.images)),
                fingerprint="spoiled",
            ),
        )
        runs = [self.prepare(which) for which in (context, without)]
        for run in runs:
            run_one(run)
        assert torch.equal(weights(runs[0]), weights(runs[1]))


def run_one(run: UnlearningRun) -> None:
    """Runs an epoch, where there is one."""
    if run.epochs:
        run.run_epoch()


def weights(run: UnlearningRun) -> torch.Tensor:
    """All weights and buffers of a run's model, in one float64 vector."""
    return torch.cat([value.flatten().double() for value in run.model.state_dict().values()])
