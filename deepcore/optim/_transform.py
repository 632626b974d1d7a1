r"""What optimizers are made of: transforms, each of which makes better updates of updates.

The first transform of a chain is given the gradients, and what the last one returns is added to the parameters. So
gradient descent is one transform, multiplication by $-\eta$, and every other method puts something before it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .._tracing import Number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._typing import Namespace, Raw
    from ._block import Block

    Rate: TypeAlias = float | Callable[[int], float]

State: TypeAlias = dict[str, Any]
"""What a transform remembers: arrays, and Python numbers, by name."""


@dataclass(frozen=True, slots=True)
class Step:
    """When and where an update is computed.

    Attributes
    ----------
    count
        Which step of these parameters it is, counted from 1. Parameters without a gradient take no step.
    iteration
        How many steps the optimizer has taken before; what schedules are asked with.
    xp
        The functions of the array library, on raw arrays.
    """

    count: int
    iteration: int
    xp: Namespace

    def value(self, number: Rate) -> float:
        """Return what a number, or a schedule of one, is now."""
        if not callable(number):
            return number
        now: Any = self.iteration
        rate: Any = now.map(number) if isinstance(now, Number) else number(now)
        return rate


class Transform(ABC):
    """A part of an optimizer: it makes updates of updates, and may remember something from step to step.

    A transform is an immutable set of hyperparameters; what it remembers is given to it and returned by it. It is
    called with one vector for all parameters of a data type, device and group: a step costs a few operations on a long
    array, and not a few for every layer. What depends on the structure derives from :class:`PerArray` instead.

    The arrays are the library's own, not tensors, and nothing is recorded. None of them may be written to, because
    a graph or the user may hold them.

    Examples
    --------
    Gradients without their size:

    >>> import deepcore as dc
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class sign(dc.optim.Transform):
    ...     def update(self, updates, state, parameters, step):
    ...         return step.xp.sign(updates), state
    >>> w = dc.asarray([1.0, 2.0], requires_grad=True)
    >>> optimizer = dc.optim.Optimizer([w], dc.optim.chain(sign(), dc.optim.scale_by_learning_rate(0.5)))
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, 1.5]
    """

    def init(self, parameters: Raw, step: Step) -> State:
        """Return the state before the first step."""
        return {}

    @abstractmethod
    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Return the updates made of the given ones, and the state after this step.

        Parameters
        ----------
        updates
            What the transform before returned; the gradients, if there is none.
        state
            What the call before returned, or :meth:`init`.
        parameters
            The parameters before this step.
        step
            Its number, and the functions to compute with.
        """

    def start(self, block: Block, step: Step) -> Any:
        """Return the state of a block of parameters before their first step."""
        with block.device.current:
            return self.init(block.values(step.xp), step)

    def apply(self, blocks: Sequence[Block], part: int) -> None:
        """Take a step with all parameters of a group, where this is the given part of a chain."""
        for block in blocks:
            step = block.now
            with block.device.current:
                updates, block.state[part] = self.update(
                    block.vector(step.xp), block.state[part], block.values(step.xp), step
                )
            block.updates = updates

    @property
    def rate(self) -> Rate | None:
        """The learning rate, where this is the transform that has it."""
        return None

    def with_rate(self, rate: Rate) -> Transform:
        """Return the same transform with another learning rate."""
        return self


class PerArray(Transform):
    """A transform that is called with every parameter on its own, in its shape."""

    def start(self, block: Block, step: Step) -> Any:
        """Return the state of each parameter of a block before their first step."""
        with block.device.current:
            return [self.init(value, step) for value in block.value_arrays(step.xp)]

    def apply(self, blocks: Sequence[Block], part: int) -> None:
        """Take a step with all parameters of a group, where this is the given part of a chain."""
        for block in blocks:
            step = block.now
            triples = zip(block.arrays(step.xp), block.state[part], block.value_arrays(step.xp), strict=True)
            with block.device.current:
                results = [self.update(update, state, value, step) for update, state, value in triples]
            block.updates = [update for update, _ in results]
            block.state[part] = [state for _, state in results]


@dataclass(frozen=True)
class Chain(Transform):
    """Transforms one after another. :func:`chain` makes it.

    Attributes
    ----------
    parts
        The transforms.
    """

    parts: tuple[Transform, ...]
    _rate: Rate | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = next((part.rate for part in self.parts if part.rate is not None), None)
        object.__setattr__(self, "_rate", found)  # every step asks for it

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.parts)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Not called: :meth:`take` goes through the parts."""
        raise NotImplementedError

    def take(self, blocks: Sequence[Block]) -> None:
        """Take a step with all parameters of a group."""
        for i, part in enumerate(self.parts):
            part.apply(blocks, i)

    @property
    def rate(self) -> Rate | None:
        """The first learning rate among the parts."""
        return self._rate

    def with_rate(self, rate: Rate) -> Chain:
        """Return the chain with another learning rate in every part that has one."""
        return type(self)(tuple(part.with_rate(rate) for part in self.parts))


def chain(*transforms: Transform) -> Chain:
    """Return the transform that applies the given ones in order. Chains in it are flattened.

    Examples
    --------
    >>> from deepcore import optim
    >>> adamw = optim.chain(
    ...     optim.clip_by_norm(1.0),
    ...     optim.scale_by_adam(),
    ...     optim.add_decayed_weights(0.01),
    ...     optim.scale_by_learning_rate(0.001),
    ... )
    >>> len(adamw.parts)
    4
    """
    parts: list[Transform] = []
    for transform in transforms:
        parts += transform.parts if isinstance(transform, Chain) else [transform]
    return Chain(tuple(parts))
