"""What a class says of itself is read without importing it."""

from __future__ import annotations

import sys

import pytest

from ctckit import list_decoders
from ctckit.descriptions import first_line
from ctckit.registry import decoder_class

MODULE = '''
"""Of the module."""
raise RuntimeError("imported")

class Plain:
    """
    One ``line``.

    More.
    """

def function():
    "Of a function."

class Silent:
    pass
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "never_imported"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError\n")
    (folder / "inner.py").write_text(MODULE)
    (folder / "broken.py").write_text("class Plain(:\n")
    (folder / "bytes.py").write_bytes(b"\xff\xfe = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "never_imported"
    assert not [name for name in sys.modules if name.startswith("never_imported")]


@pytest.mark.parametrize(
    ("module", "name", "line"),
    [
        (".inner", "Plain", "One `line`."),
        (".inner", "function", "Of a function."),
        (".inner", "Silent", ""),
        (".inner", "Plain.attribute", ""),
        (".inner", "", ""),
        (".broken", "Plain", ""),
        (".bytes", "Plain", ""),
        (".absent", "Plain", ""),
        (".inner.absent", "Plain", ""),
        ("", "Plain", ""),
    ],
)
def test_the_first_line(package, module, name, line):
    assert first_line(package + module, name) == line


def test_a_module_without_source_says_nothing():
    assert first_line("math", "sqrt") == first_line("sys", "x") == ""


def test_that_of_the_installed_decoders_is_their_docstring():
    found = {info.name: info.description for info in list_decoders()}
    for name in ("bestpath", "beamsearch", "wordbeamsearch"):
        assert found[name] == decoder_class(name).__doc__.splitlines()[0].replace("``", "`")


def test_a_decoder_that_says_nothing_has_its_distributions_summary():
    from ctckit.registry import DecoderInfo

    assert DecoderInfo("x", "foo", "1", "Of foo", "absent_module:X").description == "Of foo"
