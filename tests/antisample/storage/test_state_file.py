"""The state of unfinished work: as it was written, or none."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from antisample.errors import DataError
from antisample.storage.state_file import load_state, save_state

STATE = {"weights": torch.arange(50.0), "epoch": 3, "optimizer": {"lr": 0.1, "steps": [1, 2]}}


def test_what_was_written_is_read(tmp_path):
    save_state(tmp_path / "deep" / "state.pt", STATE)
    found = load_state(tmp_path / "deep" / "state.pt")
    assert torch.equal(found.pop("weights"), STATE["weights"])
    assert found == {"epoch": 3, "optimizer": {"lr": 0.1, "steps": [1, 2]}}


def test_there_may_be_none(tmp_path):
    assert load_state(tmp_path / "none.pt") is None


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "state.pt"
    save_state(path, STATE)
    return path.read_bytes(), path.with_name("damaged.pt")


@given(st.data())
def test_no_damage_goes_unnoticed(written, data):
    content, path = written
    if data.draw(st.booleans(), "cut"):
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    else:
        damaged = bytearray(content)
        damaged[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(damaged)
    assert load_state(path) is None


def test_a_file_of_another_kind_is_none_and_is_not_executed(tmp_path):
    torch.save(STATE, tmp_path / "plain.pt")
    assert load_state(tmp_path / "plain.pt") is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        save_state(tmp_path / "file" / "state.pt", STATE)
