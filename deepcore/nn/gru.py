"""Gated recurrent units."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .. import ops
from ._cell import Cell
from ._recurrent import Recurrent

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from ._cell import States
    from .initializers import Initializer


class GRUCell(Cell):
    r"""One step of a gated recurrent unit.

    $$
    \begin{align*}
    r &= \sigma(x W_{xr} + b_{xr} + h W_{hr} + b_{hr}), \qquad z = \sigma(x W_{xz} + b_{xz} + h W_{hz} + b_{hz}) \\
    n &= \tanh\bigl(x W_{xn} + b_{xn} + r \odot (h W_{hn} + b_{hn})\bigr), \qquad h' = (1 - z) \odot n + z \odot h
    \end{align*}
    $$

    Call it with inputs of shape (samples, inputs) and the state, of shape (samples, units), by default 0. It returns
    the next state.

    Parameters
    ----------
    input_size
        The number of inputs.
    hidden_size
        The number of units, $m$.
    use_bias
        Whether there are $b_x$ and $b_h$.
    initializer, hidden_initializer, bias_initializer
        How $W_x$, $W_h$ and the biases begin: a function of the shape and a generator, or its name;
        each gate is initialized alone. By default all are uniform on $[-1/\sqrt m, 1/\sqrt m)$, as in PyTorch.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight_input
        $W_x$, of shape (inputs, 3 · units); PyTorch's ``weight_ih`` is its transpose.
    weight_hidden
        $W_h$, of shape (units, 3 · units); PyTorch's ``weight_hh`` is its transpose.
    bias_input, bias_hidden
        $b_x$ and $b_h$, or None; PyTorch's ``bias_ih`` and ``bias_hh``.

    Notes
    -----
    The columns of the weights are those of $r$, $z$ and $n$, in this order. The paper applies $r$ to $h$ before the
    product with $W_{hn}$, and has $z$ and $1 - z$ exchanged; here both are as in cuDNN and PyTorch.

    Raises
    ------
    ShapeError
        If the input or the state has another shape.
    ConfigError
        If an option is out of range, or a state has another number of arrays.
    DTypeError
        If an input is of whole numbers.

    References
    ----------
    K. Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine translation, EMNLP
    2014, equations 5 to 8.

    Examples
    --------
    >>> import deepcore as dc
    >>> cell = dc.nn.GRUCell(3, 4)
    >>> cell(dc.ones((2, 3)), dc.zeros((2, 4))).shape
    (2, 4)
    """

    gates: ClassVar[int] = 3

    def sequence(self, x: Tensor, states: States, lengths: Tensor | None, *, reverse: bool) -> tuple[Tensor, States]:
        """Return the hidden states of all steps, and the last states. Time is the first axis."""
        operands = (self.projected(x, self.bias_input), self.weight_hidden, states[0], self.bias_hidden, lengths)
        found, _, _ = ops.gru_sequence(*operands, reverse=reverse)
        return found, (found[0 if reverse else -1, ...],)


class GRU(Recurrent[GRUCell]):
    """Layers of gated recurrent units, whose equations are those of :class:`GRUCell`.

    Parameters
    ----------
    input_size
        The number of inputs.
    hidden_size
        The number of units, $m$.
    num_layers
        The number of layers on top of each other: the outputs of one are the inputs of the next.
    use_bias
        Whether there are $b_x$ and $b_h$.
    batch_first
        Whether inputs and outputs are (batch, time, features), or (time, batch, features).
    dropout
        The probability that an output of a layer, but the last, is dropped while training.
    bidirectional
        Whether every layer has a second cell that reads from the end; outputs of both are joined.
    returns
        What a call returns: ``"both"``, outputs and last state; ``"sequence"``, the outputs; or ``"last"``, the last
        hidden state of the last layer, of both directions joined.
    initializer, hidden_initializer, bias_initializer
        How $W_x$, $W_h$ and the biases begin: see :class:`GRUCell`.
    generator
        The source of the initial weights and of the masks of dropout; the default one, if not given.

    Attributes
    ----------
    cells
        A :class:`GRUCell` for every layer and direction: of layer $l$, cell $l$; with two directions $2l$ reads
        forward and $2l + 1$ backward. Their weights are PyTorch's of that layer and direction.

    Notes
    -----
    Call it with an input and optionally the state to begin with, an array of shape
    (layers · directions, batch, units), by default 0. ``lengths`` are those of the sequences in a padded batch, whole
    numbers of shape (batch,). What is behind the end of a sequence does not matter: its state is kept, its outputs are
    0 there, and the second direction begins at its own end. It is what PyTorch does with packed sequences, in any order
    of the lengths. A length may be 0; then the state stays as it was.

    The batch is the first axis, unlike in PyTorch, where that has to be asked for.

    Raises
    ------
    ShapeError
        If input, state or lengths have other shapes.
    DataError
        If a length is below 0 or above the number of time steps.
    ConfigError
        If an option is out of range, or a state has another number of arrays.
    DTypeError
        If an input is of whole numbers.

    References
    ----------
    K. Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine translation, EMNLP
    2014; M. Schuster and K. K. Paliwal, Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing
    45, 1997.

    Examples
    --------
    Two sequences of 5 and 3 steps:

    >>> import deepcore as dc
    >>> outputs, state = dc.nn.GRU(3, 4, num_layers=2)(dc.ones((2, 5, 3)), lengths=[5, 3])
    >>> outputs.shape, state.shape, bool(dc.all(outputs[1, 3:] == 0))
    ((2, 5, 4), (2, 2, 4), True)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        use_bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        returns: str = "both",
        initializer: str | Initializer | None = None,
        hidden_initializer: str | Initializer | None = None,
        bias_initializer: str | Initializer | None = None,
        generator: Generator | None = None,
    ) -> None:
        def cell(inputs: int) -> GRUCell:
            return GRUCell(
                inputs,
                hidden_size,
                use_bias=use_bias,
                initializer=initializer,
                hidden_initializer=hidden_initializer,
                bias_initializer=bias_initializer,
                generator=generator,
            )

        super().__init__(
            cell,
            input_size,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            batch_first=batch_first,
            returns=returns,
            generator=generator,
        )
