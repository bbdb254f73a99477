"""Kinds of failures, as journals of this and of earlier versions keep them."""

import pytest

from tuning.trials.failures import FailureKind, failure_kind, interrupted, refused


@pytest.mark.parametrize("kind", list(FailureKind))
def test_the_kind_that_is_kept_is_read_whatever_the_message_says(kind):
    assert failure_kind({"failure": kind.value, "error": "Interrupted: Not tried"}) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Interrupted: the time budget is used up.", FailureKind.INTERRUPTED),
        ("Interrupted before its last epoch.", FailureKind.INTERRUPTED),
        ("Not tried: `p` is missing.", FailureKind.REFUSED),
        ("DivergedError: Interrupted", FailureKind.ERROR),
        ("", FailureKind.ERROR),
    ],
)
def test_a_study_from_before_kinds_were_kept_is_read_by_its_messages(error, kind):
    assert failure_kind({"error": error}) is kind


@pytest.mark.parametrize("stated", ["made up", 3, None, ["error"]])
def test_a_kind_that_is_none_says_nothing(stated):
    assert failure_kind({"failure": stated, "error": interrupted("by hand.")}) is FailureKind.INTERRUPTED
    assert failure_kind({"failure": stated, "error": refused("it does not fit.")}) is FailureKind.REFUSED


def test_what_was_ended_from_outside_does_not_count():
    assert {kind for kind in FailureKind if not kind.counts} == {FailureKind.INTERRUPTED, FailureKind.REFUSED}
