"""The true texts of lines, in a file of their own."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ctckit.errors import DumpError, InvalidValueError, NotFoundError

ID_COLUMNS = ("id", "file")
TEXT_COLUMNS = ("text", "reference")
_OTHER_SEPARATORS = (";", "\t", "|")
"""What other programs put between columns, for a message only."""


def read_references(
    path: str | os.PathLike[str], *, id_columns: Sequence[str] = ID_COLUMNS
) -> dict[str, str]:
    """Return the text of each id, exactly as the file spells it.

    Parameters
    ----------
    path : a .csv file, its columns separated by commas, with a header that has ``id`` or
        ``file``, and ``text`` or ``reference``, in any case; or a .jsonl file of objects with
        those keys, where a null text is left out. UTF-8, with or without a byte order mark
    id_columns : the columns or keys that may hold the id; the first that is there is taken

    Raises
    ------
    NotFoundError : no such file
    DumpError : the file cannot be read
    InvalidValueError : another ending, not UTF-8, a column missing, a row that does not fit, an id
        that comes twice; the message names file and line
    """
    path = Path(path)
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidValueError(
            f"references must be a .csv or .jsonl file, got '{path}'; convert or rename it"
        )
    references: dict[str, str] = {}
    for line, id, text in reader(path, read_text(path, "references"), id_columns):
        if id in references:
            raise InvalidValueError(
                f"ids must be unique in references, got {id!r} again in '{path}', line {line}; "
                "keep one"
            )
        references[id] = text
    return references


def read_column(
    path: str | os.PathLike[str], id_columns: Sequence[str], columns: Sequence[str]
) -> dict[str, str]:
    """Return another column of a .csv file that `read_references` has taken, by id.

    Parameters
    ----------
    path, id_columns : as `read_references`
    columns : the first that is there is taken; where none is, nothing is returned
    """
    path = Path(path)
    rows = csv.reader(io.StringIO(read_text(path, "references"), newline=""), strict=True)
    header = next(rows, [])
    column = _find_column(header, columns)
    if column is None:
        return {}
    id_column = _column(path, header, id_columns)
    return {row[id_column]: row[column] for row in rows if row}


def read_text(path: Path, name: str) -> str:
    """Return the text of a UTF-8 file, without a byte order mark; line ends stay.

    Raises
    ------
    NotFoundError, DumpError, InvalidValueError : as `read_references`; `name` is what the file is
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"{name} must be an existing file, got '{path}'; check the path"
        ) from None
    except OSError as error:
        raise DumpError(
            f"{name} must be a readable file, got '{path}' ({error.strerror}); check the path"
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidValueError(
            f"{name} must be UTF-8 text, got byte 0x{data[error.start]:02x} in '{path}', "
            f"line {line} (it looks like {_encoding(data)}); save the file as UTF-8"
        ) from None


def _encoding(data: bytes) -> str:
    """Guess what a file that is not UTF-8 is, for a message only."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    return "Windows-1252 or another encoding of one byte a character"


def _csv_rows(path: Path, text: str, id_columns: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        id_column = _column(path, header, id_columns)
        text_column = _column(path, header, TEXT_COLUMNS)
        for row in rows:
            if row and len(row) != len(header):
                raise InvalidValueError(
                    f"references must have {len(header)} cells a row, as the header, got "
                    f"{len(row)} in '{path}', line {rows.line_num}; quote texts with commas"
                )
            if row:
                yield rows.line_num, row[id_column], row[text_column]
    except csv.Error as error:
        raise InvalidValueError(
            f"references must be sound CSV, got '{path}', line {rows.line_num} ({error}); check "
            "its quotes"
        ) from None


def _column(path: Path, header: list[str], names: Sequence[str]) -> int:
    column = _find_column(header, names)
    if column is not None:
        return column
    for separator in _OTHER_SEPARATORS:
        parts = [part for cell in header for part in cell.split(separator)]
        if _find_column(parts, names) is not None:
            raise InvalidValueError(
                f"references must have columns separated by commas, got {','.join(header)!r} with "
                f"{separator!r} between them in '{path}', line 1; save it as CSV with commas"
            )
    raise InvalidValueError(
        f"references must have a column {' or '.join(map(repr, names))}, got {header} in "
        f"'{path}', line 1; add a header"
    )


def _find_column(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return where the first of the names is that is there; as it is spelled, or in other case."""
    lower = [cell.lower() for cell in header]
    for name in names:
        for cells in (header, lower):
            if name in cells:
                return cells.index(name)
    return None


def read_json_lines(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of JSON lines, each with the number of its line.

    Raises
    ------
    InvalidValueError : a line that is no JSON object
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"'{path}', line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidValueError(
                f"references must be one JSON object a line, got {where} ({error}); write "
                f"{_EXAMPLE}"
            ) from None
        if not isinstance(values, dict):
            raise InvalidValueError(
                f"references must be one JSON object a line, got {values!r} in {where}; write "
                f"{_EXAMPLE}"
            )
        yield number, values


def _jsonl_rows(path: Path, text: str, id_columns: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    for number, values in read_json_lines(path, text):
        where = f"'{path}', line {number}"
        found = [
            next((values[name] for name in names if name in values), _MISSING)
            for names in (id_columns, TEXT_COLUMNS)
        ]
        id, reference = found
        if reference is None and isinstance(id, str):
            continue
        if not isinstance(id, str) or not isinstance(reference, str):
            raise InvalidValueError(
                f"references must have strings 'id' and 'text', got {values!r} in {where}; write "
                f"{_EXAMPLE}"
            )
        yield number, id, reference


_MISSING = object()
_EXAMPLE = '{"id": "line-1", "text": "hello"}'
