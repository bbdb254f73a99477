"""What a network gives, reduced to its logits: some networks give auxiliary outputs beside them."""

import dataclasses
from collections.abc import Mapping

from torch import Tensor, nn


def logits_of(output: object) -> object:
    """The logits among what a network gives.

    Args:
        output: A tensor; or an object or mapping with `logits`, as networks of Hugging Face and torchvision's
            Inception give; or a tuple, list, mapping or dataclass, whose first part is taken.

    Returns:
        The logits; the output itself where there is no tensor in these places.
    """
    if isinstance(output, Tensor):
        return output
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    parts: list[object] = []
    if isinstance(output, Mapping):
        parts = list(output.values())
    elif isinstance(output, tuple | list):
        parts = list(output)
    elif dataclasses.is_dataclass(output):
        parts = [getattr(output, field.name) for field in dataclasses.fields(output)]
    return logits_of(parts[0]) if parts else output


def describe_outputs(output: object) -> tuple[str, ...]:
    """Says in a sentence which of several outputs are the logits; nothing of a tensor."""
    if isinstance(output, Tensor):
        return ()
    has_name = "logits" in output if isinstance(output, Mapping) else hasattr(output, "logits")
    taken = "`logits`" if has_name else "the first"
    return (f"Of the network's outputs ({type(output).__name__}), {taken} is used.",)


def take_logits(module: nn.Module, inputs: object, output: object) -> object:
    """A forward hook that puts the logits in the place of what a network gives."""
    del module, inputs
    return logits_of(output)
