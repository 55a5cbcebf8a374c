"""IAM-HistDB: Saint Gall and Washington, line images with spelled-out texts.

A line of ``ground_truth/transcription.txt`` is the id of a line image, then its words between
``|``, whose characters stand between ``-``; what is no letter has a code. Saint Gall has a third
column, the text of a printed edition, which is not read.
"""

from __future__ import annotations

import re
from pathlib import Path

from ctckit.recognizer.datasets.layout import (
    TEST,
    TRAIN,
    VALID,
    DataSet,
    LabelledImage,
    Layout,
    damage,
    numbered_lines,
    read_parts,
)
from ctckit.recognizer.folders import find_images

CODES = {
    # Saint Gall
    "pt": ".", "et": "&",
    # Washington
    "s_pt": ".", "s_cm": ",", "s_mi": "-", "s_qo": ":", "s_sq": ";", "s_qt": "'", "s_bl": "(",
    "s_br": ")", "s_et": "&", "s_lb": "£", "s_sl": "/", "s_GW": "G.W.", "s_s": "s",
}  # fmt: skip
"""What codes stand for. The long s becomes an s."""

_FILE = Path("ground_truth", "transcription.txt")
_IMAGES = Path("data", "line_images_normalized")
_LISTS = {"train.txt": TRAIN, "valid.txt": VALID, "test.txt": TEST}
_SETS = ("sets", "sets1", "sets/cv1")
_OTHER = re.compile("s_([0-9]+(?:st|nd|rd|th)?)")


def _matches(folder: Path) -> bool:
    return (folder / _FILE).is_file() and (folder / _IMAGES).is_dir()


def _read(folder: Path) -> DataSet:
    images = {image.path.stem: image.path for image in find_images(folder / _IMAGES)}
    parts: dict[str, str] = {}
    for name in _SETS:
        parts.update(read_parts(folder / name, _LISTS))
    found = DataSet("histdb")
    used: set[str] = set()
    for number, line in numbered_lines(folder / _FILE):
        id, spelling = (*line.split(), "", "")[:2]
        try:
            text = spelled(spelling)
        except ValueError as error:
            found.damaged.append(damage(_FILE, number, str(error), line))
            continue
        if id in used:
            found.damaged.append(damage(_FILE, number, "an id that came before", line))
        elif id not in images:
            found.without_image.append(id)
        else:
            used.add(id)
            page = id.rpartition("-")[0] or id
            # Saint Gall's lists name pages, Washington's lines.
            part = parts.get(id, parts.get(page))
            found.items.append(LabelledImage(id, images[id], text, page, part))
    found.without_text = len(images) - len(used)
    return found


def spelled(spelling: str) -> str:
    """Return the text that a spelling stands for.

    Raises
    ------
    ValueError : a code that is not known

    Examples
    --------
    >>> spelled("O-r-d-e-r-s-s_cm|s_2|m-e-n-s_pt")
    'Orders, 2 men.'
    """
    words = spelling.split("|")
    return " ".join("".join(map(_character, word.split("-"))) for word in words)


def _character(code: str) -> str:
    if code in CODES:
        return CODES[code]
    if len(code) <= 1:
        return code
    if number := _OTHER.fullmatch(code):
        return number[1]
    raise ValueError(f"the unknown code {code!r}")


LAYOUT = Layout(
    "histdb",
    f"{_FILE.as_posix()} with {_IMAGES.as_posix()}/",
    _matches,
    _read,
)
