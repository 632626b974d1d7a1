"""Transforms: functions of a batch, random or not, that a loader applies in the background.

A transform takes an array of shape (n, ...) and gives one; images have their channels first, (n, C, H, W), or none. Any
function of a batch is one too. Random ones draw the same numbers for a sample in an epoch however it is served.

>>> from deepcore.data import DataLoader, digits, transforms
>>> augment = transforms.Compose(transforms.Normalize(0.3, 0.4), transforms.RandomCrop(8, padding=1))
>>> loader = DataLoader(digits(), batch_size=100, shuffle=True, transform=augment, prefetch=2)
>>> inputs, targets = next(iter(loader))
>>> inputs.shape, inputs.dtype
((100, 8, 8), dtype('float32'))
"""

from __future__ import annotations

from ._transform import Compose, Transform
from .affine import RandomAffine
from .crop import CenterCrop, Pad, RandomCrop
from .flip import RandomFlip
from .normalize import Normalize
from .one_hot import OneHot

__all__ = [
    "CenterCrop",
    "Compose",
    "Normalize",
    "OneHot",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomFlip",
    "Transform",
]
