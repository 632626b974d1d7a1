"""Functions of other libraries, as they are, give right gradients; where they do not, it is known why."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from functions import COMPILED, ENTRIES, FLOAT, Entry
from measure import RIGHT, on_deepcore, on_jax, on_torch, tried_on_deepcore
from page import marks, rows

import deepcore as dc

if TYPE_CHECKING:
    from deepcore._device import Device

WORKING = [entry for entry in ENTRIES if not entry.obstacle]
OTHERS = [entry for entry in ENTRIES if entry.obstacle]


def named(entry: Entry) -> str:
    return entry.name.replace(" ", "_")


@pytest.mark.parametrize("entry", WORKING, ids=named)
def test_gradients_are_right(entry: Entry, device: Device) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, about NumPy and about their arguments
        assert on_deepcore(entry, device) == RIGHT


@pytest.mark.parametrize("entry", OTHERS, ids=named)
def test_what_is_listed_as_an_obstacle_is_one(entry: Entry, device: Device) -> None:
    found = tried_on_deepcore(entry, device)
    if entry.obstacle == COMPILED:
        assert found == "`np.asarray`"
    elif entry.obstacle == FLOAT:
        assert found == "Python float"
    else:
        assert found not in {RIGHT, "wrong value", "wrong gradient"}


def test_names_are_given_once() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)


def test_the_page_has_every_function() -> None:
    written = rows()
    assert list(written) == [entry.name for entry in ENTRIES]
    for entry in ENTRIES:
        assert (written[entry.name][0] == RIGHT) == (not entry.obstacle), entry.name


@pytest.mark.exhaustive
@pytest.mark.parametrize("entry", ENTRIES, ids=named)
def test_the_page_says_what_torch_and_jax_do(entry: Entry) -> None:
    torch: Any = pytest.importorskip("torch")
    jax: Any = pytest.importorskip("jax")
    torch.set_default_dtype(torch.float64)
    jax.config.update("jax_enable_x64", val=True)
    try:
        assert rows()[entry.name][1:] == marks(on_torch(entry), on_jax(entry))
    finally:
        torch.set_default_dtype(torch.float32)


def test_no_gradient_is_lost_where_compiled_code_is_reached() -> None:
    entry = next(entry for entry in ENTRIES if entry.obstacle == COMPILED)
    with pytest.raises(dc.GradientError, match=r"x\.detach\(\)"):
        on_deepcore(entry, dc.device("cpu"))
