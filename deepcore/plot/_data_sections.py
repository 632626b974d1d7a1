"""The sections of a report about data: what the model takes for what, and where it is most wrong."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._page import table
from ..metrics import F1, Precision, Recall
from ._run_sections import details, number, paragraph, shown
from ._svg import picture, png
from .boundary import FEATURES, decision_boundary
from .confusion import confusion_matrix
from .prediction_error import prediction_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._outcome import Outcome
    from ._subject import Subject

EXAMPLES: Final = 24
"""How many of the samples are shown that the model got most wrong."""

PAIRS: Final = 10
"""How many pairs of classes are shown that are most confused."""

MOST_CLASSES: Final = 200
"""Up to how many classes each has a row in a table."""

PIXELS: Final = 64
"""How high and wide images are at most; of larger ones every second pixel is shown, or every third, and so on."""


def confusion(subject: Subject) -> str:
    """Return the confusion matrix, the most confused classes, and precision and recall of each."""
    found = subject.outcome
    if found is None or not found.n_classes:
        return ""
    matrix, names = subject.matrix, subject.classes
    n = found.n_classes
    right = int(matrix.trace())
    alt = f"Confusion matrix of {n} classes: {right:,} of {matrix.sum():,} samples are on the diagonal, and right."
    side = min(max(2.0 + 0.45 * n, 3.5), 8.0)
    image = picture(
        lambda ax: confusion_matrix(matrix, names, normalise="true", ax=ax),
        (side + 1.2, side),
        alt + " The numbers are in the tables below.",
        "Per cent of the samples of a class (rows) that were taken for a class (columns).",
    )
    return "".join(["<h2>What is taken for what</h2>", image, _pairs(matrix, names), _classes(matrix, names)])


def _pairs(matrix: NDArray[np.int64], names: list[str]) -> str:
    wrong = matrix - np.diag(matrix.diagonal())
    order = [divmod(int(k), len(matrix)) for k in np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]]
    rows = [
        (names[i], names[j], f"{wrong[i, j]:,}", f"{wrong[i, j] / matrix[i].sum():.1%}")
        for i, j in order
        if wrong[i, j]
    ]
    if not rows:
        return paragraph("No sample was taken for another class.")
    return "<h3>Most confused</h3>" + table(("class", "taken for", "samples", "share of the class"), rows)


def _classes(matrix: NDArray[np.int64], names: list[str]) -> str:
    columns: list[Any] = []
    for metric in (Precision(None), Recall(None), F1(None)):
        metric.matrix = matrix
        columns.append(metric.compute())
    order = list(range(len(names)))
    note = ""
    if len(names) > MOST_CLASSES:
        order = np.argsort(columns[2], kind="stable")[:MOST_CLASSES].tolist()
        note = f"Of {len(names):,} classes, those with the smallest F1."
    rows = [(names[k], *(f"{x[k]:.3f}" for x in columns), f"{matrix[k].sum():,}") for k in order]
    body = table(("class", "precision", "recall", "F1", "samples"), rows)
    counts = ""
    if len(names) <= 30:
        heads = ("class", *(f"taken for {name}" for name in names))
        rows = [(name, *(f"{x:,}" for x in matrix[k])) for k, name in enumerate(names)]
        counts = details("The counts", table(heads, rows))
    return "<h3>Classes</h3>" + paragraph(note) + body + counts


def most_wrong(subject: Subject) -> str:
    """Return the samples that the model got most wrong, as images where they are images."""
    found = subject.outcome
    if found is None:
        return ""
    if not found.n_classes:
        return _largest_errors(found)
    p = found.probabilities()
    p_right = p[np.arange(len(p)), found.right]
    wrong = np.flatnonzero(found.right != found.chosen)
    if not wrong.size:
        return ""
    rows = wrong[np.argsort(p_right[wrong], kind="stable")][:EXAMPLES]
    names = subject.classes
    said = [
        (names[found.right[i]], names[found.chosen[i]], f"{p_right[i]:.1%}", f"{p[i, found.chosen[i]]:.1%}")
        for i in rows.tolist()
    ]
    head = f"<h2>Most wrong</h2>{paragraph(f'{wrong.size:,} samples are taken for another class.')}"
    images = subject.images(rows)
    if not images:
        heads = ("sample", "class", "taken for", "probability of the class", "of what it is taken for")
        return head + table(heads, [(str(i), *words) for i, words in zip(rows.tolist(), said, strict=True)])
    parts = [_example(image, int(i), words) for image, i, words in zip(images, rows, said, strict=True)]
    return f'{head}<div class="row examples">{"".join(parts)}</div>'


def _example(image: NDArray[Any], row: int, words: tuple[str, str, str, str]) -> str:
    right, chosen, p_right, p_chosen = map(shown, words)
    step = -(-max(image.shape[:2]) // PIXELS)
    alt = f"sample {row}: {right}, taken for {chosen}"
    text = f"<b>{escape(right)}</b> ({p_right}) taken for <b>{escape(chosen)}</b> ({p_chosen})"
    source = png(image[::step, ::step])
    return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{text}</figcaption></figure>'


def _largest_errors(found: Outcome) -> str:
    error = np.abs(found.chosen.astype(np.float64) - found.right)
    rows = np.argsort(-error, kind="stable")[:PAIRS]
    cells = [(str(i), *(number(float(x[i])) for x in (found.right, found.chosen, error))) for i in rows]
    return "<h2>Most wrong</h2>" + table(("sample", "target", "prediction", "error"), cells)


def surface(subject: Subject) -> str:
    """Return what the model says of the plane, where inputs are two numbers; and predictions against targets."""
    found, data = subject.outcome, subject.data
    if found is None or data is None:
        return ""
    parts: list[str] = []
    if data.inputs.shape[1:] == (2,):
        task = "classification" if found.n_classes else "regression"
        names = subject.classes if found.n_classes else ()
        what = "The class" if found.n_classes else "The prediction"
        parts.append(
            picture(
                lambda ax: decision_boundary(
                    subject.predict if found.n_classes else subject.predict_numbers,
                    np.asarray(data.inputs),
                    found.right,
                    classes=names,
                    features=subject.features if len(subject.features) == 2 else FEATURES,
                    task=task,
                    threshold=found.threshold,
                    ax=ax,
                ),
                (6.5, 4.6),
                f"{what} that the model gives to every point of the plane of its two inputs, with the test data.",
                f"{what} that the model gives to every point of the plane, and the test data.",
            )
        )
    if not found.n_classes:
        r = np.corrcoef(found.right, found.chosen)[0, 1] if np.ptp(found.right) and np.ptp(found.chosen) else np.nan
        parts.append(
            picture(
                lambda ax: prediction_error(found.chosen, found.right, ax=ax),
                (4.8, 4.6),
                f"Predictions against targets of {len(found.right):,} samples; their correlation is {r:.3f}.",
            )
        )
    return f'<h2>Predictions</h2><div class="row">{"".join(parts)}</div>' if parts else ""
