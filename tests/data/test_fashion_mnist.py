from __future__ import annotations

import gzip
import hashlib
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore import StorageError
from deepcore.data import fashion_mnist, write_idx

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publish a small one on this machine."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    checksums: dict[str, str] = {}
    for name in NAMES:
        n = 4 if name.startswith("train") else 2
        write_idx(folder / f"{name}.gz", np.ones((n, 28, 28) if "images" in name else n, np.uint8))
        checksums[name] = hashlib.sha256((folder / f"{name}.gz").read_bytes()).hexdigest()
    module: Any = importlib.import_module("deepcore.data.fashion_mnist")
    monkeypatch.setattr(module, "CHECKSUMS", checksums)
    monkeypatch.setattr(module, "MIRRORS", (f"{folder.as_uri()}/",))
    monkeypatch.setenv("DEEPCORE_DATA", str(tmp_path / "data"))
    return folder


def test_it_is_fetched_and_read(published: Path, tmp_path: Path) -> None:
    for data_dir, n in ((None, 4), (tmp_path / "data" / "fashion-mnist", 4)):
        train, test = fashion_mnist(data_dir)
        assert (len(train), len(test), train.name, test.name) == (n, 2, "fashion-mnist-train", "fashion-mnist-test")
        assert train.classes[9] == "Ankle boot"
        assert train.inputs.max() == np.float32(1) / np.float32(255)


def test_the_checksum_is_that_of_the_compressed_file(published: Path) -> None:
    path = published / f"{NAMES[0]}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=5))
    with pytest.raises(StorageError, match=r"these files of Fashion-MNIST are missing(.|\n)*the SHA-256 of it is"):
        fashion_mnist()


def test_a_directory_of_its_own_is_completed(published: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    fashion_mnist(own)
    (own / f"{NAMES[3]}.gz").unlink()
    fashion_mnist(own)
    assert len(list(own.iterdir())) == 4


def test_it_is_not_mixed_with_mnist(published: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_idx(other / NAMES[0], np.zeros((4, 28, 28), np.uint8))
    with pytest.raises(StorageError, match=f"holds something else: {NAMES[0]}"):
        fashion_mnist(other)
