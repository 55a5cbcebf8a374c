"""Lexica of single matrices, by id."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ctckit.errors import InvalidValueError
from ctckit.language.files import read_lines, read_text

Items = Path | Mapping[str, Collection[str]]
_NAME = "item_lexicons"
_EXAMPLE = '{"id": "line-1", "lexicon": ["some", "words"]}'


def read_item_lexicons(source: Items) -> dict[str, list[str]]:
    """Return the words of each matrix that has a lexicon of its own, by its id.

    Parameters
    ----------
    source : a .csv file with a header that has ``id`` and ``lexicon``, the words separated by
        spaces; or a .jsonl file of objects with these keys, ``lexicon`` a list; or a mapping

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : another ending, not UTF-8, a row that does not fit, no row, an id that comes
        twice, or one without words
    """
    found: dict[str, list[str]] = {}
    for where, name, words in _rows(source):
        if not isinstance(name, str):
            raise InvalidValueError(
                f"{_NAME} must have strings as ids, got {name!r} in {where}; write {_EXAMPLE}"
            )
        sound = isinstance(words, Collection) and not isinstance(words, (str, bytes))
        if not sound or not len(words) or not all(isinstance(word, str) for word in words):
            raise InvalidValueError(
                f"{_NAME} must hold a list of words for each id, got {words!r} in {where}; "
                f"write {_EXAMPLE}"
            )
        if name in found:
            raise InvalidValueError(
                f"{_NAME} must hold each id once, got {name!r} again in {where}; keep one"
            )
        found[name] = list(words)
    if not found:
        got = f"'{source}' without any" if isinstance(source, Path) else repr(source)
        raise InvalidValueError(
            f"{_NAME} must hold some id, got {got}; leave the option out, or write {_EXAMPLE}"
        )
    return found


def _rows(source: Any) -> Iterator[tuple[str, Any, Any]]:
    """Return where each row is, its id and its words."""
    if isinstance(source, Mapping):
        return ((f"the entry {name!r}", name, words) for name, words in source.items())
    if not isinstance(source, Path):
        raise InvalidValueError(
            f"{_NAME} must be a file or a mapping of ids to words, got {type(source).__name__}; "
            'write {"line-1": ["some", "words"]}'
        )
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise InvalidValueError(
            f"{_NAME} must be a .csv or .jsonl file, got '{source}'; convert or rename it"
        )
    return reader(source)


def _csv_rows(path: Path) -> Iterator[tuple[str, Any, Any]]:
    rows = csv.reader(io.StringIO(read_text(path, _NAME), newline=""), strict=True)
    header: list[str] = []
    line = 1
    try:
        for row in rows:
            where, line = f"line {line} of '{path}'", rows.line_num + 1
            if not "".join(row).strip():
                continue
            if not header:
                header = _checked_header(row, where)
                continue
            if len(row) != len(header):
                raise InvalidValueError(
                    f"{_NAME} must have {len(header)} cells a row, as the header, got {len(row)} "
                    f"in {where}; quote cells with commas"
                )
            yield where, row[header.index("id")], row[header.index("lexicon")].split()
    except csv.Error as error:
        raise InvalidValueError(
            f"{_NAME} must be sound CSV, got {error} in line {rows.line_num} of '{path}'; "
            "check its quotes, or use .jsonl"
        ) from None


def _checked_header(row: list[str], where: str) -> list[str]:
    header = [cell.strip().lower() for cell in row]
    if not {"id", "lexicon"} <= set(header) or len(set(header)) < len(header):
        raise InvalidValueError(
            f"{_NAME} must have columns 'id' and 'lexicon', each once, got {row} in {where}; "
            "add a header"
        )
    return header


def _jsonl_rows(path: Path) -> Iterator[tuple[str, Any, Any]]:
    for number, line in read_lines(path, _NAME):
        where = f"line {number} of '{path}'"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidValueError(
                f"{_NAME} must be one JSON object a line, got {error} in {where}; write {_EXAMPLE}"
            ) from None
        if not isinstance(values, dict):
            raise InvalidValueError(
                f"{_NAME} must be one JSON object a line, got {values!r} in {where}; write "
                f"{_EXAMPLE}"
            )
        yield where, values.get("id"), values.get("lexicon")
