"""Sphinx configuration: `make docs`."""

import celesta

project = "Celesta"
author = "The Celesta developers"
release = celesta.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Celesta {release}"
exclude_patterns = ["_build", "extra"]
html_extra_path = ["extra"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_use_ivar = True
