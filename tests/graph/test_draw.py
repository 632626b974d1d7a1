"""Drawings: every value and every line is there once, nothing overlaps, and large graphs take no time."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph, nn
from deepcore.graph._layout import GAP, layout
from deepcore.graph._picture import program_picture

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


def network() -> Any:
    return nn.Sequential(
        nn.Residual(nn.Dense(4, 8, activation="relu"), nn.Dense(8, 4)),
        nn.Parallel(nn.Dense(4, 2), nn.Dense(4, 3)),
        nn.Concatenate(),
    )


def parsed(image: str) -> tuple[list[Any], list[tuple[int, int]]]:
    """Return the boxes and the lines of a drawing."""
    root = ET.fromstring(image)
    boxes = [part for part in root.iter(f"{SVG}g") if part.get("class", "").startswith("node")]
    lines = [part for part in root.iter(f"{SVG}path") if part.get("class") == "edge"]
    return boxes, [(int(part.attrib["data-from"]), int(part.attrib["data-to"])) for part in lines]


def rectangle(box: Any) -> tuple[float, ...]:
    rect = box.find(f"{SVG}rect")
    return tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))


def texts(box: Any) -> list[str]:
    return [part.text for part in box.iter(f"{SVG}text")]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("collapsed", [False, True])
def test_every_value_and_every_line_is_drawn_once(collapsed: bool) -> None:
    program = graph.traced(network(), dc.ones((5, 4)))
    boxes, lines = parsed(graph.draw(program, collapsed=collapsed))
    titles = [texts(box)[0] for box in boxes]
    assert titles[: len(program.inputs)] == [value.name for value in program.inputs]
    assert titles[len(program.inputs) : -1] == [call.operation for call in program.calls]
    assert titles[-1] == "output"
    assert [box.get("id") for box in boxes] == [f"node-{i}" for i in range(len(boxes))]
    expected = [
        (titles[a], titles[b])
        for b, call in enumerate(program.calls, len(program.inputs))
        for x in dict.fromkeys(call.operands())
        for a in [source(program, x)]
    ]
    assert len(lines) == len(set(lines)) == len(expected) + 1
    assert sorted((titles[a], titles[b]) for a, b in lines) == sorted([*expected, ("concat", "output")])


def source(program: graph.Program, value: graph.Value) -> int:
    if value in program.inputs:
        return program.inputs.index(value)
    return next(i for i, call in enumerate(program.calls, len(program.inputs)) if value in call.results)


def test_boxes_say_shapes_types_and_options() -> None:
    boxes, _ = parsed(graph.draw(network(), dc.ones((5, 4))))
    (box,) = [box for box in boxes if texts(box)[0] == "concat"]
    assert texts(box) == ["concat", "axis=-1", "float32[5,5]"]
    (box,) = [box for box in boxes if texts(box)[0] == "0.layers.1.weight"]
    assert texts(box)[1] == "float32[8,4]"


def test_names_are_text_and_no_markup() -> None:
    x = dc.asarray(1.0, requires_grad=True)
    boxes, _ = parsed(graph.draw(x * 2.0, collapsed=False, **{"<b>&": x}))
    assert texts(boxes[0])[0] == "<b>&"
    boxes, _ = parsed(graph.draw(lambda x: x[..., None] * 2.0, dc.ones(3)))
    assert "key=(..., None)" in texts(boxes[1])


@pytest.mark.parametrize("collapsed", [False, True])
def test_boxes_do_not_overlap_and_lines_go_down(collapsed: bool) -> None:
    program = graph.expanded(graph.traced(nn.TransformerEncoderLayer(8, 2, 16), dc.ones((2, 5, 8))))
    boxes, lines = parsed(graph.draw(program, collapsed=collapsed))
    rectangles = [rectangle(box) for box in boxes]
    for i, a in enumerate(rectangles):
        assert not any(overlap(a, b) for b in rectangles[:i])
    for i, j in lines:
        assert rectangles[i][1] + rectangles[i][3] < rectangles[j][1]
    root = ET.fromstring(graph.draw(program, collapsed=collapsed))
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    assert all(x <= r[0] and y <= r[1] and r[0] + r[2] <= x + width and r[1] + r[3] <= y + height for r in rectangles)


def test_random_graphs_have_no_overlaps() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 30, 80):
        edges = sorted({(int(a), int(b)) for a, b in rng.integers(0, n, (2 * n, 2)) if a < b})
        sizes = [(float(w), float(h)) for w, h in rng.uniform(10, 120, (n, 2))]
        found = layout(sizes, edges)
        rectangles = [(*corner, *size) for corner, size in zip(found.corners, sizes, strict=True)]
        for i, a in enumerate(rectangles):
            wide = (a[0] - GAP / 2 + 0.01, a[1], a[2] + GAP - 0.02, a[3])
            assert not any(overlap(wide, b) for b in rectangles[:i])
        for (i, j), line in zip(edges, found.lines, strict=True):
            assert line[0][1] == pytest.approx(rectangles[i][1] + rectangles[i][3])
            assert line[-1][1] == pytest.approx(rectangles[j][1])
            assert all(p[1] < q[1] + 1e-9 for p, q in itertools.pairwise(line))


def test_lines_cross_no_more_than_they_must() -> None:
    # Two rungs of a ladder that are given in the wrong order: the sweeps put them right.
    sizes = [(10.0, 10.0)] * 6
    found = layout(sizes, [(0, 3), (1, 2), (2, 5), (3, 4)])
    x = [corner[0] for corner in found.corners]
    assert (x[0] < x[1]) == (x[3] < x[2]) == (x[4] < x[5])


def test_a_box_is_in_the_middle_of_its_neighbours() -> None:
    found = layout([(10.0, 10.0)] * 4, [(0, 3), (1, 3), (2, 3)])
    assert found.corners[3][0] == pytest.approx(found.corners[1][0])


def test_a_chain_of_a_thousand_operations_takes_less_than_a_second() -> None:
    x = dc.asarray(1.0, requires_grad=True)
    y = x
    for _ in range(1000):
        y = dc.sin(y)
    start = time.process_time()
    image = graph.draw(y)
    assert time.process_time() - start < 1.0
    boxes, lines = parsed(image)
    assert (len(boxes), len(lines)) == (1001, 1000)


def test_many_long_lines_take_less_than_a_second() -> None:
    n = 400
    edges = [(a, a + 1) for a in range(n - 1)] + [(0, a) for a in range(2, n)]
    start = time.process_time()
    layout([(50.0, 20.0)] * n, edges)
    assert time.process_time() - start < 1.0


def test_a_tensor_is_drawn_with_values_and_gradients() -> None:
    a, b, c = (dc.asarray(x, requires_grad=True) for x in (2.0, -3.0, 10.0))
    product = a * b
    total = product + c
    boxes, lines = parsed(graph.draw(total * total * 0.5, a=a, b=b, total=total))
    assert [texts(box) for box in boxes] == [
        ["a", "float32[]", "value 2", "grad -12"],
        ["b", "float32[]", "value -3", "grad 8"],
        ["leaf", "float32[]", "value 10", "grad 4"],
        ["multiply", "float32[]", "value -6", "grad 4"],
        ["total = add", "float32[]", "value 4", "grad 4"],
        ["multiply", "float32[]", "value 16", "grad 0.5"],
        ["multiply", "float32[]", "x2=0.5", "value 8", "grad 1"],
    ]
    assert lines == [(0, 3), (1, 3), (3, 4), (2, 4), (4, 5), (5, 6)]
    (total * total).backward()  # drawing has left everything where it was
    assert a.grad is not None
    assert a.grad.item() == -24.0


def test_large_arrays_are_drawn_without_their_elements() -> None:
    x = dc.ones((7,), requires_grad=True)
    boxes, _ = parsed(graph.draw((x * 2.0).sum()))
    assert texts(boxes[0]) == ["leaf", "float32[7]"]
    y = dc.asarray([1.0, 2.0], requires_grad=True)
    boxes, _ = parsed(graph.draw((y * y).sum()))
    assert texts(boxes[0]) == ["leaf", "float32[2]", "value [1, 2]", "grad [2, 4]"]


def test_several_results_are_drawn_each() -> None:
    x = dc.asarray([[2.0, 0.0], [1.0, 1.0]], requires_grad=True)
    q, r = dc.linalg.qr(x)
    boxes, lines = parsed(graph.draw(q.sum() + r.sum()))
    assert [texts(box)[0] for box in boxes] == ["leaf", "linalg.qr", "linalg.qr.Q", "linalg.qr.R", "sum", "sum", "add"]
    assert len(lines) == 7


def test_a_graph_that_was_swept_has_shapes_alone() -> None:
    x = dc.asarray(3.0, requires_grad=True)
    y = x * x
    y.backward()
    boxes, _ = parsed(graph.draw(y))
    assert [texts(box) for box in boxes] == [["leaf", "float32[]", "value 3"], ["multiply", "float32[]", "value 9"]]


def test_a_tensor_without_a_graph_is_one_box() -> None:
    boxes, lines = parsed(graph.draw(dc.asarray(2.5)))
    assert [texts(box) for box in boxes] == [["constant", "float32[]", "value 2.5"]]
    assert lines == []


def test_a_tree_says_shared_parts_once() -> None:
    x = dc.asarray(3.0, requires_grad=True)
    y = x * x
    assert graph.tree(y + y, x=x, y=y).splitlines() == [
        "add  float32[]  value 18  grad 1",
        "├─ y = multiply  float32[]  value 9  grad 2",
        "│  ├─ x  float32[]  value 3  grad 12",
        "│  └─ x  ↑",
        "└─ y = multiply  ↑",
    ]
    assert graph.tree(dc.asarray(1.0)) == "constant  float32[]  value 1"


def test_notebooks_show_programs_and_drawings() -> None:
    program = graph.traced(dc.sin, dc.ones(3))
    assert program._repr_svg_() == graph.draw(program) == graph.draw(program)._repr_svg_()


def test_a_drawing_is_saved_whole(tmp_path: Path) -> None:
    image = graph.draw(dc.sin, dc.ones(3))
    image.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == image
    with pytest.raises(dc.StorageError, match="cannot save"):
        image.save(tmp_path / "nowhere" / "graph.svg")


def test_light_and_dark() -> None:
    image = graph.draw(dc.sin, dc.ones(3))
    assert "@media (prefers-color-scheme: dark)" in image
    assert "http" not in image.replace("http://www.w3.org/2000/svg", "")  # nothing is loaded from elsewhere


def test_labels_of_collapsed_boxes_are_there_and_hidden() -> None:
    boxes, _ = parsed(graph.draw(dc.sin, dc.ones(3), collapsed=True))
    (label,) = [part for part in boxes[1].iter(f"{SVG}g") if part.get("class") == "label"]
    assert [part.text for part in label.iter(f"{SVG}text")] == ["sin", "float32[3]"]
    assert len(program_picture(graph.traced(dc.sin, dc.ones(3))).boxes) == 3


def test_examples_and_names_are_for_what_takes_them() -> None:
    program = graph.traced(dc.sin, dc.ones(3))
    x = dc.ones(3)
    with pytest.raises(dc.ConfigError, match="has its shapes already"):
        graph.draw(program, x)
    with pytest.raises(dc.ConfigError, match="names"):
        graph.draw(program, x=x)
    with pytest.raises(dc.ConfigError, match="without examples"):
        graph.draw(x, x)
