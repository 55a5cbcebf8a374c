"""Images of text: found below a folder, and read as gray arrays."""

from __future__ import annotations

import errno
import io
import os
import re
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.gray import GrayArray, gray_of, keyed, orientation_of, oriented
from ctckit.recognizer.png import (
    ENDS_EARLY,
    GRAY,
    PALETTE,
    RGB,
    SIGNATURE,
    Png,
    UnreadableError,
    check_pixels,
    parse_png,
)

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
"""The endings of image files, in lower case; files are compared without regard to case."""
MAX_PIXELS = 1 << 28
"""Larger images are refused, before they are decoded: they are no lines of text.

For TIFF, Pillow's own limit is lower: twice ``PIL.Image.MAX_IMAGE_PIXELS``, 178,956,970.
"""

MAX_BYTES = 1 << 29
"""Larger files are refused unread."""

_LARGE = 1 << 24
"""Images of more pixels are decoded one at a time: each may take hundreds of megabytes."""
_one_large = threading.Lock()
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
_MAX_SIDE = 1 << 20  # OpenCV refuses longer sides
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHER_KINDS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF"),
    (b"\0\0\0\x0cjP", "a JPEG 2000"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)


class InvalidImageError(InvalidValueError):
    """An image file is damaged, too large, or of a kind that ctckit does not read."""


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

    Hidden files and folders (``.name``) are left out, and files with another ending. Links are
    followed, but not into a folder that the link itself lies in. Where several ways through links
    lead to a folder, only one is taken: the least deep, of those the first by name.

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
                f"folder must be readable, got {_shown(path)} ({error.strerror}); check its rights"
            ) from None
        yield prefix, path, names


def _check_folder(root: str) -> None:
    path = Path(root)
    if path.is_dir():
        return
    if not path.exists():
        raise NotFoundError(
            f"folder must be an existing folder, got {_shown(root)}; check the path"
        )
    advice = "give a folder of images"
    if path.suffix.lower() in IMAGE_SUFFIXES:
        advice = f"give the folder in which it lies, {_shown(str(path.parent))}"
    raise InvalidValueError(f"folder must be a folder, got the file {_shown(root)}; {advice}")


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
            f"names of images must be valid Unicode, got {id!a} in {_shown(path)}; rename it"
        ) from None


def _shown(path: str) -> str:
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


_DIGITS = re.compile("([0-9]+)")


def read_image(source: str | os.PathLike[str] | bytes, name: str | None = None) -> GrayArray:
    """Return an image in gray, uint8 of shape (H, W): 0 black, 255 white.

    PNG, JPEG and TIFF of any mode and depth; what a file is, its content says, not its ending.
    Colour becomes ITU-R 601 luma (colour profiles are ignored); transparency shows white paper;
    16 bits are scaled by 1/257; 32-bit values: see `ctckit.recognizer.gray.gray_of_values`. The
    EXIF orientation is applied. Of a TIFF with several pages, the first is read.

    Damage is found wherever the file has check sums (PNG) or ends early; other damage in a JPEG
    or TIFF can pass as an odd image. Safe to call from many threads.

    Parameters
    ----------
    source : a path, or the content of an image file
    name : what errors call it; the path if None

    Raises
    ------
    NotFoundError : no such file
    InvalidImageError : not readable, of another kind, damaged, or more than ``MAX_PIXELS`` pixels
        or ``MAX_BYTES`` bytes
    """
    if isinstance(source, bytes):
        data, shown = source, _shown("bytes" if name is None else name)
    else:
        path = os.fspath(source)
        shown = _shown(path if name is None else name)
        data = _read_bytes(path, shown)
    try:
        return _decode(data, shown)
    except InvalidImageError:
        raise
    except UnreadableError as error:
        reason = str(error)
    except Image.DecompressionBombError:
        reason = f"a TIFF may have at most {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels"
    except MemoryError:
        reason = "it does not fit in memory"
    except Exception as error:  # Pillow's parsers raise nearly anything for damaged files
        reason = _reason(error)
    raise InvalidImageError(
        f"image must be a sound PNG, JPEG or TIFF, got {shown} ({reason}); "
        "export it again or take it out"
    )


def read_content(path: str | os.PathLike[str], shown: str) -> bytes:
    """Return the bytes of an image file.

    Threads that read many do most of their waiting here: the fewer calls of the system the better.

    Raises
    ------
    InvalidImageError : there are more than `MAX_BYTES`; `shown` is the path, in quotes
    OSError : the file cannot be read
    """
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    try:
        size = os.fstat(descriptor).st_size
        check_bytes(size, shown)
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def _read_bytes(path: str, shown: str) -> bytes:
    try:
        return read_content(path, shown)
    except FileNotFoundError:
        raise NotFoundError(
            f"image must be an existing file, got {shown}; check the path"
        ) from None
    except OSError as error:
        raise InvalidImageError(
            f"image must be a readable file, got {shown} ({error.strerror}); check the file"
        ) from None
    except MemoryError:
        raise InvalidImageError(
            f"image must fit in memory, got {shown}; scale it down or cut it into lines"
        ) from None


def check_bytes(size: int, shown: str) -> None:
    """Refuse a file that is too large to be an image of text, before it is read.

    Raises
    ------
    InvalidImageError : it has more than `MAX_BYTES`; `shown` is its path, in quotes
    """
    if size > MAX_BYTES:
        raise InvalidImageError(
            f"image must have at most {MAX_BYTES} bytes, got {shown} with {size}; "
            "scale it down or cut it into lines"
        )


def _decode(data: bytes, shown: str) -> GrayArray:
    if data.startswith(SIGNATURE):
        return _decode_png(parse_png(data), shown)
    if data.startswith(b"\xff\xd8\xff"):
        with _quiet():
            return _decode_jpeg(data, shown)
    if data.startswith(_TIFF_SIGNATURES):
        with _quiet():
            return _decode_tiff(data, shown)
    raise InvalidImageError(
        f"image must be PNG, JPEG or TIFF, got {shown} ({_kind(data)}); convert it to PNG or take "
        "it out"
    )


def _decode_png(png: Png, shown: str) -> GrayArray:
    _check_size(png.width, png.height, shown)
    plain = png.depth == 8 and png.colour in (GRAY, RGB) and png.key is None
    if plain and max(png.width, png.height) <= _MAX_SIDE:
        # 1.6 times as fast as Pillow, and strict: None where the pixels are damaged
        with _turn(png.width, png.height):
            gray = cv2.imdecode(np.frombuffer(png.data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise UnreadableError("it is damaged: its pixels cannot be decoded")
        turned = cast(GrayArray, gray)
    else:
        check_pixels(png)
        with _turn(png.width, png.height), _quiet():
            turned = _decode_odd_png(png)
    if png.exif is None:
        return turned
    with _quiet():
        return oriented(turned, orientation_of(png.exif))


def _decode_odd_png(png: Png) -> GrayArray:
    with PngImageFile(io.BytesIO(png.data)) as image:
        image.load()
        gray = gray_of(image)
        if png.key is None or png.colour == PALETTE:
            return gray
        if png.depth < 8:
            # Pillow has scaled the pixels to 8 bits, the key is as in the file
            return keyed(gray, gray, tuple(k * 255 // ((1 << png.depth) - 1) for k in png.key))
        # Pillow keeps the high bytes of 16-bit colours
        high = png.colour == RGB and png.depth == 16
        key = tuple(k >> 8 for k in png.key) if high else png.key
        return keyed(gray, np.asarray(image), key)


def _decode_jpeg(data: bytes, shown: str) -> GrayArray:
    # The class and not Image.open, which warns by a limit of its own; here and for the others
    with JpegImageFile(io.BytesIO(data)) as image:
        _check_size(*image.size, shown)
        if image.mode == "RGB":
            # The file holds luma; decoding that alone is faster
            image.draft("L", None)
        gray: GrayArray
        with _turn(*image.size):
            image.load()
            if image.mode == "CMYK" and "adobe" not in image.info:
                # Pillow takes all CMYK as Adobe's, which is inverted
                inverted = Image.fromarray(255 - np.asarray(image), "CMYK")
                gray = gray_of(inverted)
            else:
                gray = gray_of(image)
        return oriented(gray, orientation_of(image.info.get("exif")))


def _decode_tiff(data: bytes, shown: str) -> GrayArray:
    with TiffImageFile(io.BytesIO(data)) as image:
        _check_size(*image.size, shown)
        with _turn(*image.size):
            image.load()  # turns it by its orientation, too
            return gray_of(image)


def _turn(width: int, height: int) -> AbstractContextManager[Any]:
    """Return what a large image waits for, so that threads do not fill the memory with many."""
    return _one_large if width * height > _LARGE else nullcontext()


def _check_size(width: int, height: int, shown: str) -> None:
    if width < 1 or height < 1:
        raise UnreadableError("it is damaged: it has no pixels")
    if width * height > MAX_PIXELS:
        raise InvalidImageError(
            f"image must have at most {MAX_PIXELS} pixels, got {shown} with {width} x {height}; "
            "scale it down or cut it into lines"
        )


def _kind(data: bytes) -> str:
    if not data:
        return "an empty file"
    for start, kind in _OTHER_KINDS:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WebP"
    if data[4:8] == b"ftyp":
        return "a HEIC, AVIF or video"
    if (SIGNATURE.startswith(data) or b"\xff\xd8\xff".startswith(data)) and len(data) < 8:
        return ENDS_EARLY
    return "another kind of file"


def _reason(error: Exception) -> str:
    text = str(error).partition("\n")[0].strip()
    if "truncated" in text.lower():
        return ENDS_EARLY
    return f"it is damaged: {text[:80] or type(error).__name__}"


class _OnlyHere(threading.local):
    """Stands for a pattern in a warning filter: matches in threads that decode just now.

    ``warnings.catch_warnings`` would change the filters of all threads, and a filter on Pillow's
    modules would silence them for the whole program.
    """

    active = False

    def match(self, _: str) -> bool:
        return self.active


_here = _OnlyHere()
_FILTER = ("ignore", None, Warning, _here, 0)
_filter_lock = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings of this thread away: an image is readable or it is not."""
    filters = cast(list[Any], warnings.filters)
    if not filters or filters[0] is not _FILTER:
        with _filter_lock:
            if _FILTER in filters:
                filters.remove(_FILTER)
            filters.insert(0, _FILTER)
    _here.active = True
    try:
        yield
    finally:
        _here.active = False
