"""Taking the weights of a network's last stages: what they knew has to be learned again, from retain data alone."""

from torch import nn

from antisample.errors import ConfigError
from antisample.models.masked_outputs import bare_network
from antisample.models.original import OriginalModel
from antisample.models.stages import stage_layers
from antisample.seeds import derive
from antisample.types import Dataset


def reinitialise_last(model: nn.Module, n: int, original: OriginalModel, dataset: Dataset, seed: int) -> None:
    """Gives the last stages, and whatever comes after them, the weights that a retraining would start from.

    Args:
        model: A copy of the original; changed in place.
        n: How many stages, at least 1.
        original: Tells stages and initial weights.
        dataset: The data.
        seed: Of fresh weights.

    Raises:
        ConfigError: If the network has fewer stages.
    """
    stages = original.stage_names(dataset)
    if n > len(stages):
        raise ConfigError(
            f"`reinitialise` must be at most {len(stages)}, the number of stages of {original.name}, but got {n}."
        )
    fresh = original.initial.fresh_model(
        original.name,
        dataset.n_classes,
        dataset.channels,
        derive(seed, "reinitialise") % 2**31,
        original.arguments,
        dataset.train.images.shape[2:],
    )
    left = {layer for stage in stage_layers(fresh, stages)[: len(stages) - n] for layer in stage}
    weights = {key: value for key, value in fresh.state_dict().items() if key.rpartition(".")[0] not in left}
    bare_network(model).load_state_dict(weights, strict=False)
