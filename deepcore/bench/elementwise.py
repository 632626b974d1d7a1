"""Compiled operations on each element and on rows: forward and backward as one program, and as two.

As one program they are what they are in a training step: what is computed forward need not be read again backward, and
so less is moved than the bytes that a case counts. As two programs, the backward one is given what PyTorch keeps for
it: the result or the operand, whichever it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from .._tape import no_grad
from ..graph import compile
from ..ops.creation import asarray
from ..transform import vjp
from .executor import RECORDED, executor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._device import Device
    from .operations import Operation


def compiled_call(
    operation: Operation, device: Device, *, apart: bool = False, plain: bool = False
) -> Callable[[], list[Any]]:
    """Return a compiled operation as a function without arguments that returns the result and the cotangents.

    Parameters
    ----------
    operation
        The operation.
    device
        Where it is computed.
    apart
        Whether forward and backward are programs by themselves.
    plain
        Whether it stays NumPy's, where it could become machine code.

    Raises
    ------
    ConfigError
        If the operation does not say how its cotangents are computed.
    """
    if operation.pullback is None:
        msg = f"{operation.name} has no pullback, and so cannot be two programs; give Operation one"
        raise ConfigError(msg)
    operands = [asarray(x, device=device) for x in operation.arrays()]
    with no_grad():
        cotangent = asarray(operation.cotangent(operation.own(*operands).shape), device=device)

    def whole(cotangent: Any, *operands: Any) -> list[Any]:
        y, pullback = vjp(operation.own, *operands)
        return [y, *pullback(cotangent)]

    both, forward, backward = compile(whole), compile(operation.own), compile(operation.pullback)

    def run() -> list[Any]:
        with no_grad():
            if not apart:
                return both(cotangent, *operands)
            y = forward(*operands)
            found = backward(cotangent, y, *operands)
            return [y, *found] if isinstance(found, (list, tuple)) else [y, found]

    with executor(plain=plain):
        for _ in range(RECORDED):
            run()
    return run
