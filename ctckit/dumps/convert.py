"""Dumps from and to the files of other programs: one reader and one writer a format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctckit.alphabet import Alphabet
from ctckit.dumps.arrays import read_npy, read_npz, write_npz
from ctckit.dumps.declared import Declared, RequestError
from ctckit.dumps.files import names_in
from ctckit.dumps.manifest import MANIFEST, shard_number
from ctckit.dumps.matrix_csv import csv_files, read_csv, write_csv
from ctckit.dumps.store import Dump, DumpBatch, open_dump
from ctckit.dumps.writer import DumpWriter
from ctckit.errors import DumpError, InvalidValueError, NotFoundError
from ctckit.intake import Kind, Layout
from ctckit.references import read_references

READERS: dict[str, Callable[[Path, Declared], tuple[Alphabet, Iterator[DumpBatch]]]] = {
    "npy": read_npy,
    "npz": read_npz,
    "csv": read_csv,
}
WRITTEN = ("dump", "npz", "csv")


@dataclass
class Conversion:
    """What a conversion did.

    Attributes
    ----------
    format : what was written: ``"dump"``, ``"npz"`` or ``"csv"``
    count : matrices written
    with_reference : how many of them have a reference
    damaged : one line a damaged shard of the dump that was read; what could be read is written
    unknown_references : ids of the references file that no matrix has
    """

    format: str
    count: int = 0
    with_reference: int = 0
    damaged: list[str] = field(default_factory=list)
    unknown_references: list[str] = field(default_factory=list)


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    to: str | None = None,
    alphabet: str | os.PathLike[str] | None = None,
    blank: int | None = None,
    kind: Kind | None = None,
    layout: Layout | None = None,
    store: str | None = None,
    references: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Convert matrices from one file format to another.

    The destination appears when it is complete, and is as it was after an error.

    Parameters
    ----------
    source : a .npy, .npz or .csv file, a folder of .csv files, or a dump
    destination : a .npz file, or the folder of a dump or of .csv files
    to : ``"dump"``, ``"npz"`` or ``"csv"``; None: npz for a name that ends so, else a dump
    alphabet : a text file of the characters in order on one line, or a .json list of tokens
    blank : index of the blank; None: as the source says, for CSV the last
    kind : what the numbers are; None: as the source says, for CSV logits
    layout : axes of a 3-D array; None: ``"NTC"``
    store : type of the values in a dump; None: that of the dump read, else ``"float32"``
    references : file for `read_references`; its texts take the place of those in `source`
    overwrite : replace what the destination holds, if it is of the same format; never by what is
        left of a damaged dump

    Raises
    ------
    NotFoundError, DumpError : something cannot be read or written; the destination would replace
        something and the source is damaged
    RequestError : an unknown format; alphabet, blank or kind needed and not given, or given where
        the source has its own; destination and source lie in each other
    InvalidValueError : invalid matrices; duplicate ids; references of no matrix
    """
    source, destination = Path(source), Path(destination)
    given = Declared(None if alphabet is None else Path(alphabet), blank, kind, layout)
    done = Conversion(_format_written(destination, to))
    if store is not None and done.format != "dump":
        raise RequestError(
            f"store must be left out for {done.format}, got {store!r}; only a dump has one"
        )
    if done.format == "npz":
        _check_file(destination, overwrite)
    texts = None if references is None else read_references(references)
    origin: dict[str, Any] = {"converted_from": str(source)}
    read = _format_read(source)
    dump: Dump | None = None
    if read == "dump":
        _refuse_declarations(source, given)
        _refuse_nesting(source, destination)
        dump = open_dump(source)
        replaces = overwrite and _holds_something(destination)
        tokens, batches = dump.alphabet, _whole(dump, destination) if replaces else dump.batches()
        store, origin = store or dump.store, {**dump.source, **origin}
    else:
        if read == "csv" and layout is not None:
            raise RequestError(
                f"layout must be left out for CSV files, got {layout!r}; each holds one matrix"
            )
        tokens, batches = READERS[read](source, given)
    stream = _checked(source, batches, texts, done)
    if done.format == "npz":
        write_npz(destination, tokens, stream)
    elif done.format == "csv":
        write_csv(destination, tokens, stream, overwrite)
    else:
        options: dict[str, Any] = {"source": origin, "overwrite": overwrite, "atomic": True}
        with DumpWriter(destination, tokens, store=store or "float32", **options) as writer:
            for part in stream:
                writer.append(part.batch, references=part.references)
    if dump is not None:
        done.damaged = list(dump.damaged)
    return done


def _format_read(path: Path) -> str:
    if not path.exists():
        raise NotFoundError(
            f"source must be an existing file or folder, got '{path}'; check the path"
        )
    if path.is_dir():
        names = names_in(path)
        if MANIFEST in names or any(shard_number(name) >= 0 for name in names):
            return "dump"
        if csv_files(path):
            return "csv"
    elif path.suffix.lower()[1:] in READERS:
        return path.suffix.lower()[1:]
    raise InvalidValueError(
        "source must be a .npy, .npz or .csv file, a folder of .csv files or a dump, got "
        f"'{path}'; save the matrices as one of them"
    )


def _format_written(path: Path, to: str | None) -> str:
    ending = path.suffix.lower()
    if to is not None:
        if to not in WRITTEN:
            raise RequestError(f"to must be 'dump', 'npz' or 'csv', got {to!r}; choose one")
        return to
    if ending in (".npy", ".csv"):
        raise RequestError(
            f"destination must end in .npz or be a folder, got '{path}'; "
            "add --to csv for a folder of CSV files, --to dump for a dump of that name"
        )
    return "npz" if ending == ".npz" else "dump"


def _check_file(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise DumpError(f"destination must be a file, got the folder '{path}'; choose another name")
    if path.exists() and not path.is_file():
        raise DumpError(
            f"destination must be a plain file, got the device or pipe '{path}'; choose another"
        )
    if path.exists() and not overwrite:
        raise DumpError(
            f"destination must be new, got the existing file '{path}'; choose another, or "
            "overwrite it (--overwrite)"
        )


def _refuse_declarations(path: Path, given: Declared) -> None:
    for name in ("alphabet", "blank", "kind", "layout"):
        value = getattr(given, name)
        if value is not None:
            raise RequestError(
                f"{name} must be left out for a dump, got '{value}'; '{path}' has its own"
            )


def _refuse_nesting(source: Path, destination: Path) -> None:
    """Refuse to put something into a dump, or a dump around its source."""
    inner, outer = destination.resolve(), source.resolve()
    if outer in inner.parents or inner in outer.parents:
        raise RequestError(
            f"destination must be apart from the source, got '{destination}' for '{source}'; "
            "choose a place that is neither in the other"
        )


def _holds_something(destination: Path) -> bool:
    if destination.is_dir():
        return bool(names_in(destination))
    return destination.exists()


def _whole(dump: Dump, destination: Path) -> Iterator[DumpBatch]:
    """Yield the matrices of a dump, but end in an error if any is damaged."""
    _refuse_damage(dump, destination)
    for part in dump.batches():
        _refuse_damage(dump, destination)
        yield part
    _refuse_damage(dump, destination)


def _refuse_damage(dump: Dump, destination: Path) -> None:
    if dump.damaged:
        raise DumpError(
            f"source must be undamaged to replace '{destination}', got '{dump.path}' "
            f"({dump.damaged[0]}); convert to a new place, which gets what can be read"
        )


def _checked(
    source: Path, batches: Iterable[DumpBatch], texts: dict[str, str] | None, done: Conversion
) -> Iterator[DumpBatch]:
    """Pass batches on, with references put in, ids compared, and everything counted."""
    seen: set[str] = set()
    for part in batches:
        references = list(part.references)
        for i, id in enumerate(part.batch.ids):
            if id in seen:
                raise InvalidValueError(
                    f"ids must be unique, got {id!r} twice in '{source}'; rename one"
                )
            seen.add(id)
            if texts is not None and id in texts:
                references[i] = texts[id]
        done.count += len(references)
        done.with_reference += sum(one is not None for one in references)
        yield DumpBatch(part.batch, references)
    unknown = [] if texts is None else [id for id in texts if id not in seen]
    if unknown and seen and len(unknown) == len(texts or ()):
        raise InvalidValueError(
            f"references must name matrices of '{source}', got none of its {len(seen)} ids, such "
            f"as {min(seen)!r}; the first reference is for {unknown[0]!r}, check the ids"
        )
    done.unknown_references = unknown
