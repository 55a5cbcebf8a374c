"""The command `decoders new`."""

from __future__ import annotations

import ast
import importlib.util
import os
import shlex
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import ctckit
from ctckit.cli.new import package_files, write_package
from ctckit.testing.conformance import example_alphabet, example_batch

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "ctckit_sure.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    ".gitignore",
    "tests/test_conformance.py",
}
LEVELS = pytest.mark.parametrize("level", [(), ("--class",)], ids=["function", "class"])


def loaded(path):
    """Import a module from a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@LEVELS
def test_it_writes_a_package_and_prints_its_files(invoke, folder, level):
    result = invoke("decoders", "new", "sure", *level)
    assert result.exit_code == 0
    assert tree(folder / "ctckit-sure") == FILES
    printed = result.stdout.splitlines()
    assert sorted(printed) == sorted(str(Path("ctckit-sure", name)) for name in FILES)
    assert result.stderr == (
        "ctckit: next: pip install --editable 'ctckit-sure[test]', then ctckit decoders check "
        "sure\n"
    )
    assert not any("$" in text for text in package_files("sure", as_class=bool(level)).values())


def test_what_to_type_next_is_quoted_for_the_shell(invoke, folder):
    result = invoke("decoders", "new", "sure", "--output", "it's here")
    assert result.exit_code == 0
    command = result.stderr.removeprefix("ctckit: next: ").partition(", then ")[0]
    assert shlex.split(command) == ["pip", "install", "--editable", "it's here[test]"]


@LEVELS
def test_the_decoder_reads_the_best_path(invoke, folder, level, monkeypatch):
    invoke("decoders", "new", "sure", "--output", "here", *level)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = loaded(folder / "here" / "ctckit_sure.py")
    project = tomllib.loads((folder / "here" / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["ctckit.decoders"]
    assert list(points) == ["sure"]
    where, _, name = points["sure"].partition(":")
    assert where == module.__name__
    for blank in (0, 2, 5):
        alphabet = example_alphabet(blank)
        batch = example_batch(alphabet, [9, 0, 30, 12, 5])
        decoder = getattr(module, name)(alphabet)
        plain = ctckit.load_decoder("bestpath", alphabet).decode_batch(batch)
        found = decoder.decode_batch(batch)
        assert found.texts() == plain.texts()
        if level:
            np.testing.assert_allclose(found.scores, plain.scores)
            assert (found.scores <= found.log_probs + 1e-6).all()


def test_the_penalty_of_the_class_makes_it_read_more(folder):
    write_package(folder / "here", package_files("sure", as_class=True))
    alphabet = ctckit.Alphabet("a-", blank=1)
    batch = ctckit.MatrixBatch.from_probs([[[0.4, 0.6], [0.2, 0.8]]], alphabet)
    made = loaded(folder / "here" / "ctckit_sure.py").SureDecoder
    texts = [made(alphabet, blank_penalty=p).decode_batch(batch).texts() for p in (0, 0.5, 2)]
    assert texts == [[""], ["a"], ["a"]]
    with pytest.raises(ctckit.InvalidValueError, match="blank_penalty must be a finite number of"):
        made(alphabet, blank_penalty=-1)


@LEVELS
def test_the_metadata_say_what_they_should(level):
    texts = package_files("sure", as_class=bool(level))
    whole = tomllib.loads(texts["pyproject.toml"])
    project = whole["project"]
    assert whole["build-system"]["build-backend"] == "hatchling.build"
    assert (project["name"], project["version"]) == ("ctckit-sure", "0.1.0")
    assert project["dependencies"] == ["ctckit>=0.1,<0.2", "numpy>=2.0"]
    assert project["optional-dependencies"] == {"test": ["ctckit[testing]>=0.1,<0.2"]}
    assert texts["LICENSE"].startswith("MIT License\n\nCopyright (c) The authors of ctckit-sure\n")
    test = ast.parse(texts["tests/test_conformance.py"])
    imported = [node for node in ast.walk(test) if isinstance(node, ast.ImportFrom)]
    assert (imported[0].module, imported[0].names[0].name) == (
        "ctckit_sure",
        "SureDecoder" if level else "sure",
    )


def test_the_range_follows_the_version(monkeypatch):
    monkeypatch.setattr("ctckit.cli.new.__version__", "2.13.4")
    assert '"ctckit>=2.13,<2.14"' in package_files("sure")["pyproject.toml"]


def test_the_template_in_the_repository_is_what_the_command_writes():
    folder = ROOT / "plugins" / "template"
    expected = package_files("template")
    ignored = ("__pycache__", ".egg-info", "build/", "dist/", "_cache/", ".hypothesis/")
    found = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in tree(folder)
        if not any(one in name for one in ignored)
    }
    assert found == expected, "run python plugins/make_template.py"


def test_nothing_is_overwritten(invoke, folder):
    (folder / "ctckit-sure").mkdir()
    result = invoke("decoders", "new", "sure")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: output must be a new folder, got 'ctckit-sure', which is there already; "
        "give another by --output, or remove it\n"
    )
    assert tree(folder) == set()
    (folder / "file").write_text("mine")
    assert invoke("decoders", "new", "sure", "--output", "file").exit_code == 2
    assert (folder / "file").read_text() == "mine"


def test_folders_above_the_output_are_made(invoke, folder):
    assert invoke("decoders", "new", "sure", "--output", "a/b").exit_code == 0
    assert tree(folder / "a" / "b") == FILES


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(invoke, folder):
    (folder / "locked").mkdir(mode=0o500)
    result = invoke("decoders", "new", "sure", "--output", "locked/sure")
    assert result.exit_code == 1
    assert "file must be usable, got 'locked/sure'" in result.stderr


def test_a_package_that_cannot_be_completed_leaves_nothing(folder, monkeypatch):
    write = Path.write_text

    def full(self, *args, **kwargs):
        if self.name == "README.md":
            raise OSError(28, "No space left on device", str(self))
        return write(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_package(folder / "new", package_files("sure"))
    assert not (folder / "new").exists()


WORD = "name must be one word of a to z and digits, a letter first, got {!r}; it is what users type"
TAKEN = "name must not be one that Python code has a use for, got {!r}; choose another"
NAMES = {
    "": WORD,
    "Sure": WORD,
    "sure_path": WORD,
    "sure-path": WORD,
    "2nd": WORD,
    "sûr": WORD,
    "sure path": WORD,
    "../sure": WORD,
    "sure\n": None,
    "lambda": TAKEN,
    "max": TAKEN,
    "np": TAKEN,
    "bestpath": "name must not be that of an installed decoder, got {!r}, which is of ctckit "
    f"{ctckit.__version__}; choose another",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_refused(invoke, folder, name):
    result = invoke("decoders", "new", name)
    assert result.exit_code == 2
    if NAMES[name] is not None:
        assert result.stderr == f"ctckit: error: {NAMES[name].format(name)}\n"
    assert tree(folder) == set()


def test_the_name_of_an_installed_distribution_is_refused(invoke, folder, plugins):
    info = plugins / "ctckit_sure-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ctckit-sure\nVersion: 3.0\n")
    result = invoke("decoders", "new", "sure")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: name must not make the name of an installed distribution, got 'sure', and "
        "ctckit-sure 3.0 is there; choose another\n"
    )
    assert tree(folder) == set()
