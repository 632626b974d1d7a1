"""What recurrent cells share: their weights, how these begin, and the state that a cell goes on from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .. import ops
from .._errors import ConfigError, DTypeError, ShapeError
from ._module import Module
from ._parameter import Parameter
from .initializers import initial, uniform

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer

    States = tuple[Tensor, ...]

TIME_FIRST_HINT: Final = "; was time first and the batch second, or the other way round? See batch_first"


class Cell(Module):
    """The base of recurrent cells, whose weights are those of one layer in one direction.

    A subclass computes a whole sequence, :meth:`sequence`; one step of it is the cell.

    Parameters
    ----------
    input_size
        The number of inputs.
    hidden_size
        The number of units.
    use_bias
        Whether there are biases.
    initializer, hidden_initializer, bias_initializer
        How the weights of the inputs, those of the state, and the biases begin.
    generator
        The source of the initial weights.
    """

    gates: ClassVar[int] = 1
    """How many columns of the weights belong to a unit."""
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    """The names of the parts of the state."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        use_bias: bool = True,
        initializer: str | Initializer | None = None,
        hidden_initializer: str | Initializer | None = None,
        bias_initializer: str | Initializer | None = None,
        generator: Generator | None = None,
    ) -> None:
        if input_size < 1 or hidden_size < 1:
            name = type(self).__name__
            msg = f"{name}: the numbers of inputs and units are at least 1, not {input_size} and {hidden_size}"
            raise ConfigError(msg)
        self.input_size = input_size
        self.hidden_size = hidden_size
        limit = 1 / math.sqrt(hidden_size)

        def drawn(given: str | Initializer | None, *rows: int) -> Parameter:
            # One draw per gate, so that an initializer sees the inputs and outputs that a gate has.
            chosen = uniform(-limit, limit) if given is None else given
            parts = [initial(chosen, (*rows, hidden_size), generator) for _ in range(self.gates)]
            return Parameter(ops.concat(parts, axis=-1))

        self.weight_input = drawn(initializer, input_size)
        self.weight_hidden = drawn(hidden_initializer, hidden_size)
        self.bias_input: Parameter | None = drawn(bias_initializer) if use_bias else None
        self.bias_hidden: Parameter | None = drawn(bias_initializer) if use_bias else None

    def sequence(self, x: Tensor, states: States, lengths: Tensor | None, *, reverse: bool) -> tuple[Tensor, States]:
        """Return the hidden states of all steps, and the last states. Time is the first axis."""
        raise NotImplementedError

    def projected(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the products of the inputs of all steps with their weights: one product of matrices."""
        rows = ops.reshape(x, (x.shape[0] * x.shape[1], x.shape[2]))
        y = ops.matmul(rows, self.weight_input) if bias is None else ops.linear(rows, self.weight_input, bias)
        return ops.reshape(y, (*x.shape[:2], y.shape[1]))

    @property
    def bias(self) -> Tensor | None:
        """The sum of both biases."""
        return None if self.bias_input is None or self.bias_hidden is None else self.bias_input + self.bias_hidden

    def zeros(self, shape: tuple[int, ...]) -> States:
        """Return the states that a sequence begins with where none is given."""
        like = self.weight_hidden
        return tuple([ops.zeros(shape, dtype=like.dtype, device=like.device) for _ in self.states])

    def forward(self, x: Tensor, state: Any = None) -> Any:
        """Return the next state."""
        check_input(self, x, ("samples", "features"), self.input_size)
        shape = (x.shape[0], self.hidden_size)
        states = self.zeros(shape) if state is None else unpacked(self, self.states, state, shape, x)
        return self.packed(self.sequence(x[None, ...], states, None, reverse=False)[1])

    def packed(self, states: States) -> Any:
        """Return the parts of a state in the form that users see."""
        return states[0]

    def describe(self) -> str:
        """Return the numbers of inputs and units."""
        return f"{self.input_size} → {self.hidden_size}"


def check_input(layer: Module, x: Tensor, axes: tuple[str, ...], features: int) -> None:
    """Raise if an input does not have these axes, the last of which is that of the features."""
    if x.ndim != len(axes) or x.shape[-1] != features:
        wanted = ", ".join([*axes[:-1], str(features)])
        msg = f"{layer!r}: expected an input of shape ({wanted}), got {x.shape}{_hint(x, axes, features)}"
        raise ShapeError(msg)
    if not x.dtype.is_inexact:
        msg = f"{layer!r}: inputs are floating point, and these are {x.dtype}; labels are embedded, or one-hot, before"
        raise DTypeError(msg)


def _hint(x: Tensor, axes: tuple[str, ...], features: int) -> str:
    if x.ndim == len(axes) - 1 and x.ndim and x.shape[-1] == features:
        return f"; one {'sequence' if len(axes) == 3 else 'sample'} is a batch of one: x[None]"
    if len(axes) == 3 and x.ndim == 2:
        return "; if there is one feature, give it an axis: x[..., None]"
    if len(axes) == 3 and x.ndim == 3 and features in x.shape[:2]:
        k = x.shape.index(features)
        return f"; axis {k} has length {features}: move it to the end with moveaxis(x, {k}, -1)"
    if len(axes) == 2 and x.ndim == 3:
        return "; a cell takes one step at a time"
    return ""


def unpacked(layer: Module, names: tuple[str, ...], state: Any, shape: tuple[int, ...], x: Tensor) -> States:
    """Return the parts of a state that a user gives, or raise where their number or shapes are others."""
    parts = tuple(state) if isinstance(state, (tuple, list)) else (state,)
    if len(parts) != len(names):
        wanted = " and ".join(names)
        msg = f"{layer!r}: a state is {wanted}, and {len(parts)} {'arrays were' if len(parts) > 1 else 'was'} given"
        raise ConfigError(msg)
    for name, part in zip(names, parts, strict=True):
        if part.shape != shape:
            hint = ""
            if shape == (1, *part.shape):
                hint = "; its first axis is that of layers and directions: state[None]"
            elif len(shape) == 3 and part.shape == (shape[0], x.shape[0] + x.shape[1] - shape[1], shape[2]):
                hint = TIME_FIRST_HINT
            msg = f"{layer!r}: the {name} state has shape {part.shape}, and {shape} is needed for {x.shape}{hint}"
            raise ShapeError(msg)
    return parts
