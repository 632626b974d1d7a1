"""One seed gives the same numbers everywhere: literal ones, and those of a training on every array library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import data, nn
from deepcore.random import Generator

if TYPE_CHECKING:
    from deepcore._device import Device

# The third and the fourth value of the draw with key (2026, 3), in float32 and in float64.
GOLDEN = {
    "uniform": ("0x1.2e3df0p-3", "0x1.d496f4p-1", "0x1.48470ccddace2p-1", "0x1.26496b1a78482p-1"),
    "normal": ("-0x1.0bffdep+0", "0x1.5fa30cp+0", "0x1.72420b827afe9p-2", "0x1.8228b59736912p-3"),
    "truncated_normal": ("-0x1.f59cb8p-1", "0x1.42c844p+0", "0x1.60b60509c911dp-2", "0x1.7064ae5682a4cp-3"),
    "exponential": ("0x1.e9d4p+0", "0x1.6ae4d6p-4", "0x1.c721e3e7eddccp-2", "0x1.1b87b8f3569f1p-1"),
    "gumbel": ("-0x1.4c39ap-1", "0x1.363a5ap+1", "0x1.9f2c1e70700e6p-1", "0x1.2e985a12988f1p-1"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_numbers_are_those_of_the_first_release(name: str) -> None:
    expected = [float.fromhex(x) for x in GOLDEN[name]]
    got = [getattr(Generator(2026, draw=3), name)(4, dtype=t).tolist()[2:] for t in (dc.float32, dc.float64)]
    if name == "truncated_normal":  # Φ of the bounds is the C library's
        np.testing.assert_allclose(got[0] + got[1], expected, rtol=1e-7)
        np.testing.assert_allclose(got[1], expected[2:], rtol=1e-14)
    else:
        assert got[0] + got[1] == expected


def test_the_whole_numbers_are_those_of_the_first_release() -> None:
    g = Generator(2026, draw=3)
    p = [0.1, 0.2, 0.3, 0.4]
    assert g.copy().integers(-50, 50, 6).tolist() == [-41, 8, 35, 23, -36, 49]
    assert g.copy().permutation(8).tolist() == [0, 3, 2, 5, 6, 7, 1, 4]
    assert g.copy().choice(8, 6).tolist() == [1, 2, 1, 5, 6, 3]
    assert g.copy().choice(8, 4, replace=False).tolist() == [0, 3, 2, 5]
    assert g.copy().choice(4, 6, p=p).tolist() == [0, 3, 3, 2, 3, 3]
    assert g.copy().choice(4, 3, p=p, replace=False).tolist() == [1, 3, 2]
    assert g.copy().bernoulli(8, p=0.3).tolist() == [0, 1, 1, 0, 0, 0, 1, 0]
    assert g.copy().categorical(dc.asarray(p), 8).tolist() == [3, 0, 1, 3, 3, 1, 2, 3]
    assert [c.seed for c in g.copy().spawn(2)] == [0xE42F0DF628C8631, 0xEA4B7A5825C7BE12]
    assert g.fold_in(9).seed == 0x11984E10B1D5F513


def _run(device: Device) -> list[bytes]:
    """Return the bits of initial weights, a dropout mask and the batches of two epochs."""
    with dc.use_device(device):
        dc.random.seed(5)
        model = nn.Sequential(
            *(nn.Dense(6, 5, initializer=name) for name in ("glorot_normal", "he_uniform", "lecun_normal")),
            nn.Dropout(0.4),
        )
        rows = np.arange(40, dtype=np.float32).reshape(20, 2)
        loader = data.DataLoader(data.Dataset(rows, np.arange(20)), batch_size=6, shuffle=True, seed=5)
        found = [p.detach().numpy() for p in model.parameters()]
        found += [model[3](dc.ones((7, 9))).numpy()]
        found += [inputs for _ in range(2) for inputs, _ in loader]
    return [x.tobytes() for x in found]


def test_weights_masks_and_shuffles_have_the_same_bits_on_every_device(device: Device) -> None:
    assert _run(device) == _run(dc.device("cpu"))
