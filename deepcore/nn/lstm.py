"""Long short-term memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from .. import ops
from .._errors import ConfigError
from ._cell import Cell
from ._parameter import Parameter
from ._recurrent import Recurrent

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from ._cell import States
    from .initializers import Initializer


class LSTMState(NamedTuple):
    """The state of long short-term memory: what it shows, and what it remembers."""

    hidden: Tensor
    cell: Tensor


class LSTMCell(Cell):
    r"""One step of long short-term memory.

    $$
    \begin{align*}
    (i, f, g, o) &= \bigl(\sigma(a_i), \sigma(a_f), \tanh(a_g), \sigma(a_o)\bigr), \qquad
    a = x W_x + b_x + h W_h + b_h \\
    c' &= f \odot c + i \odot g, \qquad h' = o \odot \tanh c'
    \end{align*}
    $$

    Call it with inputs of shape (samples, inputs) and the state, a pair $(h, c)$ of arrays of shape (samples, units),
    by default 0. It returns the next state as a named tuple of ``hidden`` and ``cell``.

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
    forget_bias
        Where given, $b_f$ begins at this value, all of it in $b_x$; at 1 cells forget little at first.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight_input
        $W_x$, of shape (inputs, 4 · units); PyTorch's ``weight_ih`` is its transpose.
    weight_hidden
        $W_h$, of shape (units, 4 · units); PyTorch's ``weight_hh`` is its transpose.
    bias_input, bias_hidden
        $b_x$ and $b_h$, or None; PyTorch's ``bias_ih`` and ``bias_hh``.

    Notes
    -----
    The columns of the weights are those of $i$, $f$, $g$ and $o$, in this order, as in PyTorch.

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
    S. Hochreiter and J. Schmidhuber, Long short-term memory, Neural Computation 9, 1997; F. A. Gers, J. Schmidhuber and
    F. Cummins, Learning to forget: continual prediction with LSTM, Neural Computation 12, 2000, which adds $f$;
    R. Jozefowicz, W. Zaremba and I. Sutskever, An empirical exploration of recurrent network architectures, ICML 2015,
    for the bias of 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> cell = dc.nn.LSTMCell(3, 4, forget_bias=1.0)
    >>> state = cell(dc.ones((2, 3)))
    >>> state = cell(dc.ones((2, 3)), state)
    >>> state.hidden.shape, state.cell.shape
    ((2, 4), (2, 4))
    """

    gates: ClassVar[int] = 4
    states: ClassVar[tuple[str, ...]] = ("hidden", "cell")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        use_bias: bool = True,
        initializer: str | Initializer | None = None,
        hidden_initializer: str | Initializer | None = None,
        bias_initializer: str | Initializer | None = None,
        forget_bias: float | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            use_bias=use_bias,
            initializer=initializer,
            hidden_initializer=hidden_initializer,
            bias_initializer=bias_initializer,
            generator=generator,
        )
        if forget_bias is not None:
            if self.bias_input is None or self.bias_hidden is None:
                msg = f"{type(self).__name__}: forget_bias={forget_bias} needs biases, and use_bias is False"
                raise ConfigError(msg)
            self.bias_input = _with_forget_gate(self.bias_input, forget_bias)
            self.bias_hidden = _with_forget_gate(self.bias_hidden, 0.0)

    def sequence(self, x: Tensor, states: States, lengths: Tensor | None, *, reverse: bool) -> tuple[Tensor, States]:
        """Return the hidden states of all steps, and the last states. Time is the first axis."""
        hidden, cell = states
        operands = (self.projected(x), self.weight_hidden, hidden, cell, self.bias, lengths)
        found, cells, _ = ops.lstm_sequence(*operands, reverse=reverse)
        k = 0 if reverse else -1
        return found, (found[k, ...], cells[k, ...])

    def packed(self, states: States) -> Any:
        """Return the parts of a state as a named tuple."""
        return LSTMState(*states)


def _with_forget_gate(bias: Tensor, value: float) -> Parameter:
    """Return a bias with another value for the second of four gates."""
    n, old = bias.shape[0] // 4, bias.detach()
    return Parameter(ops.concat([old[:n], ops.full_like(old[:n], value), old[2 * n :]]))


class LSTM(Recurrent[LSTMCell]):
    """Layers of long short-term memory, whose equations are those of :class:`LSTMCell`.

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
        How $W_x$, $W_h$ and the biases begin: see :class:`LSTMCell`.
    forget_bias
        Where given, $b_f$ begins at this value, all of it in $b_x$; at 1 cells forget little at first.
    generator
        The source of the initial weights and of the masks of dropout; the default one, if not given.

    Attributes
    ----------
    cells
        A :class:`LSTMCell` for every layer and direction: of layer $l$, cell $l$; with two directions $2l$ reads
        forward and $2l + 1$ backward. Their weights are PyTorch's of that layer and direction.

    Notes
    -----
    Call it with an input and optionally the state to begin with, a pair $(h, c)$ of arrays of shape
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
    S. Hochreiter and J. Schmidhuber, Long short-term memory, Neural Computation 9, 1997; F. A. Gers, J. Schmidhuber and
    F. Cummins, Learning to forget: continual prediction with LSTM, Neural Computation 12, 2000; M. Schuster and K. K.
    Paliwal, Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing 45, 1997.

    Examples
    --------
    >>> import deepcore as dc
    >>> outputs, (hidden, cell) = dc.nn.LSTM(3, 4, num_layers=2)(dc.ones((2, 5, 3)))
    >>> outputs.shape, hidden.shape, cell.shape
    ((2, 5, 4), (2, 2, 4), (2, 2, 4))

    A classifier of sequences:

    >>> model = dc.nn.Sequential(dc.nn.LSTM(3, 4, returns="last"), dc.nn.Dense(4, 10))
    >>> model(dc.ones((2, 5, 3))).shape
    (2, 10)
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
        forget_bias: float | None = None,
        generator: Generator | None = None,
    ) -> None:
        def cell(inputs: int) -> LSTMCell:
            return LSTMCell(
                inputs,
                hidden_size,
                use_bias=use_bias,
                initializer=initializer,
                hidden_initializer=hidden_initializer,
                bias_initializer=bias_initializer,
                forget_bias=forget_bias,
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
