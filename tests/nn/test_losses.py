"""Losses: values, derivatives, data types, numbers that stay finite, and the messages about what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.nn.cross_entropy import clamped_log
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from deepcore._device import Device

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(4, 3))
LABELS = np.array([0, 2, 1, 2])
YES = np.array([[0.0, 1.0, 0.25], [1.0, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.0]])
ONE_HOT = np.eye(3)[LABELS]
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-Z))

# The loss, the prediction, the target, and the losses of elements or samples.
CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "mse": (nn.MSE, Z, YES, (Z - YES) ** 2),
    "bce-logits": (
        nn.BinaryCrossEntropy,
        Z,
        YES,
        -(YES * np.log(SIGMOID) + (1 - YES) * np.log(1 - SIGMOID)),
    ),
    "bce-probabilities": (
        lambda **options: nn.BinaryCrossEntropy(from_logits=False, **options),
        SIGMOID,
        YES,
        -(YES * np.log(SIGMOID) + (1 - YES) * np.log(1 - SIGMOID)),
    ),
    "cce-labels": (nn.CategoricalCrossEntropy, Z, LABELS, -np.log(P)[range(4), LABELS]),
    "cce-one-hot": (nn.CategoricalCrossEntropy, Z, ONE_HOT, -np.log(P)[range(4), LABELS]),
    "cce-distribution": (nn.CategoricalCrossEntropy, Z, P[::-1].copy(), -(P[::-1] * np.log(P)).sum(-1)),
    "cce-probabilities-labels": (
        lambda **options: nn.CategoricalCrossEntropy(from_logits=False, **options),
        P,
        LABELS,
        -np.log(P)[range(4), LABELS],
    ),
    "cce-probabilities-one-hot": (
        lambda **options: nn.CategoricalCrossEntropy(from_logits=False, **options),
        P,
        ONE_HOT,
        -np.log(P)[range(4), LABELS],
    ),
}


def gradient(x: dc.Tensor) -> dc.Tensor:
    assert x.grad is not None
    return x.grad


EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@EVERY
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_values(case: tuple[Any, Any, Any, Any], reduction: str, device: Device) -> None:
    make, prediction, target, losses = case
    actual = make(reduction=reduction)(dc.asarray(prediction, device=device), dc.asarray(target, device=device))
    desired = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    assert_close(actual.numpy(), np.asarray(desired), rtol=1e-11, atol=1e-13)


@EVERY
def test_gradients(case: tuple[Any, Any, Any, Any], device: Device) -> None:
    make, prediction, target, _ = case
    fixed = dc.asarray(target, device=device)
    loss = make(reduction="none")
    check_grads(lambda prediction: loss(prediction, fixed), dc.asarray(prediction, device=device), order=2)


@EVERY
def test_gradients_of_soft_targets(case: tuple[Any, Any, Any, Any]) -> None:
    make, prediction, target, _ = case
    if target.dtype.kind == "f":
        check_grads(make(), dc.asarray(prediction), dc.asarray(target))


@EVERY
@pytest.mark.parametrize("target_type", ["same", "float64", "int64", "int32", "uint8"])
def test_float32_is_kept_whatever_the_targets_are(
    case: tuple[Any, Any, Any, Any], target_type: str, device: Device
) -> None:
    make, prediction, target, _ = case
    z = dc.asarray(prediction.astype(np.float32), device=device, requires_grad=True)
    kind = np.dtype(np.float32 if target_type == "same" else target_type)
    if target.ndim == 1 and kind.kind == "f":
        kind = target.dtype
    loss = make()(z, dc.asarray(target.astype(kind), device=device))
    loss.backward()
    assert z.grad is not None
    assert (loss.dtype, loss.shape, loss.device) == (dc.float32, (), device)
    assert (z.grad.dtype, z.grad.shape, z.grad.device) == (dc.float32, z.shape, device)


def test_half_norm_is_the_textbooks_squared_error(device: Device) -> None:
    z = dc.asarray(Z, device=device, requires_grad=True)
    loss = nn.MSE(reduction="half_norm")(z, dc.asarray(YES, device=device))
    loss.backward()
    assert z.grad is not None
    assert_close(loss.numpy(), np.asarray(0.5 * ((Z - YES) ** 2).sum(1).mean()), rtol=1e-12)
    assert_close(z.grad.numpy(), (Z - YES) / len(Z), rtol=1e-12)


# ----------------------------------------------------------------------------------------------------- finite numbers


@pytest.mark.parametrize("size", [800.0, 1e4, 1e30])
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_huge_logits(size: float, dtype: dc.DType, device: Device) -> None:
    with np.errstate(all="raise", under="ignore"):
        z = dc.asarray([[-size, size], [size, -size]], dtype=dtype, device=device, requires_grad=True)
        right = dc.asarray([[0.0, 1.0], [1.0, 0.0]], dtype=dtype, device=device)
        losses = [
            nn.BinaryCrossEntropy(reduction="sum")(z, right),
            nn.CategoricalCrossEntropy(reduction="sum")(z, dc.asarray([1, 0], device=device)),
            nn.CategoricalCrossEntropy(reduction="sum")(z, right),
        ]
        wrong = [
            nn.BinaryCrossEntropy(reduction="sum")(z, 1 - right),
            nn.CategoricalCrossEntropy(reduction="sum")(z, dc.asarray([0, 1], device=device)),
            nn.CategoricalCrossEntropy(reduction="sum")(z, 1 - right),
        ]
        gradients: list[Any] = []
        for loss in wrong:
            z.grad = None
            loss.backward()
            gradients.append(gradient(z).tolist())
    assert [loss.item() for loss in losses] == [0.0, 0.0, 0.0]
    assert [loss.item() for loss in wrong] == pytest.approx([4 * size] * 3)
    assert gradients == [[[-1.0, 1.0], [1.0, -1.0]]] * 3


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_probabilities_of_zero_and_one_cost_one_hundred_at_most(dtype: dc.DType, device: Device) -> None:
    with np.errstate(all="raise"):
        p = dc.asarray([0.0, 1.0, 0.0, 1.0, 0.5], dtype=dtype, device=device, requires_grad=True)
        target = dc.asarray([1.0, 0.0, 0.0, 1.0, 1.0], dtype=dtype, device=device)
        losses = nn.BinaryCrossEntropy(from_logits=False, reduction="none")(p, target)
        losses.sum().backward()
    assert p.grad is not None
    assert losses.tolist() == pytest.approx([100.0, 100.0, 0.0, 0.0, np.log(2)])
    # A certain mistake still has a gradient, in the right direction and finite.
    assert p.grad.tolist() == pytest.approx([-1e12, 1e12, 1.0, -1.0, -2.0])


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_categorical_probabilities_of_zero_and_one(dtype: dc.DType, device: Device) -> None:
    loss = nn.CategoricalCrossEntropy(from_logits=False, reduction="none")
    with np.errstate(all="raise"):
        p = dc.asarray([[0.0, 1.0], [1.0, 0.0]], dtype=dtype, device=device, requires_grad=True)
        labels = dc.asarray([0, 0], device=device)
        of_labels = loss(p, labels)
        of_labels.sum().backward()
        of_labels_gradient = gradient(p)
        p.grad = None
        of_rows = loss(p, dc.asarray([[1.0, 0.0], [1.0, 0.0]], dtype=dtype, device=device))
        of_rows.sum().backward()
    assert of_labels.tolist() == of_rows.tolist() == pytest.approx([100.0, 0.0])
    assert of_labels_gradient.tolist() == [pytest.approx([-1e12, 0.0]), pytest.approx([-1.0, 0.0])]
    assert gradient(p).tolist() == of_labels_gradient.tolist()


@pytest.mark.parametrize("value", [1e-40, 1e-38, 1e-30, 1e-13])
def test_tiny_probabilities_give_finite_losses_and_gradients(value: float, device: Device) -> None:
    p = dc.asarray([value], dtype=dc.float32, device=device, requires_grad=True)
    loss = nn.BinaryCrossEntropy(from_logits=False)(p, dc.ones(1, device=device))
    loss.backward()
    assert p.grad is not None
    assert -np.log(value) - 1 < loss.item() <= 100.0  # JAX takes what is below 1.2e-38 for 0
    assert p.grad.item() == pytest.approx(-1e12)


def test_what_is_no_probability_is_not_hidden(device: Device) -> None:
    with np.errstate(all="ignore"):
        values = clamped_log(dc.asarray([float("nan"), -1.0], device=device))
    assert np.isnan(values.numpy()).all()


def test_saturated_sigmoid_and_softmax_in_front_of_probabilities_have_finite_gradients(device: Device) -> None:
    z = dc.asarray([[-800.0, 800.0]], device=device, requires_grad=True)
    nn.CategoricalCrossEntropy(from_logits=False)(dc.softmax(z), dc.asarray([0], device=device)).backward()
    nn.BinaryCrossEntropy(from_logits=False)(dc.sigmoid(z), dc.asarray([[1.0, 0.0]], device=device)).backward()
    assert z.grad is not None
    assert np.isfinite(z.grad.numpy()).all()


# ------------------------------------------------------------------------------------------------------------ labels


def test_labels_and_one_hot_rows_agree(device: Device) -> None:
    gradients: list[dc.Tensor] = []
    for target in (LABELS, ONE_HOT, ONE_HOT.astype(np.int64)):
        z = dc.asarray(Z, device=device, requires_grad=True)
        nn.CategoricalCrossEntropy()(z, dc.asarray(target, device=device)).backward()
        assert z.grad is not None
        gradients.append(z.grad)
    assert_close(gradients[0], gradients[1], rtol=1e-12, atol=1e-15)
    assert_close(gradients[1], gradients[2], rtol=0, atol=0)


def test_labels_of_several_axes(device: Device) -> None:
    z = RNG.normal(size=(2, 3, 5))
    labels = RNG.integers(0, 5, (2, 3))
    loss = nn.CategoricalCrossEntropy(reduction="none")
    actual = loss(dc.asarray(z, device=device), dc.asarray(labels, device=device))
    flat = loss(dc.asarray(z.reshape(6, 5), device=device), dc.asarray(labels.ravel(), device=device))
    assert actual.shape == (2, 3)
    assert actual.numpy().ravel().tolist() == flat.tolist()


def test_more_classes_than_the_labels_type_can_count(device: Device) -> None:
    z = dc.asarray(RNG.normal(size=(2, 300)), device=device, requires_grad=True)
    nn.CategoricalCrossEntropy()(z, dc.asarray(np.array([3, 255], np.uint8), device=device)).backward()
    assert z.grad is not None
    assert (z.grad.numpy() < 0).nonzero()[1].tolist() == [3, 255]


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize(("labels", "found"), [([0, 3], "from 0 to 3"), ([-1, 2], "from -1 to 2")])
def test_labels_out_of_range(labels: list[int], found: str, from_logits: bool) -> None:
    loss = nn.CategoricalCrossEntropy(from_logits=from_logits)
    with pytest.raises(dc.DataError, match=f"labels {found}, but there are 3 classes, so they must be from 0 to 2"):
        loss(dc.ones((2, 3)), dc.asarray(labels))


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("loss", [nn.MSE(), nn.BinaryCrossEntropy(), nn.BinaryCrossEntropy(from_logits=False)])
def test_shapes_are_not_broadcast(loss: nn.Loss) -> None:
    name = type(loss).__name__
    with pytest.raises(dc.ShapeError) as caught:
        loss(dc.ones((4, 1)), dc.ones(4))
    assert str(caught.value) == (
        f"{name}: the prediction has shape (4, 1) and the target (4,); "
        "the prediction has one more axis, reshape the target to match"
    )
    with pytest.raises(dc.ShapeError, match=rf"^{name}: the prediction has shape \(4, 2\) and the target \(3, 2\)$"):
        loss(dc.ones((4, 2)), dc.ones((3, 2)))


def test_shapes_of_labels() -> None:
    loss = nn.CategoricalCrossEntropy()
    with pytest.raises(dc.ShapeError, match=r"CategoricalCrossEntropy.*\(4, 3\).*\(4,\).*\(5,\)"):
        loss(dc.ones((4, 3)), dc.zeros(5, dtype=dc.int64))
    with pytest.raises(dc.ShapeError, match=r"the prediction has shape \(4, 3\) and the target \(4, 2\)"):
        loss(dc.ones((4, 3)), dc.zeros((4, 2)))


@pytest.mark.parametrize("kind", [nn.BinaryCrossEntropy, nn.CategoricalCrossEntropy])
def test_unknown_reductions_are_refused(kind: type[nn.Loss]) -> None:
    with pytest.raises(dc.ConfigError, match=r"unknown reduction 'half_norm'; the known ones are mean, sum, none$"):
        kind(reduction="half_norm")
    with pytest.raises(dc.ConfigError, match=r"unknown reduction 'average'; .* mean, sum, none, half_norm$"):
        nn.MSE(reduction="average")
