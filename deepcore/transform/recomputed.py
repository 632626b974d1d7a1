"""Memory for time: what a function computes on the way is not kept, but computed again in the backward pass."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .._errors import GradientError
from .._sweep import op, sweep
from .._tape import enable_grad, is_recording, next_order
from .._tensor import Tensor, lift, make
from .._tracing import recomputing
from ..random._state import replayed, watched
from .call import Saved, came_in, has_node, name_of, nodes_of, put_in, record, stand_in, taken_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tape import Node


def checkpoint(function: Callable[..., Any], /) -> Callable[..., Any]:
    r"""Return a function that keeps only its arguments on the tape, and computes what is between them and its value
    again when a derivative is taken (rematerialisation).

    With $n$ layers in segments of $\sqrt n$, each a checkpoint, the tape keeps the $\sqrt n$ arguments of the segments,
    and the backward pass the interior of one segment at a time, for one more forward computation.

    Parameters
    ----------
    function
        A function of trees of tensors, whose value is a tree of tensors; a module, for example. Gradients flow to its
        arguments, and to the tensors that it uses without being given them, such as the parameters of a module. It is
        run again, so it should have no effects but its value and draws of random numbers, which are the same again,
        whichever generator they come from.

    Returns
    -------
    callable
        A function of the same arguments. It nests in every derivative and in itself, and has derivatives of all orders.

    Raises
    ------
    GradientError
        In the backward pass, if the function does not compute the same when it is run again: because it has a state,
        or because a tensor that it uses was changed in place since.

    Notes
    -----
    In the first run everything is recorded until the function returns, to see which tensors it depends on. The memory
    in use is then that of one segment, as in the backward pass.

    References
    ----------
    A. Griewank and A. Walther, Algorithm 799: revolve, ACM Transactions on Mathematical Software 26, 2000.
    T. Chen, B. Xu, C. Zhang and C. Guestrin, Training deep nets with sublinear memory cost, arXiv:1604.06174, 2016.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore.transform import checkpoint
    >>> f = checkpoint(lambda x: dc.sin(dc.exp(x)))
    >>> dc.grad(f)(dc.asarray(0.0)).item() == dc.cos(dc.asarray(1.0)).item()
    True
    """
    name = f"checkpoint({name_of(function)})"

    @functools.wraps(function, updated=())
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not is_recording():
            return function(*args, **kwargs)
        form, given = taken_out((args, kwargs), has_node)
        since = next_order()
        with watched() as keys:
            value = _run(function, form, [stand_in(x) for x in given])
        result, outputs = taken_out(value, has_node)
        if not outputs:
            return value
        count = len(outputs)
        used = came_in(nodes_of(outputs), since)

        def pullback(cotangents: dict[int, Tensor], operands: list[Tensor], _: None, recorded: bool) -> list[Any]:
            with enable_grad():
                variables = [op.alias(x) if recorded else stand_in(x) for x in operands[: len(given_nodes)]]
                targets = [x._node for x in variables if x._node is not None]
                again = _again(variables)
                roots: dict[Node, Any] = {}
                for i, dy in cotangents.items():
                    node = again[i]._node
                    if node is not None:
                        roots[node] = roots[node] + dy if node in roots else dy
                if not recorded:
                    roots = {node: dy._data for node, dy in roots.items()}
                targets += used
                found = sweep(roots, targets=targets, lift=lift if recorded else None, release=False)
            return [found.get(t) if recorded or t not in found else make(found[t], t.device) for t in targets]

        def _again(variables: list[Tensor]) -> list[Tensor]:
            stand_ins = nodes_of(variables)
            since = next_order()
            with replayed(keys), recomputing():
                _, outputs = taken_out(_run(function, form, variables), has_node)
            if len(outputs) != count or came_in(nodes_of(outputs), since, stand_ins) != used:
                msg = (
                    f"{name}: the function did not compute the same when it was run again in the backward pass; it "
                    "must depend on nothing that changes, and no tensor that it uses may be changed in place meanwhile"
                )
                raise GradientError(msg)
            return outputs

        given_nodes = [x._node for x in given if x._node is not None]
        saved = Saved([*(x._data for x in given), *(None for _ in used)], None)
        return put_in(result, record(name, [*given_nodes, *used], saved, outputs, pullback))

    return wrapped


remat = checkpoint
"""The same by its other name, which it has in ``deepcore``, where ``checkpoint`` is the module that saves weights."""


def _run(function: Callable[..., Any], form: Any, tensors: list[Tensor]) -> Any:
    args, kwargs = put_in(form, tensors)
    return function(*args, **kwargs)
