"""Matrices in NumPy's .npy and .npz files."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.dumps.declared import Declared, frames_at_once, grouped, make_batch
from ctckit.dumps.files import disk_errors
from ctckit.dumps.store import DumpBatch
from ctckit.errors import CtckitError, DumpError, InvalidValueError
from ctckit.intake import Kind

KIND_OF_ARRAY: dict[str, Kind] = {"log_probs": "log-probs", "probs": "probs", "logits": "logits"}
OTHER_ARRAYS = {"lengths", "ids", "references", "has_reference", "alphabet", "blank"}

Array = npt.NDArray[Any]
Converted = tuple[Alphabet, Iterator[DumpBatch]]


def read_npy(path: Path, declared: Declared) -> Converted:
    """Read one array: (N, T, C), (T, N, C) as declared, or (T, C) for one line.

    Raises
    ------
    DumpError : the file is damaged
    InvalidValueError : pickled objects, another shape; alphabet, blank or kind not declared
    """
    try:
        with path.open("rb") as file:
            _shape(file, path, path.stem)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, CtckitError):
            raise
        raise _damaged(path, error) from None
    kind = declared.kind_of(path, None)
    array, ids = _as_ntc(path, "array", array, declared.layout)
    alphabet = declared.alphabet_of(path, array.shape[2], None)
    return alphabet, _chunks(path, kind, array, alphabet, ids, None, [None] * len(array))


def read_npz(path: Path, declared: Declared) -> Converted:
    """Read one 3-D array called log_probs, probs, logits or anything, or 2-D ones named by id.

    Arrays called lengths, ids, references (with has_reference), alphabet and blank are understood,
    so that what `write_npz` wrote needs no declarations.

    Raises
    ------
    DumpError : the file is damaged
    InvalidValueError : pickled objects, no array of matrices or several; alphabet, blank or kind
        not declared, or declared otherwise than the file says
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(path, archive, declared)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        if isinstance(error, CtckitError):
            raise
        raise _damaged(path, error) from None


def _read_archive(path: Path, archive: zipfile.ZipFile, declared: Declared) -> Converted:
    shapes = {}
    for member in archive.namelist():
        with archive.open(member) as file:
            shapes[member.removesuffix(".npy")] = _shape(file, path, member.removesuffix(".npy"))
    name = _matrices_name(path, shapes, declared)
    others = {one: _load(archive, one) for one in shapes if one in OTHER_ARRAYS}
    kind = declared.kind_of(path, KIND_OF_ARRAY.get(name) if name else None)
    if name is None:
        singles = [one for one in shapes if one not in OTHER_ARRAYS]
        alphabet = _alphabet(path, others, declared, shapes[singles[0]][-1])
        matrices = [(one, None, _load(archive, one)) for one in singles]
        return alphabet, grouped(path, kind, alphabet, matrices)
    array, ids = _as_ntc(path, name, _load(archive, name), declared.layout)
    alphabet = _alphabet(path, others, declared, array.shape[2])
    if "ids" in others:
        ids = _strings(path, "ids", others["ids"], len(array))
    lengths = _lengths(path, others.get("lengths"), array)
    return alphabet, _chunks(
        path, kind, array, alphabet, ids, lengths, _references(path, others, len(array))
    )


def _matrices_name(
    path: Path, shapes: dict[str, tuple[int, ...]], declared: Declared
) -> str | None:
    """Return which array holds all the matrices, or None where each array is a matrix."""
    named = [name for name in KIND_OF_ARRAY if name in shapes]
    if len(named) > 1 and declared.kind is not None:
        named = [name for name in named if KIND_OF_ARRAY[name] == declared.kind]
    others = [name for name in shapes if name not in OTHER_ARRAYS]
    if len(named) == 1:
        return named[0]
    if len(others) == 1 and len(shapes[others[0]]) == 3:
        return others[0]
    if not named and others and all(len(shapes[name]) == 2 for name in others):
        return None
    said = ", ".join(f"{name} {shapes[name]}" for name in others[:5]) or "none"
    raise InvalidValueError(
        "npz file must hold one 3-D array of matrices, or 2-D arrays named by their ids, got "
        f"{said}{' ...' if len(others) > 5 else ''} in '{path}'; save one called log_probs, probs "
        "or logits"
    )


def _shape(file: Any, path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of an array that is to be read, from its header; refuse pickles."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise InvalidValueError(
            f"array {name!r} must be plain numbers or strings, got pickled Python objects in "
            f"'{path}'; save it without dtype=object"
        )
    return shape


def _load(archive: zipfile.ZipFile, name: str) -> Array:
    member = name + ".npy" if name + ".npy" in archive.namelist() else name
    with archive.open(member) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _as_ntc(path: Path, name: str, array: Array, layout: str | None) -> tuple[Array, list[str]]:
    if array.ndim == 2:
        return array[None], [path.stem]
    if array.ndim != 3:
        raise InvalidValueError(
            f"{name} must have shape (N, T, C), (T, N, C) or (T, C), got {array.shape} in "
            f"'{path}'; reshape it"
        )
    if layout == "TNC":
        array = array.transpose(1, 0, 2)
    return array, [str(i) for i in range(len(array))]


def _alphabet(path: Path, others: dict[str, Array], declared: Declared, classes: int) -> Alphabet:
    if "alphabet" not in others or "blank" not in others:
        blank = int(others["blank"]) if "blank" in others and others["blank"].size == 1 else None
        return declared.alphabet_of(path, classes, blank)
    tokens, blanks = others["alphabet"], others["blank"]
    if tokens.dtype.kind != "U" or tokens.ndim != 1 or blanks.size != 1 or blanks.dtype.kind != "i":
        raise InvalidValueError(
            f"alphabet and blank must be an array of strings and an integer, got "
            f"{tokens.dtype} {tokens.shape} and {blanks.dtype} {blanks.shape} in '{path}'; save "
            "them so, or leave them out and add --alphabet and --blank"
        )
    try:
        alphabet = Alphabet(tokens.tolist(), int(blanks.reshape(())))
    except CtckitError as error:
        raise InvalidValueError(f"{error} ('{path}')") from None
    declared.check_agrees(path, alphabet)
    return alphabet


def _lengths(path: Path, lengths: Array | None, array: Array) -> Array:
    count, frames = array.shape[:2]
    if lengths is None:
        return np.full(count, frames)
    if lengths.shape != (count,) or (lengths.dtype.kind not in "iu" and count):
        raise InvalidValueError(
            f"lengths must be {count} integers, one a matrix, got {lengths.dtype} of shape "
            f"{lengths.shape} in '{path}'; save the frames of each matrix"
        )
    wrong = np.flatnonzero((lengths < 0) | (lengths > frames))
    if len(wrong):
        raise InvalidValueError(
            f"lengths must be 0 to {frames}, got {lengths[wrong[0]]} for matrix {wrong[0]} in "
            f"'{path}'; save the frames of each matrix"
        )
    return lengths


def _strings(path: Path, name: str, array: Array, count: int) -> list[str]:
    if array.dtype.kind not in "Uiu" or array.shape != (count,):
        raise InvalidValueError(
            f"{name} must be {count} strings, one a matrix, got {array.dtype} of shape "
            f"{array.shape} in '{path}'; save one for each"
        )
    return [str(one) for one in array.tolist()]


def _references(path: Path, others: dict[str, Array], count: int) -> list[str | None]:
    if "references" not in others:
        return [None] * count
    texts = _strings(path, "references", others["references"], count)
    known = others.get("has_reference", np.ones(count, dtype=bool))
    if known.shape != (count,):
        raise InvalidValueError(
            f"has_reference must be {count} truth values, got shape {known.shape} in '{path}'; "
            "save one for each"
        )
    return [text if has else None for text, has in zip(texts, known.tolist(), strict=True)]


def _chunks(
    path: Path,
    kind: Kind,
    array: Array,
    alphabet: Alphabet,
    ids: list[str],
    lengths: Array | None,
    references: list[str | None],
) -> Iterator[DumpBatch]:
    """Yield a 3-D array (N, T, C) a few megabytes at a time."""
    step = max(1, frames_at_once(alphabet) // max(1, array.shape[1]))
    for start in range(0, len(array), step):
        part = slice(start, start + step)
        counts = None if lengths is None else lengths[part]
        batch = make_batch(path, kind, array[part], alphabet, ids[part], counts)
        yield DumpBatch(batch, references[part])


def _damaged(path: Path, error: Exception) -> DumpError:
    said = str(error).split("\n")[0] or type(error).__name__
    return DumpError(
        f"{path.suffix} file must be complete, got damaged '{path}' ({said}); save it again"
    )


def write_npz(path: Path, alphabet: Alphabet, batches: Iterable[DumpBatch]) -> None:
    """Write all matrices, padded to the longest with certain blank, to an uncompressed .npz.

    The file appears when complete. Where `batches` are views of a dump they are not held in
    memory; everything else is.

    Raises
    ------
    DumpError : the file cannot be written, or the disk is full
    InvalidValueError : an id or reference ends in NUL, which NumPy's strings drop
    """
    kept = list(batches)
    references = [text for part in kept for text in part.references]
    others: dict[str, Array] = {
        "lengths": np.array([n for part in kept for n in part.batch.lengths], dtype=np.int64),
        "ids": _to_strings("ids", [one for part in kept for one in part.batch.ids]),
        "references": _to_strings("references", [text or "" for text in references]),
        "has_reference": np.array([text is not None for text in references], dtype=bool),
        "alphabet": _to_strings("alphabet", list(alphabet.tokens)),
        "blank": np.array(alphabet.blank, dtype=np.int64),
    }
    temporary = path.with_name(path.name + ".partial")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    _write_padded(archive, alphabet, kept, others["lengths"])
                    for name, array in others.items():
                        with archive.open(name + ".npy", "w") as member:
                            np.lib.format.write_array(member, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _write_padded(
    archive: zipfile.ZipFile, alphabet: Alphabet, parts: list[DumpBatch], lengths: Array
) -> None:
    longest = int(lengths.max(initial=0))
    header = {
        "descr": "<f4",
        "fortran_order": False,
        "shape": (len(lengths), longest, len(alphabet)),
    }
    padding = np.full((longest, len(alphabet)), -np.inf, dtype="<f4")
    padding[:, alphabet.blank] = 0
    with archive.open("log_probs.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            for matrix in part.batch:
                member.write(matrix.astype("<f4", copy=False).tobytes())
                member.write(padding[len(matrix) :].tobytes())


def _to_strings(name: str, values: list[str]) -> Array:
    array = np.array(values, dtype=np.str_)
    for given, kept in zip(values, array.tolist(), strict=True):
        if given != kept:
            raise InvalidValueError(
                f"{name} must not end in NUL in a .npz file, got {given!r}; write a dump instead"
            )
    return array
