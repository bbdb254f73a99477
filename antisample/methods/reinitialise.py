"""Taking the weights of a network's last stages: what they knew has to be learned again, from retain data alone."""

from torch import nn

from antisample.models.masked_outputs import bare_network
from antisample.models.original import OriginalModel
from antisample.models.stages import stage_layers
from antisample.seeds import derive
from antisample.types import Dataset


def reinitialise_last(model: nn.Module, n: int, original: OriginalModel, dataset: Dataset, seed: int) -> None:
    """Gives the last stages, and whatever comes after them, the weights that a retraining would start from.

    Args:
        model: A copy of the original; changed in place.
        n: How many stages, at least 1; more than there are means all.
        original: Tells stages and initial weights.
        dataset: The data.
        seed: Of fresh weights.

    Raises:
        ConfigError: If the network has no stages.
    """
    stages = original.stage_names(dataset)
    fresh = original.fresh_model(dataset, derive(seed, "reinitialise") % 2**31)
    left = {layer for stage in stage_layers(fresh, stages)[: max(0, len(stages) - n)] for layer in stage}
    weights = {key: value for key, value in fresh.state_dict().items() if key.rpartition(".")[0] not in left}
    bare_network(model).load_state_dict(weights, strict=False)
