"""Images of text, found below a folder."""

from __future__ import annotations

import errno
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ctckit.errors import InvalidValueError, NotFoundError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
"""The endings of image files, in lower case; files are compared without regard to case."""
_DIGITS = re.compile("([0-9]+)")

TRAINING_FILES = frozenset({
    "checkpoint.safetensors", "model.safetensors", "curve.csv", "curve.png", "summary.json",
    "corpus.txt", "word-characters.txt",
})  # fmt: skip
"""What a training writes into its folder; they are no part of a data set."""
_MODEL_SUFFIXES = (".safetensors", ".onnx")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image on disk.

    Attributes
    ----------
    id : its path below the folder that was searched, with ``/`` and its ending
    path : where it lies
    """

    id: str
    path: Path


_Place = tuple[int, int]
"""Device and inode."""


class _Folder(NamedTuple):
    """A folder to be walked through, with those that it lies in."""

    prefix: str
    path: str
    above: frozenset[_Place]
    by_link: bool


def find_images(folder: str | os.PathLike[str]) -> list[ImageFile]:
    """Return all images below a folder, by id, numbers in it in order of size (`2.png`, `10.png`).

    Hidden files and folders (``.name``) are left out, files with another ending, and the picture
    that a training has drawn of itself. Links are followed, but not into a folder that the link
    itself lies in. Where several ways through links lead to a folder, only one is taken: the least
    deep, of those the first by name.

    Raises
    ------
    NotFoundError : no such folder
    InvalidValueError : it is a file; a folder cannot be read; a name is not valid Unicode; there
        is no image
    """
    images = []
    for prefix, path, names in walk_folders(folder):
        parent = Path(path)
        for name in names:
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122 (faster)
                id = prefix + name
                _check_unicode(id, path)
                images.append(ImageFile(id, parent / name))
    if not images:
        raise InvalidValueError(
            f"folder must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}), got none below "
            f"'{os.fspath(folder)}'; check the path"
        )
    images.sort(key=lambda image: _natural(image.id))
    return images


def walk_folders(folder: str | os.PathLike[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield for `folder` and each below it: the prefix of its ids, its path, its file names.

    The least deep first, then by name. A folder comes at most twice: as itself and through links.
    What a training has written into its folder is left out, and the models beside that.

    Raises
    ------
    NotFoundError, InvalidValueError : as `find_images`
    """
    root = os.fspath(folder)
    _check_folder(root)
    todo = deque([_Folder("", root, frozenset(), False)])
    linked: set[_Place] = set()
    while todo:
        prefix, path, above, by_link = todo.popleft()
        names = []
        try:
            status = os.stat(path)  # noqa: PTH116
            place = (status.st_dev, status.st_ino)
            if place in above or (by_link and place in linked):
                continue
            if by_link:
                linked.add(place)
            below = []
            with os.scandir(path) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith("."):
                        continue
                    if _is_folder(entry):
                        below.append((name, entry.path, by_link or entry.is_symlink()))
                    elif _is_file(entry):
                        names.append(name)
            inside = above | {place}
            todo.extend(_Folder(f"{prefix}{n}/", one, inside, by) for n, one, by in sorted(below))
        except OSError as error:
            raise InvalidValueError(
                f"folder must be readable, got {shown_path(path)} ({error.strerror}); "
                "check its rights"
            ) from None
        yield prefix, path, _without_training(names)


def _without_training(names: list[str]) -> list[str]:
    """Return the names of a folder's files but for those of a training, if it holds one.

    Other files stay: a training may write into a folder of images.
    """
    there = TRAINING_FILES.intersection(names)
    ended = "summary.json" in there and not there.isdisjoint({"model.safetensors", "curve.csv"})
    if not ended and "checkpoint.safetensors" not in there:
        return names
    return [
        name for name in names if name not in TRAINING_FILES and not name.endswith(_MODEL_SUFFIXES)
    ]


def _check_folder(root: str) -> None:
    path = Path(root)
    if path.is_dir():
        return
    if not path.exists():
        raise NotFoundError(
            f"folder must be an existing folder, got {shown_path(root)}; check the path"
        )
    advice = "give a folder of images"
    if path.suffix.lower() in IMAGE_SUFFIXES:
        advice = f"give the folder in which it lies, {shown_path(str(path.parent))}"
    raise InvalidValueError(f"folder must be a folder, got the file {shown_path(root)}; {advice}")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself
            return False
        raise


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        # A broken link counts, so that reading it says so; a pipe does not: reading it would wait
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
    except OSError:
        return True


def _check_unicode(id: str, path: str) -> None:
    try:
        id.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"names of images must be valid Unicode, got {id!a} in {shown_path(path)}; rename it"
        ) from None


def shown_path(path: str) -> str:
    """Return a path in quotes that can always be printed."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return ascii(path)
    return f"'{path}'"


def _natural(id: str) -> tuple[list[list[Any]], str]:
    # Text and digits take turns in each part, text first, so that two keys can be compared
    parts = [_DIGITS.split(part) for part in id.split("/")]
    return [[int(p) if i % 2 else p for i, p in enumerate(part)] for part in parts], id
