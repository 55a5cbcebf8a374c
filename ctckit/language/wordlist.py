"""A file of words, one a line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ctckit.cache import file_identity
from ctckit.errors import InvalidValueError, NotFoundError

_PART = 1 << 16
"""Bytes that are read at a time."""


def checked_identity(path: Path) -> list[Any]:
    """Return what changes when the file does.

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : a folder, or not to be read
    """
    try:
        with path.open("rb"):
            return file_identity(path)
    except FileNotFoundError:
        raise NotFoundError(
            f"lexicon must be a text file, got {str(path)!r}, which does not exist; check the path"
        ) from None
    except OSError as error:
        raise InvalidValueError(
            f"lexicon must be a readable text file, got {str(path)!r}: {error.strerror}; "
            "give a file with one word a line"
        ) from None


def read_words(path: Path) -> Iterator[list[str]]:
    """Yield the words of a UTF-8 file with one a line, many at a time.

    A byte order mark at its start, white space around a word and empty lines are dropped.

    Raises
    ------
    InvalidValueError : not UTF-8, white space inside a line, or no word at all
    """
    lines_before = 0
    found = False
    with path.open("rb") as file:
        while data := file.read(_PART) + file.readline():
            if lines_before == 0:
                data = data.removeprefix(codecs.BOM_UTF8)
            text = _decoded(data, lines_before, path)
            lines = text.split("\n")
            words = list(filter(None, map(str.strip, lines)))
            if words != text.split():
                at = next(i for i, line in enumerate(lines) if len(line.split()) > 1)
                raise InvalidValueError(
                    f"lexicon must hold one word a line, got {lines[at].strip()!r} in line "
                    f"{lines_before + at + 1} of {str(path)!r}; leave out counts and what else "
                    "stands beside the words"
                )
            found = found or bool(words)
            lines_before += len(lines) - 1
            yield words
    if not found:
        raise InvalidValueError(
            f"lexicon must hold some words, got {str(path)!r} without any; write one word a line"
        )


def _decoded(data: bytes, lines_before: int, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = lines_before + data.count(b"\n", 0, error.start) + 1
        raise InvalidValueError(
            f"lexicon must be UTF-8, got byte 0x{data[error.start]:02x} in line {line} of "
            f"{str(path)!r}; convert it, for example with iconv"
        ) from None
