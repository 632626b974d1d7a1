"""Trees of arrays: arguments, parameters and states as nested tuples, lists and dictionaries, and models.

A leaf is whatever is none of these. A model (an object with ``tree_children()``) is the tree of its parameters, by
their paths: what is shared is there once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Tree(Protocol):
    """An object that is a tree of named children: a model."""

    def tree_children(self) -> dict[str, Any]:
        """Return the children by name."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Yield every parameter with its path, each once."""
        ...

    def tree_mapped(self, function: Callable[[Any], Any]) -> Self:
        """Return a copy in which the parameters that are learned are what a function makes of them."""
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
    if is_tree(tree):
        for path, parameter in tree.named_parameters():
            yield f"{prefix}.{path}" if prefix and path else prefix or path, parameter
        return
    below = children(tree)
    if below is None:
        yield prefix, tree
        return
    for name, child in below.items():
        yield from leaves(child, f"{prefix}.{name}" if prefix else name)


def tree_map(function: Callable[[Any], Any], tree: Any, *, model: Callable[[Any], Any] | None = None) -> Any:
    """Return the tree of containers with a function applied to every leaf.

    Parameters
    ----------
    function
        What to make of a leaf.
    tree
        The tree.
    model
        What to make of a model. By default it becomes a dictionary: of what the function makes of its parameters, by
        their paths.

    Examples
    --------
    >>> from deepcore import tree
    >>> tree.tree_map(lambda x: 2 * x, {"a": 1, "b": (2, 3)})
    {'a': 2, 'b': (4, 6)}
    """
    if isinstance(tree, dict):
        return {key: tree_map(function, value, model=model) for key, value in tree.items()}
    if isinstance(tree, list):
        return [tree_map(function, value, model=model) for value in tree]
    if isinstance(tree, tuple):
        mapped = [tree_map(function, value, model=model) for value in tree]
        return type(tree)(*mapped) if hasattr(tree, "_fields") else tuple(mapped)
    if is_tree(tree):
        return {path: function(p) for path, p in tree.named_parameters()} if model is None else model(tree)
    return function(tree)


def itself(model: Any) -> Any:
    """Return a model as it is: for maps that go around models."""
    return model
