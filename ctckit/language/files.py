"""Text files with an entry a line: phrases, words by item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ctckit.errors import InvalidValueError, NotFoundError


def read_text(path: Path, name: str) -> str:
    """Return the text of a UTF-8 file; a byte order mark at its start is dropped.

    Parameters
    ----------
    path : of the file
    name : what it holds, for the messages

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : not a file that can be read, or not UTF-8
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"{name} must be a text file, got '{path}', which does not exist; check the path"
        ) from None
    except OSError as error:
        raise InvalidValueError(
            f"{name} must be a readable text file, got '{path}': {error.strerror}; check the path"
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidValueError(
            f"{name} must be UTF-8, got byte 0x{data[error.start]:02x} in line {line} of '{path}'; "
            "convert it, for example with iconv"
        ) from None


def read_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Return the number and the text of each line that is not blank, without white space after it.

    Parameters and errors are those of `read_text`.
    """
    text = read_text(path, name).replace("\r\n", "\n").replace("\r", "\n")
    return ((i, line.rstrip()) for i, line in enumerate(text.split("\n"), 1) if line.strip())
