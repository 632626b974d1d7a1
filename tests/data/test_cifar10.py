from __future__ import annotations

import hashlib
import importlib
import io
import pickle
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore import DataError, StorageError
from deepcore.data import cifar10, load

if TYPE_CHECKING:
    from pathlib import Path

FILES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def records(file: str, n: int = 2) -> bytes:
    start = 10 * FILES.index(file)
    return b"".join(
        bytes([(start + i) % 10]) + np.arange(start + i, start + i + 3072).astype(np.uint8).tobytes() for i in range(n)
    )


def archive(path: Path, **changes: bytes | None) -> Path:
    """Write a small archive, with some of its files changed or left out."""
    with tarfile.open(path, "w:gz") as tar:
        for file in ["readme.html", *FILES]:
            content = changes.get(file.partition(".")[0], b"<p>" if file == "readme.html" else records(file))
            if content is not None:
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{file}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", ["archive", "files", "folder"])
def test_records(tmp_path: Path, form: str) -> None:
    path = archive(tmp_path / "cifar-10-binary.tar.gz")
    if form != "archive":
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path, filter="data")
        path.unlink()
    folder = tmp_path / "cifar-10-batches-bin" if form == "files" else tmp_path
    before = sorted(tmp_path.rglob("*"))
    train, test = cifar10(folder, download=False)
    assert sorted(tmp_path.rglob("*")) == before  # nothing is unpacked
    assert (
        repr(train) == "Dataset('cifar-10-train', 10 samples, inputs (3, 32, 32) float32, targets () int64, 10 classes)"
    )
    assert (len(test), test.name) == (2, "cifar-10-test")
    assert train.targets.tolist() == [0, 1] * 5
    raw = np.frombuffer(records("data_batch_3.bin")[1:3073], np.uint8)
    np.testing.assert_array_equal(train.inputs[4].ravel(), raw / np.float32(255))
    assert train.inputs[4, 1, 2, 3] == raw[1024 + 2 * 32 + 3] / np.float32(255)  # green, third row, fourth column
    assert train.classes[:2] == ("airplane", "automobile")


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"data_batch_2": None}, "not the archive of CIFAR-10 in binary form: data_batch_2.bin are missing"),
        ({"data_batch_2": b""}, "data_batch_2.bin in .* has 0 bytes"),
        ({"test_batch": records(FILES[0])[:-1]}, "test_batch.bin in .* has 6145 bytes"),
        ({"test_batch": bytes(3073 * 10_001)}, "has more bytes, and not up to 10000 records"),
        ({"test_batch": b"\x0b" + bytes(3072)}, "'cifar-10-test' are 0 to 9, .* 11 in sample 0"),
    ],
)
def test_archives_that_are_wrong(tmp_path: Path, changes: Any, pattern: str) -> None:
    archive(tmp_path / "cifar-10-binary.tar.gz", **changes)
    with pytest.raises(DataError, match=pattern):
        cifar10(tmp_path, download=False)


def test_damaged_archives(tmp_path: Path) -> None:
    path = archive(tmp_path / "cifar-10-binary.tar.gz")
    whole = path.read_bytes()
    flipped = whole[:400] + bytes([whole[400] ^ 16]) + whole[401:]
    for content in (b"", b"nonsense", whole[: len(whole) // 2], flipped, pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"damaged archive|damaged gzip file"):
            cifar10(tmp_path, download=False)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cifar-10-binary\.tar\.gz is missing, .* fetch it from https://www\.cs"):
        load("cifar-10", data_dir=tmp_path, download=False)


def test_it_is_fetched_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = archive(tmp_path / "source")
    module: Any = importlib.import_module("deepcore.data.cifar10")
    monkeypatch.setattr(module, "MIRRORS", (f"{source.as_uri()}#",))
    monkeypatch.setenv("DEEPCORE_DATA", str(tmp_path / "data"))
    with pytest.raises(StorageError, match="the SHA-256 of it is"):
        cifar10()
    assert not list((tmp_path / "data" / "cifar-10").iterdir())
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(source.read_bytes()).hexdigest())
    train, _ = cifar10()
    assert len(train) == 10
    source.unlink()
    assert len(cifar10()[0]) == 10
