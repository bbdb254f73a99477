"""Every unlearning method passes the conformance suite; here is what each promises beyond it."""

import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from antisample.data.loader import to_device
from antisample.errors import ConfigError
from antisample.methods import find_method, method_config, method_names
from antisample.methods.anti_sample import generated_count
from antisample.methods.finetune import retain_subset
from antisample.methods.neggrad_plus import neggrad_plus_loss
from antisample.methods.unsir import learn_noise
from antisample.testing import MethodConformance

CPU = torch.device("cpu")


def weights(model):
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


class TestAntiSample(MethodConformance):
    name = "antisample"

    def test_it_adds_as_many_anti_samples_as_the_last_retain_class_has_images(self, context):
        run = self.prepare(context, retain_fraction=0.5)
        config = method_config(self.name, retain_fraction=0.5)
        labels = context.dataset.train.labels[retain_subset(context, config.retain_fraction)]
        added = run.data.extra_images
        assert len(added) == (labels == 9).sum()
        assert run.data.labels[-len(added) :].unique().tolist() == [3]
        assert len(run.data.images) == len(labels)

    def test_a_number_overrides_the_fraction(self, context):
        assert len(self.prepare(context, generated_fraction=0.5).data.extra_images) == pytest.approx(56, abs=3)
        assert len(self.prepare(context, no_generated_data=7).data.extra_images) == 7

    def test_without_combinations_they_are_single_draws(self, context):
        combined = self.prepare(context, p=0.0).data.extra_images
        single = self.prepare(context, p=0.0, combine=False, no_generated_data=500).data.extra_images
        subset, _ = to_device(context.dataset.train, context.splits.retain, CPU)
        retain = context.normaliser()(subset).flatten(1)
        assert all((retain == image).all(1).any() for image in single.flatten(1)[:20])
        assert not any((retain == image).all(1).any() for image in combined.flatten(1)[:20])

    def test_several_classes_get_their_own_anti_samples(self, context):
        classes = (3, 8)
        train = np.concatenate([context.splits.forget, context.splits.retain])
        forget = np.isin(context.dataset.train.labels[train], classes)
        splits = dataclasses.replace(
            context.splits, forget_classes=classes, forget=train[forget], retain=train[~forget], fingerprint="two"
        )
        run = self.prepare(dataclasses.replace(context, splits=splits), no_generated_data=9)
        assert run.data.labels[-18:].tolist() == [3] * 9 + [8] * 9

    @pytest.mark.parametrize("values", [{"tail_randomized": 90}, {"retain_fraction": 0.2}])
    def test_known_neighbours_give_what_a_search_gives(self, context, digits_inputs, values):
        assert list(digits_inputs.neighbours) == [3]
        known = dataclasses.replace(context, neighbours=digits_inputs.neighbours)
        searched, told = (self.prepare(c, **values).data.extra_images for c in (context, known))
        assert torch.equal(searched, told)

    @pytest.mark.parametrize(("generator", "needed"), [("antisample", True), ("normal", False)])
    def test_only_its_own_generator_needs_neighbours(self, generator, needed):
        assert method_config(self.name, generator=generator).needs_neighbours is needed

    def test_a_preview_shows_neighbours_draws_and_what_is_trained_on(self, context):
        config = method_config(self.name, p=0.0, eps=0.0)
        forget, farthest, draws, trained_on = find_method(self.name).preview(context, config, 3, 4)
        assert forget.shape == farthest.shape == draws.shape == trained_on.shape == (4, 1, 8, 8)
        assert torch.equal(draws, farthest)  # without noise a draw is the neighbour
        retain, _ = to_device(context.dataset.train, context.splits.retain, CPU)
        distances = torch.cdist(forget.flatten(1), context.normaliser()(retain).flatten(1))
        found = (farthest - forget).flatten(1).norm(dim=1)
        torch.testing.assert_close(found, distances.max(dim=1).values)
        assert torch.equal(trained_on, self.prepare(context, p=0.0, eps=0.0).data.extra_images[:4])

    def test_more_neighbours_than_retain_images_are_refused(self, context):
        with pytest.raises(ConfigError, match=r"`tail_randomized` must be at most \d+, .* but got 5000"):
            self.prepare(context, tail_randomized=5000)

    def test_the_count_is_a_share_of_the_last_class(self):
        labels = np.array([0] * 50 + [7] * 20)
        assert [generated_count(labels, fraction) for fraction in (1.0, 0.5, 2.0, 0.001)] == [20, 10, 40, 1]

    @pytest.mark.parametrize("generator", ["normal", "retain_combinations", "forget"])
    def test_controls_stand_in_for_anti_samples(self, context, generator):
        config = {"generator": generator, "no_generated_data": 200}
        run, again = self.prepare(context, **config), self.prepare(context, **config)
        added = run.data.extra_images
        assert added.shape == (200, 1, 8, 8)
        assert torch.equal(added, again.data.extra_images)
        assert run.data.labels[-200:].unique().tolist() == [3]
        assert np.isfinite(run.run_epoch())

    def test_controls_are_what_they_say(self, context):
        def added(generator, n=400):
            return self.prepare(context, generator=generator, no_generated_data=n).data.extra_images.flatten(1)

        noise = added("normal")
        assert abs(float(noise.mean())) < 0.03
        assert float(noise.std()) == pytest.approx(1, abs=0.03)
        train, normalise = context.dataset.train, context.normaliser()
        forget, retain = (
            normalise(to_device(train, positions, CPU)[0]).flatten(1)
            for positions in (context.splits.forget, context.splits.retain)
        )
        assert all((forget == image).all(1).any() for image in added("forget"))
        combined = added("retain_combinations")
        torch.testing.assert_close(combined.mean(0), retain.mean(0), atol=0.02, rtol=0)
        assert (combined <= retain.max(0).values + 1e-5).all()
        assert self.prepare(context, generator="none").data.extra_images.shape == (0, 1, 8, 8)

    def test_without_samples_it_is_fine_tuning(self, context):
        none = self.prepare(context, generator="none")
        plain = find_method("finetune").prepare(context, method_config("finetune", epochs=2))
        none.run_epoch()
        plain.run_epoch()
        assert torch.equal(weights(none.model), weights(plain.model))


class TestUnsir(MethodConformance):
    name = "unsir"
    values: ClassVar[dict] = {"noise_images": 32}

    def test_the_noise_has_the_shape_of_images_and_is_not_taken_for_the_class(self, context):
        config = method_config(self.name)
        untaught = learn_noise(context, method_config(self.name, noise_lr=1e-9), 3)
        noise = learn_noise(context, config, 3)
        assert noise.shape == (256, *context.dataset.train.images.shape[1:])
        model = context.original.build(context.dataset, CPU).eval()
        with torch.no_grad():
            before, after = (model(images).softmax(1)[:, 3].mean() for images in (untaught, noise))
        assert after < before
        assert noise.square().mean() < untaught.square().mean()

    def test_impair_sees_noise_under_its_own_label_and_repair_sees_retain_images_alone(self, context):
        impair, repair = self.prepare(context, noise_copies=5).stages
        assert impair.data.labels[-5 * 32 :].unique().tolist() == [3]
        assert impair.data.extra_images.shape[0] == 5 * 32
        assert 3 not in repair.data.labels
        assert len(repair.data) == len(context.splits.retain)
        assert [stage.optimizer.rate.value for stage in (impair, repair)] == [0.02, 0.01]
        assert impair.mode == repair.mode == "train"

    def test_each_class_has_noise_of_its_own(self, context):
        config = method_config(self.name, noise_images=8)
        assert not torch.equal(learn_noise(context, config, 3), learn_noise(context, config, 8))


class TestRandomLabels(MethodConformance):
    name = "random_labels"

    def test_forget_images_carry_retain_labels_of_every_kind(self, context):
        run = self.prepare(context, retain_fraction=0.5)
        n = len(context.splits.forget)
        assert sorted(run.data.labels[-n:].unique().tolist()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
        assert 3 not in run.data.labels
        forget, _ = to_device(context.dataset.train, context.splits.forget, CPU)
        assert torch.equal(run.data.images[-n:], forget)


class TestGradientAscent(MethodConformance):
    name = "gradient_ascent"

    def test_it_raises_the_loss_on_the_forget_images_and_sees_no_others(self, context):
        run = self.prepare(context, epochs=3)
        assert run.data.labels.unique().tolist() == [3]
        assert len(run.data) == len(context.splits.forget)
        losses = [run.run_epoch() for _ in range(3)]
        assert 0 > losses[0] > losses[1] > losses[2]

    def test_a_share_of_the_retain_images_is_refused(self):
        with pytest.raises(ValidationError, match="retain_fraction"):
            method_config(self.name, retain_fraction=0.5)


class TestNegGradPlus(MethodConformance):
    name = "neggrad_plus"

    def test_it_sees_forget_images_under_their_own_label_and_a_share_of_the_others(self, context):
        run = self.prepare(context, retain_fraction=0.5)
        assert (run.data.labels[-len(context.splits.forget) :] - 10).unique().tolist() == [3]
        assert len(run.data) == len(retain_subset(context, 0.5)) + len(context.splits.forget)

    def test_the_loss_of_a_hand_computed_batch(self):
        # Softmax of (0, ln 3) is (1/4, 3/4). Class 1 is forgotten.
        logits = torch.tensor([[0.0, math.log(3)]] * 3, requires_grad=True)
        loss = neggrad_plus_loss(0.9, 2)
        mixed = loss(logits, torch.tensor([0, 0, 1 + 2]))
        assert mixed.item() == pytest.approx(0.9 * math.log(4) - 0.1 * math.log(4 / 3))
        assert loss(logits, torch.tensor([0, 0, 0])).item() == pytest.approx(0.9 * math.log(4))
        assert loss(logits, torch.tensor([3, 3, 3])).item() == pytest.approx(-0.1 * math.log(4 / 3))

    def test_it_forgets_more_than_fine_tuning_does(self, context):
        def forget_loss(name, **values):
            run = find_method(name).prepare(context, method_config(name, epochs=3, unlearn_scale_lr=0.5, **values))
            while run.epochs_done < 3:
                run.run_epoch()
            images, labels = to_device(context.dataset.train, context.splits.forget, CPU)
            with torch.no_grad():
                return float(torch.nn.functional.cross_entropy(run.model(context.normaliser()(images)), labels))

        assert forget_loss("neggrad_plus", alpha=0.7) > forget_loss("finetune") + 1


class TestFineTune(MethodConformance):
    name = "finetune"

    def test_it_trains_on_a_share_of_each_retain_class(self, context):
        run = self.prepare(context, retain_fraction=0.25)
        labels = context.dataset.train.labels[context.splits.retain]
        kept = np.bincount(run.data.labels.numpy(), minlength=10)
        assert kept[3] == 0
        np.testing.assert_allclose(kept, np.bincount(labels, minlength=10) * 0.25, atol=0.51)


class TestRetrain(MethodConformance):
    name = "retrain"
    trains_in_bfloat16 = False  # it trains as the original was trained

    def test_it_starts_from_fresh_weights_and_never_sees_the_forget_class(self, context):
        run = self.prepare(context)
        original = context.original.state_dict["features.0.weight"]
        assert not torch.allclose(run.model.state_dict()["features.0.weight"], original, atol=0.1)
        assert 3 not in run.data.labels
        assert len(run.data) == len(context.splits.retain)


class TestMask(MethodConformance):
    name = "mask"
    values: ClassVar[dict] = {}
    draws_random_numbers = False
    trains_in_bfloat16 = False  # nothing is trained


class TestFiltration(MethodConformance):
    name = "filtration"
    values: ClassVar[dict] = {"variant": "randomisation"}
    trains_in_bfloat16 = False  # nothing is trained


class TestHead(MethodConformance):
    name = "head"
    trains_in_bfloat16 = False  # one linear layer


def test_every_method_has_a_conformance_suite():
    assert {suite.name for suite in MethodConformance.__subclasses__()} == set(method_names())


def test_an_unknown_method_lists_the_valid_ones():
    names = (
        "antisample, filtration, finetune, gradient_ascent, head, mask, neggrad_plus, random_labels, retrain, unsir"
    )
    with pytest.raises(ConfigError, match=f"must be one of {names}, but got 'amnesia'"):
        find_method("amnesia")
