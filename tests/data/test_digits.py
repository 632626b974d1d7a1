from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from deepcore.data import digits


def test_types_and_range() -> None:
    data = digits()
    assert data.inputs.shape == (1797, 8, 8)
    assert data.inputs.dtype == np.float32
    assert data.targets.dtype == np.int64
    assert (data.inputs.min(), data.inputs.max()) == (0, 1)
    assert data.n_classes == 10
    assert data.classes == tuple("0123456789")
    data.check_finite()
    data.check_labels(10)


def test_they_are_those_of_scikit_learn() -> None:
    source = pytest.importorskip("sklearn.datasets").load_digits()
    data = digits()
    np.testing.assert_array_equal(16 * data.inputs, source.images)
    np.testing.assert_array_equal(data.targets, source.target)


def test_each_call_has_arrays_of_its_own() -> None:
    first = digits()
    first.inputs[...] = -1
    first.targets[...] = -1
    assert digits().inputs.min() == 0
    assert digits().targets.min() == 0


def test_the_files_are_small_and_their_source_is_stated() -> None:
    folder = files("deepcore.data") / "files"
    packed = [folder / f"digits-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]
    assert sum(len(file.read_bytes()) for file in packed) < 60_000
    text = (folder / "digits-SOURCE.md").read_text(encoding="utf-8")
    for word in ("Alpaydin", "10.24432/C50P49", "CC BY 4.0"):
        assert word in text


def test_the_checksums_in_the_source_note() -> None:
    import gzip

    folder = files("deepcore.data") / "files"
    text = (folder / "digits-SOURCE.md").read_text(encoding="utf-8")
    for name in ("digits-images-idx3-ubyte", "digits-labels-idx1-ubyte"):
        content = gzip.decompress((folder / f"{name}.gz").read_bytes())
        assert f"{hashlib.sha256(content).hexdigest()}  {name}" in text
