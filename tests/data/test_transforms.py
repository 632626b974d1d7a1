from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore import ConfigError, DataError
from deepcore.data import Dataset, Draws, transforms

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(30, 3, 7, 9)).astype(np.float32)


def draws(n: int = 30, epoch: int = 0) -> Draws:
    return Draws(5, epoch, np.arange(n))


RANDOM: dict[str, transforms.Transform] = {
    "flip": transforms.RandomFlip(),
    "crop": transforms.RandomCrop((5, 6), padding=2),
    "affine": transforms.RandomAffine(degrees=30, translate=0.2, scale=(0.8, 1.2), shear=10, fill=-1),
    "composed": transforms.Compose(transforms.RandomFlip(axis=-2), transforms.RandomCrop(4)),
}


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "i4"])
@pytest.mark.parametrize("shape", [(30, 7, 9), (30, 3, 7, 9), (30, 2, 3, 7, 9)], ids=str)
@pytest.mark.parametrize("name", RANDOM)
def test_random_ones(name: str, shape: tuple[int, ...], dtype: str) -> None:
    transform = RANDOM[name]
    if name == "affine" and dtype == "u1":
        transform = transforms.RandomAffine(degrees=30, fill=255)
    batch = RNG.uniform(0, 200, shape).astype(dtype)
    before = batch.copy()
    found = transform(batch, draws())
    np.testing.assert_array_equal(batch, before)
    assert found.dtype == batch.dtype
    assert found.shape[:-2] == shape[:-2]
    np.testing.assert_array_equal(transform(batch, draws()), found)
    assert not np.array_equal(transform(batch, draws(epoch=1)), found)
    assert not np.array_equal(transform(batch), found)
    np.testing.assert_array_equal(transform(batch[[4, 2]], Draws(5, 0, [4, 2])), found[[4, 2]])
    if len(shape) > 3:  # all channels alike
        alike = transform(np.broadcast_to(batch[:, :1], shape), draws())
        np.testing.assert_array_equal(alike, np.broadcast_to(alike[:, :1], alike.shape))


def test_half_are_flipped() -> None:
    batch = np.arange(4000)[:, None] * 10 + np.arange(3)
    found = transforms.RandomFlip(0.3)(batch, draws(4000))
    flipped = (found == batch[:, ::-1]).all(axis=1)
    assert (flipped | (found == batch).all(axis=1)).all()
    assert abs(flipped.mean() - 0.3) < 0.04
    np.testing.assert_array_equal(transforms.RandomFlip(0)(IMAGES), IMAGES)
    np.testing.assert_array_equal(transforms.RandomFlip(1, axis=-2)(IMAGES), IMAGES[..., ::-1, :])


def test_every_place_is_cropped() -> None:
    image = np.arange(20.0).reshape(4, 5)
    found = transforms.RandomCrop((3, 3))(np.broadcast_to(image, (3000, 4, 5)), draws(3000))
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3)).reshape(6, 3, 3)
    counts = [int((found == window).all(axis=(1, 2)).sum()) for window in windows]
    assert sum(counts) == 3000
    assert min(counts) > 400
    padded = transforms.RandomCrop(4, padding=1, mode="edge")(IMAGES, draws())
    assert padded.shape == (30, 3, 4, 4)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("padding", [2, (1, 3), (0, 1, 2, 3)])
def test_padding(padding: Any, mode: Any) -> None:
    top, bottom, left, right = {2: (2, 2, 2, 2), (1, 3): (1, 1, 3, 3), (0, 1, 2, 3): (0, 1, 2, 3)}[padding]
    options: Any = {"constant_values": 9} if mode == "constant" else {}
    expected = np.pad(IMAGES, ((0, 0), (0, 0), (top, bottom), (left, right)), mode, **options)
    np.testing.assert_array_equal(transforms.Pad(padding, mode=mode, value=9)(IMAGES), expected)


def test_the_middle() -> None:
    found = transforms.CenterCrop((4, 3))(IMAGES)
    np.testing.assert_array_equal(found, IMAGES[:, :, 1:5, 3:6])
    np.testing.assert_array_equal(transforms.CenterCrop((7, 9))(IMAGES), IMAGES)


def test_an_affine_map_that_does_nothing() -> None:
    np.testing.assert_array_equal(transforms.RandomAffine()(IMAGES), IMAGES)


def test_angles_and_shifts_have_their_range() -> None:
    batch = np.zeros((500, 21, 21))
    batch[:, 10, 16] = 1  # to the right of the centre

    def centre_of_mass(found: NDArray[Any]) -> NDArray[Any]:
        y, x = np.meshgrid(np.arange(21) - 10, np.arange(21) - 10, indexing="ij")
        return np.stack([(found * x).sum((1, 2)), (found * y).sum((1, 2))]) / found.sum((1, 2))

    x, y = centre_of_mass(transforms.RandomAffine(degrees=40)(batch))
    angles = np.degrees(np.arctan2(y, x))
    assert -41 < angles.min() < -37
    assert 37 < angles.max() < 41
    x, y = centre_of_mass(transforms.RandomAffine(translate=(0, 3 / 21))(batch))
    assert (np.abs(y) < 1e-9).all()
    assert 3 - 0.1 < x.min() < 3.1
    assert 8.9 < x.max() < 9.1
    x, _ = centre_of_mass(transforms.RandomAffine(scale=(0.5, 1.5))(batch))
    assert 2.9 < x.min() < 3.2
    assert 8.8 < x.max() < 9.1
    below = np.swapaxes(batch, 1, 2)
    x, _ = centre_of_mass(transforms.RandomAffine(shear=45)(below))
    assert -6.1 < x.min() < -5.6
    assert 5.6 < x.max() < 6.1


def test_integers_are_rounded() -> None:
    batch = RNG.integers(0, 256, (20, 6, 6)).astype(np.uint8)
    turn = transforms.RandomAffine(degrees=45, fill=255)
    exact = turn(batch.astype(np.float32), draws(20))
    np.testing.assert_array_equal(turn(batch, draws(20)), np.rint(exact).astype(np.uint8))
    with pytest.raises(ConfigError, match="cannot be filled with -1"):
        transforms.RandomAffine(fill=-1)(batch)


def test_normalizing() -> None:
    data = Dataset(3 + 2 * RNG.normal(size=(1000, 3, 4, 4)) * np.array([1, 5, 9])[:, None, None], np.zeros(1000))
    for axis, along in ((None, (0, 1, 2, 3)), (1, (0, 2, 3)), (3, (0, 1, 2))):
        normalize = transforms.Normalize.fit(data, axis=axis)
        expected = data.inputs - data.inputs.mean(axis=along, keepdims=True)
        expected /= data.inputs.std(axis=along, keepdims=True)
        np.testing.assert_allclose(normalize(data.inputs), expected, rtol=1e-10, atol=1e-12)
    assert transforms.Normalize(0, 1)(np.array([[3]], np.uint8)).dtype == np.float32
    assert transforms.Normalize(0, 1)(np.array([[3]], np.float16)).dtype == np.float16


def test_normalizing_in_parts_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset(1e6 + RNG.normal(size=(997, 2)), np.zeros(997))
    whole = transforms.Normalize.fit(data, axis=1)
    monkeypatch.setattr("deepcore.data.transforms.normalize._CHUNK", 20)
    parts = transforms.Normalize.fit(data, axis=1)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(parts.std, data.inputs.std(axis=0), rtol=1e-8)


def test_a_constant_feature_becomes_zero() -> None:
    data = Dataset(np.full((5, 2), 7.0), np.zeros(5))
    np.testing.assert_array_equal(transforms.Normalize.fit(data, axis=1)(data.inputs), np.zeros((5, 2)))


def test_unit_vectors() -> None:
    labels = np.array([[0, 2], [1, 1]])
    np.testing.assert_array_equal(transforms.OneHot(3)(labels), np.eye(3)[labels])
    smooth = transforms.OneHot(4, smoothing=0.2, dtype=np.float64)(np.array([1]))
    np.testing.assert_allclose(smooth, [[0.05, 0.85, 0.05, 0.05]])
    assert transforms.OneHot(1)(np.array([0])).tolist() == [[1]]


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (lambda: transforms.Pad(-1), "Pad"),
        (lambda: transforms.Pad((1, 2, 3)), "Pad"),
        (lambda: transforms.Pad(1, mode="wrap"), "Pad"),  # type: ignore[arg-type]
        (lambda: transforms.CenterCrop(0), "CenterCrop"),
        (lambda: transforms.RandomCrop((1, 2, 3)), "RandomCrop"),  # type: ignore[arg-type]
        (lambda: transforms.RandomFlip(1.5), "RandomFlip"),
        (lambda: transforms.RandomAffine(degrees=-1), "RandomAffine"),
        (lambda: transforms.RandomAffine(scale=(0, 1)), "RandomAffine"),
        (lambda: transforms.RandomAffine(shear=90), "RandomAffine"),
        (lambda: transforms.Normalize(0, 0), "Normalize"),
        (lambda: transforms.Normalize(np.nan, 1), "Normalize"),
        (lambda: transforms.OneHot(0), "OneHot"),
        (lambda: transforms.OneHot(2, smoothing=1.1), "OneHot"),
    ],
)
def test_options_out_of_range(make: Any, pattern: str) -> None:
    with pytest.raises(ConfigError, match=pattern):
        make()


@pytest.mark.parametrize(
    ("transform", "batch", "pattern"),
    [
        (transforms.CenterCrop(8), IMAGES, "8 by 8 does not fit into images of 7 by 9"),
        (transforms.RandomCrop((7, 10)), IMAGES, "does not fit"),
        (transforms.CenterCrop(2), np.zeros((4, 4)), r"not \(4, 4\)"),
        (transforms.Pad(7, mode="reflect"), IMAGES, "wider than the image"),
        (transforms.RandomFlip(axis=0), IMAGES, "no axis 0"),
        (transforms.RandomFlip(axis=-4), IMAGES, "no axis -4"),
        (transforms.OneHot(2), np.array([0, 2]), "0 to 1, not int64 from 0 to 2"),
        (transforms.OneHot(2), np.array([-1]), "from -1"),
        (transforms.OneHot(2), np.array([1.0]), "float64"),
    ],
)
def test_batches_that_do_not_fit(transform: transforms.Transform, batch: Any, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        transform(batch)


def test_axes_that_are_not_there() -> None:
    for axis in (0, 4, -1):
        with pytest.raises(DataError, match="axes 1 to 3"):
            transforms.Normalize.fit(Dataset(IMAGES, np.zeros(30)), axis=axis)
