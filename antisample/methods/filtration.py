"""Linear filtration (Baumhauer, Schöttle and Zeppelzauer, Machine Learning 111, 2022; arXiv 2002.02730)."""

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from antisample.errors import ConfigError
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.editing import EditedRun, batches_at, example_images, without_classes
from antisample.models.head import head_inputs, head_weights, needed_head
from antisample.seeds import torch_stream
from antisample.types import IndexArray

Variant = Literal["zeroing", "randomisation", "normalisation"]


class FiltrationConfig(MethodConfig):
    """Configuration of the method `filtration`.

    Attributes:
        variant: What the mean logits of a forgotten class become: `zeroing` gives zeros, `randomisation` standard
            normal numbers, drawn from the run's seed.
        images_per_class: Largest number of training images, forget and retain, of each class that its mean logits
            are taken over, evenly spaced.
    """

    name: Literal["filtration"] = "filtration"
    forgets_samples: ClassVar[bool] = False
    on_samples: ClassVar[str] = "filters the mean logits of whole classes"
    variant: Literal["zeroing", "randomisation"] = "zeroing"
    images_per_class: int = Field(default=500, ge=1)


class Filtration:
    """Multiplies the logits by a matrix that maps the mean logits of a forgotten class to ones that say nothing.

    With A the k x k matrix whose column j holds the mean logits of class j, and B the rows of A of the k - m classes
    that stay, the columns of the m forgotten classes are replaced in B, see `filtered_means`, and the filtration
    matrix is F = B A^-1. The weight W and the bias b of the last layer become F W and F b: the mean of a class that
    stays is mapped to itself without the forgotten logits, the mean of a forgotten class to its new column. In the
    paper the network then has k - m outputs; here it keeps k, and the forgotten ones are masked.

    The third variant of the paper, normalisation, shifts all remaining logits of an image by the same number, so that
    their softmax is that of a mask: that is the method `mask`.
    """

    config_type: ClassVar[type[MethodConfig]] = FiltrationConfig

    def prepare(self, context: UnlearnContext, config: FiltrationConfig) -> EditedRun:
        """See `UnlearningMethod.prepare`.

        Raises:
            ConfigError: If the network has no head, a class has no training image, or the means are linearly
                dependent, so that A has no inverse.
        """
        dataset, forgotten = context.dataset, list(context.splits.forget_classes)
        model = context.original.build(dataset, context.device)
        examples = example_images(context)
        head = needed_head(model, examples, dataset.n_classes, config.name, context.original.name)
        positions = _evenly_spaced(context, config.images_per_class)
        features = head_inputs(model, head, batches_at(context, positions)).double()
        labels = torch.from_numpy(dataset.train.labels[positions]).to(features.device)
        weight, bias = head_weights(head.layer(model))
        means = class_means(torch.nn.functional.linear(features, weight.double()), labels, dataset.n_classes)
        if bias is not None:
            means += bias.double().unsqueeze(1)
        answered = [label for label in range(dataset.n_classes) if label not in context.splits.earlier_classes]
        places = [answered.index(label) for label in forgotten]
        generator = torch_stream(torch.device("cpu"), context.seed, "filtration")
        means = means[answered][:, answered].cpu()
        matrix = filtration_matrix(means, places, config.variant, generator).to(weight.device)
        kept = [label for label in answered if label not in forgotten]
        filtered = (matrix @ weight[answered].double()).to(weight.dtype)
        weight[kept], weight[forgotten] = filtered, 0.0
        if bias is not None:
            bias[kept] = (matrix @ bias[answered].double()).to(bias.dtype)
        return EditedRun(without_classes(model, head, context.splits.gone_classes, examples))


def class_means(logits: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Mean logits of each class as columns: [classes, classes], of logits [n, classes] and labels [n]."""
    return torch.stack([logits[labels == label].mean(dim=0) for label in range(n_classes)], dim=1)


def filtered_means(means: Tensor, forgotten: list[int], variant: Variant, generator: torch.Generator) -> Tensor:
    """The means that the remaining logits shall have: B, [classes - forgotten, classes].

    Args:
        means: A, [classes, classes], the mean logits of each class as columns.
        forgotten: Labels.
        variant: What the columns of forgotten classes become: zeros, standard normal numbers, or (`normalisation`)
            themselves, shifted to the mean of the other columns.
        generator: Of the normal numbers, on the CPU.
    """
    kept = [label for label in range(len(means)) if label not in forgotten]
    filtered = means[kept].clone()
    if variant == "zeroing":
        filtered[:, forgotten] = 0.0
    elif variant == "randomisation":
        filtered[:, forgotten] = torch.randn(len(kept), len(forgotten), generator=generator, dtype=means.dtype)
    else:
        columns = filtered[:, forgotten]
        filtered[:, forgotten] = columns - columns.mean(dim=0) + filtered[:, kept].mean()
    return filtered


def filtration_matrix(means: Tensor, forgotten: list[int], variant: Variant, generator: torch.Generator) -> Tensor:
    """F = B A^-1, [classes - forgotten, classes]; see `Filtration`.

    Args:
        means: See `filtered_means`.
        forgotten: Likewise.
        variant: Likewise.
        generator: Likewise.

    Raises:
        ConfigError: If A has no inverse.
    """
    rank = int(torch.linalg.matrix_rank(means))
    if rank < len(means):
        raise ConfigError(
            f"The method 'filtration' inverts the matrix of the mean logits of {len(means)} classes, but its rank is "
            f"{rank}: the means of this network are linearly dependent."
        )
    filtered = filtered_means(means, forgotten, variant, generator)
    solved: Tensor = torch.linalg.solve(means.T, filtered.T)
    return solved.T


def _evenly_spaced(context: UnlearnContext, most: int) -> IndexArray:
    """Positions of at most so many training images of each class, forget and retain."""
    positions = np.sort(np.concatenate([context.splits.forget, context.splits.retain]))
    labels = context.dataset.train.labels[positions]
    chosen = []
    for label, name in enumerate(context.dataset.class_names):
        if label in context.splits.earlier_classes:
            continue
        own = positions[labels == label]
        if not len(own):
            raise ConfigError(f"The method 'filtration' needs training images of every class, but {name!r} has none.")
        chosen.append(own[np.linspace(0, len(own) - 1, min(most, len(own))).astype(np.int64)])
    return np.concatenate(chosen)
