"""Which class is meant by a name, and what is never taken for one."""

import datetime
import enum

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antisample.data.class_names import class_labels, joined_names, near_names, split_names
from antisample.data.forget_request import ForgetRequest, forget_classes
from antisample.errors import ConfigError

LANGUAGES = ("de", "fi", "no", "se")
PADDED = ("001", "002", "003")


class Language(str, enum.Enum):  # noqa: UP042  (whose str() is the member's name)
    NORWEGIAN = "no"


class Position(enum.IntEnum):
    THIRD = 3


@pytest.mark.parametrize(
    ("names", "class_names", "labels"),
    [
        (["no"], LANGUAGES, (2,)),
        ([1], LANGUAGES, (1,)),
        (["3", "0"], LANGUAGES, (0, 3)),
        (["001"], PADDED, (0,)),
        (["010"], tuple(f"{n:03d}" for n in range(1, 12)), (9,)),
        ([7], ("9", "8", "7"), (2,)),
        ([10], ("1", "10", "2"), (1,)),
        (["1.0"], ("1", "1.0", "2"), (1,)),
        (["true"], ("false", "true"), (1,)),
        (["2024-01-01"], ("2024-01-01", "2024-01-02"), (0,)),
        (["a, b"], ("a", "a, b", "b"), (1,)),
        ([" lead"], ("lead", " lead"), (1,)),
        (['say "hi"'], ("hi", 'say "hi"'), (1,)),
        (np.array([2, 3]), LANGUAGES, (2, 3)),
        (torch.tensor([2]), LANGUAGES, (2,)),
        ("no", LANGUAGES, (2,)),
        (np.int64(3), LANGUAGES, (3,)),
        ([Language.NORWEGIAN, Position.THIRD], LANGUAGES, (2, 3)),
        (["cafe\u0301"], ("bar", "caf\u00e9"), (1,)),
        (["caf\u00e9"], ("bar", "cafe\u0301"), (1,)),
        (["caf\u00e9"], ("cafe\u0301", "caf\u00e9"), (1,)),
    ],
)
def test_the_class_that_is_written_is_meant(names, class_names, labels):
    assert forget_classes(ForgetRequest(classes=names), class_names) == labels


@pytest.mark.parametrize(
    ("names", "class_names", "message"),
    [
        ([1], PADDED, "so that a number is never a position, but got 1; did you mean '001'"),
        (["1"], ("cat", "747"), "never a position"),
        (["1"], ("a", "2.5"), "never a position"),
        (["01"], LANGUAGES, "labels from 0 to 3, but got 01. The classes are de, fi, no, se"),
        (["4"], LANGUAGES, "but got 4"),
        (["NO"], LANGUAGES, "but got 'NO'; did you mean 'no'"),
        (["no "], LANGUAGES, "but got 'no '; did you mean 'no'"),
        (["airplnae", "dgo"], ("airplane", "dog"), "did you mean 'airplane'"),
        (["a"], ("x", "a, b"), "did you mean 'a, b'? The classes are x, \"a, b\""),
        (["٣"], LANGUAGES, "but got '٣'"),
        (["9" * 5000], LANGUAGES, "but got 9"),
    ],
)
def test_what_is_no_class_is_refused_with_names_like_it(names, class_names, message):
    with pytest.raises(ConfigError) as refused:
        class_labels(ForgetRequest(classes=names).classes, class_names, "forget.classes")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "name", [True, False, 1.0, float("nan"), datetime.date(2024, 1, 1), None, np.bool_(True), b"cat", "", ["cat"]]
)
def test_a_boolean_a_float_or_a_date_is_never_a_label(name):
    with pytest.raises(ValidationError, match="must be class names or labels"):
        ForgetRequest(classes=[name])


@pytest.mark.parametrize(
    "name",
    [
        "0x10",
        "1e5",
        "1e-3",
        "0b1",
        "0o7",
        "1 000",
        "1'000",
        "1_000",
        "½",
        "1/2",
        "²",
        "①",
        "Ⅷ",
        "\u22121",
        "inf",
        "5 %",
    ],
)
def test_where_a_class_name_is_a_number_in_any_spelling_no_number_is_a_position(name):
    with pytest.raises(ConfigError, match="never a position"):
        class_labels(["1"], ("cat", "dog", name), "forget.classes")


def test_no_class_at_all_is_refused():
    with pytest.raises(ValidationError, match="must name at least one class"):
        ForgetRequest(classes=[])


def test_every_unknown_name_is_reported_at_once():
    with pytest.raises(ConfigError) as refused:
        class_labels(["x", "fi", "y"], LANGUAGES, "classes")
    assert len(refused.value.problems) == 2


def test_names_that_people_confuse_are_near():
    assert near_names("Polar Bear", ["polar_bear", "bear"])[0] == "polar_bear"
    assert near_names("7", ["0070", "0007"])[0] == "0007"
    assert near_names("zebra", ["cat"]) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat,dog", ["cat", "dog"]),
        (" cat , dog ", ["cat", "dog"]),
        ('"a, b",c', ["a, b", "c"]),
        ('" lead",x', [" lead", "x"]),
        ('say "hi"', ['say "hi"']),
        ('"say ""hi"""', ['say "hi"']),
        ('"open', ['"open']),
        ("a,,b,", ["a", "b"]),
        ("", []),
    ],
)
def test_names_on_the_command_line(text, names):
    assert split_names(text) == names


@given(st.lists(st.text(min_size=1), min_size=1))
def test_what_is_joined_is_split_into_the_same_names(names):
    assert split_names(joined_names(names)) == names
