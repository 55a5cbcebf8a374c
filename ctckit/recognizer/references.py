"""The texts of images: from one file, from labels.csv in the folders, or beside each image."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctckit.errors import InvalidValueError
from ctckit.recognizer.folders import ImageFile, walk_folders
from ctckit.references import read_column, read_references, read_text

LABELS = "labels.csv"
LINE_SUFFIX = ".gt.txt"

_ID_COLUMNS = ("file", "id")
_GROUP_COLUMNS = ("writer", "page")
_LINE_END = re.compile("\r\n|\n|\r")


@dataclass
class ImageReferences:
    """Which text stands on which image.

    Attributes
    ----------
    texts : the text of each id, in the order of the images
    without_image : names in the references that no image has
    without_text : ids of images for which there is no text
    groups : the writer of each id, or its page, where a labels.csv has such a column
    """

    texts: dict[str, str]
    without_image: list[str]
    without_text: list[str]
    groups: dict[str, str] = field(default_factory=dict)


def find_references(
    folder: str | os.PathLike[str],
    images: Sequence[ImageFile],
    references: str | os.PathLike[str] | None = None,
) -> ImageReferences:
    r"""Return the texts of images, exactly as they are spelled.

    From `references` alone where it is given. Else from each ``labels.csv`` in `folder` and below,
    whose ``file`` is relative to where it lies; of two, the nearer to the image wins. An image
    that has no row has its text from ``NAME.gt.txt`` beside it, one line, whose end is removed.
    File names may have ``\`` for ``/``, and a leading ``./``; where there is no image of that
    name, the one whose name is the same in NFC is taken.

    Parameters
    ----------
    folder : where `images` were found
    images : as from `find_images`
    references : a .csv or .jsonl as `read_references` takes it, its files relative to `folder`

    Raises
    ------
    NotFoundError, DumpError, InvalidValueError : as `read_references`; also for a file named
        twice, and a .gt.txt of several lines
    """
    ids = _spellings(images)
    groups: dict[str, str] = {}
    if references is not None:
        found = _read_table(Path(references), "", ids)
    else:
        found, groups = _find_texts(Path(folder), images, ids)
    return ImageReferences(
        texts={image.id: found[image.id] for image in images if image.id in found},
        without_image=[id for id in found if id not in ids],
        without_text=[image.id for image in images if image.id not in found],
        groups=groups,
    )


def _find_texts(
    folder: Path, images: Sequence[ImageFile], ids: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts of labels.csv and .gt.txt files, and the groups of the former.

    A .gt.txt may be without an image too.
    """
    tables: list[str] = []
    lines: set[str] = set()
    for prefix, _, names in walk_folders(folder):
        tables.extend(prefix for name in names if name == LABELS)
        lines.update(prefix + name for name in names if name.endswith(LINE_SUFFIX))
    found: dict[str, str] = {}
    groups: dict[str, str] = {}
    # From the top down, so that the nearest has the last word
    for prefix in sorted(tables, key=lambda prefix: (prefix.count("/"), prefix)):
        path = folder / prefix / LABELS
        found.update(_read_table(path, prefix, ids))
        groups.update(
            (id, group)
            for name, group in read_column(path, _ID_COLUMNS, _GROUP_COLUMNS).items()
            if group and (id := _id_of(name, prefix, ids)) in ids
        )
    without_image = set(lines)
    for image in images:
        line = os.path.splitext(image.id)[0] + LINE_SUFFIX  # noqa: PTH122 (faster)
        without_image.discard(line)
        if image.id not in found and line in lines:
            found[image.id] = _read_line(folder / line)
    found.update(dict.fromkeys(sorted(without_image), ""))
    return found, groups


def _spellings(images: Sequence[ImageFile]) -> dict[str, str]:
    """Return the id that is meant by each id, and by those in NFC that are of one image only."""
    composed = [unicodedata.normalize("NFC", image.id) for image in images]
    counts = Counter(composed)
    spellings = {
        name: image.id for name, image in zip(composed, images, strict=True) if counts[name] == 1
    }
    return spellings | {image.id: image.id for image in images}


def _read_table(path: Path, prefix: str, ids: dict[str, str]) -> dict[str, str]:
    """Return the texts of a .csv or .jsonl by the ids of the images that it names."""
    texts: dict[str, str] = {}
    for name, text in read_references(path, id_columns=_ID_COLUMNS).items():
        id = _id_of(name, prefix, ids)
        if id in texts:
            raise InvalidValueError(
                f"files must be unique in references, got {name!r} again in '{path}'; keep one"
            )
        texts[id] = text
    return texts


def _id_of(name: str, prefix: str, ids: dict[str, str]) -> str:
    if prefix + name in ids:
        return ids[prefix + name]
    name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    id = prefix + name
    return ids.get(id) or ids.get(unicodedata.normalize("NFC", id), id)


def _read_line(path: Path) -> str:
    lines = [line for line in _LINE_END.split(read_text(path, "reference")) if line]
    if len(lines) > 1:
        raise InvalidValueError(
            f"reference must be one line, got {len(lines)} in '{path}'; cut the image into lines, "
            "and give each its own"
        )
    return lines[0] if lines else ""
