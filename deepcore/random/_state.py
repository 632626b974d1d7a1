"""The state of a generator: two integers, and the streams that are derived from them."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from .._errors import CompileError, StateError
from .._tracing import current
from ._bits import check_seed, check_word, folded, words

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Self

    from .._typing import Raw


class State:
    """A seed and how many draws were made: together the key of the next draw."""

    __slots__ = ("draw", "seed")

    def __init__(self, seed: int = 0, *, draw: int = 0) -> None:
        self.seed = check_seed(seed)
        self.draw = check_word("draw", draw)

    def _next(self) -> tuple[int, int]:
        """Return the key of the next draw, and count it."""
        key = (self.seed, self.draw)
        users = _users.get()
        if users is not None:
            users.setdefault(self, key)
        tracer = current.get()
        if tracer is not None:
            tracer.drawn(self, key)
        self.draw += 1
        return key

    def copy(self) -> Self:
        """Return a generator that will draw what this one will.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> g = Generator(3, draw=5)
        >>> g.copy()
        Generator(seed=3, draw=5)
        """
        return type(self)(self.seed, draw=self.draw)

    def spawn(self, n: int) -> list[Self]:
        """Return n generators that are independent of each other and of this one, whose next draw makes their seeds.

        Two of m seeds made in this way are equal with probability m²/2**65.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> a, b = Generator(0).spawn(2)
        >>> a.uniform().item() == b.uniform().item()
        False
        """
        return [type(self)(int(word)) for word in words(*self._next(), check_word("n", n))]

    def fold_in(self, data: int) -> Self:
        """Return a generator that is a function of this one's state and of an integer; this one stays as it is.

        Parameters
        ----------
        data
            0 to 2**64 - 1: the number of a layer, of a device or of a step, for example.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> g = Generator(0)
        >>> g.fold_in(7).seed == g.fold_in(7).seed, g.fold_in(7).seed == g.fold_in(8).seed
        (True, False)
        """
        if current.get() is not None:
            msg = "fold_in() in a compiled function would give the same generator in every run; call it outside"
            raise CompileError(msg)
        return type(self)(folded(self.seed, self.draw, check_word("data", data)))

    def state_dict(self) -> dict[str, int]:
        """Return the state.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> Generator(1).state_dict()
        {'seed': 1, 'draw': 0}
        """
        return {"seed": self.seed, "draw": self.draw}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another generator was.

        Raises
        ------
        StateError
            If the state is not that of a generator.
        """
        if set(state) != {"seed", "draw"}:
            msg = f"the state of a generator has the entries 'seed' and 'draw', not {', '.join(map(repr, state))}"
            raise StateError(msg)
        fresh = State(state["seed"], draw=state["draw"])
        self.seed, self.draw = fresh.seed, fresh.draw

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed}, draw={self.draw})"


def made(key: tuple[int, int], produce: Callable[[int, int], Raw]) -> Raw:
    """Return the array that a function makes of the key of a draw: the one way from draws to arrays.

    A trace remembers the function, so that a program makes the array of the next draw in every run.
    """
    tracer = current.get()
    return produce(*key) if tracer is None else tracer.host_array(key, produce)


_users: Final[ContextVar[dict[State, tuple[int, int]] | None]] = ContextVar("generators that draw", default=None)


@contextmanager
def watched() -> Generator[dict[State, tuple[int, int]]]:
    """Collect the generators that are drawn from in this block, each with the key of its first draw there."""
    outer = _users.get()
    users: dict[State, tuple[int, int]] = {}
    token = _users.set(users)
    try:
        yield users
    finally:
        _users.reset(token)
        if outer is not None:
            for generator, key in users.items():
                outer.setdefault(generator, key)


@contextmanager
def replayed(keys: Mapping[State, tuple[int, int]]) -> Generator[None]:
    """Draw in this block what was drawn from these keys on, and go on after it as if nothing had been drawn."""
    before = {generator: (generator.seed, generator.draw) for generator in keys}
    token = _users.set(None)
    try:
        for generator, key in keys.items():
            generator.seed, generator.draw = key
        yield
    finally:
        _users.reset(token)
        for generator, key in before.items():
            generator.seed, generator.draw = key
