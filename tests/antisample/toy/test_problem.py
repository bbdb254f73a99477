"""The toy problem: its shapes, that a seed settles everything, and what holds whatever the seed."""

from dataclasses import replace

import pytest
import torch

from antisample.errors import ConfigError
from antisample.toy.problem import ToyConfig, run_toy, summarise_toy


@pytest.fixture(scope="module")
def results():
    return [run_toy(seed) for seed in range(3)]


def judged(result, network, retain, forget):
    outcome = replace(result.outcomes[network], retain_accuracy=retain, forget_accuracy=forget)
    return replace(result, outcomes={network: outcome})


def test_defaults_are_the_published_configuration():
    config = ToyConfig()
    assert (config.local_variance, config.size_multiplier, config.p, config.eps) == (3, 5, 0.5, 0.1)
    assert (config.tail_randomized, config.no_generated_data, config.epochs, config.unlearn_lr) == (150, 80, 1, 0.3)
    assert (config.noise_points, config.noise_epochs, config.noise_steps, config.noise_lr) == (256, 50, 8, 0.1)
    assert (config.unsir_pairs, config.impair_lr, config.repair_lr) == (3, 0.3, 0.15)


def test_shapes(results):
    for result in results:
        assert result.train.points.shape == result.test.points.shape == (800, 2)
        assert result.train.labels.bincount().tolist() == result.test.labels.bincount().tolist() == [200] * 4
        assert not torch.equal(result.train.points, result.test.points)
        assert result.anti_samples.shape == (80, 2)
        assert result.noise.shape == (256, 2)
        assert list(result.outcomes) == ["original", "retrained", "antisample", "unsir"]
        for outcome in result.outcomes.values():
            assert [tuple(p.shape) for p in outcome.model.parameters()] == [(5, 2), (5,), (4, 5), (4,)]


def test_a_seed_settles_everything(results):
    again, other = run_toy(0), results[1]
    torch.rand(7)  # the global random state must not matter
    for name, outcome in again.outcomes.items():
        state = results[0].outcomes[name].model.state_dict()
        assert all(torch.equal(state[key], value) for key, value in outcome.model.state_dict().items())
        assert not torch.equal(other.outcomes[name].model.state_dict()["0.weight"], state["0.weight"])
    assert torch.equal(again.anti_samples, results[0].anti_samples)
    assert torch.equal(again.noise, results[0].noise)


def test_accuracies_are_those_of_the_models(results):
    for result in results:
        forget = result.test.labels == 0
        for outcome in result.outcomes.values():
            right = outcome.model(result.test.points).argmax(dim=1) == result.test.labels
            assert outcome.retain_accuracy == pytest.approx(int(right[~forget].sum()) / 600)
            assert outcome.forget_accuracy == pytest.approx(int(right[forget].sum()) / 200)


def test_the_references_know_what_they_were_taught(results):
    for result in results:
        original, retrained = result.outcomes["original"], result.outcomes["retrained"]
        assert min(original.retain_accuracy, original.forget_accuracy, retrained.retain_accuracy) > 0.97
        assert retrained.forget_accuracy == 0


def test_both_methods_forget_something(results):
    for network in ("antisample", "unsir"):
        forgotten = [result.outcomes["original"].forget_accuracy - 0.3 for result in results]
        assert all(r.outcomes[network].forget_accuracy < f for r, f in zip(results, forgotten, strict=True))


def test_anti_samples_lie_on_the_far_side_and_noise_where_the_original_answers_otherwise(results):
    for result in results:
        nearest = torch.cdist(result.anti_samples, torch.tensor(result.config.centres)).argmin(dim=1)
        assert (nearest == 3).float().mean() > 0.9
        answers = result.outcomes["original"].model(result.noise).argmax(dim=1)
        assert (answers != 0).float().mean() > 0.9


def test_anti_samples_follow_their_settings():
    config = ToyConfig(no_generated_data=7, tail_randomized=1, recipe={"epochs": 1}, noise_epochs=1, noise_points=5)
    result = run_toy(0, config)
    assert (result.anti_samples.shape, result.noise.shape) == ((7, 2), (5, 2))


def test_the_summary_of_a_case_computed_by_hand(results):
    made = [judged(results[0], "unsir", *pair) for pair in ((0.9, 0.0), (0.6, 0.3), (0.6, 0.0))]
    retain, forget = summarise_toy(made)
    assert (retain.network, retain.metric, retain.seeds) == ("unsir", "retain_accuracy", 3)
    assert (retain.mean, retain.std) == pytest.approx((0.7, 0.03**0.5))
    assert (retain.min, retain.max) == (0.6, 0.9)
    assert (forget.mean, forget.std, forget.min, forget.max) == pytest.approx((0.1, 0.03**0.5, 0.0, 0.3))
    assert summarise_toy(made[:1])[0].std == 0


def test_what_cannot_be_run_is_refused():
    with pytest.raises(ConfigError, match="`seed` must be at least 0, but got -1"):
        run_toy(-1)
    with pytest.raises(ConfigError, match="`forget_class` must be below 4, but got 4"):
        run_toy(0, ToyConfig(forget_class=4))
    with pytest.raises(ConfigError, match=r"`tail_randomized` must be in \[1, 600\].* but got 601"):
        run_toy(0, ToyConfig(tail_randomized=601))
    with pytest.raises(ConfigError, match="must hold at least 1 result, but got 0"):
        summarise_toy([])
