"""What a network computes, read from its code."""

import copy

from torch import fx, nn

_LEAVES = (nn.Conv2d, nn.BatchNorm2d)


class _Tracer(fx.Tracer):
    """Looks into modules as far as there are convolutions in them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        del module_qualified_name
        return isinstance(m, _LEAVES) or not any(isinstance(inside, _LEAVES) for inside in m.modules())


def trace(model: nn.Module) -> fx.Graph | None:
    """The operations of a network in eval mode, convolutions and normalisations among them by name.

    Args:
        model: Any network, of which a copy is read: networks may keep what passes through them.

    Returns:
        The operations; None where what is done depends on the images, or the network cannot be read.
    """
    try:
        copied = copy.deepcopy(model)
        copied.eval()
        return _Tracer().trace(copied)
    except Exception:  # whatever a network of the user's may raise
        return None
