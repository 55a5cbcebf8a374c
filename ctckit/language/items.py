"""Lexica of single matrices, by id."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ctckit.errors import InvalidValueError
from ctckit.language.files import read_lines

Items = Path | Mapping[str, Collection[str]]
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
    InvalidValueError : another ending, not UTF-8, a row that does not fit, an id that comes twice,
        or one without words
    """
    if isinstance(source, Path):
        readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
        reader = readers.get(source.suffix.lower())
        if reader is None:
            raise InvalidValueError(
                f"item_lexicons must be a .csv or .jsonl file, got '{source}'; convert or rename it"
            )
        rows = reader(source)
    else:
        rows = ((repr(name), name, words) for name, words in source.items())
    found: dict[str, list[str]] = {}
    for where, name, words in rows:
        if not isinstance(name, str):
            raise InvalidValueError(
                f"item_lexicons must have strings as ids, got {name!r}; convert it"
            )
        sound = isinstance(words, Collection) and not isinstance(words, str)
        if not sound or not words or not all(isinstance(word, str) for word in words):
            raise InvalidValueError(
                f"item_lexicons must hold a list of words for each id, got {words!r} for {where}; "
                f"write {_EXAMPLE}"
            )
        if name in found:
            raise InvalidValueError(
                f"item_lexicons must hold each id once, got {name!r} again, {where}; keep one"
            )
        found[name] = list(words)
    return found


def _csv_rows(path: Path) -> Iterator[tuple[str, str, Any]]:
    text = "\n".join(line for _, line in read_lines(path, "item_lexicons"))
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if "id" not in header or "lexicon" not in header:
            raise InvalidValueError(
                f"item_lexicons must have columns 'id' and 'lexicon', got {header} in '{path}'; "
                "add a header"
            )
        for row in rows:
            where = f"line {rows.line_num} of '{path}'"
            if len(row) != len(header):
                raise InvalidValueError(
                    f"item_lexicons must have {len(header)} cells a row, as the header, got "
                    f"{len(row)} in {where}; quote cells with commas"
                )
            yield where, row[header.index("id")], row[header.index("lexicon")].split()
    except csv.Error as error:
        raise InvalidValueError(
            f"item_lexicons must be sound CSV, got '{path}', line {rows.line_num} ({error}); "
            "check its quotes"
        ) from None


def _jsonl_rows(path: Path) -> Iterator[tuple[str, str, Any]]:
    for number, line in read_lines(path, "item_lexicons"):
        where = f"line {number} of '{path}'"
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InvalidValueError(
                f"item_lexicons must be one JSON object a line, got {where} ({error}); write "
                f"{_EXAMPLE}"
            ) from None
        if not isinstance(values, dict) or not isinstance(values.get("id"), str):
            raise InvalidValueError(
                f"item_lexicons must have a string 'id', got {values!r} in {where}; write "
                f"{_EXAMPLE}"
            )
        yield where, values["id"], values.get("lexicon")
