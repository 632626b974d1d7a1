from __future__ import annotations

import contextlib
import io
import pickle
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepcore import DataError, DeepcoreError, StorageError
from deepcore.data import read_npy, read_npz

if TYPE_CHECKING:
    from pathlib import Path

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("npy")


class Bomb:
    """What must not be unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("it was unpickled",))


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def lie(shape: tuple[int, ...], data: bytes = b"1234") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue() + data


def npz(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("memory_map", [False, True])
@pytest.mark.parametrize("array", [X, np.asfortranarray(X), X.astype(">i4"), np.zeros(0), np.float64(3)], ids=repr)
def test_arrays(tmp_path: Path, array: Any, memory_map: bool) -> None:
    np.save(tmp_path / "x.npy", array)
    found = read_npy(tmp_path / "x.npy", memory_map=memory_map)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert isinstance(found, np.memmap) == memory_map
    assert found.flags.writeable != memory_map


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_archives(tmp_path: Path, save: Any, order: Any) -> None:
    save(tmp_path / "x.npz", a=np.asarray(X, order=order), b=np.arange(6), c=np.zeros(2))
    data = read_npz(tmp_path / "x.npz", inputs="a", targets="b")
    np.testing.assert_array_equal(data.inputs, X)
    np.testing.assert_array_equal(data.targets, np.arange(6))
    assert data.name == "x.npz"
    assert data.inputs.flags.writeable
    with pytest.raises(DataError, match="has no array 'inputs'; its arrays are: 'a', 'b', 'c'"):
        read_npz(tmp_path / "x.npz")
    with pytest.raises(DataError, match="6 inputs but 2 targets"):
        read_npz(tmp_path / "x.npz", inputs="a", targets="c")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for read in (read_npy, read_npz):
        with pytest.raises(StorageError, match="cannot read"):
            read(tmp_path / "none")
        with pytest.raises(StorageError, match="cannot read"):
            read(tmp_path)
    np.savez(tmp_path / "x.npz", a=X)
    with pytest.raises(DataError, match="read_npz"):
        read_npy(tmp_path / "x.npz")
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match="not an NPZ archive"):
        read_npz(tmp_path / "x.npy")


LIES = {
    "nothing": (b"", "not an array in NPY format"),
    "other": (b"\x89PNG 12345678901234567890", "not an array in NPY format"),
    "short": (npy(X)[:-1], "is damaged: its header says"),
    "long": (npy(X) + b"\0", "damaged"),
    "header": (npy(X)[:40], "not an array in NPY format"),
    "huge": (lie((2**40,)), "is damaged: its header says"),
    "endless": (lie((2**62, 2**62)), "which no memory can hold"),
    "negative": (lie((-1, 4)), "not an array in NPY format"),
    "object": (npy(np.array([Bomb()], object)), "not numbers; objects"),
    "text": (npy(np.array(["a"])), "not numbers; objects and texts"),
    "nested": (lie((1,)).replace(b"(1,)", b"(((("), "not an array in NPY format"),
    "code": (lie((1,)).replace(b"(1,)", b"f(1)"), "not an array in NPY format"),
    "version": (b"\x93NUMPY\x09\x00" + npy(X)[8:], "begins with 93 4e"),
    "pickle": (pickle.dumps(Bomb()), "not an array in NPY format"),
}


@pytest.mark.parametrize("memory_map", [False, True])
@pytest.mark.parametrize("name", LIES)
def test_arrays_that_are_not_what_they_say(tmp_path: Path, name: str, memory_map: bool) -> None:
    content, pattern = LIES[name]
    (tmp_path / "x.npy").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=pattern) as caught:
            read_npy(tmp_path / "x.npy", memory_map=memory_map)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert "x.npy" in str(caught.value)


@pytest.mark.parametrize("name", LIES)
def test_members_that_are_not_what_they_say(tmp_path: Path, name: str) -> None:
    path = npz(tmp_path / "x.npz", inputs=LIES[name][0], targets=npy(np.arange(6)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"x\.npz"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_small_archive_that_unpacks_to_a_large_one(tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", inputs=lie((1 << 28,), bytes(1 << 22)), targets=npy(np.arange(6)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="cannot hold so many"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    with pytest.raises(DataError, match="another method"):
        read_npz(npz(tmp_path / "y.npz", zipfile.ZIP_LZMA, inputs=npy(X), targets=npy(np.arange(6))))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files(folder: Path, data: st.DataObject) -> None:
    archive = npz(folder / "whole.npz", inputs=npy(X), targets=npy(np.arange(6)))
    for path, whole in ((folder / "x.npz", archive.read_bytes()), (folder / "x.npy", npy(X))):
        content = bytearray(whole)
        if data.draw(st.booleans()):
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        else:
            for bit in data.draw(st.sets(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=3)):
                content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with contextlib.suppress(DeepcoreError):
            if path.suffix == ".npy":
                read_npy(path)
            else:  # where every member has a checksum
                np.testing.assert_array_equal(read_npz(path).inputs, X)
