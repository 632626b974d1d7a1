from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore import DataError
from deepcore.data import DataLoader, Dataset, Rows, StoredRows, read_npy, train_test_split

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N = 40


class Noted(Rows):
    """An array that notes what is read of it."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.most = 0

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        self.most = max(self.most, len(rows))
        return self.array[rows]


class Increasing:
    """What h5py is: rows have to increase."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        assert (np.diff(rows) > 0).all()
        return self.array[rows]


def arrays(tmp_path: Path, x: NDArray[Any]) -> list[Any]:
    path = tmp_path / f"{x.ndim}.npy"
    np.save(path, x)
    return [x, read_npy(path, memory_map=True), Noted(x), StoredRows(Increasing(x))]


X = np.arange(N * 6, dtype=np.float32).reshape(N, 2, 3)
INDICES: list[Any] = [
    slice(3, 9),
    slice(None, None, -2),
    [5, -1, 5, 0],
    np.arange(N) % 3 == 0,
    np.array([N - 1], np.uint8),
]


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("index", INDICES, ids=str)
def test_subsets_are_those_of_an_array(tmp_path: Path, kind: int, index: Any) -> None:
    data = Dataset(arrays(tmp_path, X)[kind], np.arange(N))
    part = data.subset(index)
    np.testing.assert_array_equal(np.asarray(part.inputs), X[index])
    np.testing.assert_array_equal(part.targets, np.arange(N)[index])
    again = part.subset([0, -1])
    np.testing.assert_array_equal(np.asarray(again.inputs[:]), X[index][[0, -1]])
    np.testing.assert_array_equal(data[3][0], X[3])
    np.testing.assert_array_equal([inputs for inputs, _ in part], X[index])


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("index", [[N], [-N - 1], [0.5], [[1]], [True], []])
def test_rows_that_do_not_exist(tmp_path: Path, kind: int, index: Any) -> None:
    with pytest.raises(DataError, match="data"):
        Dataset(arrays(tmp_path, X)[kind], np.arange(N)).subset(index)


@pytest.mark.parametrize("kind", range(4))
def test_everything_gives_what_an_array_gives(tmp_path: Path, kind: int) -> None:
    def served(values: Any) -> list[NDArray[Any]]:
        train, test = train_test_split(Dataset(values, np.arange(N) % 4), stratify=True)
        mapped = train.map(lambda x: x.reshape(len(x), -1) * 2)
        assert mapped.inputs.shape == (len(train), 6)
        batches = [*DataLoader(mapped, batch_size=7, shuffle=True, prefetch=2), *DataLoader(test)]
        assert all(type(inputs) is np.ndarray for inputs, _ in batches)
        return [inputs for inputs, _ in batches]

    for expected, found in zip(served(X), served(arrays(tmp_path, X)[kind]), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", range(4))
def test_checks_name_the_same(tmp_path: Path, kind: int) -> None:
    x, y = X.copy(), np.arange(N)
    x[30, 1, 2], x[35, 0, 0] = np.inf, np.nan
    y[20] = 100
    data = Dataset(arrays(tmp_path, x)[kind], arrays(tmp_path, y)[kind])
    with pytest.raises(DataError, match=r"2 values .* inf in sample 30 at position \(1, 2\)"):
        data.check_finite()
    with pytest.raises(DataError, match="but 1 are not; the first is 100 in sample 20"):
        data.check_labels(N)
    assert data.n_classes == 101


def test_checks_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepcore.data.dataset._CHUNK", 60)
    x = X.copy()
    x[30, 1, 2], x[35, 0, 0] = np.inf, np.nan
    inputs, targets = Noted(x), Noted(np.arange(N) - 3)
    data = Dataset(inputs, targets)
    with pytest.raises(DataError, match=r"2 values .* inf in sample 30 at position \(1, 2\)"):
        data.check_finite()
    with pytest.raises(DataError, match="but 3 are not; the first is -3 in sample 0"):
        data.check_labels(N)
    with pytest.raises(DataError, match="-3 to 36"):
        _ = data.n_classes
    assert inputs.most == 10
    late = Dataset(np.zeros(N), Noted(np.where(np.arange(N) == 33, 1.5, 1.0)))
    with pytest.raises(DataError, match=r"1\.5 in sample 33"):
        late.check_labels(N)


def test_an_array_larger_than_memory(tmp_path: Path) -> None:
    shape = (1 << 30, 256)  # a TiB, of which the file system stores what was written
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        start = file.tell()
        file.seek(start + 4 * 256 * 999_999_999)
        file.write(np.full(256, 7, np.float32).tobytes())
        file.truncate(start + 4 * 256 * (1 << 30))
    tracemalloc.start()
    try:
        x = read_npy(tmp_path / "x.npy", memory_map=True)
        labels = np.lib.stride_tricks.as_strided(np.zeros(1, np.int64), (1 << 30,), (0,))
        part = Dataset(x, labels).subset([999_999_999, 5])
        inputs, _ = next(iter(DataLoader(part, prefetch=1)))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(inputs[:, 0], [7, 0])


def test_arrays_in_memory_are_mapped_once() -> None:
    calls: list[int] = []

    def double(x: NDArray[Any]) -> NDArray[Any]:
        calls.append(len(x))
        return 2 * x

    data = Dataset(X, np.arange(N), classes=("a", "b")).map(double, lambda y: y % 2)
    assert data.classes == ("a", "b")
    np.testing.assert_array_equal(data.inputs, 2 * X)
    np.testing.assert_array_equal(data.targets, np.arange(N) % 2)
    assert calls == [N]
    assert data.map(classes=()).classes == ()


@pytest.mark.parametrize("values", [X, Noted(X)])
def test_functions_that_lose_samples(values: Any) -> None:
    data = Dataset(values, np.arange(N))
    for function in (lambda x: x[:0], np.sum):
        with pytest.raises(DataError, match="made an array of shape"):
            data.map(function)
    with pytest.raises(DataError, match="numbers"):
        data.map(lambda x: x.astype(str))


def test_rows_are_no_array_without_a_copy() -> None:
    with pytest.raises(DataError, match="copy"):
        np.asarray(Noted(X), copy=False)
    assert repr(Noted(X)) == "Noted(shape=(40, 2, 3), dtype=float32)"
