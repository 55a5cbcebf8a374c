"""Which layout a data set has, and reading it, whichever it is."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from pathlib import Path

from ctckit.errors import InvalidValueError
from ctckit.recognizer.datasets import bentham, folder, histdb, iam, rimes
from ctckit.recognizer.datasets.layout import DataSet, LabelledImage, Layout
from ctckit.recognizer.folders import find_images
from ctckit.recognizer.references import LABELS

LAYOUTS = (iam.LAYOUT, bentham.LAYOUT, rimes.PAGES, rimes.LINES, histdb.LAYOUT, folder.LAYOUT)


def detect(path: str | os.PathLike[str]) -> Layout:
    """Return the layout of a data set.

    Raises
    ------
    NotFoundError : no such folder
    InvalidValueError : a file; no image; a layout that is not known, or several
    """
    root = Path(path)
    found = [layout for layout in LAYOUTS[:-1] if layout.matches(root)]
    # Texts below belong to what lies there; only those at the top speak for the whole.
    if (root / LABELS).is_file() or (not found and folder.LAYOUT.matches(root)):
        found.append(folder.LAYOUT)
    if len(found) == 1:
        return found[0]
    if found:
        signs = " and ".join(f"{layout.name} ({layout.sign})" for layout in found)
        raise InvalidValueError(
            f"data must have one layout, got '{root}' with {signs}; take out the files of one, or "
            "name another folder"
        )
    find_images(root)
    signs = ", ".join(f"{layout.sign} ({layout.name})" for layout in LAYOUTS)
    raise InvalidValueError(
        f"data must have a layout that ctckit knows, got '{root}' with none of {signs}; name the "
        f"folder that holds these, or write a {LABELS} with the columns file and text"
    )


def read_dataset(path: str | os.PathLike[str]) -> DataSet:
    """Return what a data set holds, its texts in NFC and without blanks at their ends.

    Characters that NFC cannot compose stay code points of their own. Images are not opened.

    Raises
    ------
    NotFoundError, DumpError, InvalidValueError : as `detect`; labels that cannot be read
    """
    found = detect(path).read(Path(path))
    items: list[LabelledImage] = []
    for item in found.items:
        text = unicodedata.normalize("NFC", item.text).strip()
        if text:
            items.append(item if text == item.text else dataclasses.replace(item, text=text))
    without_text = found.without_text + len(found.items) - len(items)
    return dataclasses.replace(found, items=items, without_text=without_text)
