"""Normalisation, embeddings and the bilinear layer against PyTorch: results, gradients, statistics, and training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
RENAMED = {"use_bias": "bias"}


@pytest.fixture(params=TOLERANCES)
def dtype(request: pytest.FixtureRequest) -> Iterator[str]:
    """A data type, in which both libraries make parameters."""
    dc.set_default_dtype(getattr(dc, request.param))
    torch.set_default_dtype(getattr(torch, request.param))
    yield request.param
    dc.set_default_dtype(dc.float32)
    torch.set_default_dtype(torch.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def assert_equal(ours: dc.Tensor | None, theirs: Any) -> None:
    assert ours is not None
    desired = theirs.detach().numpy()
    assert (ours.dtype.name, ours.shape) == (desired.dtype.name, desired.shape)
    tolerance = TOLERANCES[desired.dtype.name]
    np.testing.assert_allclose(ours.numpy(), desired, rtol=tolerance, atol=tolerance * max(1, np.abs(desired).max()))


def both(values: NDArray[Any]) -> tuple[dc.Tensor, Any]:
    return dc.asarray(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)


def copied(ours: nn.Module, theirs: Any) -> None:
    """Give both the same random parameters."""
    source = rng()
    with dc.no_grad(), torch.no_grad():
        for name, parameter in ours.named_parameters():
            values = source.normal(size=parameter.shape).astype(parameter.dtype.name)
            parameter._rebind(dc.asarray(values))
            other = theirs.get_parameter(name)
            other.copy_(torch.tensor(values.T if is_dense(ours, name) else values))


def is_dense(ours: nn.Module, name: str) -> bool:
    """Whether a parameter is the transpose of PyTorch's."""
    layer = dict(ours.named_modules())[name.rpartition(".")[0]]
    return isinstance(layer, nn.Dense) and name.endswith("weight")


def assert_same_state(ours: nn.Module, theirs: Any) -> None:
    state = theirs.state_dict()
    for name, value in ours.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert isinstance(dict(ours.named_modules())[name.rpartition(".")[0]], nn.InstanceNorm1d) or (
                value.item() == state[name].item()
            )
        else:
            assert_equal(value, state[name].T if is_dense(ours, name) else state[name])


def backward(ours: dc.Tensor, theirs: Any) -> None:
    weights = rng().uniform(-1, 1, size=ours.shape).astype(ours.dtype.name)
    (ours * dc.asarray(weights)).sum().backward()
    (theirs * torch.tensor(weights)).sum().backward()


LAYERS: list[Any] = [
    ("BatchNorm1d", (4,), {}, (6, 4)),
    ("BatchNorm1d", (4,), {}, (6, 4, 5)),
    ("BatchNorm1d", (4,), {"momentum": None}, (6, 4)),
    ("BatchNorm1d", (4,), {"affine": False, "eps": 1e-2}, (6, 4)),
    ("BatchNorm1d", (4,), {"track_running_stats": False}, (6, 4)),
    ("BatchNorm2d", (3,), {"momentum": 0.3}, (2, 3, 4, 5)),
    ("BatchNorm3d", (2,), {}, (3, 2, 2, 3, 4)),
    ("LayerNorm", (5,), {}, (2, 3, 5)),
    ("LayerNorm", ((3, 5),), {"eps": 1e-2}, (2, 3, 5)),
    ("LayerNorm", (5,), {"use_bias": False}, (4, 5)),
    ("LayerNorm", (5,), {"elementwise_affine": False}, (4, 5)),
    ("RMSNorm", (5,), {}, (2, 3, 5)),
    ("RMSNorm", ((3, 5),), {"eps": 1e-2}, (2, 3, 5)),
    ("RMSNorm", (5,), {"elementwise_affine": False}, (4, 5)),
    ("GroupNorm", (2, 6), {}, (3, 6)),
    ("GroupNorm", (2, 6), {}, (3, 6, 4, 5)),
    ("GroupNorm", (6, 6), {"affine": False}, (3, 6, 4)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 5)),
    ("InstanceNorm1d", (3,), {"affine": True, "track_running_stats": True}, (2, 3, 5)),
    ("InstanceNorm2d", (3,), {"affine": True}, (2, 3, 4, 5)),
    ("InstanceNorm3d", (2,), {"affine": True}, (3, 2, 2, 3, 4)),
]


@pytest.mark.parametrize(("name", "arguments", "options", "shape"), LAYERS)
def test_layers(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], shape: tuple[int, ...], dtype: str
) -> None:
    ours = getattr(nn, name)(*arguments, **options)
    theirs = getattr(torch.nn, name)(*arguments, **{RENAMED.get(k, k): v for k, v in options.items()})
    copied(ours, theirs)
    source = rng()
    for step in range(4):
        if step == 3:
            ours.eval()
            theirs.eval()
        x, x_torch = both((1 + 3 * source.normal(size=shape)).astype(dtype))
        y, y_torch = ours(x), theirs(x_torch)
        assert_equal(y, y_torch)
        backward(y, y_torch)
        assert_equal(x.grad, x_torch.grad)
        for path, parameter in ours.named_parameters():
            assert_equal(parameter.grad, theirs.get_parameter(path).grad)
        assert_same_state(ours, theirs)


def network(library: Any, dense: Any) -> Any:
    return library.Sequential(
        dense(7, 12),
        library.BatchNorm1d(12),
        library.Tanh(),
        dense(12, 12),
        library.LayerNorm(12),
        library.Tanh(),
        dense(12, 12),
        library.GroupNorm(3, 12),
        library.Tanh(),
        dense(12, 12),
        library.RMSNorm(12),
        dense(12, 4),
    )


def test_twenty_steps_of_training(dtype: str) -> None:
    ours, theirs = network(nn, nn.Dense), network(torch.nn, torch.nn.Linear)
    copied(ours, theirs)
    with dc.no_grad(), torch.no_grad():
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p._rebind(p * 0.5)
            q.mul_(0.5)
    step = optim.SGD(ours.parameters(), lr=0.01, momentum=0.9)
    step_torch = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.9)
    source = rng()
    for _ in range(20):
        x, labels = source.normal(size=(16, 7)).astype(dtype), source.integers(0, 4, 16)
        loss = nn.CategoricalCrossEntropy()(ours(dc.asarray(x)), dc.asarray(labels))
        loss_torch = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
        assert_equal(loss, loss_torch)
        for optimizer, value in ((step, loss), (step_torch, loss_torch)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    assert_same_state(ours, theirs)
    x = source.normal(size=(16, 7)).astype(dtype)
    assert_equal(ours.eval()(dc.asarray(x)), theirs.eval()(torch.tensor(x)))


def test_statistics_for_averaged_weights(dtype: str) -> None:
    ours, theirs = network(nn, nn.Dense), network(torch.nn, torch.nn.Linear)
    copied(ours, theirs)
    batches = [rng().normal(size=(n, 7)).astype(dtype) for n in (5, 8, 3)]
    for training in (True, False):
        ours.train(training)
        nn.update_batch_norm(ours, [(dc.asarray(x), dc.asarray(0)) for x in batches])
        torch.optim.swa_utils.update_bn([torch.tensor(x) for x in batches], theirs)
        assert_same_state(ours, theirs)
        assert all(m.training is training for _, m in ours.named_modules())
        assert ours[1].momentum == 0.1


@pytest.mark.parametrize("padding", [None, 2, -1])
@pytest.mark.parametrize("mode", ["embedding", "mean", "sum", "max"])
def test_embeddings(mode: str, padding: int | None, dtype: str) -> None:
    if mode == "embedding":
        ours: nn.Module = nn.Embedding(5, 3, padding_idx=padding)
        theirs = torch.nn.Embedding(5, 3, padding_idx=padding)
    else:
        ours = nn.EmbeddingBag(5, 3, mode=mode, padding_idx=padding)
        theirs = torch.nn.EmbeddingBag(5, 3, mode=mode, padding_idx=padding)
    copied(ours, theirs)
    indices = np.array([[1, 2, 1, 4], [2, 2, 2, 2], [4, 4, 4, 4], [0, 4, 2, 0], [3, 1, 0, 3]])
    y, y_torch = ours(dc.asarray(indices)), theirs(torch.tensor(indices))
    assert_equal(y, y_torch)
    backward(y, y_torch)
    assert_equal(ours.parameters()[0].grad, theirs.weight.grad)


def test_weighted_bags(dtype: str) -> None:
    ours, theirs = nn.EmbeddingBag(5, 3, mode="sum"), torch.nn.EmbeddingBag(5, 3, mode="sum")
    copied(ours, theirs)
    indices = rng().integers(0, 5, (4, 6))
    w, w_torch = both(rng().normal(size=(4, 6)).astype(dtype))
    y, y_torch = ours(dc.asarray(indices), w), theirs(torch.tensor(indices), per_sample_weights=w_torch)
    assert_equal(y, y_torch)
    backward(y, y_torch)
    assert_equal(ours.weight.grad, theirs.weight.grad)
    assert_equal(w.grad, w_torch.grad)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("lead", [(), (6,), (2, 3)])
def test_bilinear(lead: tuple[int, ...], use_bias: bool, dtype: str) -> None:
    ours, theirs = nn.Bilinear(3, 4, 5, use_bias=use_bias), torch.nn.Bilinear(3, 4, 5, bias=use_bias)
    copied(ours, theirs)
    a, a_torch = both(rng().normal(size=(*lead, 3)).astype(dtype))
    b, b_torch = both(rng().normal(size=(*lead, 4)).astype(dtype))
    y, y_torch = ours(a, b), theirs(a_torch, b_torch)
    assert_equal(y, y_torch)
    backward(y, y_torch)
    for x, x_torch in ((a, a_torch), (b, b_torch), *zip(ours.parameters(), theirs.parameters(), strict=True)):
        assert_equal(x.grad, x_torch.grad)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_has_the_values_of_pytorch(p: float, dtype: str) -> None:
    """What is kept and what is dropped are two straight lines, which are read from both."""
    x = np.full(2000, 3.0).astype(dtype)
    layers: list[Callable[[Any], Any]] = [nn.AlphaDropout(p, generator=Generator(0)), torch.nn.AlphaDropout(p)]
    torch.manual_seed(0)
    ours, theirs = (
        np.unique(f(make(v)).numpy()) for f, make, v in zip(layers, (dc.asarray, torch.tensor), (x, x), strict=True)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "arguments", "shape"), [("LayerNorm", (64,), (8, 64)), ("BatchNorm1d", (5,), (64, 5))]
)
def test_numbers_of_16_bits_are_summed_in_float32(
    name: str, arguments: tuple[Any, ...], shape: tuple[int, ...], half: str
) -> None:
    ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
    values = (300 + 200 * rng().normal(size=shape)).astype(np.float32)  # squares of these overflow float16
    x_torch = torch.tensor(values).to(getattr(torch, half)).requires_grad_()
    x = dc.asarray(x_torch.detach().float().numpy()).astype(getattr(dc, half))
    x.requires_grad = True
    y, y_torch = ours(x), theirs(x_torch.float())
    assert y.dtype.name == half
    backward(y.astype(dc.float32), y_torch)
    step = 2e-3 if half == "float16" else 2e-2
    np.testing.assert_allclose(y.astype(dc.float32).numpy(), y_torch.detach().numpy(), rtol=step, atol=step)
    assert x.grad is not None
    assert x.grad.dtype.name == half
    gradient = x_torch.grad.float().numpy()
    np.testing.assert_allclose(x.grad.astype(dc.float32).numpy(), gradient, atol=10 * step * np.abs(gradient).max())
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.numpy(), other.grad.numpy(), rtol=step, atol=step)
