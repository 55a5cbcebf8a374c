"""Decoders that are installed for a test."""

from __future__ import annotations

import sys
import textwrap

import pytest


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install the decoder `Faulty` of some code under a name of its own, as a distribution."""

    def install(name, code):
        module = f"ctckit_{name}"
        header = "from ctckit import Decoder, SearchResult\n"
        (tmp_path / f"{module}.py").write_text(header + textwrap.dedent(code), encoding="utf-8")
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        points = f"[ctckit.decoders]\n{name} = {module}:Faulty\n"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Faulty\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, module, raising=False)
        return name

    return install
