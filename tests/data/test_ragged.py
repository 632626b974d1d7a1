from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deepcore import DataError
from deepcore.data import DataLoader, Dataset, PadCollate, Ragged

SAMPLES: list[Any] = [[1, 2, 3], [], [4], [5, 6, 7, 8, 9]]


def test_batches_are_as_long_as_their_longest() -> None:
    data = Dataset(Ragged(SAMPLES), np.arange(4))
    batches = list(DataLoader(data, batch_size=2, collate=PadCollate(-1)))
    assert [inputs.tolist() for inputs, _ in batches] == [[[1, 2, 3], [-1, -1, -1]], [[4, -1, -1, -1, -1], SAMPLES[3]]]
    assert repr(data) == "Dataset('data', 4 samples, inputs (5,) int64, targets () int64)"
    data.check_labels(4)
    assert len(data.subset([0, 2])) == 2
    assert data[3][0].tolist() == SAMPLES[3]


def test_lengths_and_cuts() -> None:
    data = Dataset(Ragged(SAMPLES), Ragged(SAMPLES))
    (inputs, targets), *_ = DataLoader(data, collate=PadCollate(length=4, lengths=True))
    padded, lengths = inputs
    assert lengths.tolist() == [3, 0, 1, 4]
    assert padded.tolist() == [[1, 2, 3, 0], [0, 0, 0, 0], [4, 0, 0, 0], [5, 6, 7, 8]]
    assert targets.tolist()[2] == [4, -100, -100, -100]


def test_vectors_at_every_step() -> None:
    data = Dataset(Ragged([np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)]), np.arange(2))
    (inputs, _), *_ = DataLoader(data, collate=PadCollate())
    assert inputs.shape == (2, 4, 3)
    assert inputs.dtype == np.float32
    assert inputs[0].sum() == 6


def test_without_padding_they_do_not_fit_into_one_array() -> None:
    data = Dataset(Ragged(SAMPLES), np.arange(4))
    with pytest.raises(DataError, match="different lengths; give collate=PadCollate"):
        next(iter(DataLoader(data)))
    assert next(iter(DataLoader(data.subset([0]))))[0].tolist() == [[1, 2, 3]]


def test_checks_name_the_sample() -> None:
    data = Dataset(Ragged([[1.0], [2.0, np.nan]]), np.arange(2))
    with pytest.raises(DataError, match=r"1 values .* nan in sample 1 at position \(1,\)"):
        data.check_finite()
    assert Dataset(Ragged([[0, 0], [1], []]), Ragged([[3], [], [2, 7]])).n_classes == 8


@pytest.mark.parametrize(
    ("samples", "pattern"),
    [
        ([], "no samples"),
        ([[1], ["a"]], "sample 1 is <U1"),
        ([[1], 2], "sample 1"),
        ([np.ones((2, 3)), np.ones((2, 4))], r"sample 1 .* \('T', 3\)"),
        ([[], []], "empty"),
    ],
)
def test_samples_that_do_not_fit(samples: Any, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        Dataset(Ragged(samples), np.arange(2))
