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

LOGS = np.log(P)
SIGNS = np.sign(Z) * np.array([1, -1, 1])
CLASS_WEIGHTS = np.array([0.5, 2.0, 1.5])
HARD = np.round(YES)
P_HARD = np.where(HARD == 1, SIGMOID, 1 - SIGMOID)
SOFT = P[::-1].copy()
A, B = Z / np.linalg.norm(Z, axis=1, keepdims=True), SOFT / np.linalg.norm(SOFT, axis=1, keepdims=True)


def margins(m: float, p: int) -> Any:
    short = np.maximum(0, m - Z[range(4), LABELS][:, None] + Z)
    return ((short**p) * (1 - ONE_HOT)).sum(1) / 3


# The loss, the prediction, the target, and the losses of elements or samples.
CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "mse": (nn.MSE, Z, YES, (Z - YES) ** 2),
    "mae": (nn.MAE, Z, YES, np.abs(Z - YES)),
    "huber": (nn.Huber, Z, YES, np.where(np.abs(Z - YES) < 1, (Z - YES) ** 2 / 2, np.abs(Z - YES) - 0.5)),
    "huber-0.3": (
        lambda **options: nn.Huber(0.3, **options),
        Z,
        YES,
        np.where(np.abs(Z - YES) < 0.3, (Z - YES) ** 2 / 2, 0.3 * np.abs(Z - YES) - 0.045),
    ),
    "bce-weighted": (
        lambda **options: nn.BinaryCrossEntropy(pos_weight=[1.0, 2.0, 3.0], **options),
        Z,
        YES,
        -(np.array([1, 2, 3]) * YES * np.log(SIGMOID) + (1 - YES) * np.log(1 - SIGMOID)),
    ),
    "bce-probabilities-weighted": (
        lambda **options: nn.BinaryCrossEntropy(pos_weight=2.0, from_logits=False, **options),
        SIGMOID,
        YES,
        -(2 * YES * np.log(SIGMOID) + (1 - YES) * np.log(1 - SIGMOID)),
    ),
    "kl": (nn.KLDivergence, LOGS, SOFT, SOFT * (np.log(SOFT) - LOGS)),
    "kl-logits": (
        lambda **options: nn.KLDivergence(from_logits=True, **options),
        Z,
        SOFT,
        SOFT * (np.log(SOFT) - LOGS),
    ),
    "hinge": (nn.Hinge, Z, SIGNS, np.maximum(0, 1 - SIGNS * Z)),
    "hinge-squared": (
        lambda **options: nn.Hinge(0.5, squared=True, **options),
        Z,
        SIGNS,
        np.maximum(0, 0.5 - SIGNS * Z) ** 2,
    ),
    "categorical-hinge": (nn.CategoricalHinge, Z, LABELS, margins(1, 1)),
    "categorical-hinge-squared": (
        lambda **options: nn.CategoricalHinge(0.7, squared=True, **options),
        Z,
        LABELS,
        margins(0.7, 2),
    ),
    "focal": (
        nn.BinaryFocal,
        Z,
        HARD,
        -np.where(HARD == 1, 0.25, 0.75) * (1 - P_HARD) ** 2 * np.log(P_HARD),
    ),
    "focal-3": (
        lambda **options: nn.BinaryFocal(0.5, None, **options),
        Z,
        HARD,
        -((1 - P_HARD) ** 0.5) * np.log(P_HARD),
    ),
    "categorical-focal": (
        lambda **options: nn.CategoricalFocal(1.5, **options),
        Z,
        LABELS,
        (-((1 - P) ** 1.5) * np.log(P))[range(4), LABELS],
    ),
    "cosine": (nn.Cosine, Z, SOFT, 1 - (A * B).sum(1)),
    "nll": (nn.NLL, LOGS, LABELS, -LOGS[range(4), LABELS]),
    "nll-distribution": (nn.NLL, LOGS, SOFT, -(LOGS * SOFT).sum(1)),
    "cce-smoothed": (
        lambda **options: nn.CategoricalCrossEntropy(label_smoothing=0.3, **options),
        Z,
        LABELS,
        -((0.7 * ONE_HOT + 0.1) * LOGS).sum(1),
    ),
    "cce-smoothed-distribution": (
        lambda **options: nn.CategoricalCrossEntropy(label_smoothing=0.3, **options),
        Z,
        SOFT,
        -((0.7 * SOFT + 0.1) * LOGS).sum(1),
    ),
    "cce-smoothed-probabilities": (
        lambda **options: nn.CategoricalCrossEntropy(label_smoothing=0.3, from_logits=False, **options),
        P,
        LABELS,
        -((0.7 * ONE_HOT + 0.1) * LOGS).sum(1),
    ),
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
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "per-sample"])
def test_values(case: tuple[Any, Any, Any, Any], reduction: str, device: Device) -> None:
    make, prediction, target, losses = case
    actual = make(reduction=reduction).to(device)(
        dc.asarray(prediction, device=device), dc.asarray(target, device=device)
    )
    per_sample = losses if losses.ndim == 1 else losses.sum(1)
    desired = {"none": losses, "sum": losses.sum(), "mean": losses.mean(), "per-sample": per_sample}[reduction]
    assert_close(actual.numpy(), np.asarray(desired), rtol=1e-11, atol=1e-13)


@EVERY
@pytest.mark.parametrize("of", ["samples", "losses"])
def test_weights(case: tuple[Any, Any, Any, Any], of: str, device: Device) -> None:
    make, prediction, target, losses = case
    shape = losses.shape[:1] if of == "samples" else losses.shape
    weights = RNG.uniform(size=shape) + 0.5
    each = weights.reshape(*shape, *[1] * (losses.ndim - len(shape))) * np.ones_like(losses)
    extra = (None,) if isinstance(make(), nn.Cosine) else ()
    given = [dc.asarray(prediction, device=device), dc.asarray(target, device=device), *extra]
    mean = make().to(device)(*given, dc.asarray(weights, device=device))
    assert_close(mean.numpy(), np.asarray((each * losses).sum() / each.sum()), rtol=1e-11)
    none = make(reduction="none").to(device)(*given, dc.asarray(weights, device=device))
    assert_close(none.numpy(), each * losses, rtol=1e-11, atol=1e-13)
    assert make().to(device)(*given, dc.zeros(shape, dtype=dc.float64, device=device)).item() == 0.0
    with pytest.raises(dc.ShapeError, match="weights are one for each sample or loss, of shape"):
        make().to(device)(*given, dc.ones((7,), device=device))


@EVERY
def test_gradients(case: tuple[Any, Any, Any, Any], device: Device) -> None:
    make, prediction, target, _ = case
    fixed = dc.asarray(target, device=device)
    loss = make(reduction="none").to(device)
    check_grads(lambda prediction: loss(prediction, fixed), dc.asarray(prediction, device=device), order=2)


@EVERY
def test_gradients_of_soft_targets(case: tuple[Any, Any, Any, Any]) -> None:
    make, prediction, target, _ = case
    if target.dtype.kind == "f" and not isinstance(make(), nn.BinaryFocal):
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
    loss = make().to(device)(z, dc.asarray(target.astype(kind), device=device))
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


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("ignored", [None, 2, -100])
@pytest.mark.parametrize("weighted", [True, False])
def test_classes_are_weighted_and_ignored(
    weighted: bool, ignored: int | None, smoothing: float, from_logits: bool, device: Device
) -> None:
    labels = np.where(LABELS == 2, ignored, LABELS) if ignored is not None else LABELS
    weights = CLASS_WEIGHTS if weighted else np.ones(3)
    kept = labels != ignored
    q = ((1 - smoothing) * ONE_HOT + smoothing / 3) * weights
    losses = -(q * LOGS).sum(1) * kept
    loss = nn.CategoricalCrossEntropy(
        from_logits=from_logits,
        class_weights=list(weights) if weighted else None,
        ignore_index=ignored,
        label_smoothing=smoothing,
    ).to(device)
    given = dc.asarray(Z if from_logits else P, device=device)
    target = dc.asarray(labels, device=device)
    mean = (losses.sum() / (weights[LABELS] * kept).sum()).item()
    tolerance = 1e-6 if weighted else 1e-12  # the weights are float32 by default
    assert loss(given, target).item() == pytest.approx(mean, rel=tolerance)
    loss.reduction = "none"
    assert_close(loss(given, target).numpy(), losses, rtol=tolerance, atol=1e-12)
    check_grads(lambda z: loss(z, target), given, order=2)


def test_nothing_but_ignored_labels_costs_nothing(device: Device) -> None:
    z = dc.asarray(Z, device=device, requires_grad=True)
    loss = nn.CategoricalCrossEntropy(ignore_index=-1)(z, dc.full((4,), -1, device=device))
    loss.backward()
    assert loss.item() == 0.0
    assert not gradient(z).numpy().any()


def test_the_axis_of_the_classes_is_chosen(device: Device) -> None:
    z = RNG.normal(size=(2, 3, 4, 5))
    labels = RNG.integers(0, 3, (2, 4, 5))
    soft = RNG.dirichlet(np.ones(3), (2, 4, 5))
    for target, moved in ((labels, labels), (soft, np.moveaxis(soft, -1, 1))):
        first = nn.CategoricalCrossEntropy(axis=1, reduction="none")
        last = nn.CategoricalCrossEntropy(reduction="none")
        actual = first(dc.asarray(z, device=device), dc.asarray(moved.copy(), device=device))
        desired = last(dc.asarray(np.moveaxis(z, 1, -1).copy(), device=device), dc.asarray(target, device=device))
        assert actual.shape == (2, 4, 5)
        assert_close(actual, desired, rtol=1e-12)
        assert nn.CategoricalCrossEntropy(axis=1, reduction="per-sample")(
            dc.asarray(z, device=device), dc.asarray(moved.copy(), device=device)
        ).shape == (2,)


def test_the_divergence_is_the_mean_over_samples(device: Device) -> None:
    target = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])
    terms = np.where(target > 0, target * (np.log(np.where(target > 0, target, 1)) - LOGS), 0)
    loss = nn.KLDivergence(reduction="batchmean")
    with np.errstate(all="raise"):
        actual = loss(dc.asarray(LOGS, device=device), dc.asarray(target, device=device))
    assert actual.item() == pytest.approx(terms.sum(1).mean())
    log_target = nn.KLDivergence(reduction="batchmean", log_target=True)
    assert log_target(dc.asarray(LOGS, device=device), dc.asarray(np.log(SOFT), device=device)).item() == (
        pytest.approx((SOFT * (np.log(SOFT) - LOGS)).sum(1).mean())
    )


# -------------------------------------------------------------------------------------------- distances and variances


def test_gaussian_likelihood(device: Device) -> None:
    variance = RNG.uniform(0.5, 2.0, size=(4, 3))
    for v in (variance, variance[:, :1].copy()):
        expected = 0.5 * (np.log(v) + (Z - YES) ** 2 / v) + 0.5 * np.log(2 * np.pi)
        loss = nn.GaussianNLL(full=True, reduction="none")
        arrays = [dc.asarray(x, device=device) for x in (Z, YES, v)]
        assert_close(loss(*arrays).numpy(), expected, rtol=1e-12)
        check_grads(loss, *arrays, order=2)
    with pytest.raises(dc.DataError, match=r"GaussianNLL: a variance is -0\.5; predict its logarithm"):
        nn.GaussianNLL()(dc.ones(2), dc.ones(2), dc.asarray([1.0, -0.5]))
    with pytest.raises(dc.ShapeError, match=r"means \(4, 3\) need variances of shape \(4, 3\) or \(4, 1\), got \(4,\)"):
        nn.GaussianNLL()(dc.ones((4, 3)), dc.ones((4, 3)), dc.ones(4))


PAIRS = np.array([1, -1, 1, -1])


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_pairs_and_triplets(dtype: dc.DType, device: Device) -> None:
    a, b, c = (dc.asarray(x, dtype=dtype, device=device) for x in (Z, YES, SOFT))
    d, far = np.linalg.norm(Z - YES, axis=1), np.linalg.norm(Z - SOFT, axis=1)
    cosine = (A * YES).sum(1) / np.linalg.norm(YES, axis=1)
    cases: list[tuple[nn.Loss, list[dc.Tensor], Any]] = [
        (
            nn.Contrastive(2.0, reduction="none"),
            [a, b, dc.asarray(PAIRS == 1, device=device)],
            np.where(PAIRS == 1, d**2, np.maximum(0, 2 - d) ** 2) / 2,
        ),
        (
            nn.Cosine(0.1, reduction="none"),
            [a, b, dc.asarray(PAIRS, device=device)],
            np.where(PAIRS == 1, 1 - cosine, np.maximum(0, cosine - 0.1)),
        ),
        (nn.Triplet(0.7, eps=0.0, reduction="none"), [a, b, c], np.maximum(0, d - far + 0.7)),
        (
            nn.Triplet(0.7, eps=0.0, swap=True, reduction="none"),
            [a, b, c],
            np.maximum(0, d - np.minimum(far, np.linalg.norm(YES - SOFT, axis=1)) + 0.7),
        ),
    ]
    for loss, arguments, desired in cases:
        actual = loss(*arguments)
        assert actual.dtype is dtype
        assert_close(actual.numpy(), desired.astype(dtype.name), rtol=1e-5, atol=1e-6)
        if dtype is dc.float64:
            check_grads(lambda *vectors, loss=loss, rest=arguments[2:]: loss(*vectors, *rest), a, b, order=2)


def test_equal_vectors_have_gradients_that_are_numbers(device: Device) -> None:
    values = np.ones((2, 3))
    for loss, *more in (
        (nn.Contrastive(), dc.asarray([1, 0], device=device)),
        (nn.Cosine(), dc.asarray([1, -1], device=device)),
        (nn.Triplet(eps=0.0), dc.asarray(values, device=device)),
    ):
        for a_values, b_values in ((values, values), (0 * values, values), (0 * values, 0 * values)):
            a = dc.asarray(a_values.copy(), device=device, requires_grad=True)
            with np.errstate(all="raise"):
                loss(a, dc.asarray(b_values, device=device), *more).backward()
            assert np.isfinite(gradient(a).numpy()).all()


def test_what_distances_are_of_is_checked() -> None:
    with pytest.raises(
        dc.ShapeError, match=r"Triplet: expected vectors of the same shape .*\(2, 3\), \(2, 3\), \(3, 3\)"
    ):
        nn.Triplet()(dc.ones((2, 3)), dc.ones((2, 3)), dc.ones((3, 3)))
    with pytest.raises(dc.ShapeError, match=r"Contrastive: vectors \(2, 3\) need targets \(2,\), got \(2, 1\)"):
        nn.Contrastive()(dc.ones((2, 3)), dc.ones((2, 3)), dc.ones((2, 1)))


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


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (dc.ones((2, 3)), dc.ones((3, 2)), r"\(2, 3\) and the target \(3, 2\); one of them is transposed"),
        (dc.ones(4), dc.ones((4, 1)), "the target has one more axis, reshape it to match"),
        (dc.ones((4, 3)), dc.asarray(LABELS), "labels of classes go with CategoricalCrossEntropy"),
    ],
)
def test_messages_name_the_likely_cause(prediction: dc.Tensor, target: dc.Tensor, message: str) -> None:
    with pytest.raises(dc.ShapeError, match=message):
        nn.MSE()(prediction, target)


def test_messages_about_labels_name_the_likely_cause() -> None:
    with pytest.raises(dc.DataError, match="if -100 marks samples to leave out, give ignore_index=-100"):
        nn.CategoricalCrossEntropy()(dc.ones((2, 3)), dc.asarray([0, -100]))
    with pytest.raises(dc.DataError, match=r"labels from 1 to 3.*; these count from 1"):
        nn.CategoricalCrossEntropy()(dc.ones((2, 3)), dc.asarray([1, 3]))
    with pytest.raises(dc.DataError, match="labels from 0 to 3"):
        nn.CategoricalCrossEntropy(ignore_index=-100)(dc.ones((3, 3)), dc.asarray([0, 3, -100]))
    with pytest.raises(dc.ShapeError, match="for classes along axis 1 use axis=1"):
        nn.CategoricalCrossEntropy()(dc.ones((2, 3, 4)), dc.zeros((2, 4), dtype=dc.int64))
    with pytest.raises(dc.ShapeError, match=r"CategoricalFocal: targets are labels, whole numbers of shape \(2,\)"):
        nn.CategoricalFocal()(dc.ones((2, 3)), dc.ones((2, 3)))
    with pytest.raises(dc.ShapeError, match=r"3 classes need class_weights of shape \(3,\), got \(2,\)"):
        nn.CategoricalCrossEntropy(class_weights=[1.0, 2.0])(dc.ones((2, 3)), dc.asarray([0, 1]))
    with pytest.raises(dc.ShapeError, match=r"pos_weight is one number, or one for each output, of shape \(3,\)"):
        nn.BinaryCrossEntropy(pos_weight=[1.0, 2.0])(dc.ones((2, 3)), dc.ones((2, 3)))


def test_whole_numbers_are_no_predictions() -> None:
    for loss in (nn.MSE(), nn.CategoricalCrossEntropy(), nn.Cosine()):
        with pytest.raises(dc.DTypeError, match="predictions are floating point, and these are int64"):
            loss(dc.asarray([[1, 2]]), dc.asarray([0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Huber(0.0), "delta is above 0"),
        (lambda: nn.CategoricalCrossEntropy(label_smoothing=1.5), "label_smoothing is from 0 to 1, not 1.5"),
        (lambda: nn.GaussianNLL(eps=0.0), "eps is above 0"),
        (lambda: nn.CategoricalHinge(0.0), "the margin is above 0"),
        (lambda: nn.BinaryFocal(-1.0), "gamma is at least 0"),
        (lambda: nn.BinaryFocal(alpha=2.0), "alpha is from 0 to 1, or None, not 2.0"),
        (lambda: nn.CategoricalFocal(0.5), "gamma is 0 or at least 1, not 0.5"),
    ],
)
def test_options_are_checked(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()


@pytest.mark.parametrize("kind", [nn.BinaryCrossEntropy, nn.CategoricalCrossEntropy])
def test_unknown_reductions_are_refused(kind: type[nn.Loss]) -> None:
    with pytest.raises(
        dc.ConfigError, match=r"unknown reduction 'half_norm'; the known ones are mean, sum, none, per-sample$"
    ):
        kind(reduction="half_norm")
    with pytest.raises(
        dc.ConfigError, match=r"unknown reduction 'average'; .* mean, sum, none, per-sample, half_norm$"
    ):
        nn.MSE(reduction="average")
