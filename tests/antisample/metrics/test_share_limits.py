"""Limits of shares of images, against published figures and against the exact ones."""

import numpy as np
import pytest
from scipy.stats import binomtest

from antisample.metrics.share_limits import limits_in_brackets, limits_text, share_limits


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("images", [1, 2, 29, 400, 10_000])
def test_limits_are_those_of_scipy(images, level):
    for hits in {0, 1, images // 3, images - 1, images}:
        expected = binomtest(hits, images).proportion_ci(level, method="wilson")
        low, high = share_limits(hits / images, images, level)
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert 0 <= low <= hits / images <= high <= 1


def test_nothing_out_of_few_images_is_not_nothing():
    assert share_limits(0.0, 29) == (0.0, pytest.approx(0.117, abs=5e-4))
    assert share_limits(1.0, 29) == (pytest.approx(0.883, abs=5e-4), 1.0)


def test_a_mean_over_replicates_need_not_be_a_whole_number_of_images():
    low, high = share_limits(0.5 / 29, 29)
    assert share_limits(0, 29)[0] <= low < 0.5 / 29 < high < share_limits(1 / 29, 29)[1]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_they_hold_the_true_share_about_as_often_as_they_say(share):
    hits = np.random.default_rng(0).binomial(200, share, 2000)
    held = np.mean([low <= share <= high for low, high in (share_limits(k / 200, 200) for k in hits)])
    assert 0.92 <= held <= 0.985


@pytest.mark.parametrize(
    ("share", "images", "text"),
    [
        (0.0, 29, "0 to 12 %"),
        (1.0, 29, "88 to 100 %"),
        (0.5, 30, "33 to 67 %"),
        (0.0, 1, "0 to 79 %"),
        (0.0, 1000, "0 to 0.4 %"),
        (0.95, 10_000, "94.6 to 95.4 %"),
        (0.0, 100_000, "0 to 0.004 %"),
    ],
)
def test_they_are_written_with_the_decimals_that_they_are_worth(share, images, text):
    assert limits_text(share, images) == text


def test_they_are_short_in_tables():
    assert limits_in_brackets(0.0, 29) == "[0, 11.7]"
    assert limits_in_brackets(1.0, 29) == "[88.3, 100]"
    assert limits_in_brackets(0.5, 30) == "[33.2, 66.8]"


@pytest.mark.parametrize(
    "arguments", [(-0.1, 5), (1.1, 5), (float("nan"), 5), (0.5, 0), (0.5, 5, 1.0), (0.5, 5, 0.0)]
)
def test_what_is_no_share_is_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        share_limits(*arguments)
