"""How Sphinx makes the site of the documents: ``make docs``.

Its source folder is the repository, so that links between the documents, the README and the pages
of the plugins work there and on the site alike.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import ctckit
import ctckit.compat

NAV = {
    "": ["api", "commands"],
    "Concepts": ["concepts", "decoding"],
    "How to": [
        "recognizer",
        "huggingface",
        "pytorch",
        "engines",
        "language-decoding",
        "language-models",
        "model-card",
    ],
    "Write a decoder": [
        "tutorial",
        "plugins",
        "conformance",
        "peers",
        "../plugins/template/README",
        "../plugins/ctckit-peers/README",
    ],
    "Come from elsewhere": ["migrate", "migrate-*"],
    "Reference": [
        "reference/ctckit",
        "reference/tools",
        "reference/language",
        "reference/recognizer",
        "reference/testing",
        "reference/compat",
        "dump-format",
        "model-format",
    ],
    "Project": [
        "benchmarks",
        "../README",
        "../CHANGELOG",
        "../CONTRIBUTING",
        "../plugins/ctcwordbeamsearch/README",
        "../corpora/*/README",
    ],
}
"""The pages by part, as in the side bar: patterns from docs/. A page in none is an error."""
TITLES = {
    "/README": "README",
    "/docs/tutorial": "Tutorial",
    "/plugins/template/README": "The template",
}
"""What the side bar calls a page, if not by its own title."""
DOCS = Path(__file__).parent

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
highlight_language = "none"

# Shims have names that are ctckit's, too: a docstring means its own module's.
suppress_warnings = ["ref.python"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {
    name: name
    for name in ("Float32Array", "Float64Array", "Int32Array", "Int64Array", "UInt8Array")
}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "py:obj"
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"ctckit {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["static"]
html_extra_path = ["root"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "default"
pygments_dark_style = "monokai"


def pages_of(pattern: str) -> list[str]:
    """Return the pages that a pattern of `NAV` stands for, without their endings."""
    up, below = DOCS, pattern
    if pattern.startswith("../"):
        up, below = DOCS.parent, pattern[3:]
    found = [path for ending in (".md", ".rst") for path in sorted(up.glob(below + ending))]
    return ["/" + path.relative_to(DOCS.parent).with_suffix("").as_posix() for path in found]


def add_nav(app: Any, docname: str, source: list[str]) -> None:
    """Put what the side bar shows behind the first page, in which nothing is seen of it."""
    if docname != root_doc:
        return
    for caption, patterns in NAV.items():
        title = f":caption: {caption}\n" if caption else ""
        pages = [page for pattern in patterns for page in pages_of(pattern)]
        pages = [f"{TITLES[page]} <{page}>" if page in TITLES else page for page in pages]
        source[0] += f"\n```{{toctree}}\n:hidden:\n{title}\n" + "\n".join(pages) + "\n```\n"


def add_shims(app: Any, docname: str, source: list[str]) -> None:
    """Put the public names of each module of `ctckit.compat` behind the page that is theirs."""
    if docname != "docs/reference/compat":
        return
    for found in pkgutil.iter_modules(ctckit.compat.__path__):
        name = f"ctckit.compat.{found.name}"
        public = getattr(importlib.import_module(name), "__all__", ())
        if public:
            title = f"``{name}``"
            source[0] += (
                f"\n{title}\n{'-' * len(title)}\n\n.. automodule:: {name}\n"
                f"   :members: {', '.join(public)}\n   :imported-members:\n"
            )


def tell_parameters(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Take what follows a parameter's name for what is said of it: the types stand in the hints."""
    told = []
    for line in lines:
        found = re.fullmatch(r"(\s*)([*\w, ]+) : (.+)", line)
        told += [found[1] + found[2], f"{found[1]}    {found[3]}"] if found else [line]
    lines[:] = told


def hide_private(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str
) -> tuple[str | None, str]:
    """Leave out parameters that begin with an underscore."""
    return signature and re.sub(r", _\w+: [^,()]+", "", signature), returns


def setup(app: Any) -> None:
    """Connect them."""
    app.connect("source-read", add_nav)
    app.connect("source-read", add_shims)
    app.connect("autodoc-process-docstring", tell_parameters, priority=400)
    app.connect("autodoc-process-signature", hide_private)
