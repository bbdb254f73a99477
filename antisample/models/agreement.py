"""Answers against labels: are they better than guesses, and are the classes only in another order?"""

import numpy as np

from antisample.seeds import numpy_stream
from antisample.types import IndexArray

LEVEL = 0.01
"""Of significance, one-sided."""

_IMAGES_TO_TELL = 5
_PERMUTATIONS = 1999


def chance_accuracy(labels: IndexArray, said: IndexArray) -> float:
    """The accuracy of guesses as frequent as the model's answers: what Cohen's kappa calls agreement by chance.

    A model that always gives the most frequent class is not above it, however unbalanced the data.

    Args:
        labels: True labels, int64, [n].
        said: The model's, int64, [n].
    """
    size = 1 + int(max(labels.max(), said.max()))
    shares = (np.bincount(each, minlength=size) / len(labels) for each in (labels, said))
    return float(np.prod(list(shares), axis=0).sum())


def guesses(labels: IndexArray, said: IndexArray) -> bool:
    """Whether answers are not better than the same answers dealt out at random, by a permutation test at 99 %.

    Args:
        labels: True labels, int64, [n].
        said: The model's, int64, [n].

    Returns:
        False also where even right answers to all images would be no evidence.
    """
    if not len(labels) or _dealt_as_well(labels, labels) > LEVEL:
        return False
    return _dealt_as_well(labels, said) > LEVEL


def _dealt_as_well(labels: IndexArray, said: IndexArray) -> float:
    """The share of random orders of the answers in which at least as many are right."""
    rng, right = numpy_stream(0, "permutation test"), int((labels == said).sum())
    as_well = sum(int((labels == rng.permutation(said)).sum()) >= right for _ in range(_PERMUTATIONS))
    return (1 + as_well) / (1 + _PERMUTATIONS)


def other_order(labels: IndexArray, said: IndexArray, n_classes: int) -> dict[int, int] | None:
    """Finds out whether a confusion matrix is a permutation: classes are usually called by each other's names.

    Of many moved classes, each need not have many images: the order found on half of the images has to hold on the
    other half. Of a few, each has to be called by the other's name most of the time.

    Args:
        labels: True labels, int64, [n].
        said: The model's, int64, [n].
        n_classes: How many there are.

    Returns:
        By each class that is moved, what it is called; None if the classes stand in their order.
    """
    confusion = _counts(labels, said, n_classes)
    images = confusion.sum(axis=1)
    order = {row: column for row, column in enumerate(_best_order(confusion)) if row != column and images[row]}
    if len(order) < 2:
        return None
    places = list(order)
    if len(order) > n_classes / 2:
        halves = [slice(0, None, 2), slice(1, None, 2)]
        orders = [_best_order(_counts(labels[half], said[half], n_classes)) for half in halves]
        matched = sum(int((orders[1 - at][labels[half]] == said[half]).sum()) for at, half in enumerate(halves))
        right, total = int((labels == said).sum()), len(labels)
    else:
        matched = sum(int(confusion[row, column]) for row, column in order.items())
        right, total = int(confusion[places, places].sum()), int(images[places].sum())
        usually = all(confusion[row].argmax() == column for row, column in order.items())
        if not usually or total < _IMAGES_TO_TELL * len(order):
            return None
    return None if 4 * right > matched or _by_chance(matched, total, 1 / n_classes) else order


def _counts(labels: IndexArray, said: IndexArray, n_classes: int) -> IndexArray:
    return np.bincount(labels * n_classes + said, minlength=n_classes**2).reshape(n_classes, n_classes)


def _best_order(confusion: IndexArray) -> IndexArray:
    """What each class is called, each name given once, so that most images are called so."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  (a second that few need to wait for)

    return np.asarray(linear_sum_assignment(confusion, maximize=True)[1])


def _by_chance(matched: int, images: int, share: float) -> bool:
    from scipy.stats import binom  # noqa: PLC0415  (a second that few need to wait for)

    return bool(binom.sf(matched - 1, images, share) > LEVEL)
