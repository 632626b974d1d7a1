"""Trees: paths, order, and the form that a map keeps."""

from __future__ import annotations

from typing import NamedTuple

import deepcore as dc
from deepcore import nn, tree


class Point(NamedTuple):
    x: int
    y: int


def test_leaves_with_their_paths_in_order() -> None:
    value = {"a": 1, "b": [2, (3, {"c": 4})], 5: Point(6, 7), "none": [], "x": None}
    assert list(tree.leaves(value)) == [
        ("a", 1),
        ("b.0", 2),
        ("b.1.0", 3),
        ("b.1.1.c", 4),
        ("5.0", 6),
        ("5.1", 7),
        ("x", None),
    ]
    assert list(tree.leaves(3)) == [("", 3)]
    assert list(tree.leaves("text", "here")) == [("here", "text")]


def test_a_map_keeps_the_form() -> None:
    value = {"a": 1, "b": [2, (3, {"c": 4})], 5: Point(6, 7), "none": []}
    doubled = tree.tree_map(lambda x: 2 * x, value)
    assert doubled == {"a": 2, "b": [4, (6, {"c": 8})], 5: Point(12, 14), "none": []}
    assert type(doubled[5]) is Point
    assert value["a"] == 1


def test_tensors_are_leaves_and_models_are_trees() -> None:
    x = dc.ones(2)
    assert list(tree.leaves(x)) == [("", x)]
    assert tree.children(x) is None
    model = nn.Sequential(nn.Dense(1, 2), nn.ReLU())
    assert dict(tree.leaves(model)) == dict(model.named_parameters())
    assert tree.children(model) == {"0": model[0], "1": model[1]}
