"""Trees of arrays: arguments, parameters and states as nested tuples, lists and dictionaries, and models.

A leaf is whatever is none of these. An object with ``tree_children()`` (a model) is a tree of what that returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Tree(Protocol):
    """An object that is a tree of named children."""

    def tree_children(self) -> dict[str, Any]:
        """Return the children by name."""
        ...


def children(tree: object) -> dict[str, Any] | None:
    """Return the children of a node by name, or None for a leaf."""
    if isinstance(tree, dict):
        return {str(key): value for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return {str(i): value for i, value in enumerate(tree)}
    return tree.tree_children() if is_tree(tree) else None


def is_tree(x: object) -> TypeGuard[Tree]:
    """Whether an object is a tree of named children: asked of its class, which takes a tenth of ``isinstance``."""
    return hasattr(type(x), "tree_children")


def leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its dotted path, in order.

    Examples
    --------
    >>> from deepcore import tree
    >>> dict(tree.leaves({"a": 1, "b": [2, 3]}))
    {'a': 1, 'b.0': 2, 'b.1': 3}
    """
    below = children(tree)
    if below is None:
        yield prefix, tree
        return
    for name, child in below.items():
        yield from leaves(child, f"{prefix}.{name}" if prefix else name)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the tree of containers with a function applied to every leaf.

    Examples
    --------
    >>> from deepcore import tree
    >>> tree.tree_map(lambda x: 2 * x, {"a": 1, "b": (2, 3)})
    {'a': 2, 'b': (4, 6)}
    """
    if isinstance(tree, dict):
        return {key: tree_map(function, value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [tree_map(function, value) for value in tree]
    if isinstance(tree, tuple):
        mapped = [tree_map(function, value) for value in tree]
        return type(tree)(*mapped) if hasattr(tree, "_fields") else tuple(mapped)
    if is_tree(tree):
        return {name: tree_map(function, value) for name, value in tree.tree_children().items()}
    return function(tree)
