"""Activation functions and their cotangents block by block, in memory that stays in the cache, on several threads.

The names and the arguments are those of :mod:`deepcore.ops`, whose functions compute what is left to them: numbers of
other types than these, arrays that are not contiguous, and softmaxes along another axis than the last.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from deepcore._backend import composites
from deepcore._device import device
from deepcore._primitive import registry
from deepcore.ops.gated import GELU_CUBIC, GELU_LINEAR, INVERSE_ROOT_TWO_PI

from ._blocks import over_blocks, rows_of_a_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deepcore._backend import Kernels

    Array: TypeAlias = NDArray[Any]

DTYPES: Final = (np.dtype(np.float32), np.dtype(np.float64))

_ZERO: Final = {dtype: np.zeros((), dtype) for dtype in DTYPES}

PARTS: Final = 4
"""Into how many parts a block is divided where a function makes arrays of its own: so small, they are reused."""

# Each of these writes the result of one block; `spare` is an array like it, whose content means nothing.

# ------------------------------------------------------------------------------------------------- element by element


def _sigmoid(out: Array, spare: Array, x: Array) -> None:
    np.negative(x, out)
    with np.errstate(over="ignore"):  # 1 / (1 + infinity) is the 0 that it should be
        np.exp(out, out)
    np.add(out, 1, out)
    np.divide(1, out, out)


def _sigmoid_vjp(out: Array, spare: Array, dy: Array, y: Array) -> None:
    np.subtract(1, y, out)
    np.multiply(out, y, out)
    np.multiply(out, dy, out)


def _tanh_vjp(out: Array, spare: Array, dy: Array, y: Array) -> None:
    np.multiply(y, y, out)
    np.subtract(1, out, out)
    np.multiply(out, dy, out)


def _relu(out: Array, spare: Array, x: Array) -> None:
    spare.fill(0)  # NumPy compares two arrays three times as fast as an array and a number
    np.maximum(x, spare, out=out)


def _relu_vjp(out: Array, spare: Array, dy: Array, y: Array) -> None:
    positive = spare.reshape(-1).view(np.bool_)[: y.size].reshape(y.shape)
    np.greater(y, 0, positive)
    np.multiply(dy, positive, out)


def _silu(out: Array, spare: Array, x: Array) -> None:
    _sigmoid(out, spare, x)
    np.multiply(out, x, out)


def _silu_vjp(out: Array, spare: Array, dy: Array, x: Array) -> None:
    _sigmoid(spare, out, x)
    np.subtract(1, spare, out)
    np.multiply(out, x, out)
    np.add(out, 1, out)
    np.multiply(out, spare, out)
    np.multiply(out, dy, out)


def _gelu_tanh(out: Array, spare: Array, x: Array) -> None:
    np.multiply(x, x, spare)
    np.multiply(spare, GELU_CUBIC, spare)
    np.add(spare, GELU_LINEAR, spare)
    np.multiply(spare, x, spare)
    _sigmoid(out, spare, spare)
    np.multiply(out, x, out)


def _two(spare: Array) -> tuple[Array, Array]:
    """Return two spare arrays, also of one number each."""
    return spare[0, ...], spare[1, ...]


def _gelu_tanh_vjp(out: Array, spare: Array, dy: Array, x: Array) -> None:
    r"""Write $\bar y s (1 + (1 - s) (u' x))$, where $s = \sigma(u)$ and $u' x = x (L + 3 C x^2) = 3u - 2Lx$."""
    s, other = _two(spare)
    np.multiply(x, x, out)
    np.multiply(out, GELU_CUBIC, out)
    np.add(out, GELU_LINEAR, out)
    np.multiply(out, x, out)  # u
    _sigmoid(s, s, out)
    np.multiply(out, 3, out)
    np.multiply(x, 2 * GELU_LINEAR, other)
    np.subtract(out, other, out)
    np.subtract(1, s, other)
    np.multiply(out, other, out)
    np.add(out, 1, out)
    np.multiply(out, s, out)
    np.multiply(out, dy, out)


# R(t) = Phi(-t) exp(t^2 / 2) is a quotient of polynomials, to 2e-7 up to t = 10, by iterated weights (C. L. Lawson).
# The highest coefficient of the divisor is 1.
_TAIL: Final = (0.39885377318541154, 2.8846880576300635, 8.910061995604922, 12.645298649033826)
_TAIL_DIVISOR: Final = (7.223246020500743, 23.44512245173544, 37.99882200405826, 25.290602714761565)
_TAIL_END: Final = 15
"""From here on exp(-t^2 / 2) is 0 in float32."""
_SIGN, _ONE = np.float32(-0.0).view(np.int32), np.float32(1).view(np.int32)
"""The bits of numbers."""


def _tail(ratio: Array, density: Array, t: Array, x: Array) -> None:
    r"""Write $t = |x|$, up to an end, $e^{-t^2/2}$ and $R(t)$, with which $\Phi(-t) = R(t) e^{-t^2/2}$."""
    multiply, add, spare = np.multiply, np.add, density
    spare.fill(_TAIL_END)
    np.absolute(x, t)
    np.minimum(t, spare, out=t)
    highest, *others = _TAIL
    multiply(t, highest, ratio)
    for c in others[:-1]:
        add(ratio, c, ratio)
        multiply(ratio, t, ratio)
    add(ratio, others[-1], ratio)
    lead, *others = _TAIL_DIVISOR
    add(t, lead, spare)
    for c in others:
        multiply(spare, t, spare)
        add(spare, c, spare)
    np.divide(ratio, spare, ratio)
    multiply(t, t, density)
    multiply(density, -0.5, density)
    np.exp(density, density)


def _gelu(out: Array, spare: Array, x: Array) -> None:
    r"""Write $\max(x, 0) - |x| \Phi(-|x|)$, in which nothing cancels."""
    ratio, density = _two(spare)
    _tail(ratio, density, out, x)
    np.multiply(ratio, density, ratio)
    np.multiply(ratio, out, ratio)
    density.fill(0)
    np.maximum(x, density, out=out)
    np.subtract(out, ratio, out)


def _gelu_vjp(out: Array, spare: Array, dy: Array, x: Array) -> None:
    r"""Write $\bar y q$, or $\bar y (1 - q)$ where the sign of $x$ is plus: $q = (R(t) - t / \sqrt{2\pi}) e^{-t^2/2}$.

    Numbers are taken as bits: the sign is the first, and a shift makes it all of them.
    """
    q, density = _two(spare)
    _tail(q, density, out, x)
    np.multiply(out, INVERSE_ROOT_TWO_PI, out)
    np.subtract(q, out, q)
    np.multiply(q, density, q)
    signs, is_positive, bits = (a.view(np.int32) for a in (x, out, density))
    np.bitwise_and(signs, _SIGN, bits)
    np.bitwise_xor(bits, q.view(np.int32), bits)
    np.right_shift(signs, 31, is_positive)
    np.bitwise_invert(is_positive, is_positive)
    np.bitwise_and(is_positive, _ONE, is_positive)
    np.subtract(out, density, out)
    np.multiply(out, dy, out)


# -------------------------------------------------------------------------------------------------------- row by row


def _softmax(out: Array, spare: Array, x: Array) -> None:
    np.subtract(x, np.maximum.reduce(x, axis=1, keepdims=True), out)
    np.exp(out, out)
    np.divide(out, np.add.reduce(out, axis=1, keepdims=True), out)


def _softmax_vjp(out: Array, spare: Array, dy: Array, y: Array) -> None:
    np.subtract(dy, np.vecdot(dy, y)[:, None], out)
    np.multiply(out, y, out)


def _log_softmax(out: Array, spare: Array, x: Array) -> None:
    np.subtract(x, np.maximum.reduce(x, axis=1, keepdims=True), out)
    np.exp(out, spare)
    np.subtract(out, np.log(np.add.reduce(spare, axis=1, keepdims=True)), out)


def _log_softmax_vjp(out: Array, spare: Array, dy: Array, y: Array) -> None:
    np.exp(y, out)
    np.multiply(out, np.add.reduce(dy, axis=1, keepdims=True), out)
    np.subtract(dy, out, out)


ELEMENTWISE: Final[dict[str, Callable[..., None]]] = {
    "gelu_tanh": _gelu_tanh,
    "gelu_tanh_vjp": _gelu_tanh_vjp,
    "relu": _relu,
    "relu_vjp": _relu_vjp,
    "sigmoid": _sigmoid,
    "sigmoid_vjp": _sigmoid_vjp,
    "silu": _silu,
    "silu_vjp": _silu_vjp,
    "tanh_vjp": _tanh_vjp,
}
ROWWISE: Final[dict[str, Callable[..., None]]] = {
    "log_softmax": _log_softmax,
    "log_softmax_vjp": _log_softmax_vjp,
    "softmax": _softmax,
    "softmax_vjp": _softmax_vjp,
}
SINGLE: Final[dict[str, Callable[..., None]]] = {"gelu": _gelu, "gelu_vjp": _gelu_vjp}
"""Functions of each element of float32; of float64 they are computed as they are written, but in blocks."""
_TWO_SPARES: Final = (_gelu, _gelu_tanh_vjp, _gelu_vjp)
"""Those that are given two spare arrays."""


def fits(x: Array, *others: Array) -> bool:
    """Whether arrays are of one shape and one type, and each is contiguous."""
    if x.dtype not in DTYPES or not x.flags.c_contiguous:
        return False
    return all(a.shape == x.shape and a.dtype == x.dtype and a.flags.c_contiguous for a in others)


def scratch(work: Callable[..., object], like: Array) -> Array:
    """Return the spare array of a function, of as many elements, or two of them."""
    return np.empty((2, *like.shape) if work in _TWO_SPARES else like.shape, like.dtype)


def _over(work: Callable[..., None], step: int, out: Array, operands: tuple[Array, ...]) -> None:
    """Work on arrays of as many rows each, ``step`` of them at a time."""
    rows, length = len(out), out[:1].size

    def run(start: int, stop: int) -> None:
        spare = scratch(work, out[: min(step, stop - start)])
        for i in range(start, stop, step):
            block = slice(i, min(i + step, stop))
            target = out[block]
            part = spare if len(target) == step else scratch(work, target)
            work(target, part, *[a[block] for a in operands])

    over_blocks(run, rows, step, length)


def _elementwise(
    work: Callable[..., None],
    plain: Callable[..., Any],
    /,
    *operands: Array,
    out: Array | None = None,
    parts: int = 1,
) -> Any:
    x = operands[0]
    if not fits(*operands) or not (out is None or fits(x, out)):
        return _put(plain(*operands), out)
    result = np.empty(x.shape, x.dtype) if out is None else out
    if x.size <= rows_of_a_block(parts):  # one block, which needs no division of labour
        work(result, scratch(work, x), *operands)
        return result
    _over(work, rows_of_a_block(parts), result.reshape(-1), tuple([a.reshape(-1) for a in operands]))
    return result


def _rowwise(
    work: Callable[..., None],
    plain: Callable[..., Any],
    /,
    *operands: Array,
    out: Array | None = None,
    axis: Any = -1,
) -> Any:
    x = operands[0]
    if x.size == 0 or axis not in (-1, x.ndim - 1) or not fits(*operands) or not (out is None or fits(x, out)):
        return _put(plain(*operands, axis=axis), out)
    result = np.empty(x.shape, x.dtype) if out is None else out
    n = x.shape[-1]
    _over(work, rows_of_a_block(n), result.reshape(-1, n), tuple([a.reshape(-1, n) for a in operands]))
    return result


def _relu_small(large: Callable[..., Any], /, x: Array, *, out: Array | None = None) -> Any:
    """Compute a small result at once: to find out what fits takes as long as the computation."""
    if out is not None or x.size > rows_of_a_block(PARTS) or x.dtype not in DTYPES:
        return large(x, out=out)
    return np.maximum(x, np.zeros(x.shape, x.dtype))  # faster than with a number, as above


def _relu_vjp_small(large: Callable[..., Any], /, dy: Array, y: Array, *, out: Array | None = None) -> Any:
    is_small = y.ndim > 0 and y.size <= rows_of_a_block(PARTS) and dy.shape == y.shape
    if out is not None or not is_small or y.dtype not in DTYPES or dy.dtype != y.dtype:
        return large(dy, y, out=out)
    dx = (y > _ZERO[y.dtype]).astype(y.dtype)
    return np.multiply(dx, dy, dx)


def _put(result: Array, out: Array | None) -> Array:
    if out is None:
        return result
    np.copyto(out, result)
    return out


def _write(name: str, out: Array, *operands: Array, **options: Any) -> None:
    device("cpu").kernels[name](*operands, out=out, **options)


WRITERS: Final = {name: partial(_write, name) for name in (*ELEMENTWISE, *ROWWISE, *SINGLE)}
"""The functions that write into an array which is there already."""

OVERWRITTEN: Final[dict[str, dict[int, int]]] = {
    "log_softmax": {0: 0},
    "log_softmax_vjp": {0: 1},
    "relu": {0: 0},
    "relu_vjp": {0: 0},
    "sigmoid": {0: 0},
    "softmax": {0: 0},
    "softmax_vjp": {0: 0},
    "tanh_vjp": {0: 1},
}
"""For those that have read each element, or each row, of an operand when they write the result's: its position."""


def _single(work: Callable[..., None], plain: Callable[..., Any], /, *operands: Array, out: Array | None = None) -> Any:
    if all(x.dtype == np.float32 for x in operands):
        return _elementwise(work, plain, *operands, out=out)
    return _put(_whole(plain, *operands), out)


def _whole(plain: Callable[..., Any], /, *operands: Array) -> Any:
    """Compute blocks of a large array by the plain form."""
    if operands[0].size <= rows_of_a_block(PARTS):
        return plain(*operands)

    def work(out: Array, spare: Array, *blocks: Array) -> None:
        out[...] = plain(*blocks)

    return _elementwise(work, plain, *operands, parts=PARTS)


def _special() -> list[str]:
    """Return the special functions of one array and nothing else, each of whose elements depends on one element."""
    return [
        name
        for name, declared in registry.items()
        if name.startswith("special.") and declared.composite and len(declared.operands) == 1
        if not (declared.defaults or declared.outputs or declared.variadic)
    ]


def overrides(kernels: Kernels) -> dict[str, Any]:
    """Return the kernels by name."""

    def plain(name: str) -> Callable[..., Any]:
        return partial(composites[name], kernels)

    elementwise = {name: partial(_elementwise, work, plain(name)) for name, work in ELEMENTWISE.items()}
    return {
        **elementwise,
        "relu": partial(_relu_small, elementwise["relu"]),
        "relu_vjp": partial(_relu_vjp_small, elementwise["relu_vjp"]),
        **{name: partial(_rowwise, work, plain(name)) for name, work in ROWWISE.items()},
        **{name: partial(_single, work, plain(name)) for name, work in SINGLE.items()},
        **{name: partial(_whole, plain(name)) for name in _special()},
    }
