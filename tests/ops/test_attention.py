"""Attention as an operation: each library's kernel against the reference, rows without keys, and bad input."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from deepcore._device import Device

module: Any = importlib.import_module("deepcore.ops.attention")  # whose name in the package is the function's
attend: Any = dc.attention_with_kept
RNG = np.random.default_rng(0)

SHAPES = {
    "one head": ((5, 4), (7, 4), (7, 6)),
    "heads": ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4)),
    "blocks of queries": ((2, 70, 3), (2, 3000, 3), (2, 3000, 3)),
    "blocks of heads": ((9, 5, 40, 3), (9, 5, 40, 3), (9, 5, 40, 3)),
    "few blocks of heads": ((2, 70, 40, 3), (2, 70, 40, 3), (2, 70, 40, 3)),
    "groups": ((2, 6, 5, 4), (2, 2, 7, 4), (2, 2, 7, 4)),
    "shared keys": ((3, 2, 5, 4), (2, 7, 4), (7, 4)),
}


def gradients(function: Any, operands: list[dc.Tensor], mask: dc.Tensor | None) -> list[Any]:
    leaves = [dc.asarray(x.detach(), requires_grad=True) for x in operands]
    extra = mask
    if mask is not None and mask.dtype.is_inexact:
        extra = dc.asarray(mask.detach(), requires_grad=True)
        leaves.append(extra)
    y = function(*leaves[:3], extra)
    y.backward(dc.asarray(np.cos(np.arange(y.size)).reshape(y.shape), dtype=y.dtype, device=y.device))
    return [y.detach(), *[x.grad for x in leaves]]


@pytest.mark.parametrize("keep", module.KEPT)
@pytest.mark.parametrize("size", [1.0, 50.0])  # with large scores a kernel may take another way
@pytest.mark.parametrize("kind", ["", "boolean", "added"])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_kernels_agree_with_the_reference(
    shapes: Any, is_causal: bool, kind: str, size: float, keep: str, device: Device, thrifty: bool
) -> None:
    if thrifty:
        pytest.skip("compiled anew for every shape")
    enable_gqa = shapes[0][1] == 3 * shapes[1][1]
    operands = [dc.asarray(RNG.normal(size=shape), device=device) for shape in shapes]
    operands[0] = operands[0] * size
    mask = None
    if kind:
        values = RNG.normal(size=(shapes[0][-2], shapes[1][-2]))
        mask = dc.asarray(values > 0 if kind == "boolean" else values, device=device)
    options: dict[str, Any] = {"is_causal": is_causal, "enable_gqa": enable_gqa, "keep": keep}

    def reference(*args: Any) -> dc.Tensor:
        given = {"scale": None, **options}
        result: dc.Tensor = module.attention_with_kept.function(module.op, *args, **given).output
        return result

    actual = gradients(lambda *args: attend(*args, **options).output, operands, mask)
    for a, b in zip(actual, gradients(reference, operands, mask), strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize("keep", module.KEPT)
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
@pytest.mark.parametrize("kind", ["boolean", "minus infinity"])
def test_a_query_that_may_attend_to_nothing(kind: str, dtype: dc.DType, keep: str, device: Device) -> None:
    allowed = np.array([[True, False, True], [False, False, False]])
    values = allowed if kind == "boolean" else np.where(allowed, 0.0, -np.inf).astype(dtype.name)
    mask = dc.asarray(values, device=device)
    x = [
        dc.asarray(RNG.normal(size=s), dtype=dtype, device=device, requires_grad=True)
        for s in ((2, 2, 4), (2, 3, 4), (2, 3, 4))
    ]
    y, kept = attend(*x, mask, keep=keep)
    assert y.numpy()[:, 1].tolist() == [[0.0] * 4] * 2
    assert kept.numpy()[:, 1].tolist() == ([[0.0] * 3] * 2 if keep == "weights" else [-np.inf] * 2)
    (y * y).sum().backward()
    q, k, v = (t.grad.numpy() for t in x if t.grad is not None)
    assert np.isfinite(q).all()
    assert not q[:, 1].any()
    assert k[:, 0].all()
    # The second key is masked for every query, so it gets a gradient of exactly zero, and so does its value.
    assert not k[:, 1].any()
    assert not v[:, 1].any()


def test_what_is_kept_for_the_derivative_depends_on_the_number_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.normal(size=(2, 6, 4))
    found: list[dc.Tensor] = []
    for many, name in ((72, "weights"), (71, "logsumexp")):
        monkeypatch.setattr(module, "MANY", many)
        x = dc.asarray(values, requires_grad=True)
        y: Any = dc.attention(x, x, x)
        assert y._node.parents[0].parameters.get("keep", "weights") == name
        y.sum().backward()
        assert x.grad is not None
        found.append(x.grad)
    assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)


def test_the_last_result_is_differentiated_too(device: Device) -> None:
    x = [dc.asarray(RNG.normal(size=(3, 4)), device=device, requires_grad=True) for _ in range(3)]
    logarithms = attend(*x, keep="logsumexp").kept
    logarithms.sum().backward()
    expected = dc.softmax(x[0].detach() @ x[1].detach().mT / 2) @ x[1].detach() / 2
    assert_close(x[0].grad, expected, rtol=1e-10, atol=1e-12)
    assert x[2].grad is None or not x[2].grad.numpy().any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_types_are_kept(dtype: str, device: Device) -> None:
    kind = getattr(dc, dtype)
    if kind not in device.backend.raw_dtypes:
        pytest.skip("there is no such type")
    values = RNG.normal(size=(2, 3, 4))
    x = dc.asarray(values, dtype=kind, device=device, requires_grad=True)
    y = dc.attention(x, x, x)
    y.sum().backward()
    assert x.grad is not None
    assert y.dtype is x.grad.dtype is kind
    wide = dc.asarray(values, dtype=dc.float32)
    np.testing.assert_allclose(y.astype(dc.float32).numpy(), dc.attention(wide, wide, wide).numpy(), atol=0.05)


def test_dropout_is_of_the_weights() -> None:
    x = [dc.asarray(RNG.normal(size=s)) for s in ((2, 4, 3, 5), (2, 2, 6, 5), (2, 2, 6, 7))]
    halved = dc.attention(*x, enable_gqa=True, dropout=lambda p: p * 0.5)
    assert_close(halved, dc.attention(*x, enable_gqa=True) * 0.5, rtol=1e-12, atol=1e-12)


def shaped(*shapes: tuple[int, ...]) -> list[dc.Tensor]:
    return [dc.ones(shape) for shape in shapes]


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((4,), (3, 4), (3, 4)), {}, "axes of positions and features at the end"),
        (((3, 4), (3, 4), (3, 4)), {"enable_gqa": True}, "axes of heads, positions and features"),
        (((2, 4), (3, 5), (3, 5)), {}, "same number of features"),
        (((2, 4), (3, 4), (5, 4)), {}, "every key has a value"),
        (((2, 6, 2, 4), (2, 3, 2, 4), (2, 3, 2, 4)), {}, "say enable_gqa=True"),
        (((2, 6, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4)), {"enable_gqa": True}, "a multiple of them of queries"),
        (((3, 6, 2, 4), (2, 6, 2, 4), (2, 6, 2, 4)), {}, r"do not broadcast; got query \(3, 6, 2, 4\)"),
        (((3, 2, 5, 4), (3, 2, 7, 4), (3, 2, 7, 4), (7, 5)), {}, r"= \(3, 2, 5, 7\); got \(7, 5\)$"),
        (((3, 2, 5, 4), (3, 2, 7, 4), (3, 2, 7, 4), (3, 7)), {}, r"mask\[:, None, None, :\]"),
        (((3, 2, 5, 4), (3, 2, 7, 4), (3, 2, 7, 4), (3, 5, 7)), {}, r"mask\[:, None, :, :\]"),
    ],
)
def test_shapes_that_do_not_fit(shapes: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(dc.ShapeError, match=message):
        dc.attention(*shaped(*shapes), **options)


def test_other_arguments_that_do_not_fit() -> None:
    x = dc.ones((3, 4))
    with pytest.raises(dc.DTypeError, match="a mask is boolean, True where a query may attend"):
        dc.attention(x, x, x, dc.ones((3, 3), dtype=dc.int64))
    with pytest.raises(dc.ConfigError, match="keep is 'weights' or 'logsumexp', not 'all'"):
        attend(x, x, x, keep="all")
