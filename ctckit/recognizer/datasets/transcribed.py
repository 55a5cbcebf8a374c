"""Data sets with a file for each text: ``Images/`` and ``Transcriptions/``."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

from ctckit.errors import InvalidValueError
from ctckit.recognizer.datasets.layout import DataSet, LabelledImage
from ctckit.recognizer.folders import find_images
from ctckit.references import read_text

TRANSCRIPTIONS = "Transcriptions"


def read_transcribed(
    name: str,
    images: Path,
    transcriptions: Path,
    parts: dict[str, str],
    page_of: Callable[[str], str],
) -> DataSet:
    """Read images ``NAME.png`` or ``NAME.jpg`` with texts ``NAME.txt``.

    Parameters
    ----------
    name : of the layout
    images, transcriptions : folders
    parts : the part of each NAME that is in a list
    page_of : the page of a NAME
    """
    found = DataSet(name)
    texts = {path.stem: path for path in sorted(transcriptions.glob("*.txt"))}
    seen: set[str] = set()
    for image in find_images(images):
        id = image.path.stem
        if id in seen:
            raise InvalidValueError(
                f"images must have names of their own, got {id!r} again with '{image.path}'; "
                "take one out"
            )
        seen.add(id)
        if id not in texts:
            found.without_text += 1
            continue
        text = cleaned(read_text(texts[id], "transcription"))
        part = parts.get(id)
        found.items.append(LabelledImage(id, image.path, text, page_of(id), part))
    found.without_image = [id for id in texts if id not in seen]
    return found


def cleaned(text: str) -> str:
    """Return a text without markup: entities as characters, no gaps, one blank between words."""
    return " ".join(html.unescape(text).replace("<gap/>", "").split())
