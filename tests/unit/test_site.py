"""The site of the documents: it builds without a warning, fetches nothing, and has every name."""

from __future__ import annotations

import importlib
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ctckit
import ctckit.compat
import ctckit.dumps
import ctckit.language

ROOT = Path(__file__).resolve().parents[2]
find_faults = runpy.run_path(str(ROOT / "docs" / "check_site.py"))["find_faults"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason="needs the group docs")
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-c", "docs", ".", str(built)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.xdist_group("site")
def test_the_site_has_no_faults(site):
    assert find_faults(site) == []
    assert (site / "docs" / "index.html").is_file()


@pytest.mark.xdist_group("site")
def test_every_public_name_is_in_the_reference(site):
    text = "".join(
        path.read_text(encoding="utf-8") for path in (site / "docs" / "reference").glob("*.html")
    )
    described = set(re.findall(r'id="(ctckit[\w.]*)"', text))
    shims = [
        importlib.import_module(f"ctckit.compat.{found.name}")
        for found in pkgutil.iter_modules(ctckit.compat.__path__)
    ]
    shims = [module for module in shims if hasattr(module, "__all__")]
    assert shims
    for module in (ctckit, ctckit.language, ctckit.dumps, *shims):
        names = {f"{module.__name__}.{name}" for name in module.__all__ if name != "__version__"}
        names -= {f"ctckit.dumps.{name}" for name in ctckit.__all__}
        assert names <= described, names - described


@pytest.mark.xdist_group("site")
def test_what_is_said_of_a_parameter_is_not_its_type(site):
    text = (site / "docs" / "reference" / "ctckit.html").read_text(encoding="utf-8")
    assert re.search(r"<strong>n_best</strong> . hypotheses wanted for each matrix", text)
    assert re.search(r"<strong>threads</strong> . worker threads; None takes every core", text)


@pytest.mark.xdist_group("site")
def test_every_document_is_on_the_site(site):
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")]:
        assert (site / path.relative_to(ROOT).with_suffix(".html")).is_file(), path


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "fetches https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/css">', "fetches //fonts.example/css"),
        ('<img alt="a" src="none.png">', "fetches none.png, which is not there"),
        ('<img src="data:image/png;base64,AA">', "shows data:image/png;base64,AA without words"),
        ("<style>@import 'https://fonts.example/f';</style>", "fetches https://fonts.example/f"),
        ('<p style="background: url(//x.example/a)">', "fetches //x.example/a"),
        (
            '<img alt="a" src="data:," srcset="https://x.example/a 2x">',
            "fetches https://x.example/a",
        ),
        ('<a href="other.html">', "links to other.html: no such file"),
        ('<a href="#there">', "links to #there: no such place"),
        ('<a href="sub/page.html#there">', "links to sub/page.html#there: no such place"),
    ],
)
def test_faults_are_found(tmp_path, html, fault):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "page.html").write_text("<p id='here'>")
    (tmp_path / "page.html").write_text(html)
    assert find_faults(tmp_path) == [f"page.html {fault}"]


def test_what_is_right_has_no_faults(tmp_path):
    (tmp_path / "a b.html").write_text(
        '<p id="x"><a href="https://example.org"></a><a href="#x"></a><a href="a%20b.html#x"></a>'
        '<link rel="stylesheet" href="s.css"><img src="data:," alt="a dot">'
    )
    (tmp_path / "s.css").write_text("a { background: url(data:image/svg+xml;base64,AA) }")
    assert find_faults(tmp_path) == []
    (tmp_path / "s.css").write_text('@import url("https://fonts.example/f");')
    assert find_faults(tmp_path) == ["s.css fetches https://fonts.example/f"]


def test_an_empty_site_is_a_fault(tmp_path):
    assert "got none; build them first" in find_faults(tmp_path)[0]


def test_the_benchmark_page_is_up_to_date():
    make_page = runpy.run_path(str(ROOT / "docs" / "make_benchmarks.py"))["make_page"]
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page == make_page(), "run python docs/make_benchmarks.py"
    for path in (ROOT / "benchmarks").glob("*.json"):
        commit = re.search(r'"commit": "(\w+)"', path.read_text(encoding="utf-8"))
        assert commit is None or commit[1] in page, path


@pytest.mark.xdist_group("keras")
def test_the_pictures_are_drawn_by_their_script(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="needs ctckit[onnx]")
    for module in ("onnxruntime", "safetensors", "matplotlib"):
        pytest.importorskip(module, reason="needs ctckit[onnx,plots]")
    script = runpy.run_path(str(ROOT / "docs" / "make_images.py"))
    script["make_pictures"](tmp_path)
    drawn = sorted(tmp_path.glob("*.png"))
    assert [path.stem for path in drawn] == sorted(script["PICTURES"])
    for path in drawn:
        made, kept = (cv2.imread(str(one)) for one in (path, ROOT / "docs" / "images" / path.name))
        assert made.shape == kept.shape
        assert np.abs(made.astype(int) - kept).mean() < 2, "run python docs/make_images.py"


def test_the_first_page_shows_the_readmes_start():
    page, readme = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("docs/index.md", "README.md")
    )
    block = re.search(r"## Python, in 60 seconds\n\n(```python\n.*?```)", readme, re.DOTALL)
    assert block
    assert block[1] in page
