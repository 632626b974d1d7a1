"""Versions and requirements, against the library that pip reads them with."""

from __future__ import annotations

import importlib.metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepcore.doctor.requirements import meets, parsed

packaging = pytest.importorskip("packaging")
requirements = pytest.importorskip("packaging.requirements")
specifiers = pytest.importorskip("packaging.specifiers")

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda xs: ".".join(map(str, xs)))


@given(
    version=NUMBERS, pins=st.lists(st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS), max_size=3)
)
def test_releases_are_compared_as_pip_does(version: str, pins: list[tuple[str, str]]) -> None:
    text = ",".join(relation + wanted for relation, wanted in pins)
    assert meets(version, text) == specifiers.SpecifierSet(text).contains(version)


@given(version=NUMBERS, wanted=NUMBERS, relation=st.sampled_from(["~=", "==", "!="]))
def test_prefixes_are_compared_as_pip_does(version: str, wanted: str, relation: str) -> None:
    text = f"{relation}{wanted}" + (".*" if relation != "~=" else "" if "." in wanted else ".0")
    assert meets(version, text) == specifiers.SpecifierSet(text).contains(version)


@pytest.mark.parametrize("distribution", ["deepcore-xp", "pytest", "hypothesis", "numpy"])
def test_metadata_is_read_as_pip_does(distribution: str) -> None:
    lines = importlib.metadata.requires(distribution) or []
    for line, found in zip(lines, parsed(lines), strict=True):
        expected = requirements.Requirement(line)
        assert found.name == expected.name.lower().replace("_", "-")
        assert set(found.pins.split(",")) == set(str(expected.specifier).split(","))
        assert (found.extra != "") == ("extra" in str(expected.marker))


def test_local_versions_and_what_is_not_understood() -> None:
    assert meets("2.13.0+cpu", ">=2.8")
    assert meets("1.0", "of any kind")
    assert meets("unknown", "")
