r"""Recurrent layers over whole sequences, from the projections of their inputs.

The projections $P_t = X_t W_x$ of all time steps are one product before, and their cotangents give those of $X$
and $W_x$ by one product each after. Here is the recurrence alone, and only the product with the state is in its
loop; the cotangent of that product's weight $W$ is one product over all steps behind the loop.

Time is the first axis: projections are (time, samples, gates · units), states (samples, units). Where ``lengths`` are
given, the state of a sample is kept from the step on at which its sequence ends. ``reverse`` goes from the last step to
the first; a shorter sequence then starts at its own last step, because until there its initial state is kept.

What goes back through time is a kernel of its own, ``lstm_backward`` and the like: on raw arrays it may be an
adapter's, and on tensors the function here is recorded.
"""

from .gru import GRUSequence as GRUSequence
from .gru import gru_sequence as gru_sequence
from .lstm import LSTMSequence as LSTMSequence
from .lstm import lstm_sequence as lstm_sequence
from .rnn import rnn_sequence as rnn_sequence
