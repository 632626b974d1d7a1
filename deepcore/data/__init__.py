"""Data sets and how they are read, split and served in batches; all of it on the host, in NumPy arrays.

>>> from deepcore.data import DataLoader, digits, train_test_split
>>> train, test = train_test_split(digits(), test_size=0.2, seed=0)
>>> for inputs, targets in DataLoader(train, batch_size=256, shuffle=True):
...     print(inputs.shape, targets.shape)
(256, 8, 8) (256,)
(256, 8, 8) (256,)
(256, 8, 8) (256,)
(256, 8, 8) (256,)
(256, 8, 8) (256,)
(158, 8, 8) (158,)
"""

from __future__ import annotations

from . import transforms
from .cifar10 import cifar10
from .csv import read_csv
from .dataset import Dataset
from .digits import digits
from .draws import Draws
from .fashion_mnist import fashion_mnist
from .idx import read_idx, write_idx
from .images import ImageRows, image_folder
from .iris import iris
from .loader import DataLoader
from .mnist import mnist
from .named import load
from .npy import read_npy, read_npz
from .parquet import read_parquet
from .points import circles, moons, spirals, xor
from .ragged import PadCollate, Ragged
from .rows import Rows, StoredRows
from .sampler import (
    RandomSampler,
    Sampler,
    SequentialSampler,
    StratifiedSampler,
    SubsetSampler,
    WeightedSampler,
)
from .split import train_test_split

__all__ = [
    "DataLoader",
    "Dataset",
    "Draws",
    "ImageRows",
    "PadCollate",
    "Ragged",
    "RandomSampler",
    "Rows",
    "Sampler",
    "SequentialSampler",
    "StoredRows",
    "StratifiedSampler",
    "SubsetSampler",
    "WeightedSampler",
    "cifar10",
    "circles",
    "digits",
    "fashion_mnist",
    "image_folder",
    "iris",
    "load",
    "mnist",
    "moons",
    "read_csv",
    "read_idx",
    "read_npy",
    "read_npz",
    "read_parquet",
    "spirals",
    "train_test_split",
    "transforms",
    "write_idx",
    "xor",
]
