"""How Sphinx makes the site of the documents: ``make docs``.

Its source folder is the repository, so that links between the documents, the README and the pages
of the plugins work there and on the site alike.
"""

from __future__ import annotations

import re
from typing import Any

import ctckit

NAV = {
    "": ["api", "commands", "plots"],
    "Concepts": ["concepts", "decoding", "../README"],
    "How to": [
        "recognizer",
        "huggingface",
        "pytorch",
        "engines",
        "language-decoding",
        "language-models",
        "model-card",
    ],
    "Write a decoder": ["plugins", "../plugins/template/README"],
    "Come from elsewhere": ["migrate"],
    "Reference": [
        "reference/ctckit",
        "reference/matrices",
        "reference/language",
        "reference/recognizer",
        "reference/tools",
        "dump-format",
        "model-format",
    ],
    "Project": [
        "benchmarks",
        "../CHANGELOG",
        "../CONTRIBUTING",
        "../plugins/ctcwordbeamsearch/README",
        "../corpora/demo/README",
        "../corpora/lines/README",
        "../corpora/words/README",
        "../corpora/fonts/README",
    ],
}
"""The pages by part, as in the side bar; paths are from docs/."""

project = "ctckit"
author = "The ctckit authors"
version = release = ctckit.__version__
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = [
    "*.md",
    "docs/**.md",
    "docs/reference/*.rst",
    "corpora/*/README.md",
    "plugins/*/README.md",
]
exclude_patterns = [".*", "out", "build", "dist", "ctckit", "tests", "benchmarks"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "py:obj"
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries = False

html_theme = "furo"
html_title = f"ctckit {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "default"
pygments_dark_style = "monokai"


def add_nav(app: Any, docname: str, source: list[str]) -> None:
    """Put what the side bar shows behind the first page, in which nothing is seen of it."""
    if docname != root_doc:
        return
    for caption, pages in NAV.items():
        title = f":caption: {caption}\n" if caption else ""
        source[0] += f"\n```{{toctree}}\n:hidden:\n{title}\n" + "\n".join(pages) + "\n```\n"


def tell_parameters(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Take what follows a parameter's name for what is said of it: the types stand in the hints."""
    told = []
    for line in lines:
        found = re.fullmatch(r"(\s*)([*\w, ]+) : (.+)", line)
        told += [found[1] + found[2], f"{found[1]}    {found[3]}"] if found else [line]
    lines[:] = told


def setup(app: Any) -> None:
    """Connect the two."""
    app.connect("source-read", add_nav)
    app.connect("autodoc-process-docstring", tell_parameters, priority=400)
