"""The anti-sample method (Mondal & Samanta, PReMI 2025).

Images as unlike the forget class as possible, blurred by noise, are labelled with the class to forget; a short
fine-tuning on them and on retain images moves the class's decision region away from its true images. Samples to
forget are taken class by class: each class's samples get neighbours of their own, and its label.
"""

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from antisample.data.loader import TrainingData, to_device
from antisample.errors import ConfigError
from antisample.generation.anti_samples import convex_combinations, draw_anti_samples
from antisample.generation.controls import GeneratorName, control_samples
from antisample.generation.neighbours import farthest_neighbours
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.finetune import FineTuneSettings, fine_tuner, retain_subset
from antisample.seeds import torch_stream
from antisample.training.distillation import Reduction
from antisample.training.trainer import Trainer
from antisample.types import IndexArray


class AntiSampleConfig(FineTuneSettings):
    """Configuration of the method `antisample`; published names, published values as defaults.

    Attributes:
        local_variance: Scale of the noise, larger than 0; published 1, 5 and 10.
        size_multiplier: Rounds of neighbours and noise before samples are combined; published 1.
        p: Probability that a coordinate is noisy, in [0, 1]; published 0.85 and 0.95.
        tail_randomized: The neighbour is drawn from this many farthest retain images; 1 always uses the farthest.
            Published 20 and 30.
        eps: Added to the coordinate distance that scales the noise; published 0.01.
        generated_fraction: Anti-samples per forgotten class, as a fraction of the images that the last retain class
            has in the fine-tuning subset; published 1. For samples to forget, as a fraction of the samples of the
            class.
        no_generated_data: Number of anti-samples per forgotten class; overrides `generated_fraction`.
        combine: Whether anti-samples are convex combinations (published) or single draws.
        combination_temperature: 1 is published; larger values make the combinations sparser.
        generator: `antisample`, or instead a control of the paper's ablation; see `control_samples`.
        neighbour_pool: Where to search for neighbours: the fine-tuning `subset`, the whole `retain` set, or as
            `published`: the subset for one class, the retain set for several.
        anti_sample_weight: How much the loss of an anti-sample counts, at least 0; that of a retain image counts 1.
            Published 1.
    """

    name: Literal["antisample"] = "antisample"
    local_variance: float = Field(default=1.0, gt=0)
    size_multiplier: int = Field(default=1, ge=1)
    p: float = Field(default=0.95, ge=0, le=1)
    tail_randomized: int = Field(default=20, ge=1)
    eps: float = Field(default=0.01, ge=0)
    generated_fraction: float = Field(default=1.0, gt=0)
    no_generated_data: int | None = Field(default=None, ge=1)
    combine: bool = True
    combination_temperature: float = Field(default=1.0, gt=0)
    generator: GeneratorName = "antisample"
    anti_sample_weight: float = Field(default=1.0, ge=0)
    neighbour_pool: Literal["published", "subset", "retain"] = "published"

    @property
    def needs_neighbours(self) -> bool:
        """Its own generator does, the controls do not."""
        return self.generator == "antisample"

    @property
    def counts_equally(self) -> bool:
        """See `FineTuneSettings.counts_equally`."""
        return self.anti_sample_weight == 1


class AntiSample:
    """Fine-tunes on retain images and on anti-samples that carry the label of the class to forget."""

    config_type: ClassVar[type[MethodConfig]] = AntiSampleConfig

    def prepare(self, context: UnlearnContext, config: AntiSampleConfig) -> Trainer:
        """See `UnlearningMethod.prepare`.

        Raises:
            ConfigError: If `tail_randomized` exceeds the number of retain images.
        """
        subset = retain_subset(context, config.retain_fraction)
        images, labels = to_device(context.dataset.train, subset, context.device)
        generated = [self._generate(context, config, subset, label) for label in context.splits.forget_classes]
        return fine_tuner(
            context,
            config,
            TrainingData(
                images,
                labels,
                context.normaliser(),
                torch.cat(generated),
                torch.cat(
                    [
                        labels.new_full((len(g),), c)
                        for g, c in zip(generated, context.splits.forget_classes, strict=True)
                    ]
                ),
            ),
            reduction=_weighted(config.anti_sample_weight),
        )

    def preview(
        self, context: UnlearnContext, config: AntiSampleConfig, label: int, count: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Shows what the method works with, for a look at it.

        Args:
            context: Data, model, device and seed.
            config: Of the method; its control generators have nothing to show.
            label: A class to forget.
            count: How many of each to return; fewer if there are fewer.

        Returns:
            Forget images, their farthest neighbours, one noisy draw around each, and the anti-samples trained on;
            float32 [count, c, h, w], normalised.
        """
        forget, pool = self._images(context, config, retain_subset(context, config.retain_fraction), label)
        generator = torch_stream(context.device, context.seed, "preview", label)
        images = forget[:count]
        farthest = farthest_neighbours(images, pool, 1, context.normaliser().scale)
        draws = draw_anti_samples(
            images,
            pool,
            farthest,
            local_variance=config.local_variance,
            size_multiplier=1,
            p=config.p,
            eps=config.eps,
            normalise=context.normaliser(),
            generator=generator,
        )
        trained_on = self._generate(context, config, retain_subset(context, config.retain_fraction), label)
        normalise = context.normaliser()
        return normalise(images), normalise(pool[farthest[:, 0]]), draws.view(images.shape), trained_on[:count]

    def _images(
        self, context: UnlearnContext, config: AntiSampleConfig, subset: IndexArray, label: int
    ) -> tuple[Tensor, Tensor]:
        """The class's forget images and the retain images that neighbours are searched in, uint8, on the device."""
        positions, pool = _positions(context, config, subset, label)
        forget, _ = to_device(context.dataset.train, positions, context.device)
        retain, _ = to_device(context.dataset.train, pool, context.device)
        return forget, retain

    def _generate(self, context: UnlearnContext, config: AntiSampleConfig, subset: IndexArray, label: int) -> Tensor:
        """Anti-samples for one class, float32 [count, c, h, w], normalised."""
        train = context.dataset.train
        forget, retain = self._images(context, config, subset, label)
        if config.tail_randomized > len(retain):
            raise ConfigError(
                f"`tail_randomized` must be at most {len(retain)}, the number of retain images to choose from, "
                f"but got {config.tail_randomized}."
            )
        normalise = context.normaliser()
        generator = torch_stream(context.device, context.seed, "anti-samples", label)
        if context.splits.by_samples:
            wanted = max(1, round(config.generated_fraction * len(forget)))
        else:
            wanted = generated_count(train.labels[subset], config.generated_fraction)
        count = config.no_generated_data or wanted
        if config.generator != "antisample":
            flat = normalise(forget).flatten(1), normalise(retain).flatten(1)
            samples = control_samples(config.generator, *flat, count, config.combination_temperature, generator)
            return samples.view(len(samples), *forget.shape[1:])
        table = context.neighbours.get(label)
        if table is None:
            neighbours = farthest_neighbours(forget, retain, config.tail_randomized, normalise.scale)
        else:
            _, pool = _positions(context, config, subset, label)
            neighbours = table.among(train, pool, config.tail_randomized, normalise.scale)
        samples = draw_anti_samples(
            forget,
            retain,
            neighbours,
            local_variance=config.local_variance,
            size_multiplier=config.size_multiplier,
            p=config.p,
            eps=config.eps,
            normalise=normalise,
            generator=generator,
        )
        if config.combine:
            samples = convex_combinations(samples, count, config.combination_temperature, generator)
        else:
            turns = -(-count // len(samples))
            order = torch.randperm(len(samples), generator=generator, device=context.device).repeat(turns)
            samples = samples[order[:count]]
        return samples.view(count, *forget.shape[1:])


def _positions(
    context: UnlearnContext, config: AntiSampleConfig, subset: IndexArray, label: int
) -> tuple[IndexArray, IndexArray]:
    """Positions in the training split of the images of a class to forget, and of those its neighbours come from.

    Neighbours are retain images of other classes: where samples are to be forgotten, some are of the same class.
    """
    splits, labels = context.splits, context.dataset.train.labels
    positions = splits.forget[labels[splits.forget] == label]
    whole = config.neighbour_pool == "retain" or (
        config.neighbour_pool == "published" and len(splits.forget_classes) > 1
    )
    pool = splits.retain if whole else subset
    return positions, pool[labels[pool] != label]


def _weighted(anti_sample_weight: float) -> Reduction:
    """The mean over a batch in which anti-samples have another weight than retain images."""

    def reduction(losses: Tensor, is_retain: Tensor) -> Tensor:
        return torch.where(is_retain, losses, anti_sample_weight * losses).mean()

    return reduction


def generated_count(subset_labels: IndexArray, fraction: float) -> int:
    """How many anti-samples a forgotten class gets: a share of the last retain class's images in the subset."""
    return max(1, round(fraction * int(np.count_nonzero(subset_labels == subset_labels.max()))))
