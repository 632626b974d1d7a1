"""The operations of the hot path, as deepcore and PyTorch write them, with what each has to do at least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import ops
from .._tensor import make
from ..transform import vjp

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._tensor import Tensor
    from .._typing import Shape

SIDE: Final = 4096
QUICK_SIDE: Final = 64


@dataclass(frozen=True)
class Operation:
    """A differentiable operation on arrays of fixed shapes.

    Attributes
    ----------
    kind
        The family that it belongs to.
    name
        What it is called in a report.
    shapes
        Those of the operands.
    own
        deepcore's: a function of tensors.
    peer
        PyTorch's: a function of ``torch.nn.functional`` and tensors.
    classes
        If not 0, the last operand is labels below it.
    products
        The shapes of the operands of its matrix products, forward and backward; where there are none, the floor is a
        copy of the first operand.
    pullback
        The cotangents of the operands, of the cotangent of the result, the result and the operands, where it has to be
        compiled by itself.
    """

    kind: str
    name: str
    shapes: tuple[Shape, ...]
    own: Callable[..., Any]
    peer: Callable[..., Any]
    classes: int = 0
    products: tuple[tuple[Shape, Shape], ...] = ()
    pullback: Callable[..., Any] | None = None

    @property
    def nbytes(self) -> int | None:
        """The bytes that it has to move, forward and backward: x, y, and then x or y, the cotangent, and that of x."""
        return None if self.products else 5 * 4 * int(np.prod(self.shapes[0]))

    @property
    def flops(self) -> int | None:
        """The multiplications and additions of its products."""
        return sum(2 * int(np.prod(a)) * b[-1] for a, b in self.products) if self.products else None

    def arrays(self) -> list[NDArray[Any]]:
        """Return the operands, the same in every call."""
        rng = np.random.default_rng(0)
        values: list[NDArray[Any]] = [rng.standard_normal(shape).astype(np.float32) for shape in self.shapes]
        if self.classes:
            values[-1] = rng.integers(0, self.classes, self.shapes[-1])
        return values

    def cotangent(self, shape: Shape) -> NDArray[Any]:
        """Return the cotangent of the result, the same in every call."""
        return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def _kernel(name: str, *, of: str, **options: Any) -> Callable[..., Tensor]:
    """Return a pullback: the kernel by which rules compute a cotangent, of that of the result and of y or x."""

    def pullback(dy: Tensor, y: Tensor, x: Tensor) -> Tensor:
        device, kept = dy._device, {"x": x, "y": y}[of]
        return make(device.kernels[name](dy._data, kept._data, **options), device)

    return pullback


def _elementwise(side: int) -> list[Operation]:
    shape = (side, side)
    own: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
        "relu": (ops.relu, lambda F, x: F.relu(x), _kernel("relu_vjp", of="y")),
        "sigmoid": (ops.sigmoid, lambda F, x: F.sigmoid(x), _kernel("sigmoid_vjp", of="y")),
        "tanh": (ops.tanh, lambda F, x: F.tanh(x), _kernel("tanh_vjp", of="y")),
        "gelu tanh": (
            ops.gelu_tanh,
            lambda F, x: F.gelu(x, approximate="tanh"),
            _kernel("gelu_tanh_vjp", of="x"),
        ),
        "gelu erf": (ops.gelu, lambda F, x: F.gelu(x), _kernel("gelu_vjp", of="x")),
        "softmax": (ops.softmax, lambda F, x: F.softmax(x, -1), _kernel("softmax_vjp", of="y", axis=-1)),
        "log-softmax": (
            ops.log_softmax,
            lambda F, x: F.log_softmax(x, -1),
            _kernel("log_softmax_vjp", of="y", axis=-1),
        ),
    }
    found = [
        Operation("activation", f"{name} {side}x{side}", (shape,), forward, peer, pullback=backward)
        for name, (forward, peer, backward) in own.items()
    ]
    norm = Operation(
        "layer_norm",
        f"layer norm {side}x{side}",
        (shape, (side,), (side,)),
        ops.layer_norm,
        lambda F, x, w, b: F.layer_norm(x, w.shape, w, b),
        pullback=lambda dy, y, x, w, b: vjp(ops.layer_norm, x, w, b)[1](dy),
    )
    return [*found, norm]


def _cross_entropy(rows: int, classes: int) -> Operation:
    return Operation(
        "softmax_xent",
        f"softmax cross-entropy {rows}x{classes}",
        ((rows, classes), (rows,)),
        ops.softmax_cross_entropy,
        lambda F, z, t: F.cross_entropy(z, t, reduction="none"),
        classes=classes,
    )


def _convolution(batch: int, channels: int, side: int, filters: int) -> Operation:
    rows, depth = batch * side * side, channels * 9
    return Operation(
        "convolution",
        f"{batch}x{channels}x{side}x{side} to {filters}, 3x3",
        ((batch, channels, side, side), (filters, channels, 3, 3), (filters,)),
        lambda x, w, b: ops.convolution(x, w, b, padding=1),
        lambda F, x, w, b: F.conv2d(x, w, b, padding=1),
        products=(
            ((rows, depth), (depth, filters)),
            ((depth, rows), (rows, filters)),
            ((rows, filters), (filters, depth)),
        ),
    )


def _attention(batch: int, heads: int, positions: int, features: int) -> Operation:
    lead = batch * heads
    flat, tall = (lead, positions, features), (lead, features, positions)
    square = (lead, positions, positions)
    return Operation(
        "attention",
        f"attention {batch}x{heads}x{positions}x{features}",
        ((batch, heads, positions, features),) * 3,
        ops.attention,
        lambda F, q, k, v: F.scaled_dot_product_attention(q, k, v),
        # the scores and the values; then the cotangents of the values, the weights, the queries and the keys
        products=((flat, tall), (square, flat), (square, flat), (flat, tall), (square, flat), (square, flat)),
    )


def operations(*, quick: bool = False) -> list[Operation]:
    """Return the operations: all of them, and where it has to be quick on small arrays.

    Examples
    --------
    >>> [operation.name for operation in operations()][:2]
    ['relu 4096x4096', 'sigmoid 4096x4096']
    """
    if quick:
        return [
            *_elementwise(QUICK_SIDE),
            _cross_entropy(50, 10),
            _convolution(2, 3, 8, 4),
            _attention(2, 2, 16, 8),
        ]
    return [
        *_elementwise(SIDE),
        _cross_entropy(50, 10),
        _cross_entropy(1024, 1000),
        _convolution(32, 3, 32, 32),
        _convolution(32, 64, 16, 64),
        _attention(8, 8, 256, 64),
    ]
