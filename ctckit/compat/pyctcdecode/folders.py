"""The folders that decoders and language models are saved to."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctckit.arrayfile import is_array_file
from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.language.ngrams import NGramModel

GZIP = b"\x1f\x8b"


def visible_names(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of what is in a folder, without what begins with a dot or ``__``."""
    try:
        names = sorted(entry.name for entry in Path(folder).iterdir())
    except OSError as error:
        raise NotFoundError(
            f"filepath must be a folder, got '{folder}': {error.strerror}; check the path"
        ) from None
    return [name for name in names if not name.startswith((".", "__"))]


def save_model(source: Path | None, model: NGramModel, folder: Path) -> None:
    """Write a model to a folder as a plain ARPA file: its source's text, if that is one."""
    if source is None:
        model.write_arpa(folder / "lm.arpa")
        return
    target = folder / f"{source.name.removesuffix('.gz').removesuffix('.arpa')}.arpa"
    if is_array_file(source):
        model.write_arpa(target)
        return
    with source.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    with gzip.open(source) if packed else source.open("rb") as file, target.open("wb") as out:
        shutil.copyfileobj(file, out)


def read_fields(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return what a JSON file has under names, of which it must hold these and no others."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidValueError(
            f"{path.name} must be JSON, got {error} in '{path}'; save the decoder again"
        ) from None
    if not isinstance(fields, dict) or set(fields) != set(names):
        found = ", ".join(sorted(fields)) if isinstance(fields, dict) else type(fields).__name__
        raise InvalidValueError(
            f"{path.name} must have the keys {', '.join(names)}, got {found or 'none'} in "
            f"'{path}'; save the decoder again"
        )
    return fields


def read_lines(path: Path, encoding: str) -> list[str]:
    """Return the lines of a text, without empty ones."""
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            f"unigrams must be of the encoding {encoding}, got byte "
            f"0x{error.object[error.start]:02x} in '{path}'; give unigram_encoding"
        ) from None
    return [line for line in text.split("\n") if line]
