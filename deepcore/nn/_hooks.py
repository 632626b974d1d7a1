"""Functions that are called around a module: before it, after it, and when the reverse sweep comes by."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from .._tape import is_grad_enabled
from .._tensor import Tensor
from ..transform.call import Saved, record
from ..tree import tree_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ._module import Module

    PreHook: TypeAlias = Callable[[Module, tuple[Any, ...]], Any]
    ForwardHook: TypeAlias = Callable[[Module, tuple[Any, ...], Any], Any]
    BackwardHook: TypeAlias = Callable[[Module, Tensor], Tensor | None]


class HookHandle:
    """What takes a hook away again."""

    def __init__(self, hooks: dict[int, Any], key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Take the hook away. Doing so again does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class Hooks:
    """The hooks of one module, each kind in the order in which they were registered.

    Attributes
    ----------
    before, after, backward
        The functions, by the key of their handle.
    """

    def __init__(self) -> None:
        self.before: dict[int, PreHook] = {}
        self.after: dict[int, ForwardHook] = {}
        self.backward: dict[int, BackwardHook] = {}
        self._keys = itertools.count()

    def add(self, kind: str, hook: Callable[..., Any]) -> HookHandle:
        """Add a hook of a kind."""
        hooks = getattr(self, kind)
        key = next(self._keys)
        hooks[key] = hook
        return HookHandle(hooks, key)

    def call(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a module's forward, and the hooks around it."""
        for before in list(self.before.values()):
            changed = before(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        result = module.forward(*args, **kwargs)
        for after in list(self.after.values()):
            changed = after(module, args, result)
            result = result if changed is None else changed
        if not self.backward or not is_grad_enabled():
            return result
        return tree_map(lambda x: self._watched(module, x), result, model=lambda model: model)

    def _watched(self, module: Module, y: Any) -> Any:
        """Return a result whose cotangent the backward hooks see."""
        if not isinstance(y, Tensor) or y._node is None:
            return y

        def pullback(
            cotangents: dict[int, Tensor], operands: list[Tensor], further: Any, recorded: bool
        ) -> Sequence[Tensor | None]:
            dy = cotangents[0]
            for hook in list(self.backward.values()):
                changed = hook(module, dy)
                dy = dy if changed is None else changed
            return [dy]

        (watched,) = record(type(module).__name__, [y._node], Saved([y._data], None), [y], pullback)
        return watched
