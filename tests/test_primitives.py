"""What is required of every operation, derived from the declarations alone."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import numpy as np
import pytest

import deepcore as dc
from deepcore._backend import EXTENSIONS, composites
from deepcore._primitive import Primitive, Sample, registry
from deepcore._record import Binary, Operation, Unary, composite
from deepcore._sweep import op
from deepcore._tensor import make
from deepcore.testing import assert_close, check_grads, sample_arguments
from deepcore.testing.results import determined_results
from deepcore.testing.samples import structured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deepcore._device import Device
    from deepcore._typing import Array, Namespace, Operand, Raw, Shape

HostArray: TypeAlias = "np.ndarray[Any, Any]"
Case: TypeAlias = "tuple[Operation[...], Sample]"

# Sorted: the order of import is no part of a test's name.
PRIMITIVES: list[Any] = [registry[name] for name in sorted(registry)]
CASES: list[Any] = [pytest.param((p, s), id=f"{p.name}-{k}") for p in PRIMITIVES for k, s in enumerate(p.samples)]
DIFFERENTIABLE: list[Any] = [case for case in CASES if case.values[0][0].is_differentiable]


class Both(NamedTuple):
    total: dc.Tensor
    product: dc.Tensor


BODY_IS_NO_REFERENCE = {"transfer": "leaves deepcore: the body copies raw arrays through the host"}
REAL = {
    *("atan2", "ceil", "clip", "copysign", "floor", "floor_divide", "hypot", "logaddexp", "max", "maximum", "min"),
    *("minimum", "remainder", "sort", "std", "trunc", "var", "astype", "linalg.cross", "fft.rfft"),
    "max_pool",
}
"""Functions that the standard defines for real numbers alone."""
REAL_CHAPTERS = ("activation", "attention", "fused", "gated", "normalization", "rectifier", "recurrence", "rotary")
LACKING = {
    ("torch", name): "PyTorch has no order of complex numbers"
    for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values")
}
LACKING_EMPTY = {
    ("torch", "fft.fftn"): "PyTorch's library transforms no empty arrays",
    ("torch", "fft.ifftn"): "PyTorch's library transforms no empty arrays",
    ("torch", "linalg.vector_norm"): "PyTorch has no maximum norm of nothing",
    ("cupy", "linalg.eig"): "CuPy finds the eigenvalues of nothing in real numbers",
    ("cupy", "linalg.eigvals"): "CuPy finds the eigenvalues of nothing in real numbers",
}
NARROW = {dc.float64: dc.float32, dc.complex128: dc.complex64}
NO_CLOSED_FORM = {
    "special.zeta": {"x"},
    "special.gammainc": {"a"},
    "special.gammaincc": {"a"},
    "special.betainc": {"a", "b"},
}
"""Operands that a derivative exists in but no formula for it: asking for it raises."""
LOOSE = {dc.float64: 1e-11, dc.float32: 1e-5}


def flat(operands: list[Any]) -> list[Any]:
    return [y for x in operands for y in (x if isinstance(x, list) else [x])]


def rebuilt(operands: list[Any], arrays: list[Any]) -> list[Any]:
    """Return arrays in the form of the operands, which may hold a list of arrays."""
    left = iter(arrays)
    return [[next(left) for _ in x] if isinstance(x, list) else next(left) for x in operands]


def wanting_gradients(declared: Primitive[...], operands: list[Any]) -> list[Any]:
    """Return the operands, as leaves where there is a rule."""

    def leaf(x: Any, name: str) -> Any:
        has_rule = declared.joint is not None or name in declared.rules or any(declared.outputs)
        inexact = isinstance(x, dc.Tensor) and x.dtype.is_inexact
        return dc.asarray(x.detach(), requires_grad=True) if has_rule and inexact else x

    names = [declared.operands[min(i, len(declared.operands) - 1)] for i in range(len(operands))]
    return [
        [leaf(y, name) for y in x] if isinstance(x, list) else leaf(x, name)
        for x, name in zip(operands, names, strict=True)
    ]


def spare(case: Case, *, thrifty: bool) -> None:
    """Leave out, where every sample is compiled anew, all but the first and the one that asks for most."""
    declared, sample = case
    most = max(declared.samples, key=lambda s: (len(s.parameters), len(s.shapes), len(flat(list(s.shapes)))))
    if thrifty and replace(sample, complex=False) not in (declared.samples[0], replace(most, complex=False)):
        pytest.skip("tested on other devices")


def cotangent(y: dc.Tensor) -> dc.Tensor:
    values = 1 + 0.5 * np.cos(np.arange(y.size, dtype=np.float64)).reshape(y.shape)
    phased = values * (1 + 0.5j) if y.dtype.is_kind("complex floating") else values
    return dc.asarray(phased.astype(y.dtype.name), device=y.device)


def gradients(function: Callable[..., Any], operands: list[Any], parameters: dict[str, Any]) -> list[Any]:
    """Return the results and the gradient of every leaf among the operands (None where it is zero)."""
    found = determined_results(function, operands, parameters)
    for y in found:
        if y.requires_grad:
            y.backward(cotangent(y), retain_graph=True)
    return [
        *[y.detach() for y in found],
        *[x.grad for x in flat(operands) if isinstance(x, dc.Tensor) and x.requires_grad],
    ]


def assert_all_close(actual: list[Any], desired: list[Any], tolerance: float) -> None:
    assert len(actual) == len(desired)
    for a, d in zip(actual, desired, strict=True):
        if a is None or d is None:
            assert a is d
            continue
        values = d.numpy() if isinstance(d, dc.Tensor) else d
        assert_close(np.asarray(a.numpy()), np.asarray(values).astype(a.dtype.name), rtol=tolerance, atol=tolerance)


# ------------------------------------------------------------------------------------------------------- declarations


@pytest.mark.parametrize("declared", PRIMITIVES, ids=lambda p: p.name)
def test_declaration_is_complete(declared: Primitive[...]) -> None:
    assert declared.samples, "an operation is tested on its samples, and this one has none"
    assert declared.is_differentiable != bool(declared.reason), "a rule, or the reason why there is none; not both"
    assert len((declared.__doc__ or "").strip()) > 10
    if declared.is_differentiable:
        assert "$" in (declared.__doc__ or ""), "the derivative is documented by an equation"


@pytest.mark.parametrize("declared", PRIMITIVES, ids=lambda p: p.name)
def test_every_operand_has_a_rule_or_is_never_differentiated(declared: Primitive[...]) -> None:
    if not declared.is_differentiable or declared.joint is not None:
        return
    if declared.outputs:
        assert declared.complete
        return
    for i, name in enumerate(declared.operands):
        never = all(i in s.integers or i in s.booleans for s in declared.samples)
        known = never or name in NO_CLOSED_FORM.get(declared.name, ())
        assert (name in declared.rules) != known, f"{name} is a floating-point operand without a rule"


def test_names_are_those_of_the_public_namespace() -> None:
    outside = {"alias", "astype", "scatter", "transfer"}
    for declared in PRIMITIVES:
        if declared.__module__.split(".")[1] in ("ops", *EXTENSIONS) and declared.name not in outside:
            assert attrgetter(declared.name)(dc) is declared


@pytest.mark.parametrize(("name", "operand"), [(n, x) for n, xs in NO_CLOSED_FORM.items() for x in sorted(xs)])
def test_an_operand_without_a_closed_form_raises_where_its_gradient_would_be_lost(name: str, operand: str) -> None:
    declared = registry[name]
    operands, _ = sample_arguments(declared, declared.samples[0], "cpu", dc.float64)
    operands[declared.operands.index(operand)].requires_grad = True
    with pytest.raises(dc.GradientError, match=f"{name}: no derivative rule for '{operand}'"):
        attrgetter(name)(dc)(*operands)


# ------------------------------------------------------------------------------------------------------------ forward


@pytest.mark.parametrize("case", CASES)
def test_forward_equals_numpy_in_float64(case: Case, device: Device, thrifty: bool) -> None:
    declared, sample = case
    operands, parameters = sample_arguments(declared, sample, "cpu", dc.float64)
    expected = determined_results(declared, operands, parameters)
    for dtype in (dc.float32,) if thrifty else (dc.float64, dc.float32):
        operands, parameters = sample_arguments(declared, sample, device, dtype)
        found = determined_results(declared, operands, parameters)
        kept = dtype is dc.float64 or parameters.get("dtype") or not any(x.dtype.is_inexact for x in flat(operands))
        for y, wide in zip(found, expected, strict=True):
            wanted = wide.dtype if kept else NARROW.get(wide.dtype, wide.dtype)
            assert y.device is device
            assert y.dtype is wanted, f"{dtype} in, {y.dtype} out"
        assert_all_close(found, expected, LOOSE[dtype])


# --------------------------------------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize("case", DIFFERENTIABLE)
def test_derivatives_of_first_and_second_order(case: Case, device: Device, thrifty: bool) -> None:
    spare(case, thrifty=thrifty)
    check_derivatives(*case, device, order=1 if thrifty else 2)


def check_derivatives(declared: Operation[...], sample: Sample, device: Device, order: int) -> None:
    operands, parameters = sample_arguments(declared, sample, device, dc.float64)
    arrays = flat(operands)
    wanted = [i for i, x in enumerate(flat(wanting_gradients(declared, operands))) if x.requires_grad]

    def function(*variables: dc.Tensor) -> list[dc.Tensor]:
        given = list(arrays)
        for i, x in zip(wanted, variables, strict=True):
            given[i] = structured(x, sample)
        return determined_results(declared, rebuilt(operands, given), parameters)

    function.__name__ = declared.name
    check_grads(function, *[arrays[i] for i in wanted], order=order)


def takes_complex(declared: Primitive[...]) -> bool:
    library, chapter = declared.__module__.split(".")[1:3]
    return library in ("ops", "linalg", "fft") and chapter not in REAL_CHAPTERS and declared.name not in REAL


COMPLEX: list[Any] = [
    pytest.param((p, replace(s, complex=True)), id=f"{p.name}-{k}")
    for p in PRIMITIVES
    if p.is_differentiable and takes_complex(p)
    for k, s in enumerate(p.samples)
    if not s.complex
]


@pytest.mark.parametrize("case", COMPLEX)
def test_derivatives_in_complex_numbers(case: Case, device: Device, thrifty: bool) -> None:
    spare(case, thrifty=thrifty)
    if reason := LACKING.get((device.backend.name, case[0].name)):
        pytest.skip(reason)
    check_derivatives(*case, device, order=1 if thrifty else 2)


@pytest.mark.parametrize("case", DIFFERENTIABLE)
def test_float32_stays_float32_and_agrees_with_float64(case: Case, device: Device, thrifty: bool) -> None:
    spare(case, thrifty=thrifty)
    declared, sample = case
    found: list[list[Any]] = []
    for dtype in (dc.float64, dc.float32):
        operands, parameters = sample_arguments(declared, sample, device, dtype)
        operands = wanting_gradients(declared, operands)
        found.append(gradients(declared, operands, parameters))
        leaves = [x for x in flat(operands) if x.requires_grad]
        assert leaves
        for x in leaves:
            assert x.grad is None or (x.grad.dtype, x.grad.shape, x.grad.device) == (x.dtype, x.shape, device)
    assert_all_close(found[1], found[0], 2e-5)


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if c.values[0][0].composite])
def test_rule_of_a_composite_equals_the_derivative_of_its_body(case: Case, device: Device, thrifty: bool) -> None:
    spare(case, thrifty=thrifty)
    declared, sample = case
    if declared.name in BODY_IS_NO_REFERENCE:
        pytest.skip(BODY_IS_NO_REFERENCE[declared.name])
    operands, parameters = sample_arguments(declared, sample, device, dc.float64)
    by_rule = gradients(declared, wanting_gradients(declared, operands), parameters)
    body = lambda *args, **kwargs: declared.function(op, *args, **kwargs)  # noqa: E731 - of any signature
    by_parts = gradients(body, wanting_gradients(declared, operands), {**declared.defaults, **parameters})
    assert_all_close(by_rule, by_parts, 1e-11)


# -------------------------------------------------------------------------------------------------- shapes and layouts


def is_elementwise_pair(p: Primitive[...]) -> bool:
    return p.is_differentiable and [p.signature.parameters[n].annotation for n in p.operands] == ["Operand", "Operand"]


PAIRS: list[Any] = [pytest.param((p, p.samples[0]), id=p.name) for p in PRIMITIVES if is_elementwise_pair(p)]


@pytest.mark.parametrize(
    "shapes", [((), (2, 3)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((1, 1), (2, 3)), ((2, 1, 3), (4, 1))]
)
@pytest.mark.parametrize("case", PAIRS)
def test_broadcasting_is_undone(case: Case, shapes: tuple[Shape, Shape], device: Device, thrifty: bool) -> None:
    declared, sample = case
    if thrifty and shapes != ((2, 1), (1, 3)):
        pytest.skip("tested on other devices")
    operands, _ = sample_arguments(declared, replace(sample, shapes=shapes), device, dc.float64)
    together = dc.broadcast_shapes(*shapes)
    for pair in (operands, operands[::-1]):
        by_engine = gradients(declared, wanting_gradients(declared, pair), {})
        whole = [dc.asarray(np.broadcast_to(x.numpy(), together).copy(), device=device) for x in pair]
        y, *dx = gradients(declared, wanting_gradients(declared, whole), {})
        summed = [None if d is None else summed_to(d.numpy(), x.shape) for d, x in zip(dx, pair, strict=True)]
        assert_all_close(by_engine, [y, *summed], 1e-12)


def summed_to(values: HostArray, shape: Shape) -> HostArray:
    """Sum over what broadcasting repeats."""
    lead = values.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1]
    return np.asarray(values.sum(axis=(*range(lead), *stretched))).reshape(shape)


@pytest.mark.parametrize("case", PAIRS)
def test_python_numbers_keep_the_data_type(case: Case, device: Device) -> None:
    declared, sample = case
    number = (sample.low + sample.high) / 2 + 0.03125
    (x,), _ = sample_arguments(declared, replace(sample, shapes=((2, 3),)), device, dc.float32)
    filled = dc.full((2, 3), number, dtype=dc.float32, device=device)
    for swapped in (False, True):
        found: list[list[Any]] = []
        for other in (number, filled):
            a = dc.asarray(x, requires_grad=True)
            y = declared(other, a) if swapped else declared(a, other)
            assert y.dtype is dc.float32
            y.backward(cotangent(y))
            found.append([y.detach(), a.grad])
        assert_all_close(found[0], found[1], 1e-6)
        scalar = declared(np.float64(number), x) if swapped else declared(x, np.float64(number))
        assert scalar.dtype is dc.float32, "NumPy's scalars count as Python numbers"


def strided(x: Any) -> Any:
    """Return the same values in memory that is not contiguous, and on NumPy read-only."""
    if not isinstance(x, dc.Tensor) or x.ndim == 0:
        return x
    kernels = x.device.kernels
    if x.ndim == 1:
        raw = kernels["reshape"](kernels["stack"]([x._data, x._data], axis=1), (-1,))[::2]
    else:
        copied = kernels["matrix_transpose"](x._data)
        copied = kernels["asarray"](kernels["reshape"](copied, (-1,)), copy=True)
        raw = kernels["matrix_transpose"](kernels["reshape"](copied, (*x.shape[:-2], x.shape[-1], x.shape[-2])))
    if isinstance(raw, np.ndarray):
        raw.setflags(write=False)
    return make(raw, x.device)


@pytest.mark.parametrize("case", CASES)
def test_strided_and_read_only_operands(case: Case, device: Device, thrifty: bool) -> None:
    declared, sample = case
    if thrifty:
        pytest.skip("arrays of JAX have no strides")
    operands, parameters = sample_arguments(declared, sample, device, dc.float64)
    before = [x.numpy().copy() for x in flat(operands)]
    expected = gradients(declared, wanting_gradients(declared, operands), parameters)
    others = rebuilt(operands, [strided(x) for x in flat(operands)])
    assert_all_close(gradients(declared, wanting_gradients(declared, others), parameters), expected, 1e-12)
    for x, values in zip([*flat(operands), *flat(others)], [*before, *before], strict=True):
        assert_close(np.asarray(x.numpy()), values, rtol=0, atol=0)


def emptied(sample: Sample) -> Iterator[Sample]:
    """Give the sample with each of its lengths in turn set to zero wherever it occurs."""
    if {"key", "n"} & sample.parameters.keys():  # an index is made for one shape, and nothing cannot be filled up
        return
    lengths = {
        n for shape in sample.shapes for s in (shape if isinstance(shape, list) else [shape]) for n in s if n > 1
    }
    for n in sorted(lengths):
        without: list[Shape | list[Shape]] = [
            [tuple(0 if m == n else m for m in s) for s in shape]
            if isinstance(shape, list)
            else tuple(0 if m == n else m for m in shape)
            for shape in sample.shapes
        ]
        yield replace(sample, shapes=without)


def empty_cases() -> Iterator[Any]:
    """Give those samples without elements that NumPy computes without an error or a warning."""
    for p in PRIMITIVES:
        for k, sample in enumerate(p.samples):
            for empty in emptied(sample):
                operands, parameters = sample_arguments(p, empty, "cpu", dc.float64)
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")
                        p(*operands, **parameters)
                except (dc.DeepcoreError, Warning, IndexError):
                    continue
                yield pytest.param((p, empty), id=f"{p.name}-{k}-{empty.shapes}")


EMPTY: list[Any] = list(empty_cases())


def test_most_operations_are_tested_without_elements() -> None:
    assert len({case.values[0][0].name for case in EMPTY}) > 0.8 * len(PRIMITIVES)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning")  # of PyTorch, where there is nothing to divide
@pytest.mark.parametrize("case", EMPTY)
def test_arrays_without_elements(case: Case, device: Device, thrifty: bool) -> None:
    declared, sample = case
    if thrifty:
        pytest.skip("tested on other devices")
    if reason := LACKING_EMPTY.get((device.backend.name, declared.name)):
        pytest.skip(reason)
    operands, parameters = sample_arguments(declared, sample, "cpu", dc.float64)
    expected = determined_results(declared, operands, parameters)
    operands, parameters = sample_arguments(declared, sample, device, dc.float64)
    operands = wanting_gradients(declared, operands)
    found = gradients(declared, operands, parameters)
    assert_all_close(found[: len(expected)], expected, 1e-12)
    for x in flat(operands):
        if x.requires_grad and x.grad is not None:
            assert x.grad.shape == x.shape
            assert math.prod(x.shape) == 0 or bool(dc.all(dc.isfinite(x.grad)))


# ------------------------------------------------------------------------------------------------------- calling paths


def recorded(y: dc.Tensor) -> tuple[Any, ...]:
    node = y._node
    assert node is not None
    return node.primitive, node.parents, node.saved, node.parameters or {}, node.shape, node.dtype, node.device


def assert_same_records(a: tuple[Any, ...], b: tuple[Any, ...]) -> None:
    assert a[0] is b[0]
    assert all(p is q for p, q in zip(a[1], b[1], strict=True))
    assert len(a[2]) == len(b[2])
    for p, q in zip(a[2], b[2], strict=True):
        assert (p is None) == (q is None)
        if p is not None:
            assert_close(np.asarray(dc.asarray(p).numpy()), np.asarray(dc.asarray(q).numpy()), rtol=0, atol=0)
    assert a[3:] == b[3:]


@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c.values[0][0], (Unary, Binary))])
def test_fast_paths_equal_the_general_one(case: Case, device: Device) -> None:
    declared, sample = case
    operands, parameters = sample_arguments(declared, sample, device, dc.float32)
    operands = wanting_gradients(declared, operands)
    choices = [operands]
    if len(operands) == 2:
        choices += [[operands[0].detach(), operands[1]], [operands[0], operands[1].detach()]]
    for chosen in choices:
        fast, general = declared(*chosen, **parameters), Operation.__call__(declared, *chosen, **parameters)
        assert_close(fast, general, rtol=0, atol=0)
        assert fast.requires_grad == general.requires_grad
        if fast.requires_grad:
            assert_same_records(recorded(fast), recorded(general))
        with dc.no_grad():
            assert not declared(*chosen, **parameters).requires_grad
            assert not Operation.__call__(declared, *chosen, **parameters).requires_grad


@pytest.mark.parametrize("case", PAIRS)
def test_paths_agree_on_python_numbers(case: Case, device: Device) -> None:
    declared, sample = case
    (x,), _ = sample_arguments(declared, replace(sample, shapes=((2, 3),)), device, dc.float32)
    x.requires_grad = True
    for chosen in ((x, 0.75), (0.75, x)):
        assert_same_records(recorded(declared(*chosen)), recorded(Operation.__call__(declared, *chosen)))


# ------------------------------------------------------------------------------------------------------ missing rules


@pytest.fixture
def declare() -> Iterator[None]:
    """Let a test declare operations, and forget them."""
    names = set(registry)
    yield
    for name in set(registry) - names:
        del registry[name]
        composites.pop(name, None)
        op.__dict__.pop(name, None)


def test_an_operation_without_a_rule_raises_where_it_is_called(declare: None) -> None:
    @composite(Sample())
    def unruled(xp: Namespace, x: Array, /) -> Raw:
        """Nothing in particular."""
        return xp.exp(x)

    @composite(Sample(((2,), (2,))))
    def half_ruled(xp: Namespace, a: Array, b: Array, /) -> Raw:
        """Sum."""
        return a + b

    half_ruled.vjp(a=lambda dy: dy)
    x = dc.ones(2, requires_grad=True)
    with pytest.raises(dc.GradientError, match="unruled: no derivative rule for 'x'"):
        unruled(x)
    with pytest.raises(dc.GradientError, match="half_ruled: no derivative rule for 'b'"):
        half_ruled(x.detach(), x)
    assert half_ruled(x, x.detach()).requires_grad
    assert not unruled(x.detach()).requires_grad
    with dc.no_grad():
        assert not unruled(x).requires_grad


def test_a_variadic_operation_without_a_rule_raises_where_it_is_called(declare: None) -> None:
    @composite(Sample(([(2,), (2,)],)))
    def joined(xp: Namespace, arrays: Sequence[Array], /) -> Raw:
        """Nothing in particular."""
        return xp.concat(arrays)

    assert joined.variadic
    x = dc.ones(2, requires_grad=True)
    with pytest.raises(dc.GradientError, match="joined: no derivative rule for 'arrays'"):
        joined([x.detach(), x])


class Halves(NamedTuple):
    left: Array
    right: Array


def test_an_operation_of_several_operands_and_results_has_one_rule(declare: None) -> None:
    @composite(Sample(((2,), (2,))), result=Halves)
    def halves(xp: Namespace, a: Array, b: Array | None = None, /) -> Halves:
        """Nothing in particular."""
        return Halves(a / 2, a / 2 if b is None else b / 2)

    with pytest.raises(TypeError, match="one for all: vjp_all"):
        halves.vjp(left=lambda dy: dy)
    x = dc.ones(2, requires_grad=True)
    for operands in ((x, x.detach()), (x.detach(), x)):
        with pytest.raises(dc.GradientError, match="halves: no derivative rule for 'left'"):
            halves(*operands)
    seen: list[dict[str, Any]] = []

    @halves.vjp_all
    def _rule(dy: Any, b: Any, xp: Namespace) -> tuple[Any, Any]:
        seen.append(dict(dy))
        return dy.get("left", 0) / 2 + xp.zeros_like(b), dy["right"] / 2

    y = cast("Halves", halves(x.detach(), x))
    (3 * y.right).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.5, 1.5]
    assert [list(dy) for dy in seen] == [["right"]], "a cotangent that is zero is absent"


def test_rules_are_checked_when_they_are_declared(declare: None) -> None:
    @composite(Sample())
    def checked(xp: Namespace, x: Array, /, *, axis: int = 0) -> Raw:
        """Nothing in particular."""
        return x

    with pytest.raises(TypeError, match="no operand 'z'"):
        checked.vjp(z=lambda dy: dy)
    with pytest.raises(TypeError, match="asks for other"):
        checked.vjp(x=lambda dy, other: dy)
    with pytest.raises(TypeError, match="first argument of a derivative rule is dy"):
        checked.vjp(x=lambda g: g)


def test_several_operands_and_results_have_one_rule(declare: None) -> None:
    @composite(Sample(((2,), (2,))), result=Both)
    def both(xp: Namespace, a: Array, b: Operand, /) -> Raw:
        """Sum and product."""
        return Both(a + b, a * b)

    a, b = (dc.asarray([2.0, 3.0], requires_grad=True) for _ in range(2))
    with pytest.raises(dc.GradientError, match="both: no derivative rule for 'total'"):
        both(a.detach(), b)
    with pytest.raises(TypeError, match="one for all: vjp_all"):
        both.vjp(total=lambda dy: dy)
    both.vjp_all(lambda dy, a, b: (dy["total"] + dy["product"] * b, dy["total"] + dy["product"] * a))
    found: Any = both(a, b)
    assert isinstance(found, Both)
    (found.total + 10.0 * found.product).sum().backward()
    assert a.grad is not None
    assert a.grad.tolist() == [21.0, 31.0]
    halved: Any = both(a, 0.5)
    (halved.total + halved.product).sum().backward()
    assert a.grad.tolist() == [22.5, 32.5]


def test_a_rule_of_the_wrong_shape_is_named(declare: None) -> None:
    @composite(Sample())
    def misshapen(xp: Namespace, x: Array, /) -> Raw:
        """Nothing in particular."""
        return x

    misshapen.vjp(x=lambda dy, xp: xp.concat([dy, dy], axis=0))
    x = dc.ones(2, requires_grad=True)
    with pytest.raises(dc.GradientError, match=r"misshapen: a rule gave a cotangent of shape \(4,\)"):
        misshapen(x).sum().backward()
