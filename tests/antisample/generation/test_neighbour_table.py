"""The shared neighbour table: whatever part of the retain images a trial takes, it finds what a search would find."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antisample.data.loader import Normaliser, to_device
from antisample.errors import ConfigError
from antisample.generation import neighbour_table as module
from antisample.generation.neighbour_table import neighbour_tables
from antisample.generation.neighbours import farthest_neighbours
from antisample.types import Preprocessing

CPU = torch.device("cpu")


@pytest.fixture
def task(digits_inputs):
    return digits_inputs.dataset, digits_inputs.splits, digits_inputs.original.preprocessing


def searched(dataset, forget, pool, k, scale):
    (asked, _), (among, _) = (to_device(dataset.train, part, CPU) for part in (forget, pool))
    return farthest_neighbours(asked, among, k, scale)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.02, 1), k=st.integers(1, 25), width=st.integers(1, 400), seed=st.integers(0, 99))
def test_it_tells_what_a_search_of_the_part_finds(task, tmp_path_factory, share, k, width, seed):
    dataset, splits, preprocessing = task
    scale = Normaliser(preprocessing, CPU).scale
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WIDTH", width)
        table = neighbour_tables(dataset, splits, preprocessing, CPU, tmp_path_factory.mktemp("cache"))[3]
    pool = np.sort(
        np.random.default_rng(seed).permutation(splits.retain)[: max(k, round(share * len(splits.retain)))]
    )
    found = table.among(dataset.train, pool, k, scale)
    assert torch.equal(found, searched(dataset, table.forget, pool, k, scale))


def test_more_than_the_part_holds_is_refused(task, tmp_path):
    dataset, splits, preprocessing = task
    table = neighbour_tables(dataset, splits, preprocessing, CPU, tmp_path)[3]
    with pytest.raises(ConfigError, match="but got 6"):
        table.among(dataset.train, splits.retain[:5], 6, Normaliser(preprocessing, CPU).scale)


def test_each_class_has_its_own_and_none_of_the_classes_to_forget_is_among_them(task, tmp_path):
    dataset, splits, preprocessing = task
    train = np.sort(np.concatenate([splits.forget, splits.retain]))
    forget = np.isin(dataset.train.labels[train], (3, 8))
    both = dataclasses.replace(splits, forget_classes=(3, 8), forget=train[forget], retain=train[~forget])
    tables = neighbour_tables(dataset, both, preprocessing, CPU, tmp_path)
    assert list(tables) == [3, 8]
    for label, table in tables.items():
        assert set(dataset.train.labels[table.forget]) == {label}
        assert np.isin(table.farthest, both.retain).all()


def test_it_is_found_once_and_again_for_other_data_or_after_damage(task, tmp_path):
    dataset, splits, preprocessing = task

    def table(splits=splits, preprocessing=preprocessing):
        return neighbour_tables(dataset, splits, preprocessing, CPU, tmp_path)[3]

    def files():
        return sorted((tmp_path / "neighbours").iterdir())

    first = table()
    (path,) = files()
    written = path.read_bytes()
    assert table().elapsed_s == first.elapsed_s
    assert table(preprocessing=Preprocessing((0.1,), (7.0,))).elapsed_s == first.elapsed_s  # the same order
    assert files() == [path]
    path.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
    assert np.array_equal(table().farthest, first.farthest)
    assert len(files()) == 1
    assert table().elapsed_s != first.elapsed_s
    table(splits=dataclasses.replace(splits, retain=splits.retain[1:]))
    assert len(files()) == 2


def test_channels_of_another_scale_have_another_table(task):
    dataset, splits, _ = task
    keys = {
        module._key(dataset, Preprocessing((0.0,) * 2, std), splits.forget, splits.retain, 5)
        for std in ((1.0, 1.0), (0.5, 0.5), (1.0, 0.5))
    }
    assert len(keys) == 2
