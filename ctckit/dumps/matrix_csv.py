"""Matrices as SimpleHTR and CTCWordBeamSearch keep them: a CSV file each, logits, blank last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.dumps.declared import Declared, grouped
from ctckit.dumps.files import StagedFolder, check_destination, disk_errors, names_in, sync_folder
from ctckit.dumps.store import DumpBatch
from ctckit.errors import CtckitError, InvalidValueError
from ctckit.references import read_json_lines, read_text

ALPHABET_FILE = "alphabet.json"
REFERENCES_FILE = "references.jsonl"
LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^\w.-]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

Float64Array = npt.NDArray[np.float64]


def csv_files(folder: Path) -> list[Path]:
    """Return the CSV files of a folder, in the order of their names."""
    return [folder / name for name in names_in(folder) if _is_csv(name)]


def _is_csv(name: str) -> bool:
    return name.lower().endswith(".csv")


def _is_ours(name: str) -> bool:
    return _is_csv(name) or name in (ALPHABET_FILE, REFERENCES_FILE)


def read_csv(path: Path, declared: Declared) -> tuple[Alphabet, Iterator[DumpBatch]]:
    """Read a CSV file, or a folder of them; a matrix is called as its file, without the ending.

    In a folder ``references.jsonl`` may say otherwise: a line a matrix with its ``file``, ``id``
    and ``text``, in order. Files that it does not name come last.

    A frame a line, values with ``;`` between and perhaps after them; logits unless declared
    otherwise; blank last unless declared otherwise. In a folder that `write_csv` made, the
    alphabet, the ids and the references are found.

    Raises
    ------
    DumpError : a file cannot be read
    InvalidValueError : a cell is no number, a line has more or fewer values than the others (the
        message names file and line); no alphabet is declared
    """
    is_folder = path.is_dir()
    files = csv_files(path) if is_folder else [path]
    beside = path / ALPHABET_FILE
    classes = next((found for file in files if (found := _count_classes(file))), None)
    fallback = beside if is_folder and beside.exists() else None
    alphabet = declared.alphabet_of(path, classes, -1, fallback)
    known = path / REFERENCES_FILE
    told = _read_index(known) if is_folder and known.exists() else {}
    places = {name: place for place, name in enumerate(told)}
    files.sort(key=lambda file: places.get(file.stem, len(places)))
    matrices = (
        (*told.get(file.stem, (file.stem, None)), _read_matrix(file, len(alphabet)))
        for file in files
    )
    return alphabet, grouped(path, declared.kind or "logits", alphabet, matrices)


def _read_index(path: Path) -> dict[str, tuple[str, str | None]]:
    """Return id and reference of each matrix by the name of its file, without the ending."""
    index: dict[str, tuple[str, str | None]] = {}
    for number, values in read_json_lines(path, read_text(path, "references")):
        id, text = values.get("id"), values.get("text", values.get("reference"))
        file = values.get("file", id)
        id = file if id is None else id
        if not (isinstance(id, str) and isinstance(file, str) and isinstance(text, str | None)):
            raise InvalidValueError(
                f"references must have strings 'file', 'id' and 'text', got {values!r} in "
                f"'{path}', line {number}; write null for a text that is not known"
            )
        name = file[: -len(".csv")] if _is_csv(file) else file
        if name in index:
            raise InvalidValueError(
                f"files must be unique in references, got {file!r} again in '{path}', line "
                f"{number}; keep one"
            )
        index[name] = id, text
    return index


def _lines(path: Path) -> list[str]:
    text = read_text(path, "matrix").replace("\r\n", "\n").rstrip("\n")
    return text.split("\n") if text else []


def _cells(line: str) -> list[str]:
    return line.rstrip().removesuffix(";").split(";")


def _count_classes(path: Path) -> int | None:
    """Return the values on the first line; None for a matrix without frames."""
    lines = _lines(path)
    return len(_cells(lines[0])) if lines else None


def _read_matrix(path: Path, classes: int) -> Float64Array:
    rows: list[list[float]] = []
    for number, line in enumerate(_lines(path), start=1):
        cells = _cells(line)
        if len(cells) != classes:
            raise InvalidValueError(
                f"matrix must have {classes} values a line, got {len(cells)} in '{path}', line "
                f"{number}; each line is a frame with ';' between its values"
            )
        try:
            rows.append([float(cell) for cell in cells])
        except ValueError:
            wrong = next(cell for cell in cells if not _is_number(cell))
            raise InvalidValueError(
                f"matrix must hold numbers, got {wrong!r} in '{path}', line {number}; "
                "write them as -1.5 or 2e-3"
            ) from None
    return np.array(rows, dtype=np.float64).reshape(len(rows), classes)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def check_csv_folder(path: Path, overwrite: bool) -> None:
    """Refuse what `write_csv` would refuse, before there is anything to write.

    Raises
    ------
    DumpError : `path` is a file, or holds something that may not be replaced
    """
    check_destination(path, overwrite, _is_ours)


def ids_of_csv_folder(path: Path) -> set[str] | None:
    """Return the ids in a folder that `write_csv` made; None for a folder with anything else."""
    names = set(names_in(path)) - {ALPHABET_FILE}
    if REFERENCES_FILE not in names or not (path / ALPHABET_FILE).is_file():
        return None
    try:
        index = _read_index(path / REFERENCES_FILE)
    except CtckitError:
        return None
    if not names <= {REFERENCES_FILE, *(f"{name}.csv" for name in index)}:
        return None
    return {id for id, _ in index.values()}


def write_csv(
    path: Path, alphabet: Alphabet, batches: Iterable[DumpBatch], overwrite: bool = False
) -> None:
    """Write a folder with a CSV file a matrix, in SimpleHTR's format, when complete.

    The log-probabilities stand for the logits: log-softmax leaves them as they are. The blank's
    column becomes the last. File names are the ids, where those are safe names, made so otherwise.
    The tokens without the blank are put into ``alphabet.json``, and file, id and reference of each
    matrix, in order, into ``references.jsonl``, so that `read_csv` needs no declarations.

    Raises
    ------
    DumpError : `path` holds something else, cannot be written, or another run is writing it
    """
    check_csv_folder(path, overwrite)
    staged = StagedFolder(path, _is_ours)
    blank = alphabet.blank
    order = [i for i in range(len(alphabet)) if i != blank] + [blank]
    form = "%.9g;" * len(alphabet) + "\n"
    names: set[str] = set()
    index: list[dict[str, Any]] = []
    try:
        with disk_errors(path):
            for part in batches:
                parts = zip(part.batch.ids, part.references, part.batch, strict=True)
                for id, reference, matrix in parts:
                    name = _safe_name(id, names)
                    index.append({"file": f"{name}.csv", "id": id, "text": reference})
                    lines = [form % tuple(row) for row in matrix[:, order].tolist()]
                    _write(staged.path / f"{name}.csv", "".join(lines))
            tokens = [alphabet.tokens[i] for i in order[:-1]]
            _write(staged.path / ALPHABET_FILE, json.dumps(tokens, ensure_ascii=False) + "\n")
            told = [json.dumps(one, ensure_ascii=False) + "\n" for one in index]
            _write(staged.path / REFERENCES_FILE, "".join(told))
            sync_folder(staged.path)
        staged.publish()
    except BaseException:
        staged.discard()
        raise


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


def _safe_name(id: str, taken: set[str]) -> str:
    """Return a file name for `id` that is safe on every system and not `taken`, and take it."""
    base = _UNSAFE.sub("_", id).strip(".")
    base = base.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(".")
    if not base or _RESERVED.fullmatch(base):
        base = "_" + base
    name, number = base, 1
    while name.casefold() in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name.casefold())
    return name
