"""RIMES 2011, in two layouts: pages with XML as A2iA gave it out, and lines as Teklia does.

A2iA's ``training_2011.xml`` and ``eval_2011_annotated.xml`` hold a ``SinglePage`` with the
``FileName`` of its image, and in it, at any depth, a ``Line`` for each line with ``Value``,
``Left``, ``Top``, ``Right`` and ``Bottom``. Teklia's RIMES-2011-Lines has an image and a text a
line, and lists.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from ctckit.errors import InvalidValueError
from ctckit.recognizer.datasets.layout import (
    TEST,
    TRAIN,
    VALID,
    Box,
    DataSet,
    LabelledImage,
    Layout,
    read_parts,
)
from ctckit.recognizer.datasets.transcribed import TRANSCRIPTIONS, cleaned, read_transcribed
from ctckit.recognizer.folders import find_images

_LISTS = {"TrainLines.txt": TRAIN, "ValidationLines.txt": VALID, "TestLines.txt": TEST}
_NO_INK = "¤"
"""A mark of RIMES' texts for what is on no image."""


def _has_lines(folder: Path) -> bool:
    images = folder / "Images"
    return (
        images.is_dir() and not (images / "Lines").is_dir() and (folder / TRANSCRIPTIONS).is_dir()
    )


def _read_lines(folder: Path) -> DataSet:
    parts = read_parts(folder / "Sets", _LISTS)
    return read_transcribed(
        "rimes lines", folder / "Images", folder / TRANSCRIPTIONS, parts, page_of
    )


def page_of(id: str) -> str:
    """Return the page of a line.

    Examples
    --------
    >>> page_of("train2011-0_000003"), page_of("train2011-12")
    ('train2011-0', 'train2011-12')
    """
    return id.partition("_")[0]


def _tables(folder: Path) -> list[Path]:
    """Return the XML files; of ``X.xml`` and ``X.patched.xml``, which corrects it, the latter."""
    found = {path.name: path for path in folder.glob("*_2011*.xml")}
    return [
        found[name]
        for name in sorted(found)
        if name.startswith(("training_", "eval_", "validation_", "test_"))
        and name.removesuffix(".xml") + ".patched.xml" not in found
    ]


def _read_pages(folder: Path) -> DataSet:
    images = find_images(folder)
    by_id = {image.id: image.path for image in images}
    by_name = {image.path.name: image.path for image in reversed(images)}
    found = DataSet("rimes pages")
    used: set[Path] = set()
    pages: set[str] = set()
    for table in _tables(folder):
        part = TRAIN if table.name.startswith("training_") else VALID
        part = TEST if table.name.startswith(("eval_", "test_")) else part
        for page in _parsed(table).iter("SinglePage"):
            name = page.get("FileName", "").replace("\\", "/")
            stem = PurePosixPath(name).stem
            path = by_id.get(name) or by_name.get(PurePosixPath(name).name)
            if path is None:
                found.without_image.append(name)
            elif stem in pages:
                found.damaged.append(f"page {name!r} of {table.name} (it came before)")
            else:
                used.add(path)
                pages.add(stem)
                _read_page(page, stem, path, part, table.name, found)
    found.without_text = len(images) - len(used)
    return found


def _read_page(
    page: ElementTree.Element, stem: str, path: Path, part: str, table: str, found: DataSet
) -> None:
    for number, line in enumerate(page.iter("Line")):
        id = f"{stem}-{number}"
        box = _box(line)
        if box is None:
            found.damaged.append(f"line {id!r} of {table} (no box with room in it)")
            continue
        text = cleaned(line.get("Value", "").replace(_NO_INK, ""))
        found.items.append(LabelledImage(id, path, text, stem, part, box))


def _box(line: ElementTree.Element) -> Box | None:
    """Return where a line is; some of RIMES' numbers have a sign that they should not have."""
    try:
        left, top, right, bottom = (
            abs(int(line.get(side, ""))) for side in ("Left", "Top", "Right", "Bottom")
        )
    except ValueError:
        return None
    return (left, top, right + 1, bottom + 1) if left <= right and top <= bottom else None


def _parsed(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InvalidValueError(
            f"labels must be sound XML, got '{path}' ({error}); check its encoding line, or get it "
            "again"
        ) from None
    except OSError as error:
        raise InvalidValueError(
            f"labels must be a readable file, got '{path}' ({error.strerror}); check its rights"
        ) from None


PAGES = Layout(
    "rimes pages",
    "training_2011.xml or eval_2011_annotated.xml with images of the pages",
    lambda folder: bool(_tables(folder)),
    _read_pages,
)
LINES = Layout("rimes lines", "Images/ with Transcriptions/", _has_lines, _read_lines)
