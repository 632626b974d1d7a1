"""A computation as a graph of standard calls: recorded, simplified, drawn, and run."""

from ._picture import Drawing as Drawing
from .compiled import Compiled as Compiled
from .compiled import compile as compile
from .drawing import draw as draw
from .fusion import fused as fused
from .group import Group as Group
from .passes import cleaned as cleaned
from .passes import expanded as expanded
from .passes import folded as folded
from .passes import shared as shared
from .program import Call as Call
from .program import Draw as Draw
from .program import Program as Program
from .program import Value as Value
from .tape import tree as tree
from .tracing import traced as traced
