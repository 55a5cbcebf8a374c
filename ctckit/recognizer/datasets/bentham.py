"""Bentham (R0, ICFHR 2014): ``Images/Lines``, ``Transcriptions`` and ``Partitions``."""

from __future__ import annotations

from pathlib import Path

from ctckit.recognizer.datasets.layout import TEST, TRAIN, VALID, DataSet, Layout, read_parts
from ctckit.recognizer.datasets.transcribed import TRANSCRIPTIONS, read_transcribed

_LISTS = {"TrainLines.lst": TRAIN, "ValidationLines.lst": VALID, "TestLines.lst": TEST}


def _matches(folder: Path) -> bool:
    return (folder / "Images" / "Lines").is_dir() and (folder / TRANSCRIPTIONS).is_dir()


def _read(folder: Path) -> DataSet:
    parts = read_parts(folder / "Partitions", _LISTS)
    images, texts = folder / "Images" / "Lines", folder / TRANSCRIPTIONS
    return read_transcribed("bentham", images, texts, parts, page_of)


def page_of(id: str) -> str:
    """Return the page of a line: its name without the region and the line on it.

    Examples
    --------
    >>> page_of("002_080_001_02_07")
    '002_080_001'
    """
    return "_".join(id.split("_")[:3])


LAYOUT = Layout("bentham", "Images/Lines/ with Transcriptions/", _matches, _read)
