"""Linear algebra, Fourier transforms and complex derivatives against PyTorch, whose convention is deepcore's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

import deepcore as dc
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from collections.abc import Callable

torch: Any = pytest.importorskip("torch", reason="PyTorch is the oracle here")

HostArray: TypeAlias = "np.ndarray[Any, Any]"
Function: TypeAlias = "Callable[[Any, Any], Any]"
"""A function of a namespace, deepcore or torch, and of one array."""


def drawn(*shape: int, seed: int = 0) -> HostArray:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 1.5, shape) + 1j * rng.uniform(-1.0, 1.0, shape)


SQUARE, TALL, WIDE, STACK = drawn(3, 3), drawn(4, 3), drawn(3, 4), drawn(2, 3, 3)


def hermitian(xp: Any, x: Any) -> Any:
    return (x + xp.conj(x).mT) / 2


def definite(xp: Any, x: Any) -> Any:
    return x @ xp.conj(x).mT + xp.eye(3, dtype=x.dtype)


ANY_NUMBER: dict[str, Function] = {
    "abs": lambda xp, x: xp.abs(x),
    "sign": lambda xp, x: xp.sgn(x) if xp is torch else xp.sign(x),
    "exp": lambda xp, x: xp.exp(x),
    "log": lambda xp, x: xp.log(x),
    "sqrt": lambda xp, x: xp.sqrt(x),
    "tanh": lambda xp, x: xp.tanh(x),
    "acosh": lambda xp, x: xp.acosh(x + 2),
    "power": lambda xp, x: x**2.5,
    "conjugate product": lambda xp, x: xp.conj(x) * x,
    "parts": lambda xp, x: xp.real(x) * 2 + xp.imag(x * x) if x.dtype in (xp.complex64, xp.complex128) else x * 2,
    "cumulative product": lambda xp, x: xp.cumprod(x, 0) if xp is torch else xp.cumulative_prod(x, axis=0),
    "mean": lambda xp, x: xp.mean(x),
    "inverse": lambda xp, x: xp.linalg.inv(x),
    "determinant": lambda xp, x: xp.linalg.det(x),
    "log determinant": lambda xp, x: xp.linalg.slogdet(x)[1],
    "sign of determinant": lambda xp, x: xp.linalg.slogdet(x)[0] * 1,
    "solve": lambda xp, x: xp.linalg.solve(x, x[:, :2] * 2),
    "pseudo-inverse": lambda xp, x: xp.linalg.pinv(x[:, :2]),
    "cholesky": lambda xp, x: xp.linalg.cholesky(definite(xp, x)),
    "cholesky, upper": lambda xp, x: xp.linalg.cholesky(definite(xp, x), upper=True),
    "eigh, values": lambda xp, x: xp.linalg.eigh(hermitian(xp, x))[0],
    "eigh, vectors": lambda xp, x: xp.abs(xp.linalg.eigh(hermitian(xp, x))[1]),
    "eigvalsh": lambda xp, x: xp.linalg.eigvalsh(hermitian(xp, x)),
    "eig, vectors": lambda xp, x: xp.abs(xp.linalg.eig(x)[1]),
    "singular values": lambda xp, x: xp.linalg.svdvals(x),
    "left singular vectors": lambda xp, x: xp.abs(xp.linalg.svd(x, full_matrices=False)[0]),
    "right singular vectors": lambda xp, x: xp.abs(xp.linalg.svd(x, full_matrices=False)[2]),
    "QR": lambda xp, x: xp.abs(xp.linalg.qr(x)[0] @ (xp.linalg.qr(x)[1] * 2)),
    "R of QR": lambda xp, x: xp.abs(xp.linalg.qr(x)[1]) ** 2,
    "R of a wide QR": lambda xp, x: xp.abs(xp.linalg.qr(x[:2])[1]) ** 2,
    "nuclear norm": lambda xp, x: xp.linalg.matrix_norm(x, ord="nuc"),
    "spectral norm": lambda xp, x: xp.linalg.matrix_norm(x, ord=2),
    "power of a matrix": lambda xp, x: xp.linalg.matrix_power(x, -3),
    "vector norm": lambda xp, x: xp.linalg.vector_norm(x, ord=3),
    "dot product": lambda xp, x: xp.linalg.vecdot(x[:1] * 2, x * x),
    "fft": lambda xp, x: xp.fft.fft(x, n=5, norm="ortho"),
    "ifftn": lambda xp, x: xp.fft.ifftn(x),
    "irfft": lambda xp, x: xp.fft.irfft(x, n=5),
    "hfft": lambda xp, x: xp.fft.hfft(x, n=4),
}
REAL_ALONE: dict[str, Function] = {
    "rfft": lambda xp, x: xp.fft.rfft(x, n=5),
    "rfftn": lambda xp, x: xp.fft.rfftn(x),
    "ihfft": lambda xp, x: xp.fft.ihfft(x),
    "eigenvalues of a real matrix": lambda xp, x: xp.linalg.eigvals(x),
    "a real array among complex ones": lambda xp, x: x * (2 + 1j) + xp.fft.fft(x),
}
STEPS = ("sign", "sign of determinant")
"""Functions whose derivative in real numbers is 0."""
CASES = [
    *[(name, function, False) for name, function in {**ANY_NUMBER, **REAL_ALONE}.items() if name not in STEPS],
    *[(name, function, True) for name, function in ANY_NUMBER.items()],
]


def weights(y: HostArray) -> HostArray:
    n = np.arange(y.size, dtype=np.float64).reshape(y.shape)
    return 1 + 0.5 * np.cos(n) + (1j * np.sin(n) if np.iscomplexobj(y) else 0)


def compared(function: Function, x: HostArray) -> tuple[list[HostArray], list[HostArray]]:
    a = dc.asarray(x, requires_grad=True)
    y = function(dc, a)
    y.backward(dc.asarray(weights(y.detach().numpy())))
    b = torch.tensor(x, requires_grad=True)
    z = function(torch, b)
    values = z.detach().resolve_conj().numpy()
    z.backward(torch.tensor(weights(values)))
    own = np.zeros_like(x) if a.grad is None else a.grad.numpy()
    return [y.detach().numpy(), own], [values, b.grad.resolve_conj().numpy()]


@pytest.mark.parametrize(
    ("function", "complex_numbers"), [pytest.param(f, c, id=f"{n}{', complex' if c else ''}") for n, f, c in CASES]
)
def test_values_and_gradients(function: Function, complex_numbers: bool) -> None:
    x = SQUARE if complex_numbers else np.real(SQUARE) + 0.5 * np.eye(3)
    ours, theirs = compared(function, x)
    for a, d in zip(ours, theirs, strict=True):
        assert_close(np.asarray(a), np.asarray(d), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("x", [TALL, WIDE, STACK, np.real(TALL), np.real(WIDE), np.real(STACK)])
@pytest.mark.parametrize(
    "name", ["QR", "singular values", "left singular vectors", "right singular vectors", "R of QR"]
)
def test_shapes(name: str, x: HostArray) -> None:
    ours, theirs = compared(ANY_NUMBER[name], x)
    for a, d in zip(ours, theirs, strict=True):
        assert_close(np.asarray(a), np.asarray(d), rtol=1e-10, atol=1e-10)


def test_a_derivative_of_what_is_not_determined_is_refused() -> None:
    x = dc.asarray(np.real(TALL), requires_grad=True)
    u, _, _ = dc.linalg.svd(x)
    with pytest.raises(dc.GradientError, match="full_matrices=False"):
        u.sum().backward()
    q, _ = dc.linalg.qr(x, mode="complete")
    with pytest.raises(dc.GradientError, match="reduced"):
        q.sum().backward()


def test_singular_matrices_are_numerical_errors() -> None:
    with pytest.raises(dc.NumericalError, match=r"linalg.inv\(x \(2, 2\) float32\): Singular matrix"):
        dc.linalg.inv(dc.ones((2, 2)))


def test_equal_eigenvalues_leave_gradients_finite() -> None:
    x = dc.asarray(np.diag([2.0, 2.0, 5.0]), requires_grad=True)
    values, vectors = dc.linalg.eigh(x)
    dc.sum(vectors @ (values[:, None] * vectors.mT)).backward()  # the sum of the entries of x itself
    assert x.grad is not None
    off = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]  # 0 within the space of the equal ones
    symmetric = (x.grad + x.grad.mT) / 2  # a Hermitian matrix moves both triangles at once
    assert_close(symmetric.numpy(), np.asarray(off), rtol=1e-12, atol=1e-12)
