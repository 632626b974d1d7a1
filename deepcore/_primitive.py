r"""One declaration per operation: its forward, its derivative, its mathematics and its test data.

A derivative rule gives an operand's cotangent from the result's. It is an ordinary function that *names what it needs*,
and the tape keeps only that:

========== ==========================================================================================
``dy``      the cotangent of the result, always the first argument
``y``       the result; where there are several, each by its own name
an operand  by the name it has in the declaration
a parameter likewise (``axis``, ``keepdims``, ...)
``shape``   the shape of the operand that the rule is for
``shapes``  the shapes of all operands (rules that give every cotangent at once)
``xp``      the namespace to compute in
========== ==========================================================================================

Rules are Array API code. A first-order sweep runs them on raw arrays, and nothing is recorded; a higher-order sweep
runs the same rules on tensors, and their own computation is recorded. So derivatives of any order come from one rule.

Rules are written in the plain transposed form: $\bar x = f'(x)\,\bar y$ for a real or holomorphic $y = f(x)$, without
a conjugate. The sweep conjugates complex cotangents where they enter and where they leave, which gives PyTorch's
convention; where a function is not holomorphic, its rule says what that means for it.

Where there are several results, a rule belongs to a result instead of an operand, since what the cotangents of the
results contribute adds up: $\bar x = J_1^\top \bar y_1 + J_2^\top \bar y_2 + \dots$ An operation that has several
operands too has one joint rule, whose ``dy`` maps the names of those results that have a cotangent to it.
"""

from __future__ import annotations

import inspect
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec

from ._backend import EXTENSIONS, composites

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._typing import Shape

    Choice = Callable[[tuple[Any, ...]], tuple[Any, ...]]

P = ParamSpec("P")

SPECIAL: Final = frozenset({"dy", "y", "shape", "shapes", "xp"})


@dataclass(frozen=True)
class Sample:
    """Arguments on which an operation is tested: its derivative, every backend, every data type.

    Parameters
    ----------
    shapes
        The shape of each operand, in order; a list of shapes is an operand that is a list of arrays.
    low, high
        The interval that floating-point entries are drawn from, chosen inside the function's domain.
    parameters
        Keyword arguments of the call.
    integers
        Operands, by position, drawn as whole numbers below the given bound, and never differentiated.
    booleans
        Operands, by position, drawn as truth values.
    kinks
        Points that entries are kept away from, because the function has no derivative there.
    structure
        Of the operands that are square matrices: ``"hermitian"`` or ``"positive definite"``.
    complex
        Whether entries are complex, both of their parts drawn from the interval.
    """

    shapes: Sequence[Shape | list[Shape]] = ((2, 3),)
    low: float = -2.0
    high: float = 2.0
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    integers: Mapping[int, int] = field(default_factory=dict[int, int])
    booleans: Sequence[int] = ()
    kinks: Sequence[float] = ()
    structure: str = ""
    complex: bool = False


class Rule:
    """A derivative rule, its arguments resolved when it was declared.

    Attributes
    ----------
    function
        The rule itself.
    needs
        The names of its arguments after ``dy``.
    sources
        Where each of them comes from: a position in what the node saved, a parameter's name and its default, or the
        name of what the sweep knows.
    chosen
        Takes them out of (saved..., shape, xp), where they are all in there.
    """

    __slots__ = ("chosen", "function", "needs", "sources")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        first, *rest = inspect.signature(function).parameters
        if first != "dy":
            msg = f"the first argument of a derivative rule is dy, not {first!r}"
            raise TypeError(msg)
        self.needs = tuple(rest)
        self.sources: tuple[tuple[int | str, Any], ...] = ()
        self.chosen: Choice | None = None


class Primitive(Generic[P]):
    """The declaration of an operation. Calling it is what :mod:`deepcore._record` adds.

    Attributes
    ----------
    name
        Its name in the namespace, dotted for an extension (``"linalg.qr"``).
    chapter
        The chapter of the standard, or of deepcore, that it belongs to.
    operands
        The names of its array arguments.
    variadic
        Whether its one operand is a sequence of arrays.
    positional, defaults
        Its other parameters: those that may be given by position, and the default of each.
    rules
        The rule for each operand that has one.
    joint
        A rule that gives the cotangents of all operands at once, as a sequence.
    result
        The named tuple of the results, where there are several.
    outputs
        Their names; empty where there is one result.
    by_position
        The rule for each operand, in order.
    saved
        What its rules need of the forward computation.
    complete
        Whether every operand has a rule.
    samples
        Arguments to test it on.
    reason
        Why it has no derivative, where it has none.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        samples: Sequence[Sample],
        *,
        composite: bool,
        result: type[tuple[Any, ...]] | None = None,
    ) -> None:
        self.function = function
        self.name = _name(function)
        self.chapter = function.__module__.rpartition(".")[2]
        self.samples = samples
        self.composite = composite
        self.rules: dict[str, Rule] = {}
        self.joint: Rule | None = None
        self.reason = ""
        self.signature = _public_signature(function, composite=composite)
        parameters = list(self.signature.parameters.values())
        self.operands = tuple(p.name for p in parameters if _is_operand(p))
        self.result = result
        self.outputs: tuple[str, ...] = getattr(result, "_fields", ())
        self.variadic = any("Sequence[Array" in p.annotation for p in parameters)
        rest = [p for p in parameters if not _is_operand(p)]
        self.positional = tuple(p.name for p in rest if p.kind is not p.KEYWORD_ONLY)
        self.defaults = {p.name: p.default for p in rest}
        self.saved: tuple[str, ...] = ()
        self.complete = False
        self.by_position: tuple[Rule | None, ...] = ()
        self._users: dict[str, int] = {}
        self._kept: dict[int, Choice] = {}
        self.__name__ = self.__qualname__ = self.name.rpartition(".")[2]
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__signature__ = self.signature
        if composite:
            composites[self.name] = function
        registry[self.name] = self

    def vjp(self, **rules: Callable[..., Any]) -> None:
        """Declare the rule of each operand, by the operand's name: ``matmul.vjp(x1=lambda dy, x2: ...)``.

        Where there are several results, the rules are theirs: ``qr.vjp(Q=..., R=...)``.
        """
        if self.outputs and len(self.operands) > 1:
            msg = f"{self.name} has several operands and several results, so its rule is one for all: vjp_all"
            raise TypeError(msg)
        known = self.outputs or self.operands
        for name, function in rules.items():
            if name not in known:
                msg = (
                    f"{self.name} has no {'result' if self.outputs else 'operand'} {name!r}; it has {', '.join(known)}"
                )
                raise TypeError(msg)
            self.rules[name] = self._checked(Rule(function))
        self._resolve()

    def vjp_all(self, function: Callable[..., Any]) -> None:
        """Declare one rule that gives the cotangents of all operands together."""
        self.joint = self._checked(Rule(function))
        self._resolve()

    def not_differentiable(self, reason: str) -> None:
        """Declare that there is no derivative, and why (``"integer result"``)."""
        self.reason = reason

    def _checked(self, rule: Rule) -> Rule:
        unknown = set(rule.needs) - SPECIAL - {*self.operands, *self.outputs, *self.defaults}
        if unknown:
            msg = f"a rule of {self.name} asks for {', '.join(sorted(unknown))}, which {self.name} does not have"
            raise TypeError(msg)
        return rule

    def _resolve(self) -> None:
        self._users = {}
        self._kept = {}
        for i, name in enumerate(self.outputs or self.operands):
            rule = self.joint or self.rules.get(name)
            tracked = 1 if self.outputs else 1 << i
            for needed in rule.needs if rule else ():
                self._users[needed] = self._users.get(needed, 0) | tracked
        self.saved = tuple(name for name in (*self.operands, *self.values, "shapes") if name in self._users)
        self.complete = self.joint is not None or all(name in self.rules for name in self.outputs or self.operands)
        self.by_position = tuple([self.rules.get(name) for name in self.operands])
        for rule in (self.joint, *self.rules.values()):
            if rule is not None:
                rule.sources = tuple([self._source(name) for name in rule.needs])
                rule.chosen = self._chosen(rule)

    def _source(self, name: str) -> tuple[int | str, Any]:
        if name in self.saved:
            return self.saved.index(name), None
        return name, self.defaults.get(name)

    def _chosen(self, rule: Rule) -> Choice | None:
        names = (*self.saved, "shape", "xp")
        known = all(name in names for name in rule.needs)
        return _choice([names.index(name) for name in rule.needs]) if known else None

    def kept(self, tracked: int) -> Choice:
        """Return what the tape keeps when some operands are tracked (bit i for operand i).

        The result is a function of (operands..., results..., None), where None is for what only the rules of other
        operands need. It gives a value for each name in ``saved``.
        """
        found = self._kept.get(tracked)
        if found is None:
            pool = (*self.operands, *self.values)
            found = _choice([pool.index(n) if self._users[n] & tracked else len(pool) for n in self.saved])
            self._kept[tracked] = found
        return found

    @property
    def values(self) -> tuple[str, ...]:
        """What rules call the results: ``y``, or each by its name."""
        return self.outputs or ("y",)

    @property
    def is_differentiable(self) -> bool:
        """Whether a derivative rule is declared."""
        return bool(self.rules) or self.joint is not None

    def __repr__(self) -> str:
        return f"<primitive {self.name}{self.signature}>"


def _choice(positions: Sequence[int]) -> Choice:
    """Return a function that takes what is at some positions out of a tuple."""
    if len(positions) > 1:
        return operator.itemgetter(*positions)
    (first, last) = (positions[0], positions[0] + 1) if positions else (0, 0)
    return operator.itemgetter(slice(first, last))


def _name(function: Callable[..., Any]) -> str:
    """Return the name in the namespace: dotted for a function of an extension, ``deepcore.linalg`` and the like."""
    name = function.__name__.rstrip("_")
    package = function.__module__.split(".")[1:2]
    return f"{package[0]}.{name}" if package and package[0] in EXTENSIONS else name


def _is_operand(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is an array: annotations are strings here, and say so."""
    return "Array" in parameter.annotation or "Operand" in parameter.annotation


def _public_signature(function: Callable[..., Any], *, composite: bool) -> inspect.Signature:
    """Return the signature that callers see: a composite's first argument, ``xp``, is not theirs to pass."""
    signature = inspect.signature(function)
    return signature.replace(parameters=list(signature.parameters.values())[1:]) if composite else signature


registry: Final[dict[str, Primitive[...]]] = {}
"""Every declared primitive, by name."""
