"""Configuration of Sphinx. The local extensions are in ``_ext``."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "deepcore"
author = "The deepcore developers"
project_copyright = "2026, The deepcore developers"
release = installed_version("deepcore-xp")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "activations",
    "dollarmath",
    "primitives",
    "schedules",
]
exclude_patterns = ["_build"]
default_role = "code"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True

napoleon_google_docstring = False
napoleon_use_ivar = True  # a class may both annotate an attribute and describe it
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"deepcore {release}"
html_theme_options = {"source_edit_link": ""}
