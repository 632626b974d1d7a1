from __future__ import annotations

import operator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from deepcore import ConfigError, DataError
from deepcore.data import Dataset


def make(n: int = 6) -> Dataset:
    return Dataset(np.arange(3.0 * n).reshape(n, 3), np.arange(n) % 3, name="toy")


def test_length_and_items() -> None:
    data = make()
    inputs, targets = data[4]
    assert len(data) == 6
    np.testing.assert_array_equal(inputs, [12, 13, 14])
    assert targets == 1
    inputs, targets = data[1:3]
    assert inputs.shape == (2, 3)
    assert np.shares_memory(inputs, data.inputs)
    np.testing.assert_array_equal(targets, [1, 2])
    assert data[[0, 0]][0].shape == (2, 3)
    assert [int(t) for _, t in data] == [0, 1, 2, 0, 1, 2]


def test_it_is_frozen_and_compared_by_identity() -> None:
    data: Any = make()
    with pytest.raises(AttributeError):
        data.name = "other"
    assert operator.eq(data, data)
    assert data != make()
    assert hash(data) == hash(data)


def test_repr_shows_no_elements() -> None:
    assert repr(make()) == "Dataset('toy', 6 samples, inputs (3,) float64, targets () int64)"


@pytest.mark.parametrize(
    ("inputs", "targets", "pattern"),
    [
        (np.zeros((3, 2)), np.zeros(2), "3 inputs but 2 targets"),
        (np.zeros((0, 2)), np.zeros(0), "inputs .* empty"),
        (np.zeros((2, 0)), np.zeros(2), "inputs .* empty"),
        (np.zeros(()), np.zeros(1), "inputs .* scalar"),
        (np.array([1, None]), np.zeros(2), "inputs .* not object"),
        (np.array(["a", "b"]), np.zeros(2), "inputs .* not <U1"),
        (np.zeros(2, "f4,i4"), np.zeros(2), "inputs .* numbers"),
        (np.zeros(2, "M8[s]"), np.zeros(2), "inputs .* numbers"),
        (np.zeros(2), np.array(["a", "b"]), "targets .* return_inverse"),
        (np.zeros(2), np.zeros(0), "targets .* empty"),
        ([1, 2], np.zeros(2), "not list; convert .* numpy.asarray"),
    ],
)
def test_unusable_data(inputs: Any, targets: Any, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        Dataset(inputs, targets)


def test_bfloat16_and_bool_are_numbers() -> None:
    data = Dataset(np.ones((2, 2), ml_dtypes.bfloat16), np.array([True, False]))
    data.check_finite()


def test_subset() -> None:
    data = make()
    part = data.subset([5, 0])
    np.testing.assert_array_equal(part.targets, [2, 0])
    np.testing.assert_array_equal(part.inputs, data.inputs[[5, 0]])
    assert part.name == "toy"
    assert len(data.subset(data.targets == 2)) == 2
    assert np.shares_memory(data.subset(slice(2, 4)).inputs, data.inputs)


@pytest.mark.parametrize("indices", [[6], [-7], [0.5], [], [[0, 1]], [True, False], slice(3, 3), [False] * 6])
def test_rows_that_do_not_exist(indices: Any) -> None:
    with pytest.raises(DataError, match="toy"):
        make().subset(indices)


def test_check_finite_names_the_first() -> None:
    make().check_finite()
    inputs = np.zeros((10, 4, 5), np.float32)
    inputs[7, 2, 3] = np.nan
    inputs[7, 3, 0] = np.inf
    inputs[9, 0, 0] = -np.inf
    with pytest.raises(DataError, match=r"inputs .* 3 values .* nan in sample 7 at position \(2, 3\)"):
        Dataset(inputs, np.zeros(10)).check_finite()
    with pytest.raises(DataError, match=r"targets .* 1 values .* inf in sample 1 at position \(\)"):
        Dataset(np.zeros(2), np.array([0, np.inf])).check_finite()


@pytest.mark.parametrize(
    ("labels", "pattern"),
    [
        ([0, 1, 3, -1], "0 to 2, but 2 are not; the first is 3 in sample 2"),
        ([0, -1, 1, 1], "the first is -1 in sample 1"),
        ([0.0, 1.0, 2.0, 1.0], "not float64; convert"),
        ([0.0, 1.0, 1.5, 1.0], "not whole is 1.5 in sample 2"),
        ([0.0, np.nan, 1.5, 1.0], "not whole is nan in sample 1"),
        ([True, False, True, True], "not bool"),
    ],
)
def test_check_labels(labels: list[float], pattern: str) -> None:
    data = Dataset(np.zeros(4), np.array(labels))
    with pytest.raises(DataError, match=pattern):
        data.check_labels(3)


def test_good_labels() -> None:
    make().check_labels(3)
    Dataset(np.zeros(2), np.array([0, 255], np.uint8)).check_labels(256)
    with pytest.raises(ConfigError, match="not 0"):
        make().check_labels(0)


def test_n_classes() -> None:
    assert make().n_classes == 3
    assert Dataset(np.zeros(1), np.array([255], np.uint8)).n_classes == 256
    assert Dataset(np.zeros(1), np.zeros(1), classes=("a", "b")).n_classes == 2
    for targets in (np.zeros(2), np.array([-1, 0])):
        with pytest.raises(DataError, match="no classes"):
            _ = Dataset(np.zeros(2), targets).n_classes


def test_a_million_classes() -> None:
    data = Dataset(np.zeros(1_000_000, np.uint8), np.arange(1_000_000))
    assert data.n_classes == 1_000_000
    data.check_labels(1_000_000)
    with pytest.raises(DataError, match="the first is 999999 in sample 999999"):
        data.check_labels(999_999)


def test_one_sample() -> None:
    data = Dataset(np.ones((1, 2)), np.zeros(1, int))
    data.check_finite()
    data.check_labels(1)
    assert data.n_classes == len(data.subset([0])) == len(data.subset(slice(1))) == 1
    with pytest.raises(ConfigError, match="of 1 samples"):
        data.split(0.5, 0.5)
