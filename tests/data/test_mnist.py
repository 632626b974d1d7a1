from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepcore import DataError, StorageError
from deepcore.data import Dataset, Rows, mnist, write_idx

PARTS = (("train", 4), ("t10k", 2))


def write(folder: Path, pattern: str = "{}-{}-{}-ubyte.gz", **changes: Any) -> Path:
    """Write a small MNIST, with some of its arrays changed."""
    folder.mkdir(exist_ok=True)
    for part, n in PARTS:
        images = np.arange(n * 784).reshape(n, 28, 28).astype(np.uint8)
        arrays = {"images": (images, "idx3"), "labels": (np.arange(n, dtype=np.uint8), "idx1")}
        for what, (array, kind) in arrays.items():
            write_idx(folder / pattern.format(part, what, kind), changes.get(f"{part}_{what}", array))
    return folder


@pytest.fixture(scope="module")
def real() -> tuple[Dataset, Dataset]:
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DEEPCORE_MNIST") or root.parent / "shared" / "data" / "mnist")
    if not folder.is_dir():
        pytest.skip(f"MNIST is not in {folder}; set DEEPCORE_MNIST to its directory")
    return mnist(folder, download=False)


def test_the_real_files(real: tuple[Dataset, Dataset]) -> None:
    for data, n, name in zip(real, (60_000, 10_000), ("mnist-train", "mnist-test"), strict=True):
        assert data.inputs.shape == (n, 28, 28)
        assert data.inputs.dtype == np.float32
        assert data.targets.shape == (n,)
        assert data.targets.dtype == np.int64
        assert (data.inputs.min(), data.inputs.max()) == (0, 1)
        assert (data.name, data.n_classes) == (name, 10)


def test_the_real_statistics(real: tuple[Dataset, Dataset]) -> None:
    train, test = real
    # the mean and standard deviation by which MNIST is commonly normalized
    assert train.inputs.mean(dtype=np.float64) == pytest.approx(0.1307, abs=1e-4)
    assert train.inputs.std(dtype=np.float64) == pytest.approx(0.3081, abs=1e-4)
    assert train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(train.targets).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_compact_inputs_are_the_same_numbers(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for data, compact in zip(mnist(folder), mnist(folder, compact=True), strict=True):
        assert isinstance(compact.inputs, Rows)
        assert (compact.inputs.shape, compact.inputs.dtype) == (data.inputs.shape, data.inputs.dtype)
        for rows in (slice(None), slice(1, 2), [1, 0, 1], np.array([-1])):
            found = compact.inputs[rows]
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, data.inputs[rows])
        np.testing.assert_array_equal(np.asarray(compact.inputs), data.inputs)
        compact.check_finite()


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
def test_the_names_that_files_go_by(tmp_path: Path, dot: str, end: str) -> None:
    train, test = mnist(write(tmp_path, "{}-{}" + dot + "{}-ubyte" + end), download=False)
    assert (len(train), len(test)) == (4, 2)
    np.testing.assert_array_equal(train.inputs.ravel()[:256], np.arange(256, dtype=np.float32) / np.float32(255))
    assert test.targets.tolist() == [0, 1]


def test_the_default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DEEPCORE_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))

    def missing_in() -> str:
        with pytest.raises(StorageError) as caught:
            mnist(download=False)
        return str(caught.value)

    assert str(tmp_path / "home" / ".cache" / "deepcore" / "mnist") in missing_in()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert str(tmp_path / "home" / ".cache" / "deepcore" / "mnist") in missing_in()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert str(tmp_path / "xdg" / "deepcore" / "mnist") in missing_in()
    monkeypatch.setenv("DEEPCORE_DATA", str(tmp_path))
    assert str(tmp_path / "mnist") in missing_in()
    write(tmp_path / "mnist")
    assert len(mnist(download=False)[0]) == 4


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(StorageError, match=r": t10k-images-idx3-ubyte\.\n") as caught:
        mnist(tmp_path, download=False)
    assert str(tmp_path) in str(caught.value)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot list"):
        mnist(tmp_path / "file")


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"train_labels": np.zeros(3, np.uint8)}, r"uint8 of shape \(3,\).* one uint8 label for each of the 4 images"),
        ({"train_labels": np.zeros((4, 1), np.uint8)}, "one uint8 label"),
        ({"train_labels": np.zeros(4, np.int32)}, "int32 of shape"),
        ({"train_images": np.zeros((4, 28, 27), np.uint8)}, r"\(4, 28, 27\), and not uint8 of shape \(n, 28, 28\)"),
        ({"train_images": np.zeros((4, 28, 28), np.int16)}, "int16"),
        ({"t10k_images": np.zeros((2, 784), np.uint8)}, "t10k-images"),
        ({"t10k_labels": np.array([3, 10], np.uint8)}, "'mnist-test' are 0 to 9, .* 10 in sample 1"),
        ({"t10k_images": np.zeros((0, 28, 28), np.uint8), "t10k_labels": np.zeros(0, np.uint8)}, "empty"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        mnist(write(tmp_path, **changes), download=False)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is a damaged gzip file"):
        mnist(tmp_path)
