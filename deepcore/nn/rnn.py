"""The plain recurrent layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import ops
from .._errors import ConfigError
from ._cell import Cell
from ._recurrent import Recurrent

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from ._cell import States
    from .initializers import Initializer

ACTIVATIONS: Final = ("tanh", "relu")


class RNNCell(Cell):
    r"""One step of a plain recurrent layer, $h' = \phi(x W_x + b_x + h W_h + b_h)$.

    Call it with inputs of shape (samples, inputs) and the state, of shape (samples, units), by default 0. It returns
    the next state.

    Parameters
    ----------
    input_size
        The number of inputs.
    hidden_size
        The number of units, $m$.
    activation
        $\phi$: ``"tanh"`` or ``"relu"``.
    use_bias
        Whether there are $b_x$ and $b_h$.
    initializer, hidden_initializer, bias_initializer
        How $W_x$, $W_h$ and the biases begin: a function of the shape and a generator, or its name. By
        default all are uniform on $[-1/\sqrt m, 1/\sqrt m)$, as in PyTorch.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight_input
        $W_x$, of shape (inputs, units); PyTorch's ``weight_ih`` is its transpose.
    weight_hidden
        $W_h$, of shape (units, units); PyTorch's ``weight_hh`` is its transpose.
    bias_input, bias_hidden
        $b_x$ and $b_h$, or None; PyTorch's ``bias_ih`` and ``bias_hh``.

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
    J. L. Elman, Finding structure in time, Cognitive Science 14, 1990.

    Examples
    --------
    >>> import deepcore as dc
    >>> cell = dc.nn.RNNCell(3, 4)
    >>> state = None
    >>> for x in dc.unstack(dc.ones((2, 5, 3)), axis=1):
    ...     state = cell(x, state)
    >>> state.shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        use_bias: bool = True,
        initializer: str | Initializer | None = None,
        hidden_initializer: str | Initializer | None = None,
        bias_initializer: str | Initializer | None = None,
        generator: Generator | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            msg = f"{type(self).__name__}: the activation is one of {', '.join(ACTIVATIONS)}, not {activation!r}"
            raise ConfigError(msg)
        super().__init__(
            input_size,
            hidden_size,
            use_bias=use_bias,
            initializer=initializer,
            hidden_initializer=hidden_initializer,
            bias_initializer=bias_initializer,
            generator=generator,
        )
        self.activation = activation

    def sequence(self, x: Tensor, states: States, lengths: Tensor | None, *, reverse: bool) -> tuple[Tensor, States]:
        """Return the hidden states of all steps, and the last states. Time is the first axis."""
        operands = (self.projected(x), self.weight_hidden, states[0], self.bias, lengths)
        found = ops.rnn_sequence(*operands, activation=self.activation, reverse=reverse)
        return found, (found[0 if reverse else -1, ...],)


class RNN(Recurrent[RNNCell]):
    r"""Plain recurrent layers, $h_t = \phi(x_t W_x + b_x + h_{t-1} W_h + b_h)$.

    Parameters
    ----------
    input_size
        The number of inputs.
    hidden_size
        The number of units, $m$.
    num_layers
        The number of layers on top of each other: the outputs of one are the inputs of the next.
    activation
        $\phi$: ``"tanh"`` or ``"relu"``; PyTorch's ``nonlinearity``.
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
        How $W_x$, $W_h$ and the biases begin: see :class:`RNNCell`.
    generator
        The source of the initial weights and of the masks of dropout; the default one, if not given.

    Attributes
    ----------
    cells
        A :class:`RNNCell` for every layer and direction: of layer $l$, cell $l$; with two directions $2l$ reads
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
    J. L. Elman, Finding structure in time, Cognitive Science 14, 1990; M. Schuster and K. K. Paliwal, Bidirectional
    recurrent neural networks, IEEE Transactions on Signal Processing 45, 1997; Q. V. Le, N. Jaitly and G. E. Hinton, A
    simple way to initialize recurrent networks of rectified linear units, arXiv:1504.00941, 2015, for
    ``RNN(..., activation="relu", hidden_initializer="identity")``.

    Examples
    --------
    >>> import deepcore as dc
    >>> outputs, state = dc.nn.RNN(3, 4, bidirectional=True)(dc.ones((2, 5, 3)))
    >>> outputs.shape, state.shape
    ((2, 5, 8), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        activation: str = "tanh",
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
        def cell(inputs: int) -> RNNCell:
            return RNNCell(
                inputs,
                hidden_size,
                activation=activation,
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
