from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepcore import BackendError, ConfigError, DataError, DeepcoreError, StorageError
from deepcore._backend import Library
from deepcore.data import read_parquet

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: dict[str, Any] = {
    "a": [1, 2, 3],
    "b": [0.5, -1.0, 1e300],
    "flag": [True, False, True],
    "kind": ["y", "x", "y"],
    "hole": [1.0, None, None],
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    pq.write_table(pa.table(COLUMNS), path)
    return path


def test_columns_and_classes(path: Path) -> None:
    data = read_parquet(path, target="kind", inputs=["flag", "a"])
    np.testing.assert_array_equal(data.inputs, np.array([[1, 1], [0, 2], [1, 3]], np.float32))
    assert data.inputs.dtype == np.float32
    assert (data.targets.tolist(), data.classes, data.name) == ([1, 0, 1], ("x", "y"), "t.parquet")
    assert read_parquet(path, target="kind", inputs=[0], classes=["y", "x"]).targets.tolist() == [0, 1, 0]
    for target, expected in (("a", "int64"), ("flag", "int64"), ("b", "float64")):
        data = read_parquet(path, target=target, inputs=["a"], dtype=np.float64)
        np.testing.assert_array_equal(data.targets, COLUMNS[target])
        assert data.targets.dtype == expected
    both = read_parquet(path, target=["a", "flag"], inputs=["a"])
    np.testing.assert_array_equal(both.targets, [[1, 1], [2, 0], [3, 1]])


def test_names_in_a_dictionary(tmp_path: Path) -> None:
    kinds = pa.array(["y", "x", "y"]).dictionary_encode()
    pq.write_table(pa.table({"a": [1, 2, 3], "kind": kinds}), tmp_path / "t")
    data = read_parquet(tmp_path / "t")
    assert (data.targets.tolist(), data.classes) == ([1, 0, 1], ("x", "y"))


@pytest.mark.parametrize(
    ("options", "error", "pattern"),
    [
        ({"inputs": ["hole"], "target": "a"}, DataError, "column 'hole', row 1: the value is missing, as are 2"),
        ({"inputs": ["a"], "target": "hole"}, DataError, "column 'hole', row 1"),
        ({"inputs": ["kind"], "target": "a"}, DataError, "column 'kind': it holds string, and not numbers"),
        ({"target": "c"}, ConfigError, "no column 'c'"),
        ({"inputs": ["a"], "target": "kind", "classes": ["x"]}, DataError, "a target 'y' in sample 0"),
    ],
)
def test_what_does_not_fit(path: Path, options: Any, error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern) as caught:
        read_parquet(path, **options)
    assert "t.parquet" in str(caught.value)


def test_too_large_for_the_type_is_found_by_the_check(path: Path) -> None:
    with pytest.raises(DataError, match="inf in sample 2"):
        read_parquet(path, inputs=["b"], target="a").check_finite()


def test_files_that_cannot_be_read(tmp_path: Path, path: Path) -> None:
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(StorageError, match="cannot read"):
            read_parquet(missing)
    for content in (b"", b"PAR1", b"a,b\n1,2\n", path.read_bytes()[:-5]):
        (tmp_path / "t").write_bytes(content)
        with pytest.raises(DataError, match=r"not in Parquet format, or is damaged|is damaged"):
            read_parquet(tmp_path / "t")
    pq.write_table(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.int64())}), tmp_path / "t")
    with pytest.raises(DataError, match="no rows"):
        read_parquet(tmp_path / "t")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files(tmp_path_factory: pytest.TempPathFactory, path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for bit in data.draw(st.sets(st.integers(0, 8 * 300 - 1), min_size=1, max_size=3)):  # in the data, at the front
        content[bit // 8] ^= 1 << bit % 8
    damaged = path.with_name("damaged")
    damaged.write_bytes(content)
    with contextlib.suppress(DeepcoreError):
        assert len(read_parquet(damaged, inputs=["a", "b"], target="kind")) == 3


def test_without_the_library(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["deepcore.data.parquet"]
    optional = sys.modules["deepcore.data._optional"]
    gone = Library("no_such_library", needs=optional._ARROW)
    monkeypatch.setattr(module, "arrow", gone)
    with pytest.raises(BackendError, match=r"needs pyarrow; install it with pip install 'deepcore-xp\[parquet\]'"):
        read_parquet(path)
