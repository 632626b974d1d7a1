"""Losses against PyTorch: values and gradients of the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES)
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])

rng = np.random.default_rng(0)
Z, Y = 3 * rng.normal(size=(2, 8, 5))
Z[0] = [-80, 80, 0, 1, 2]
LABELS = rng.integers(0, 5, 8)
IGNORED = np.where(rng.uniform(size=8) < 0.4, -100, LABELS)
SOFT = rng.dirichlet(np.ones(5), 8)
SOFT[1, 2] = 0.0
SIGNS = np.sign(Y)
PAIRS = np.sign(rng.normal(size=8))
WEIGHTS = np.array([0.5, 2.0, 1.0, 3.0, 0.25])
P = rng.uniform(0.01, 0.99, size=(8, 5))


def focal(z: Any, t: Any, reduction: str) -> Any:
    """Write torchvision's ``sigmoid_focal_loss``."""
    p = torch.sigmoid(z)
    p_t = p * t + (1 - p) * (1 - t)
    cost = F.binary_cross_entropy_with_logits(z, t, reduction="none")
    return reduced((0.25 * t + 0.75 * (1 - t)) * cost * (1 - p_t) ** 2, reduction)


def contrastive(a: Any, b: Any, similar: Any, reduction: str) -> Any:
    d = torch.linalg.vector_norm(a - b, dim=-1)
    return reduced(0.5 * torch.where(similar > 0, d**2, torch.clamp(4 - d, min=0) ** 2), reduction)


def reduced(losses: Any, reduction: str) -> Any:
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


def weights(like: Any) -> Any:
    return torch.tensor(WEIGHTS, dtype=like.dtype)


# What ours is called with, ours, and theirs. All arrays but those of whole numbers are differentiated.
CASES: dict[str, tuple[tuple[NDArray[Any], ...], Any, Any]] = {
    "mae": ((Z, Y), nn.MAE, F.l1_loss),
    "huber": ((Z, Y), nn.Huber, F.huber_loss),
    "huber-0.7": (
        (Z, Y),
        lambda reduction: nn.Huber(0.7, reduction=reduction),
        lambda *a, reduction: F.huber_loss(*a, reduction=reduction, delta=0.7),
    ),
    "bce-weighted": (
        (Z, SOFT),
        lambda reduction: nn.BinaryCrossEntropy(pos_weight=list(WEIGHTS), reduction=reduction),
        lambda z, t, reduction: F.binary_cross_entropy_with_logits(z, t, reduction=reduction, pos_weight=weights(z)),
    ),
    "cce-axis-1": (
        (Z.reshape(2, 4, 5), LABELS.reshape(2, 4)[:, :1].repeat(5, 1) % 4),
        lambda reduction: nn.CategoricalCrossEntropy(axis=1, reduction=reduction),
        F.cross_entropy,
    ),
    "nll": (
        (np.log(SOFT + 0.1), LABELS),
        lambda reduction: nn.NLL(class_weights=list(WEIGHTS), reduction=reduction),
        lambda z, t, reduction: F.nll_loss(z, t, weight=weights(z), reduction=reduction),
    ),
    "nll-ignored": (
        (np.log(SOFT + 0.1), IGNORED),
        lambda reduction: nn.NLL(ignore_index=-100, reduction=reduction),
        F.nll_loss,
    ),
    "kl": ((np.log(SOFT + 0.1), P), nn.KLDivergence, F.kl_div),
    "kl-log-target": (
        (np.log(SOFT + 0.1), np.log(P)),
        lambda reduction: nn.KLDivergence(log_target=True, reduction=reduction),
        lambda *a, reduction: F.kl_div(*a, reduction=reduction, log_target=True),
    ),
    "hinge-of-classes": ((Z, LABELS), nn.CategoricalHinge, F.multi_margin_loss),
    "hinge-of-classes-squared-weighted": (
        (Z, LABELS),
        lambda reduction: nn.CategoricalHinge(0.5, squared=True, class_weights=list(WEIGHTS), reduction=reduction),
        lambda z, t, reduction: F.multi_margin_loss(z, t, p=2, margin=0.5, weight=weights(z), reduction=reduction),
    ),
    "hinge": (
        (Z, SIGNS),
        nn.Hinge,
        lambda z, t, reduction: reduced(F.relu(1 - z * t), reduction),
    ),
    "focal": ((Z, (SIGNS > 0) * 1.0), nn.BinaryFocal, focal),
    "cosine": (
        (Z, Y, PAIRS),
        lambda reduction: nn.Cosine(0.2, reduction=reduction),
        lambda *a, reduction: F.cosine_embedding_loss(*a, margin=0.2, reduction=reduction),
    ),
    "contrastive": ((Z, Y, PAIRS > 0), lambda reduction: nn.Contrastive(4.0, reduction=reduction), contrastive),
    "triplet": ((Z, Y, SOFT), nn.Triplet, F.triplet_margin_loss),
    "triplet-swap": (
        (Z, Y, SOFT),
        lambda reduction: nn.Triplet(5.0, swap=True, reduction=reduction),
        lambda *a, reduction: F.triplet_margin_loss(*a, margin=5.0, swap=True, reduction=reduction),
    ),
    "gaussian": ((Z, Y, P), nn.GaussianNLL, F.gaussian_nll_loss),
    "gaussian-full": (
        (Z, Y, P[:, :1]),
        lambda reduction: nn.GaussianNLL(full=True, eps=0.3, reduction=reduction),
        lambda *a, reduction: F.gaussian_nll_loss(*a, full=True, eps=0.3, reduction=reduction),
    ),
}


def assert_equal(ours: dc.Tensor | None, theirs: Any) -> None:
    assert ours is not None
    desired = theirs.detach().numpy()
    assert ours.dtype.name == desired.dtype.name
    assert ours.shape == desired.shape
    tolerance = TOLERANCES[desired.dtype.name]
    np.testing.assert_allclose(ours.numpy(), desired, rtol=tolerance, atol=tolerance)


def compare(arrays: tuple[NDArray[Any], ...], ours: Any, theirs: Any, dtype: str) -> None:
    given = [x.astype(dtype) if x.dtype.kind == "f" else x for x in arrays]
    differentiated = [x.dtype.kind == "f" and not np.isin(x, (-1, 0, 1)).all() for x in given]
    mine = [dc.asarray(x.copy(), requires_grad=d) for x, d in zip(given, differentiated, strict=True)]
    others = [torch.tensor(x, requires_grad=d) for x, d in zip(given, differentiated, strict=True)]
    loss, loss_torch = ours(*mine), theirs(*others)
    assert_equal(loss, loss_torch)
    cotangent = np.linspace(0.5, 1.5, loss.size).reshape(loss.shape).astype(dtype)
    loss.backward(dc.asarray(cotangent))
    loss_torch.backward(torch.tensor(cotangent))
    for x, x_torch in zip(mine, others, strict=True):
        if x.requires_grad:
            assert_equal(x.grad, x_torch.grad)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both:UserWarning")  # of kl_div
@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_losses(case: tuple[tuple[NDArray[Any], ...], Any, Any], reduction: str, dtype: str) -> None:
    arrays, ours, theirs = case
    compare(arrays, ours(reduction=reduction), lambda *a: theirs(*a, reduction=reduction), dtype)


@DTYPES
def test_divergence_over_the_batch(dtype: str) -> None:
    theirs = torch.nn.KLDivLoss(reduction="batchmean")
    compare((np.log(SOFT + 0.1), P), nn.KLDivergence(reduction="batchmean"), theirs, dtype)


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["labels", "ignored", "distributions"])
def test_cross_entropy(kind: str, weighted: bool, smoothing: float, reduction: str, dtype: str) -> None:
    target = {"labels": LABELS, "ignored": IGNORED, "distributions": SOFT}[kind]
    ours = nn.CategoricalCrossEntropy(
        label_smoothing=smoothing,
        class_weights=list(WEIGHTS) if weighted else None,
        ignore_index=-100 if kind == "ignored" else None,
        reduction=reduction,
    )

    def theirs(z: Any, t: Any) -> Any:
        w = weights(z) if weighted else None
        return F.cross_entropy(z, t, weight=w, reduction=reduction, label_smoothing=smoothing)

    compare((Z, target), ours, theirs, dtype)


# ---------------------------------------------------------------------------------------------------------------- CTC


N, T, C, S = 5, 14, 6, 4
LOGITS = rng.normal(size=(N, T, C))
SEQUENCES = np.array([[1, 2, 3, 4], [1, 1, 1, 1], [5, 5, 2, 2], [3, 1, 3, 0], [2, 0, 0, 0]])
INPUT_LENGTHS = np.array([14, 7, 9, 11, 2])
TARGET_LENGTHS = np.array([4, 4, 4, 3, 0])


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("with_lengths", [True, False])
@pytest.mark.parametrize("blank", [0, 5])
def test_ctc(blank: int, with_lengths: bool, reduction: str, dtype: str) -> None:
    sequences = SEQUENCES if blank == 0 else np.maximum(SEQUENCES - 1, 0)
    if not with_lengths:
        sequences = np.maximum(sequences, 1) if blank == 0 else sequences
    times = INPUT_LENGTHS if with_lengths else np.full(N, T)
    counts = TARGET_LENGTHS if with_lengths else np.full(N, S)

    def theirs(z: Any, y: Any) -> Any:
        logs = torch.log_softmax(z, -1).transpose(0, 1)
        return F.ctc_loss(logs, y, torch.tensor(times), torch.tensor(counts), blank, reduction)

    def ours(z: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
        lengths = (dc.asarray(times), dc.asarray(counts)) if with_lengths else ()
        loss: dc.Tensor = nn.CTC(blank=blank, reduction=reduction)(z, y, *lengths)
        return loss

    compare((LOGITS, sequences), ours, theirs, dtype)


@pytest.mark.parametrize("zero_infinity", [True, False])
def test_ctc_of_labels_that_are_too_long(zero_infinity: bool) -> None:
    times = np.array([14, 6, 5, 14, 14])  # 1 1 1 1 takes seven steps, 5 5 2 2 six
    lengths = (torch.tensor(times), torch.tensor(TARGET_LENGTHS))
    z = torch.tensor(LOGITS, requires_grad=True)
    logs = torch.log_softmax(z, -1).transpose(0, 1)
    theirs = F.ctc_loss(logs, torch.tensor(SEQUENCES), *lengths, reduction="none", zero_infinity=zero_infinity)
    loss = nn.CTC(zero_infinity=zero_infinity, reduction="none")
    x = dc.asarray(LOGITS, requires_grad=True)
    ours = loss(x, dc.asarray(SEQUENCES), dc.asarray(times), dc.asarray(TARGET_LENGTHS))
    assert np.isinf(ours.numpy()).tolist() == [False, not zero_infinity, not zero_infinity, False, False]
    assert_equal(ours, theirs)
    if zero_infinity:
        ours.sum().backward()
        theirs.sum().backward()
        assert_equal(x.grad, z.grad)
