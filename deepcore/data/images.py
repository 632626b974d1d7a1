"""Images in a folder for each class, read by Pillow."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from .._errors import ConfigError, DataError, StorageError
from ._optional import pillow
from .dataset import Dataset
from .rows import Rows
from .transforms.crop import pair

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    Mode: TypeAlias = Literal["RGB", "L", "RGBA"]

SUFFIXES: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4}
_DAMAGED: Final = (
    OSError,
    SyntaxError,  # Pillow's PNG reader raises it
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)


class ImageRows(Rows):
    """Images that are decoded when they are asked for: float32 of shape (n, C, H, W), from 0 to 1.

    Parameters
    ----------
    paths
        The files.
    size
        Height and width that images are resized to. By default all have those of the first.
    mode
        ``"RGB"``, ``"L"`` for one channel of brightness, or ``"RGBA"``.

    Raises
    ------
    DataError
        For a file that is no image, or is damaged; where it is read, and naming the sample and the file.
    """

    finite = True

    def __init__(self, paths: list[Path], *, size: int | tuple[int, int] | None = None, mode: Mode = "RGB") -> None:
        if mode not in _CHANNELS or not paths:
            message = f"images are read in one of the modes {', '.join(_CHANNELS)} from at least one file, not {mode!r}"
            raise ConfigError(message)
        self.paths, self.mode = paths, mode
        self._size = None if size is None else pair(size, "size")
        self.dtype = np.dtype(np.float32)
        self.shape = (len(paths), *self._decoded(0).shape)

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the images at these rows."""
        result = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows):
            image = self._decoded(int(row))
            if image.shape != self.shape[1:]:
                message = (
                    f"{self.paths[row]} (sample {row}) is an image of {image.shape[1]} by {image.shape[2]} pixels, and "
                    f"{self.paths[0]} one of {self.shape[2]} by {self.shape[3]}; give a size that all are resized to"
                )
                raise DataError(message)
            result[place] = image
        return np.divide(result, np.float32(255), dtype=np.float32)

    def _decoded(self, row: int) -> NDArray[np.uint8]:
        """Return an image as uint8 of shape (C, H, W)."""
        path = self.paths[row]
        bomb: type[Exception] = pillow.DecompressionBombError  # a header that says too many pixels is not believed
        try:
            with path.open("rb") as stream, pillow.open(stream) as image:
                converted = image.convert(self.mode)
                if self._size is not None and converted.size != self._size[::-1]:
                    converted = converted.resize(self._size[::-1], pillow.Resampling.BILINEAR)
                pixels = np.asarray(converted, np.uint8)
        except (*_DAMAGED, bomb) as error:
            if isinstance(error, OSError) and error.errno is not None:
                message = f"cannot read {path}: {error.strerror or error}"
                raise StorageError(message) from error
            message = f"{path} (sample {row}) is no image, or is damaged: {error}"
            raise DataError(message) from error
        return pixels.reshape(*pixels.shape[:2], _CHANNELS[self.mode]).transpose(2, 0, 1)


def image_folder(
    path: str | os.PathLike[str],
    *,
    size: int | tuple[int, int] | None = None,
    mode: Mode = "RGB",
    name: str | None = None,
) -> Dataset:
    """Return the images in a folder that has a folder for each class, by Pillow: ``pip install 'deepcore-xp[images]'``.

    Images are decoded batch by batch, when they are asked for: let a loader prefetch them, with several workers.

    Parameters
    ----------
    path
        The folder. The names of the folders in it are those of the classes, and are sorted; whatever is an image in
        them, by its suffix, and in folders in these, is a sample, in the order of the names. Hidden files are left out.
    size
        Height and width that images are resized to, by bilinear interpolation, or one number for both. By default all
        images have to have the same.
    mode
        ``"RGB"``, ``"L"`` for one channel of brightness, or ``"RGBA"``.
    name
        What error messages call the data set; the name of the folder by default.

    Returns
    -------
    dataset
        Inputs are float32 of shape (n, C, H, W), from 0 to 1. Targets are int64 labels of shape (n,).

    Raises
    ------
    DataError
        If there are no folders, or one has no images; and for an image that is damaged, when it is read.
    StorageError
        For a folder that is missing or cannot be read.
    BackendError
        If Pillow is not installed.

    Examples
    --------
    >>> pets = image_folder("pets", size=64)  # doctest: +SKIP
    >>> pets  # doctest: +SKIP
    Dataset('pets', 7349 samples, inputs (3, 64, 64) float32, targets () int64, 2 classes)
    """
    root = Path(path)
    try:
        folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        files = [sorted(_images(folder)) for folder in folders]
    except OSError as error:
        message = f"cannot list {root}: {error.strerror or error}"
        raise StorageError(message) from error
    if not folders:
        message = f"{root} has no folders; put the images of each class into a folder of its name"
        raise DataError(message)
    if empty := next((folder for folder, found in zip(folders, files, strict=True) if not found), None):
        message = f"{empty} has no images, which are files with one of the suffixes {', '.join(SUFFIXES)}; remove it"
        raise DataError(message)
    labels = np.repeat(np.arange(len(folders)), [len(found) for found in files])
    return Dataset(
        ImageRows([file for found in files for file in found], size=size, mode=mode),
        labels.astype(np.int64),
        name=root.resolve().name if name is None else name,
        classes=tuple(folder.name for folder in folders),
    )


def _images(folder: Path) -> list[Path]:
    found = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return [file for file in found if file.is_file()]
