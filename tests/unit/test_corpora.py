"""What the READMEs under corpora/ say of sources, licences and checksums holds."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from pathlib import Path

import pytest

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
READMES = sorted(CORPORA.glob("*/README.md"))
FONTS = CORPORA / "fonts"
WORDS = CORPORA / "words"


def rows_of(readme):
    """The cells of each table row of the README."""
    lines = readme.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]


def constant_of(script, name):
    """The literal that the script assigns to `name`; the script needs more than the tests do."""
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{script} assigns no {name}")


def font_rows():
    """Of each font: family, package, version, licence, copyright, use."""
    return [row for row in rows_of(FONTS / "README.md") if row[-1] in ("training", "demo")]


@pytest.mark.parametrize("folder", sorted(path for path in CORPORA.iterdir() if path.is_dir()))
def test_every_corpus_has_a_readme(folder):
    assert (folder / "README.md").is_file()


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_checksums_of_the_files_that_are_here(readme):
    for name, *cells in rows_of(readme):
        checksums = re.findall(r"\b[0-9a-f]{64}\b", " ".join(cells))
        path = readme.parent / name
        if checksums and readme.parent != WORDS:
            assert [hashlib.sha256(path.read_bytes()).hexdigest()] == checksums, name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_licence_files_that_a_readme_names_are_here(readme):
    text = readme.read_text(encoding="utf-8")
    for name in re.findall(r"`(LICENSE[\w.-]*)`", text):
        assert (readme.parent / name).stat().st_size > 100, name


@pytest.mark.parametrize("path", sorted(CORPORA.glob("*/LICENSE*")), ids=lambda path: path.name)
def test_licence_files_are_named(path):
    assert f"`{path.name}`" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_the_words_of_the_demo():
    text = (CORPORA / "demo" / "words.txt").read_text(encoding="utf-8")
    words = text.splitlines()
    assert text.endswith("\n")
    assert words == sorted(set(words))
    assert all(re.fullmatch("[A-Za-z][a-z]+|a|I", word) for word in words)
    row = next(row for row in rows_of(CORPORA / "demo" / "README.md") if row[0] == "words.txt")
    assert row[1].startswith(f"{len(words):,} English words")


def test_the_notice_of_the_words_is_whole():
    notice = (CORPORA / "demo" / "LICENSE-words.txt").read_text(encoding="utf-8")
    assert "Copyright 2000-2011 by Kevin Atkinson" in notice
    assert "Permission to use, copy, modify, distribute and sell these word" in notice


def test_fetched_words_have_the_checksums_of_the_readme():
    said = {
        Path(row[0]).stem: row[-1] for row in rows_of(WORDS / "README.md") if len(row[-1]) == 64
    }
    assert said == constant_of(WORDS / "fetch.py", "CHECKSUMS")
    rows = [row for row in rows_of(WORDS / "README.md") if len(row[-1]) == 64]
    lists = [package for package, _ in constant_of(WORDS / "fetch.py", "LISTS").values()]
    texts = constant_of(WORDS / "fetch.py", "TEXTS")
    assert sorted(", ".join(row[1] for row in rows).split(", ")) == sorted([*lists, *texts])


def test_lists_with_frequencies_have_the_checksums_of_the_readme():
    rows = [row for row in rows_of(WORDS / "README.md") if row[0].endswith("-frequent.txt")]
    said = {row[0].removesuffix("-frequent.txt"): row[1] for row in rows}
    assert said == constant_of(WORDS / "frequencies.py", "CHECKSUMS")
    version = constant_of(WORDS / "frequencies.py", "VERSION")
    assert f"wordfreq {version}" in (WORDS / "README.md").read_text(encoding="utf-8")


def test_fonts_are_pinned_as_the_readme_says():
    pinned = json.loads((FONTS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {f"@fontsource/{row[1]}": row[2] for row in font_rows()} == pinned
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pinned.values())


def test_the_lock_holds_a_checksum_and_the_licence_of_each_font():
    lock = json.loads((FONTS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    locked = {path: entry for path, entry in lock.items() if path}
    assert len(locked) == len(font_rows())
    for _, package, version, licence, holder, _ in font_rows():
        entry = locked[f"node_modules/@fontsource/{package}"]
        assert (entry["version"], entry["license"]) == (version, licence)
        assert entry["integrity"].startswith("sha512-")
        assert holder


def test_no_file_names_a_registry():
    assert "resolved" not in (FONTS / "package-lock.json").read_text(encoding="utf-8")


def test_fonts_of_the_demo_are_not_trained_on():
    demo = {row[1] for row in font_rows() if row[-1] == "demo"}
    assert demo == set(constant_of(FONTS / "fetch.py", "DEMO"))


@pytest.mark.parametrize("name", ["BOLD", "CAPITALS_ONLY"])
def test_fonts_named_in_the_script_are_installed(name):
    assert set(constant_of(FONTS / "fetch.py", name)) <= {row[1] for row in font_rows()}
