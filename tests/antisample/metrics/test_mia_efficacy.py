"""MIA efficacy of networks whose confidences leave no doubt."""

import numpy as np
import pytest

from antisample.metrics import Predictions
from antisample.metrics.mia_efficacy import mia_efficacy


def predictions(confidences, labels):
    """Two classes; the true one has this probability."""
    confidences, labels = np.array(confidences, np.float32), np.array(labels)
    probabilities = np.where(np.eye(2, dtype=bool)[labels], confidences[:, None], 1 - confidences[:, None])
    return Predictions(probabilities, -np.log(confidences), labels)


@pytest.mark.parametrize(("forget", "efficacy"), [([0.9] * 8, 0.0), ([0.1] * 8, 1.0), ([0.9] * 6 + [0.1] * 2, 0.25)])
def test_it_is_the_share_of_forget_images_that_look_like_unseen_ones(forget, efficacy):
    seen = predictions([*forget, *[0.9] * 50], [1] * 8 + [0] * 50)
    # Unseen images of the forgotten class, which are as sure as can be, are not the attacker's.
    unseen = predictions([0.1] * 30 + [0.99] * 30, [0] * 30 + [1] * 30)
    assert mia_efficacy(seen, unseen, (1,), seed=0) == efficacy


def test_samples_to_forget_are_no_members():
    seen = predictions([0.1] * 8 + [0.9] * 50, [0] * 58)
    seen = Predictions(seen.probabilities, seen.losses, seen.labels, np.arange(58) < 8)
    unseen = predictions([0.1] * 38, [0] * 38)
    unseen = Predictions(unseen.probabilities, unseen.losses, unseen.labels, np.arange(38) < 8)
    assert mia_efficacy(seen, unseen, (0,), seed=0) == 1
