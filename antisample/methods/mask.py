"""Masking: the forgotten classes can no longer be answered. No work at all, and what every method is held against."""

from typing import ClassVar, Literal

from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.editing import EditedRun, example_images, without_classes
from antisample.models.head import find_head


class MaskConfig(MethodConfig):
    """Configuration of the method `mask`, which has no hyperparameters."""

    name: Literal["mask"] = "mask"
    forgets_samples: ClassVar[bool] = False
    on_samples: ClassVar[str] = "takes whole classes out of the answers and leaves what is said of single images"


class Mask:
    """Sets the logits of the forgotten classes to -1e4; their softmax is 0, and that of the others is renormalised.

    Where the network's last layer has a bias and nothing comes behind it, rows of zeros and a bias of -1e4 do it.
    Otherwise a module behind the network does (`MaskedOutputs`), which its files name in their metadata.
    """

    config_type: ClassVar[type[MethodConfig]] = MaskConfig

    def prepare(self, context: UnlearnContext, config: MaskConfig) -> EditedRun:
        """See `UnlearningMethod.prepare`."""
        del config
        model = context.original.build(context.dataset, context.device)
        images = example_images(context)
        head = find_head(model, images, context.dataset.n_classes)
        return EditedRun(without_classes(model, head, context.splits.gone_classes, images))
