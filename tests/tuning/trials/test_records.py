"""The table of trials: what it holds, whatever the values of parameters are."""

import dataclasses

import pyarrow.parquet as pq
import pytest

from tuning.trials.records import TrialRecord
from tuning.views.table import write_table

RECORD = TrialRecord(
    number=0,
    state="COMPLETE",
    origin="sampler",
    params={},
    seeds=(1,),
    values=(0.1,),
    metrics={"validation/forget_accuracy": 0.1},
    spread={},
    counts={},
    steps=(),
    duration_s=1.0,
    started_ms=0,
    finished_ms=1,
    worker="w",
    versions={},
    error=None,
    partial={},
    partial_error={},
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "auto", 0.5, True, None], ["1", "auto", "0.5", "true", None]),
        ([2**70, 3], [str(2**70), "3"]),
        ([10**400, 0.5], [str(10**400), "0.5"]),
        ([-(2**63) - 1, True], [str(-(2**63) - 1), "true"]),
        (["\ud800", "a"], ["\\ud800", "a"]),
        ([True, 0], ["true", "0"]),
        ([[1, "a"], {"b": 2}], ['[1, "a"]', '{"b": 2}']),
        ([1, 2, None], [1, 2, None]),
        ([1, 0.5], [1.0, 0.5]),
        ([2**60 + 1, 0.5], [str(2**60 + 1), "0.5"]),
        ([True, False], [True, False]),
        (["a", "ü"], ["a", "ü"]),
        ([None, None], [None, None]),
    ],
)
def test_every_value_of_a_parameter_has_a_place_in_the_table(tmp_path, values, expected):
    records = [
        dataclasses.replace(RECORD, number=i, params={"p": value, "q": 0.5} if value is not None else {})
        for i, value in enumerate(values)
    ]
    write_table(records, tmp_path / "trials.parquet")
    table = pq.read_table(tmp_path / "trials.parquet").to_pydict()
    assert table["params.p"] == expected if any(value is not None for value in values) else "params.p" not in table
    assert table["number"] == list(range(len(values)))


def test_an_error_that_is_no_unicode_has_a_place_too(tmp_path):
    write_table([dataclasses.replace(RECORD, state="FAIL", error="no file \udcff.png")], tmp_path / "trials.parquet")
    assert pq.read_table(tmp_path / "trials.parquet").to_pydict()["error"] == ["no file \\udcff.png"]
