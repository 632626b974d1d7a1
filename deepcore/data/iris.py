"""Fisher's irises, which come with deepcore."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from .csv import read_csv

if TYPE_CHECKING:
    from .dataset import Dataset


def iris() -> Dataset:
    """Return four measurements of 150 irises of three species, without a download.

    Returns
    -------
    dataset
        Inputs are float32 of shape (150, 4): length and width of the sepals, and of the petals, in centimetres. Targets
        are int64 labels 0 to 2 of shape (150,), 50 of each. Each call returns arrays of its own.

    Examples
    --------
    >>> iris()
    Dataset('iris', 150 samples, inputs (4,) float32, targets () int64, 3 classes)
    >>> iris().classes
    ('setosa', 'versicolor', 'virginica')

    References
    ----------
    R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7(2), 1936, table I. See
    ``files/iris-SOURCE.md``.
    """
    with as_file(files("deepcore.data") / "files" / "iris.csv") as path:
        return read_csv(path, target="species", name="iris")
