"""Control generators: what the anti-sample paper's ablation puts in the place of anti-samples."""

from typing import Literal

import torch
from torch import Tensor

from antisample.generation.anti_samples import convex_combinations

GeneratorName = Literal["antisample", "normal", "retain_combinations", "forget", "none"]


def control_samples(
    name: GeneratorName,
    forget: Tensor,
    retain: Tensor,
    count: int,
    temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """Draws samples that carry the label of the class to forget, as anti-samples do.

    Args:
        name: `normal` draws standard normal noise; `retain_combinations` convex combinations of retain images;
            `forget` takes the forget images themselves, each as often as needed; `none` draws nothing.
        forget: float32, [n, d], normalised and flattened.
        retain: float32, [m, d], likewise.
        count: How many samples, at least 1.
        temperature: Of the combinations; see `convex_combinations`.
        generator: On the device of the images.

    Returns:
        float32, [count, d]; [0, d] for `none`.
    """
    if name == "normal":
        return torch.randn(count, forget.shape[1], generator=generator, device=forget.device)
    if name == "retain_combinations":
        return convex_combinations(retain, count, temperature, generator)
    if name == "forget":
        turns = -(-count // len(forget))
        order = torch.randperm(len(forget), generator=generator, device=forget.device).repeat(turns)
        return forget[order[:count]]
    return forget.new_empty(0, forget.shape[1])
