r"""Random numbers by counting: Philox4x64-10, the same on every device.

A counter-based generator is a function of a key and a position; nothing is carried from one draw to the next but the
number of draws. Here the key is (seed, draw), so a state is two integers, and the same seed gives the same weights,
dropout masks and shuffles on every array library. The words are those of :class:`numpy.random.Philox`, bit for bit.

What is promised: for one seed, the values of every function are the same bits on every array library and on every
version of NumPy, because they are made of Philox's words by deepcore itself. They are also the same on every machine,
since only exactly defined arithmetic makes them; :meth:`Generator.truncated_normal` says where this ends. A change of
the values in a new version of deepcore is named in its changelog.

The functions draw from the default generator; they are methods of :class:`Generator`.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

from typing import Final

from .generator import Generator as Generator

_global: Final = Generator(0)

bernoulli = _global.bernoulli
categorical = _global.categorical
choice = _global.choice
exponential = _global.exponential
gumbel = _global.gumbel
integers = _global.integers
normal = _global.normal
permutation = _global.permutation
truncated_normal = _global.truncated_normal
uniform = _global.uniform


def seed(value: int, /) -> None:
    """Restart the default generator, which initialises weights and drops units.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.random.seed(1)
    """
    fresh = Generator(value)
    _global.seed, _global.draw = fresh.seed, fresh.draw


def default_generator() -> Generator:
    """Return the generator that is used where none is given."""
    return _global
