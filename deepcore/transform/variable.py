"""The variables of a derivative: stand-ins for the arguments, each a place of its own in the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._primitive import Sample
from .._record import composite
from .._sweep import op
from .._tape import Leaf, Node
from .._tensor import Tensor, make
from ..tree import itself, leaves, tree_map

if TYPE_CHECKING:
    from .._typing import Array, Namespace


@composite(Sample())
def alias(xp: Namespace, x: Array, /) -> Any:
    r"""Identity, as a place of its own in the graph. $y = x$, $\bar x = \bar y$.

    Differentiating with respect to an alias keeps the inner variable of a nested derivative apart from the outer one,
    of which it is a copy.
    """
    return x


alias.vjp(x=lambda dy: dy)


def stop_gradient(tree: Any) -> Any:
    """Return a tree whose tensors have the same values and are constants to every derivative.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.grad(lambda x: x * dc.stop_gradient(x))(dc.asarray(3.0)).item()
    3.0
    """
    return tree_map(_stopped, tree, model=lambda model: model.tree_mapped(_stopped))


def _stopped(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def opened(tree: Any) -> Any:
    """Return the variables that stand for the floating-point tensors of a tree, and for the parameters of models."""
    return tree_map(_variable, tree, model=lambda model: model.tree_mapped(_variable))


def _variable(x: Any) -> Any:
    if not isinstance(x, Tensor) or not x.dtype.is_inexact:
        return x
    return make(x._data, x._device, Leaf(x._data, x._device)) if x._node is None else op.alias(x)


def closed(tree: Any, *, keep: bool) -> Any:
    """Return a result as the caller gets it: with its graph where that leads to something of the caller's."""
    return tree if keep else tree_map(_stopped, tree, model=itself)


def nodes(*trees: Any) -> set[Node]:
    """Return the nodes of the tensors of trees."""
    found = (x._node for tree in trees for _, x in leaves(tree) if isinstance(x, Tensor))
    return {node for node in found if node is not None}


def cotangents_of(variables: Any, found: dict[Node, Any], *, recorded: bool) -> Any:
    """Return what a sweep found, in the form of the variables: zeros where nothing arrived, None where nothing can."""

    def cotangent(x: Any) -> Any:
        if not isinstance(x, Tensor) or x._node is None:
            return None
        dx = found.get(x._node)
        if dx is None:
            return make(x._device.kernels.zeros_like(x._data), x._device)
        return dx if recorded else make(dx, x._device)

    return tree_map(cotangent, variables)
