"""Warping images against PyTorch's grid_sample and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

from deepcore.data.transforms.affine import warp

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")

RNG = np.random.default_rng(0)
N, C, H, W = 6, 2, 9, 12
IMAGES = RNG.normal(size=(N, C, H, W))
MATRICES = np.eye(2) + 0.4 * RNG.normal(size=(N, 2, 2))
SHIFTS = 2 * RNG.normal(size=(N, 2))


def test_grid_sample_of_pytorch() -> None:
    inverse = np.linalg.inv(MATRICES)
    half = np.array([W, H]) / 2  # its coordinates go from -1 to 1 over the whole image
    linear = inverse * half[None, None, :] / half[None, :, None]
    shift = -np.einsum("nij,nj->ni", inverse, SHIFTS) / half
    theta = torch.tensor(np.concatenate([linear, shift[:, :, None]], axis=2))
    grid = torch.nn.functional.affine_grid(theta, [N, C, H, W], align_corners=False)
    expected = torch.nn.functional.grid_sample(
        torch.tensor(IMAGES), grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    np.testing.assert_allclose(warp(IMAGES, MATRICES, SHIFTS, 0.0), expected.numpy(), atol=1e-12)


def test_affine_transform_of_scipy() -> None:
    centre = np.array([H - 1, W - 1]) / 2
    found = warp(IMAGES, MATRICES, SHIFTS, 1.5)
    for image, matrix, shift, result in zip(IMAGES, MATRICES, SHIFTS, found, strict=True):
        inverse = np.linalg.inv(matrix)[::-1, ::-1]  # from (x, y) to (row, column)
        offset = centre - inverse @ (centre + shift[::-1])
        for plane, expected in zip(image, result, strict=True):
            warped = ndimage.affine_transform(plane, inverse, offset, order=1, mode="grid-constant", cval=1.5)
            np.testing.assert_allclose(expected, warped, atol=1e-12)
