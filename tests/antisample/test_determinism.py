import os
import warnings

import pytest
import torch

from antisample.determinism import deterministic


def test_settings_hold_within_the_block_and_are_given_back():
    before = torch.get_num_threads()
    with deterministic(before + 1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == before + 1
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before


def test_settings_are_given_back_after_an_error():
    with pytest.raises(ValueError, match="on purpose"), deterministic():
        raise ValueError("on purpose")
    assert not torch.are_deterministic_algorithms_enabled()


def test_operations_that_may_give_other_bits_are_named_once_and_other_warnings_pass():
    with warnings.catch_warnings(record=True) as shown, deterministic() as found:
        for _ in range(2):
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
        warnings.warn("another", stacklevel=1)
    assert found == ["put_"]
    assert [str(warning.message) for warning in shown] == ["another"]
    with deterministic() as found:
        torch.zeros(3).add_(1)
    assert found == []
