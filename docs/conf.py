"""How the site is built: `sphinx-build -W --keep-going -n docs <directory>`. It asks no other machine for anything."""

# ruff: noqa: INP001 - Sphinx finds it by its path

import sys
from pathlib import Path

import mintkey

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "mintkey"
author = "The mintkey authors"
project_copyright = author
release = mintkey.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "mintkey_site",
]
exclude_patterns = ["_ext", "_static", "examples"]
nitpicky = True
highlight_language = "text"
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88

# Pages are plain Markdown, which reads well elsewhere too. Links to headings are the ones that forges make.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"mintkey {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options: dict[str, object] = {"top_of_page_buttons": []}
