"""Computing in numbers of 16 bits while the weights stay in 32."""

from __future__ import annotations

import functools
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from .. import ops
from .._dtype import bfloat16, float16, float32
from .._errors import ConfigError
from ..tree import tree_map

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from .._dtype import DType
    from .._tensor import Tensor
    from ..nn import Module

TYPES: Final[dict[str, DType]] = {"float16": float16, "bfloat16": bfloat16}


class MixedPrecision:
    r"""Layers that compute in 16 bits, with weights, gradients and losses in 32.

    Before each step the parameters are rounded to 16 bits, and so are the inputs; the layers compute with these. What
    they predict is converted to 32 bits, in which the loss is computed, and the gradients reach the parameters, which
    the optimizer moves, in 32 bits. Buffers stay as they are.

    In float16, small gradients are 0 and large ones infinite. So the loss is multiplied by a scale $s$, and the
    gradients are divided by it. A step whose gradients are not finite is left out, and $s$ becomes smaller; after
    some steps in a row that were not, it becomes larger. bfloat16 has the range of float32 and needs no scale.

    Parameters
    ----------
    dtype
        ``"bfloat16"`` or ``"float16"``.
    scale
        $s$ in the beginning; by default $2^{16}$ for float16, and none for bfloat16.
    growth
        What $s$ is multiplied by to grow.
    backoff
        ... and to shrink.
    growth_interval
        The number of steps in a row after which it grows.

    Attributes
    ----------
    skipped
        The number of steps that were left out.

    References
    ----------
    P. Micikevicius et al., Mixed precision training, ICLR 2018, sections 3.1 and 3.2. The defaults of the scale are
    PyTorch's.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> adam = optim.Adam(model.parameters(), lr=0.01)
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), adam, precision="float16")
    >>> history = trainer.fit(data.digits(), epochs=2)
    >>> history["loss"][1] < history["loss"][0]
    True
    """

    def __init__(
        self,
        dtype: str,
        *,
        scale: float | None = None,
        growth: float = 2.0,
        backoff: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        if dtype not in TYPES:
            msg = f"MixedPrecision: the data type is one of {', '.join(TYPES)}, not {dtype!r}"
            raise ConfigError(msg)
        if not (growth >= 1.0 and 0.0 < backoff <= 1.0 and growth_interval >= 1):
            msg = "MixedPrecision: growth is at least 1, backoff in (0, 1], and growth_interval at least 1"
            raise ConfigError(msg)
        if scale is not None and not (math.isfinite(scale) and scale > 0):
            msg = f"MixedPrecision: the scale is a number above 0, not {scale}"
            raise ConfigError(msg)
        self.dtype = TYPES[dtype]
        self.scale = 2.0**16 if scale is None and dtype == "float16" else scale
        self.growth, self.backoff, self.growth_interval = growth, backoff, growth_interval
        self.good_steps = self.skipped = 0

    @contextmanager
    def narrow(self, model: Module) -> Generator[None]:
        """Let the parameters of a model be of 16 bits in a ``with`` block; derivatives lead to those of 32."""
        wide = [(p, p._data, p._node) for p in model.parameters() if p.dtype is float32]
        try:
            for p, _, _ in wide:
                half = p.astype(self.dtype)
                p._data, p._node = half._data, half._node
            yield
        finally:
            for p, data, node in wide:
                p._data, p._node = data, node

    def narrowed(self, inputs: Any) -> Any:
        """Return inputs in 16 bits, where they are in 32."""
        return tree_map(lambda x: x.astype(self.dtype) if getattr(x, "dtype", None) is float32 else x, inputs)

    def widened(self, predictions: Any) -> Any:
        """Return predictions in 32 bits, where they are in 16."""
        return tree_map(lambda x: x.astype(float32) if getattr(x, "dtype", None) is self.dtype else x, predictions)

    def is_usable(self, parameters: list[Tensor]) -> bool:
        """Divide the gradients by the scale, make it fit, and return whether all of them are finite."""
        if self.scale is None:
            return True
        gradients = [p.grad for p in parameters if p.grad is not None]
        finite = functools.reduce(ops.logical_and, [ops.all(ops.isfinite(g)) for g in gradients]).item()
        for p in parameters:
            if p.grad is not None:
                p.grad = p.grad / self.scale
        if finite:
            self.good_steps += 1
            if self.good_steps == self.growth_interval:
                self.scale, self.good_steps = self.scale * self.growth, 0
        else:
            self.scale, self.good_steps, self.skipped = self.scale * self.backoff, 0, self.skipped + 1
        return bool(finite)

    def state_dict(self) -> dict[str, Any]:
        """Return the scale, and how long it has been good."""
        return {"scale": self.scale, "good_steps": self.good_steps, "skipped": self.skipped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned."""
        self.scale, self.good_steps, self.skipped = state["scale"], state["good_steps"], state["skipped"]
