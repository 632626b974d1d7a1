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

from .dataset import Dataset
from .digits import digits
from .idx import read_idx, write_idx
from .loader import DataLoader
from .mnist import mnist
from .split import train_test_split

__all__ = ["DataLoader", "Dataset", "digits", "mnist", "read_idx", "train_test_split", "write_idx"]
