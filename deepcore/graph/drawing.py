"""Drawings of programs, of functions, and of what is recorded behind a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from .._tensor import Tensor
from ._picture import Drawing, drawn, program_picture
from .program import Program
from .tape import tape_picture
from .tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable


def draw(
    x: Program | Tensor | Callable[..., Any], /, *examples: Any, collapsed: bool = False, **names: Tensor
) -> Drawing:
    """Return a drawing: an SVG image as text, which notebooks show, and which needs no other software.

    Parameters
    ----------
    x
        A program; a model or another function, which is recorded in evaluation mode on examples; or a tensor that was
        computed from others that require gradients, which is drawn with what it was computed from.
    examples
        What to call the function with.
    collapsed
        Whether boxes show their titles alone, and shapes, values and gradients only while the mouse is over a box or it
        has the focus. The text is in the image in both cases.
    names
        Of a tensor: what tensors in its graph are to be called.

    Returns
    -------
    Drawing
        The text. Its ``save(path)`` writes it to a file.

    Raises
    ------
    ConfigError
        If there are examples or names for something that takes none.

    Notes
    -----
    With a tensor, arrays of up to six elements are shown with their values, and with the gradient of the tensor (of the
    sum of its elements) with respect to them. A graph keeps only the values that derivatives need: those of other
    results are computed again where their operands are known, and are left out otherwise. After ``backward()`` without
    ``retain_graph=True`` there is nothing left but shapes.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import graph, nn
    >>> image = graph.draw(nn.Dense(3, 2, activation="relu"), dc.ones((5, 3)))
    >>> image.startswith("<svg")
    True
    >>> a = dc.asarray(2.0, requires_grad=True)
    >>> "grad 4" in graph.draw(a * a, a=a)
    True
    """
    if isinstance(x, Tensor):
        if examples:
            msg = "draw: a tensor has been computed already, and is drawn without examples"
            raise ConfigError(msg)
        return drawn(tape_picture(x, names), collapsed=collapsed)
    if names:
        msg = f"draw: names ({', '.join(names)}) are for the tensors behind a tensor; a program has those of its values"
        raise ConfigError(msg)
    if isinstance(x, Program):
        if examples:
            msg = "draw: a program has its shapes already, and is drawn without examples"
            raise ConfigError(msg)
        return drawn(program_picture(x), collapsed=collapsed)
    return drawn(program_picture(traced(x, *examples)), collapsed=collapsed)
