from __future__ import annotations

import contextlib
import io
import struct
import sys
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepcore import BackendError, ConfigError, DataError, DeepcoreError, StorageError
from deepcore._backend import Library
from deepcore.data import DataLoader, ImageRows, image_folder

pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
FILES = ["cat/1.png", "cat/2.PNG", "cat/deep/3.png", "dog/1.bmp", "dog/2.png", "dog/.hidden.png"]


def write(root: Path, names: list[str] = FILES) -> Path:
    for name, pixels in zip(names, PIXELS, strict=False):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(pixels).save(path)
    (root / "cat" / "notes.txt").write_text("no image")
    return root


def png(pixels: Any = PIXELS[0]) -> bytes:
    stream = io.BytesIO()
    pillow.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    data = image_folder(write(tmp_path / "pets"))
    assert repr(data) == "Dataset('pets', 5 samples, inputs (3, 5, 4) float32, targets () int64, 2 classes)"
    assert (data.classes, data.targets.tolist()) == (("cat", "dog"), [0, 0, 0, 1, 1])
    expected = PIXELS[:5].transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(data.inputs[:], expected.astype(np.float32))
    assert (data.inputs[:].min(), data.inputs[:].max()) == (0, 1)
    data.check_finite()
    for workers in (1, 3):
        loader = DataLoader(data, batch_size=2, shuffle=True, prefetch=2, workers=workers)
        for inputs, targets in loader:
            assert inputs.shape[1:] == (3, 5, 4)
            assert len(inputs) == len(targets)


def test_modes_and_sizes(tmp_path: Path) -> None:
    write(tmp_path)
    for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4)):
        data = image_folder(tmp_path, mode=mode, size=(3, 6))  # type: ignore[arg-type]
        assert data.inputs.shape == (5, channels, 3, 6)
        source = pillow.open(tmp_path / "cat" / "1.png").convert(mode).resize((6, 3), pillow.Resampling.BILINEAR)
        expected = np.asarray(source, np.float32).reshape(3, 6, channels).transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(data.inputs[0], expected)
    assert image_folder(tmp_path, size=7).inputs.shape == (5, 3, 7, 7)
    with pytest.raises(ConfigError, match="size"):
        image_folder(tmp_path, size=0)
    with pytest.raises(ConfigError, match="modes"):
        image_folder(tmp_path, mode="CMYK")  # type: ignore[arg-type]


def test_images_of_other_sizes_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    pillow.fromarray(PIXELS[0].transpose(1, 0, 2)).save(tmp_path / "dog" / "2.png")
    data = image_folder(tmp_path)
    with pytest.raises(
        DataError, match=r"dog/2\.png \(sample 4\) is an image of 4 by 5 pixels, and .*1\.png one of 5 by 4"
    ):
        data.inputs[3:]
    assert len(image_folder(tmp_path, size=4).inputs[:]) == 5


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot list"):
        image_folder(tmp_path / "none")
    with pytest.raises(DataError, match="has no folders"):
        image_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no images"):
        image_folder(tmp_path)
    with pytest.raises(ConfigError, match="at least one file"):
        ImageRows([])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content", [b"", b"no image", png()[:-40], png()[:60], png()[:20], header(1 << 20, 1 << 20), header(30_000, 30_000)]
)
def test_damaged_images_are_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / "dog" / "2.png").write_bytes(content)
    data = image_folder(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"dog/2\.png \(sample 4\) is no image, or is damaged"):
            list(DataLoader(data, prefetch=1))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    (tmp_path / "dog" / "2.png").unlink()
    with pytest.raises(StorageError, match=r"cannot read .*2\.png"):
        data.inputs[-1]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bits(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(png())
    for bit in data.draw(st.sets(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=3)):
        content[bit // 8] ^= 1 << bit % 8
    path = tmp_path_factory.getbasetemp() / "flipped.png"
    path.write_bytes(content)
    with contextlib.suppress(DeepcoreError):
        assert ImageRows([path])[:].ndim == 4


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, optional = sys.modules["deepcore.data.images"], sys.modules["deepcore.data._optional"]
    gone = Library("no_such_library", needs=optional._PILLOW)
    monkeypatch.setattr(module, "pillow", gone)
    with pytest.raises(BackendError, match=r"needs Pillow; install it with pip install 'deepcore-xp\[images\]'"):
        image_folder(write(tmp_path))
