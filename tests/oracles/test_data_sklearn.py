"""Data sets against those of scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore.data import circles, iris, moons

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.data import Dataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries that scikit-learn imports
    sk = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")


def test_the_irises() -> None:
    source, data = sk.load_iris(), iris()
    np.testing.assert_array_equal(data.inputs, source.data.astype(np.float32))
    np.testing.assert_array_equal(data.targets, source.target)
    assert data.classes == tuple(source.target_names)


@pytest.mark.parametrize("n", [2, 3, 100, 101])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(moons, sk.make_moons), (circles, lambda **options: sk.make_circles(factor=0.5, **options))]
)
def test_points(ours: Callable[..., Dataset], theirs: Any, n: int) -> None:
    x, y = theirs(n_samples=n, shuffle=False)
    data = ours(n, noise=0)
    for label in (0, 1):
        expected, found = x[y == label].astype(np.float32), data.inputs[data.targets == label]
        order = [np.lexsort(np.round(points, 4).T) for points in (expected, found)]
        np.testing.assert_allclose(found[order[1]], expected[order[0]], atol=1e-6)
