"""What a data set is: images with texts, read from folders of one layout or another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ctckit.recognizer.gray import GrayArray
from ctckit.references import read_text

TRAIN, VALID, TEST = "train", "valid", "test"
"""The parts of data sets that come with a split."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image of a word or line, and what it says.

    Attributes
    ----------
    id : as the data set calls it
    path : the image file
    text : in reading order
    group : writer or page, so that images of one are all trained on or all validated on; None
        where that is not known
    part : ``"train"``, ``"valid"`` or ``"test"`` in the data set's own split, or None
    box : left, top, right and bottom of the line in the image, the last two behind its last
        column and row; None for the whole image
    """

    id: str
    path: Path
    text: str
    group: str | None = None
    part: str | None = None
    box: Box | None = None


@dataclass
class DataSet:
    """Images with texts, and what could not be used.

    Attributes
    ----------
    layout : its name
    items : the images with their texts
    without_text : images that have no text, or an empty one
    without_image : names for which there is a text and no image
    damaged : messages about lines and files of labels that make no sense
    known_bad : ids of images that are left out because they are known to be damaged
    broken : messages about images that could not be read, where they have been
    images : the gray images of `items`, where they have been read
    """

    layout: str
    items: list[LabelledImage] = field(default_factory=list)
    without_text: int = 0
    without_image: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    known_bad: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    images: list[GrayArray] | None = None


@dataclass(frozen=True)
class Layout:
    """A way to lay out a data set.

    Attributes
    ----------
    name : how messages and packed files call it
    sign : what a folder of this layout holds, in words
    matches : whether a folder does
    read : reads it; texts as they are spelled, empty ones too
    """

    name: str
    sign: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], DataSet]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file of labels that say something, without blanks around them.

    Raises
    ------
    NotFoundError, DumpError, InvalidValueError : as `ctckit.references.read_text`
    """
    for number, line in enumerate(_LINE_END.split(read_text(path, "labels")), start=1):
        if line.strip():
            yield number, line.strip()


def damage(path: Path, number: int, what: str, line: str) -> str:
    """Return a message about a line of a file of labels."""
    shown = line if len(line) <= 60 else line[:57] + "..."
    return f"line {number:,} of {path.name} ({what}): {shown!r}"


def read_parts(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """Return the part of each name that a data set's lists hold.

    Parameters
    ----------
    folder : where the lists are
    files : file name to part; those that are missing are passed over
    """
    parts: dict[str, str] = {}
    for name, part in files.items():
        if (folder / name).is_file():
            parts.update((line, part) for _, line in numbered_lines(folder / name))
    return parts


_LINE_END = re.compile("\r\n|\n|\r")
