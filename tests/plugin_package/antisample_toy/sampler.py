"""A sampler as another package would ship it."""

import optuna


def sampler(n_startup_trials: int, seed: int) -> optuna.samplers.BaseSampler:
    """Makes Optuna's random sampler."""
    del n_startup_trials
    return optuna.samplers.RandomSampler(seed=seed)
