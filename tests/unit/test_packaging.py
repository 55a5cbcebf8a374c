"""What goes with the code: CITATION.cff, licences, and the files that wheels must hold."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import ctckit

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the tools that build the docs")

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(path.parent for path in (ROOT.glob("plugins/*/pyproject.toml")))
REFERENCE_TYPES = {"article", "conference-paper", "report"}


def metadata(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_has_what_the_schema_demands(citation):
    """Of the Citation File Format, 1.2.0: these keys, and at least one author with a name."""
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    for key in ("message", "title", "abstract"):
        assert isinstance(citation[key], str)
        assert citation[key]
    assert [list(author) for author in citation["authors"]] == [["name"]]
    for one in citation["references"]:
        assert one["type"] in REFERENCE_TYPES
        assert isinstance(one["title"], str)
        assert one["authors"]
        for author in one["authors"]:
            assert set(author) == {"given-names", "family-names"}
        assert isinstance(one["year"], int)
        assert re.fullmatch(r"10\.\d{4,9}/\S+", one.get("doi", "10.1234/none"))
        conference = one.get("conference", {"name": "none"})
        assert isinstance(conference["name"], str)
        needed = {"article": ("journal", "identifiers"), "report": ("institution",)}
        assert any(key in one for key in needed.get(one["type"], ("conference",))), one["title"]


def test_the_citation_agrees_with_the_metadata(citation):
    project = metadata(ROOT)
    assert citation["version"] == project["version"] == ctckit.__version__
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert citation["keywords"] == project["keywords"]


def test_the_citation_names_a_paper_for_each_decoder(citation, own_decoders):
    notes = " ".join(one["notes"] for one in citation["references"])
    assert [name for name in own_decoders if not re.search(rf"\b{name}\b", notes)] == []


@pytest.mark.parametrize("document", ["NOTICE", "plugins/ctcwordbeamsearch/NOTICE"])
def test_the_citation_names_the_papers_that_the_documents_name(citation, document):
    text = " ".join((ROOT / document).read_text(encoding="utf-8").split()).casefold()
    venues = "icml|icfhr|icdar|ieee tpami|harvard university"
    papers = re.findall(rf"(?:{venues}) (?:19|20)\d\d|arxiv:[\d.]+, 20\d\d", text)
    named = [one for one in citation["references"] if one["title"].casefold() in text]
    assert len(named) == len(papers) > 0


@pytest.mark.parametrize("folder", [pytest.param(one, id=one.name) for one in PROJECTS])
def test_each_distribution_has_a_licence_and_a_readme(folder):
    project = metadata(folder)
    assert project["license"] == "MIT"
    for name in (project["readme"], "LICENSE", *project.get("license-files", [])):
        assert (folder / name).is_file()
    licence = (folder / "LICENSE").read_text(encoding="utf-8").splitlines()
    ours = (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()
    assert licence[:1] + licence[3:] == ours[:1] + ours[3:]
    assert licence[2].startswith("Copyright (c) ")


def test_no_distribution_is_forgotten():
    assert {one.name for one in PROJECTS} >= {"ctcwordbeamsearch", "template"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for folder in PROJECTS:
        assert f"--editable plugins/{folder.name}" in makefile
