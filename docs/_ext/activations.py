"""The page of activation functions: the equation of each, and a plot of its value and its derivative.

The derivative that is drawn is the one that deepcore computes. The plots are drawn when the documentation is built, as
SVG within the page, so that they take the colours of its theme. A Markdown page gets them where it says
``<!-- activations -->``.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sphinx.application import Sphinx

MARKER: Final = "<!-- activations -->"

LOW, HIGH = -4.0, 4.0
WIDTH, HEIGHT = 320, 200

ELEMENTWISE: Final = (
    *("Identity", "Step", "Sigmoid", "HardSigmoid", "Tanh", "Softsign", "Gaussian"),
    *("ReLU", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU", "Softplus"),
    *("HardSwish", "SiLU", "Swish", "Mish", "GELU"),
)

OF_SEVERAL: Final = {
    "GLU": "the gate $b$, for $a = 1$",
    "SwiGLU": "the gate $b$, for $a = 1$",
    "Softmax": "$x_1$, for $x = (x_1, 0, 0)$, of $y_1$",
    "LogSoftmax": "$x_1$, for $x = (x_1, 0, 0)$, of $y_1$",
    "Maxout": "one input, for three pieces",
}

PLOT: Final = """\
<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{label}" fill="none"
 stroke="currentColor">
<g stroke-opacity="0.25">{grid}</g>
<g stroke-opacity="0.7"><path d="M{x0} 0V{height}"/><path d="M0 {y0}H{width}"/></g>
<polyline stroke="#c8553d" stroke-width="1.5" stroke-dasharray="5 3" points="{derivative}"/>
<polyline stroke="#2f6db5" stroke-width="2.5" points="{value}"/>
</svg>"""


def _function(name: str, dc: Any) -> Callable[[Any], Any]:
    """Return the function of one variable that is drawn."""
    if name == "Maxout":
        layer = dc.nn.Maxout(1, 1, pieces=3)
        layer.load_state_dict({"dense.weight": np.array([[-1.0, 0.2, 0.8]]), "dense.bias": np.array([-1.5, 0.0, -1.0])})
        return lambda x: layer(x[:, None])[:, 0]
    layer = getattr(dc.nn, name)().eval()
    if name in {"GLU", "SwiGLU"}:
        return lambda x: layer(dc.stack([dc.ones_like(x), x], axis=-1))[:, 0]
    if name in OF_SEVERAL:
        return lambda x: layer(dc.stack([x, dc.zeros_like(x), dc.zeros_like(x)], axis=-1))[:, 0]
    return lambda x: layer(x)


def _curves(name: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return abscissas, values and derivatives."""
    dc: Any = importlib.import_module("deepcore")
    x = dc.asarray(dc.linspace(LOW, HIGH, 322), requires_grad=True)  # an even number, so that none is 0
    y = _function(name, dc)(x)
    y.sum().backward()
    slope = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
    return x.numpy(), y.numpy(), slope


def _plot(name: str) -> str:
    x, y, dy = _curves(name)
    low, high = min(y.min(), dy.min(), -1.0) - 0.2, max(y.max(), dy.max(), 1.0) + 0.2
    across = (x - LOW) / (HIGH - LOW) * WIDTH

    def down(values: Any) -> Any:
        return (high - values) / (high - low) * HEIGHT

    def points(values: NDArray[Any]) -> str:
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down(values), strict=True))

    lines = [f'<path d="M{(k - LOW) / (HIGH - LOW) * WIDTH:.1f} 0V{HEIGHT}"/>' for k in range(-3, 4) if k]
    lines += [f'<path d="M0 {down(k):.1f}H{WIDTH}"/>' for k in range(int(np.ceil(low)), int(high) + 1) if k]
    return PLOT.format(
        width=WIDTH,
        height=HEIGHT,
        label=f"{name} and its derivative",
        grid="".join(lines),
        x0=WIDTH // 2,
        y0=f"{down(0.0):.1f}",
        value=points(y),
        derivative=points(dy),
    )


def _equation(name: str) -> str:
    """Return the first paragraph of the layer's docstring."""
    nn = importlib.import_module("deepcore.nn")
    text = inspect.cleandoc(getattr(nn, name).__doc__).partition("\n\n")[0]
    return text.replace(":class:`", "`")


def _entry(name: str) -> str:
    shown = f" Drawn against {OF_SEVERAL[name]}." if name in OF_SEVERAL else ""
    text = f"{{py:class}}`deepcore.nn.{name}`: {_equation(name)}{shown}"
    return f"### {name}\n\n{text}\n\n```{{raw}} html\n{_plot(name)}\n```\n"


def page() -> str:
    """Return a Markdown section for every activation."""
    return "\n".join(_entry(name) for name in (*ELEMENTWISE, *OF_SEVERAL))


def _insert(_app: Sphinx, _docname: str, source: list[str]) -> None:
    if MARKER in source[0]:
        source[0] = source[0].replace(MARKER, page())


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill in the marker when a page is read."""
    app.connect("source-read", _insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
