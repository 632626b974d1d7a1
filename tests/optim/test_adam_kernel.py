"""The kernel of Adam: on every device it is the chain that Adam is, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import optim
from deepcore.optim._adam_kernel import adam

if TYPE_CHECKING:
    from deepcore._device import Device

SIZES = [(3,), (0,), (7, 11), (40_000,), ()]  # more than one block of NumPy's kernel
OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {},
    "penalty": {"weight_decay": 0.1},
    "textbook": {"bias_correction": False, "betas": (0.8, 0.9), "eps": 1e-3},
}


def pair(device: Device, dtype: dc.DType) -> tuple[list[dc.Tensor], list[dc.Tensor]]:
    rng = np.random.default_rng(0)
    values = [np.asarray(rng.normal(size=shape)) for shape in SIZES]
    one, two = ([dc.asarray(x, dtype=dtype, device=device, requires_grad=True) for x in values] for _ in range(2))
    return one, two


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64, dc.bfloat16], ids=str)
@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_kernel_is_the_chain(
    options: dict[str, Any], kind: str, dtype: dc.DType, device: Device, thrifty: bool
) -> None:
    if dtype not in device.backend.raw_dtypes or (thrifty and dtype is not dc.float32):
        pytest.skip("there is no such type, or it is left out")
    one, two = pair(device, dtype)
    fused = getattr(optim, kind)(one, lr=0.05, **options)
    chain = optim.Optimizer(two, optim.chain(*fused.groups[0].transform))
    assert type(chain.groups[0].transform) is optim.Chain is not type(fused.groups[0].transform)
    rng = np.random.default_rng(1)
    for _ in range(3):
        for p, q in zip(one, two, strict=True):
            p.grad = q.grad = dc.asarray(rng.normal(size=p.shape), dtype=dtype, device=device)
        fused.step()
        chain.step()
    for p, q in zip(one, two, strict=True):
        assert p.dtype is q.dtype is dtype
        assert p.numpy().tobytes() == q.numpy().tobytes()
    for a, b in zip(fused.state, chain.state, strict=True):
        assert [x.numpy().tobytes() for x in a.values()] == [x.numpy().tobytes() for x in b.values()]


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("penalty", [0.0, 0.1])
@pytest.mark.parametrize("size", [0, 1, 32768, 32769, 100_000])
def test_an_override_gives_what_the_reference_gives_and_spares_the_parameters(
    size: int, penalty: float, decay: float, device: Device
) -> None:
    rng = np.random.default_rng(0)
    host: list[Any] = [
        rng.normal(size=size),
        rng.normal(size=size),
        rng.normal(size=size),
        rng.uniform(0.1, 1, size=size),
    ]
    p, g, m, v = (dc.asarray(x.copy(), device=device)._data for x in host)
    reference = [dc.asarray(x.copy(), device=device)._data for x in host]
    numbers = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "factor": 0.7, "eps": 1e-3}
    kernels = device.kernels
    actual = kernels["optim.adam"](p, g, m, v, **numbers, penalty=penalty, decay=decay)
    with device.current:
        expected = adam(kernels, *reference, **numbers, penalty=penalty, decay=decay)
    to_host = device.backend.to_host
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(to_host(a), to_host(b))
    np.testing.assert_array_equal(to_host(p), host[0])
    assert actual[0] is not p


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
@pytest.mark.parametrize("shapes", [[(5,)], [(5,), (2, 3)], [(2, 3)], [()]])
def test_gradients_are_never_written_to(shapes: list[tuple[int, ...]], kind: str, device: Device) -> None:
    parameters = [dc.ones(shape, device=device, requires_grad=True) for shape in shapes]
    for p in parameters:
        p.grad = dc.full(p.shape, 0.5, device=device)
    optimizer = getattr(optim, kind)(parameters, lr=0.1, weight_decay=1e-4)
    for _ in range(2):
        optimizer.step()
    for p in parameters:
        assert p.grad is not None
        np.testing.assert_array_equal(p.grad.numpy(), np.full(p.shape, 0.5))
        np.testing.assert_allclose(p.numpy(), np.full(p.shape, 0.8), rtol=0.01)
