from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deepcore import DataError, StorageError
from deepcore.data import read_idx, write_idx
from deepcore.data._files import content_sha256, reading

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
CODES = dict(zip(DTYPES, b"\x08\x09\x0b\x0c\x0d\x0e", strict=True))
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


@given(array=ARRAYS, name=st.sampled_from(["x", "x.gz", "x.idx"]), swap=st.booleans(), transpose=st.booleans())
def test_round_trip(folder: Path, array: Any, name: str, swap: bool, transpose: bool) -> None:
    array = array.T if transpose else array
    write_idx(folder / name, array.astype(array.dtype.newbyteorder()) if swap else array)
    found = read_idx(str(folder / name))
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    assert found.flags.writeable
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bytes_are_those_of_the_format(tmp_path: Path, dtype: str) -> None:
    array = np.array([[1, 2, 3], [4, 5, 100]], dtype)
    content = struct.pack(">HBBII", 0, CODES[dtype], 2, 2, 3) + array.astype(f">{dtype}").tobytes()
    (tmp_path / "x").write_bytes(content)
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), array)
    write_idx(tmp_path / "y", array)
    assert (tmp_path / "y").read_bytes() == content
    write_idx(tmp_path / "y.gz", array)
    assert gzip.decompress((tmp_path / "y.gz").read_bytes()) == content


def test_gzip_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", np.arange(5, dtype="i4"))
    write_idx(tmp_path / "y", np.arange(5, dtype="i4"))
    (tmp_path / "x.gz").rename(tmp_path / "x")
    (tmp_path / "y").rename(tmp_path / "y.gz")
    for name in ("x", "y.gz"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), np.arange(5))


def test_equal_arrays_make_equal_files(tmp_path: Path) -> None:
    for name in ("one.gz", "two.gz"):
        write_idx(tmp_path / name, np.arange(100, dtype="u1"))
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    assert (tmp_path / "one.gz").read_bytes()[3:8] == bytes(5)  # no name, no time
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.gz", "two.gz"]


HEADER = struct.pack(">HBBII", 0, 0x0B, 2, 2, 3)  # int16, 12 bytes


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "it has 0 bytes"),
        (b"\0\0\x08", "it has 3 bytes"),
        (b"\0\x01\x08\x01\0\0\0\x01\0", "begins with the bytes 00 01 08 01"),
        (b"\0\0\x0a\x01\0\0\0\x01\0", "begins with the bytes 00 00 0a 01"),
        (b"\0\0\x08\0\0", "begins with the bytes 00 00 08 00"),
        (b"\0\0\x08\x41" + 65 * b"\0\0\0\x01" + b"\0", "begins with the bytes 00 00 08 41"),
        (b"\x89PNG", "not an IDX file"),
        (HEADER[:10], "header has 10 bytes, and 12 are expected"),
        (HEADER + bytes(11), r"int16 of shape \(2, 3\), which is 12 bytes, but only 11 follow"),
        (HEADER + bytes(13), r"12 bytes, but 13 follow"),
        (HEADER + bytes(12 + (1 << 20)), r"12 bytes, but 1048588 or more follow"),
        (b"\0\0\x08\x03" + 12 * b"\xff", "which no memory can hold"),
        (b"\0\0\x08\x04" + bytes(4) + 12 * b"\xff", "which no memory can hold"),
        (b"\0\0\x08\x02" + 8 * b"\x7f", r"\(2139062143, 2139062143\), which is 4575586851615752449 bytes, but"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, content: bytes, pattern: str, packed: bool) -> None:
    path = tmp_path / "lie"
    path.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=pattern) as caught:
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)


def test_a_small_file_that_unpacks_to_a_large_one_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x02" + 8 * b"\x7f" + bytes(40 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="cannot hold so many"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


ORIGINAL = np.random.default_rng(0).integers(0, 30, (20, 5, 3)).astype("i2")
PACKED = gzip.compress(struct.pack(">HBBIII", 0, 0x0B, 3, 20, 5, 3) + ORIGINAL.astype(">i2").tobytes(), mtime=0)


def read_or_data_error(path: Path) -> Any:
    with contextlib.suppress(DataError):
        return read_idx(path)
    return None


@given(length=st.integers(0, len(PACKED) - 1))
def test_truncated_gzip_is_always_noticed(folder: Path, length: int) -> None:
    (folder / "cut").write_bytes(PACKED[:length])
    with pytest.raises(DataError, match="cut"):
        read_idx(folder / "cut")


@pytest.mark.parametrize("name", ["cut", "cut.gz"])
def test_truncated_files_are_noticed_at_every_length(tmp_path: Path, name: str) -> None:
    write_idx(tmp_path / name, ORIGINAL[:2])
    whole = (tmp_path / name).read_bytes()
    for length in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_idx(tmp_path / name)


@given(bits=st.sets(st.integers(0, 8 * len(PACKED) - 1), min_size=1, max_size=4))
def test_flipped_bits_of_gzip_never_give_another_array(folder: Path, bits: set[int]) -> None:
    content = bytearray(PACKED)
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
    (folder / "flipped").write_bytes(content)
    found = read_or_data_error(folder / "flipped")
    if found is not None:  # only where the bits belong to the time or the system in gzip's header
        np.testing.assert_array_equal(found, ORIGINAL)


def test_every_single_bit_of_gzip(tmp_path: Path) -> None:
    harmless = 0
    for bit in range(8 * len(PACKED)):
        content = bytearray(PACKED)
        content[bit // 8] ^= 1 << bit % 8
        (tmp_path / "flipped").write_bytes(content)
        found = read_or_data_error(tmp_path / "flipped")
        if found is not None:
            np.testing.assert_array_equal(found, ORIGINAL)
            harmless += 1
    assert harmless < 8 * 10  # gzip's header has 10 bytes


@given(
    content=st.binary(max_size=200), head=st.sampled_from([b"", b"\0\0", b"\0\0\x08\x01", b"\x1f\x8b\x08\0", HEADER])
)
def test_any_bytes_give_an_array_or_a_data_error(folder: Path, content: bytes, head: bytes) -> None:
    (folder / "noise").write_bytes(head + content)
    found = read_or_data_error(folder / "noise")
    assert found is None or found.nbytes <= len(content)


def test_garbage_after_gzip_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(PACKED + b"more")
    with pytest.raises(DataError, match="damaged gzip"):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize("zeros", [0, 1, 5])
def test_gzip_may_have_several_members(tmp_path: Path, zeros: int) -> None:
    content = gzip.decompress(PACKED)
    parts = [content[:7], b"", content[7:9], content[9:]]
    path = tmp_path / "x"
    path.write_bytes(b"".join(gzip.compress(part) + bytes(zeros) for part in parts))
    with gzip.open(path) as stream:
        assert stream.read() == content
    np.testing.assert_array_equal(read_idx(path), ORIGINAL)


@pytest.mark.parametrize("size", [1, 3, 1 << 16, 10 << 20])
def test_gzip_is_read_in_parts_of_any_size(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(0).integers(0, 16, 3_000_000 if size > 3 else 3000, np.uint8).tobytes()
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content, 1))
    with reading(path) as stream:
        found = b"".join(iter(lambda: stream.read(size), b""))
    assert found == content
    with reading(path) as stream:
        assert stream.read() == content
    assert content_sha256(path) == hashlib.sha256(content).hexdigest()


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*none: No such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(StorageError, match="cannot read"):
        read_idx(tmp_path)
    with pytest.raises(StorageError, match=r"cannot save to .*x: No such file"):
        write_idx(tmp_path / "none" / "x", np.zeros(1, "u1"))


@pytest.mark.parametrize("array", [np.zeros(2, bool), np.zeros(2, "i8"), np.zeros(2, "u2"), np.zeros((), "u1")])
def test_arrays_that_the_format_cannot_hold(tmp_path: Path, array: Any) -> None:
    with pytest.raises(DataError, match="the IDX format holds"):
        write_idx(tmp_path / "x", array)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "x", np.arange(3, dtype="u1"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_idx(tmp_path / "x", np.arange(9, dtype="u1"))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert len(read_idx(tmp_path / "x")) == 3
