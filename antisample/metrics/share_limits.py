"""Between which limits a share of images lies that was counted on few: 0 of 29 is 0 to 12 %, not 0."""

import math
from statistics import NormalDist


def share_limits(share: float, images: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share: the shares from which what was counted would be no surprise.

    It stays within 0 and 1 and has a width at 0 and at 1, where the usual standard error says that there is no
    uncertainty at all. Wilson, Probable inference, the law of succession, and statistical inference, JASA (1927).

    Args:
        share: What was counted, such as an accuracy, in [0, 1]. A mean over replicates that were measured on the same
            images counts as one measurement.
        images: How many images it stands on, at least 1.
        level: Confidence, in (0, 1).

    Returns:
        The lower and the upper limit, in [0, 1]; `share` lies between them.

    Raises:
        ValueError: If an argument is out of its range, or not finite.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"`share` must be in [0, 1], but got {share}.")
    if images < 1:
        raise ValueError(f"`images` must be at least 1, but got {images}.")
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1), but got {level}.")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2 / images
    centre = (share + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * share * (1 - share) + z2**2 / 4) / (1 + z2)
    # At the ends the limits are 0 and 1 exactly, which floating-point numbers only come near to.
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


def limits_text(share: float, images: int, level: float = 0.95) -> str:
    """The same for people: `0 to 12 %`, with as many decimals as the width of the interval is worth.

    Args:
        share: As for `share_limits`.
        images: As for `share_limits`.
        level: As for `share_limits`.

    Returns:
        Both limits in percent.

    Raises:
        ValueError: As `share_limits`.
    """
    low, high = share_limits(share, images, level)
    decimals = max(0, min(3, math.ceil(-math.log10(50 * (high - low)))))
    return f"{_percent(low, decimals)} to {_percent(high, decimals)} %"


def limits_in_brackets(share: float, images: int, level: float = 0.95) -> str:
    """The same where there is little room, as in tables: `[0, 11.7]`, in percent.

    Args:
        share: As for `share_limits`.
        images: As for `share_limits`.
        level: As for `share_limits`.

    Raises:
        ValueError: As `share_limits`.
    """
    low, high = share_limits(share, images, level)
    return f"[{_percent(low, 1)}, {_percent(high, 1)}]"


def _percent(share: float, decimals: int) -> str:
    return f"{100 * share:.{0 if share in (0.0, 1.0) else decimals}f}"
