"""What recurrent layers share: several cells on top of each other, in one direction or two, over padded sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from .. import ops
from .._dtype import int32
from .._errors import ConfigError, DataError, DTypeError, ShapeError
from .._tensor import Tensor
from ._cell import TIME_FIRST_HINT, Cell, check_input, unpacked
from ._module import Module
from ._values import can_be_read
from .dropout import Dropout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..random import Generator
    from ._cell import States

RETURNS: Final = ("both", "sequence", "last")
BATCH_FIRST: Final = ("batch", "time", "features")
TIME_FIRST: Final = ("time", "batch", "features")

C = TypeVar("C", bound=Cell)


class Recurrent(Module, Generic[C]):
    """The base of recurrent layers.

    Parameters
    ----------
    cell
        Makes a cell for a number of inputs.
    input_size
        The number of inputs.
    hidden_size
        The number of units.
    num_layers
        How many layers there are on top of each other.
    bidirectional
        Whether a second cell of each layer reads from the end.
    dropout
        The probability that an output of a layer is dropped before the next layer.
    batch_first
        Whether samples are the first axis and time the second.
    returns
        What a call returns.
    generator
        The source of the masks of dropout.
    """

    def __init__(
        self,
        cell: Callable[[int], C],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        bidirectional: bool,
        dropout: float,
        batch_first: bool,
        returns: str,
        generator: Generator | None,
    ) -> None:
        name = type(self).__name__
        if num_layers < 1:
            msg = f"{name}: the number of layers is at least 1, not {num_layers}"
            raise ConfigError(msg)
        if returns not in RETURNS:
            msg = f"{name}: returns is one of {', '.join(map(repr, RETURNS))}, not {returns!r}"
            raise ConfigError(msg)
        if dropout and num_layers == 1:
            msg = f"{name}: dropout is between layers, and there is one; put a Dropout after it, or add layers"
            raise ConfigError(msg)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.batch_first = batch_first
        self.returns = returns
        self.dropout = Dropout(dropout, generator=generator) if dropout else None
        self.cells: list[C] = []
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else hidden_size * self.directions
            self.cells += [cell(inputs) for _ in range(self.directions)]

    @property
    def directions(self) -> int:
        """How many directions a sequence is read in."""
        return 2 if self.bidirectional else 1

    def forward(self, x: Tensor, state: Any = None, *, lengths: Tensor | Sequence[int] | None = None) -> Any:
        """Return outputs and last state, or one of the two."""
        check_input(self, x, BATCH_FIRST if self.batch_first else TIME_FIRST, self.input_size)
        in_time = ops.permute_dims(x, (1, 0, 2)) if self.batch_first else x
        if in_time.shape[0] == 0:
            msg = f"{self!r}: there are no time steps in an input of shape {x.shape}"
            raise ShapeError(msg)
        shape = (len(self.cells), in_time.shape[1], self.hidden_size)
        first = self.cells[0]
        parts = first.zeros(shape) if state is None else unpacked(self, first.states, state, shape, x)
        ends = None if lengths is None else self._checked(lengths, in_time, x)
        outputs, last = self._through(in_time, parts, ends)
        if self.returns == "last":
            return ops.concat([states[0] for states in last[-self.directions :]], axis=-1)
        outputs = ops.permute_dims(outputs, (1, 0, 2)) if self.batch_first else outputs
        if self.returns == "sequence":
            return outputs
        return outputs, first.packed(tuple([ops.stack(part) for part in zip(*last, strict=True)]))

    def _through(self, x: Tensor, parts: States, lengths: Tensor | None) -> tuple[Tensor, list[States]]:
        """Return the outputs of the last layer, and the last states of every cell."""
        inside: Tensor | None = None
        if lengths is not None:
            steps = ops.arange(x.shape[0], dtype=lengths.dtype, device=lengths.device)
            inside = (steps[:, None] < lengths)[..., None]
            x = ops.where(inside, x, 0.0)  # so that nothing in the padding matters, not even NaN
        last: list[States] = []
        for k in range(0, len(self.cells), self.directions):
            if k and self.dropout is not None:
                x = self.dropout(x)
            outputs: list[Tensor] = []
            for j in range(self.directions):
                states = tuple([part[k + j, ...] for part in parts])
                found, end = self.cells[k + j].sequence(x, states, lengths, reverse=j == 1)
                outputs.append(found)
                last.append(end)
            x = ops.concat(outputs, axis=-1) if self.bidirectional else outputs[0]
        return (x if inside is None else ops.where(inside, x, 0.0)), last

    def _checked(self, lengths: Tensor | Sequence[int], in_time: Tensor, x: Tensor) -> Tensor:
        """Return the lengths as a tensor, or raise where they do not fit the input."""
        ends = lengths if isinstance(lengths, Tensor) else ops.asarray(lengths, device=x.device)
        if not ends.dtype.is_kind("integral"):
            msg = f"{self!r}: lengths are whole numbers, and these are {ends.dtype}"
            raise DTypeError(msg)
        steps, samples = in_time.shape[:2]
        if ends.shape != (samples,):
            hint = TIME_FIRST_HINT if ends.shape == (steps,) else ""
            msg = f"{self!r}: {samples} sequences need lengths of shape ({samples},), got {ends.shape}{hint}"
            raise ShapeError(msg)
        if can_be_read(ends) and samples:
            low, high = int(ends.numpy().min()), int(ends.numpy().max())
            if low < 0 or high > steps:
                hint = TIME_FIRST_HINT if low >= 0 and high <= samples else ""
                msg = f"{self!r}: lengths from {low} to {high}, but there are {steps} time steps in {x.shape}{hint}"
                raise DataError(msg)
        return ends if ends.dtype.bits >= 32 else ends.astype(int32)  # too small to count all steps with

    def describe(self) -> str:
        """Return the numbers of inputs, units and layers."""
        layers = f", {self.num_layers} layers" if self.num_layers > 1 else ""
        return f"{self.input_size} → {self.hidden_size}{layers}{', bidirectional' if self.bidirectional else ''}"
