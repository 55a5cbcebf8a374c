"""What a dump says of itself, and the names of the files that make it up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, cast, get_args

from ctckit.alphabet import Alphabet
from ctckit.dumps.files import write_text
from ctckit.errors import CtckitError, DumpError, InvalidValueError

Store = Literal["float16", "float32"]
STORES: tuple[Store, ...] = get_args(Store)

MANIFEST = "manifest.json"
FORMAT = "ctckit-dump"
VERSION = 1

_SHARD = re.compile(r"shard-(\d{5,})\.arrow")
_UNFINISHED = re.compile(r"shard-(\d{5,})\.arrow\.partial")
_TEMPORARY = re.compile(r"(manifest\.json|shard-\d{5,}\.arrow)\.tmp")


@dataclass
class Manifest:
    """The contents of manifest.json; every shard carries the same but for `shards`.

    Attributes
    ----------
    alphabet : of all matrices of the dump
    store : type of the values, natural-log probabilities
    source : where the matrices come from, any JSON values
    shards : matrices in each finished shard, by file name
    creator : what wrote the dump, such as ``"ctckit 1.0"``
    """

    alphabet: Alphabet
    store: Store = "float32"
    source: dict[str, Any] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    creator: str = ""

    def to_json(self, *, with_shards: bool) -> str:
        """Return the manifest as JSON text."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "creator": self.creator,
            "kind": "log-probs",
            "store": self.store,
            "blank": self.alphabet.blank,
            "tokens": list(self.alphabet.tokens),
            "source": self.source,
        }
        if with_shards:
            values["shards"] = self.shards
        return json.dumps(values, ensure_ascii=False, indent=1 if with_shards else None)

    def write(self, folder: Path) -> None:
        """Put the manifest into `folder`, whole or not at all."""
        write_text(folder / MANIFEST, self.to_json(with_shards=True) + "\n")


def new_manifest(alphabet: Alphabet, store: str, source: Mapping[str, Any] | None) -> Manifest:
    """Return the manifest of a dump to be written.

    Raises
    ------
    InvalidValueError : an unknown `store`, or a `source` that is not made of JSON values
    """
    if store not in STORES:
        raise InvalidValueError(f"store must be 'float16' or 'float32', got {store!r}; choose one")
    try:
        text = json.dumps({} if source is None else dict(source), allow_nan=False)
        text.encode()
        copied = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValueError(
            f"source must be a dict of JSON values, got {source!r} ({error}); convert the others"
        ) from None
    try:
        creator = f"ctckit {version('ctckit')}"
    except PackageNotFoundError:
        creator = "ctckit"
    return Manifest(alphabet, store, copied, creator=creator)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the dump in `folder`.

    Raises
    ------
    DumpError : `folder` does not exist or is no dump; the manifest is damaged or of a newer ctckit
    """
    path = folder / MANIFEST
    if not folder.exists():
        raise DumpError(f"dump must be an existing folder, got '{folder}'; check the path")
    if not folder.is_dir():
        raise DumpError(
            f"dump must be a folder, got the file '{folder}'; "
            "turn other formats into a dump with ctckit convert"
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DumpError(
            f"dump must be a folder with a {MANIFEST}, got '{folder}' without one; check the path"
        ) from None
    except OSError as error:
        raise DumpError(
            f"manifest must be readable, got '{path}' ({error.strerror}); check the file"
        ) from None
    try:
        return parse_manifest(data)
    except CtckitError as error:
        raise DumpError(f"{error} ('{path}')") from None


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest that `data` spells.

    Raises
    ------
    DumpError : it is not JSON, of a newer version, or a field is missing or wrong
    InvalidValueError : tokens or blank make no alphabet
    """
    try:
        values = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise DumpError(
            f"manifest must be complete JSON, got damaged text ({error}); restore it, every "
            "shard holds a copy in its schema metadata"
        ) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DumpError(f"manifest must have the format {FORMAT!r}, got another; check the path")
    found = _count("version", values.get("version"))
    if found > VERSION:
        raise DumpError(f"dump version must be at most {VERSION}, got {found}; upgrade ctckit")
    if values.get("kind") != "log-probs":
        raise _bad_field("kind", "'log-probs'", values.get("kind"))
    return _manifest_of(values)


def _manifest_of(values: dict[str, Any]) -> Manifest:
    store, source, shards = values.get("store"), values.get("source"), values.get("shards", {})
    tokens, blank = values.get("tokens"), _count("blank", values.get("blank"))
    if store not in STORES:
        raise _bad_field("store", "'float16' or 'float32'", store)
    if not isinstance(source, dict):
        raise _bad_field("source", "an object", source)
    if not isinstance(tokens, list):
        raise _bad_field("tokens", "an array of strings", tokens)
    if not isinstance(shards, dict) or not all(
        _SHARD.fullmatch(name) and _is_count(count) for name, count in shards.items()
    ):
        raise _bad_field("shards", "an object of shard names and counts", shards)
    creator = str(values.get("creator", ""))
    return Manifest(Alphabet(tokens, blank), cast(Store, store), source, shards, creator)


def difference(found: Manifest, wanted: Manifest) -> str:
    """Say in what a dump differs from the one to be written, or ``""``."""
    if found.alphabet != wanted.alphabet:
        return f"{found.alphabet!r} instead of {wanted.alphabet!r}"
    if found.store != wanted.store:
        return f"store {found.store!r} instead of {wanted.store!r}"
    for key in sorted(found.source.keys() | wanted.source.keys()):
        theirs, ours = found.source.get(key), wanted.source.get(key)
        if theirs != ours:
            return f"source[{key!r}] = {theirs!r} instead of {ours!r}"
    return ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count(name: str, value: Any) -> int:
    if not _is_count(value):
        raise _bad_field(name, "an integer of at least 0", value)
    return int(value)


def _bad_field(name: str, rule: str, value: object) -> DumpError:
    return DumpError(f"{name} in the manifest must be {rule}, got {value!r}; restore the manifest")


def shard_name(number: int) -> str:
    """Return the file name of a finished shard."""
    return f"shard-{number:05d}.arrow"


def shard_number(name: str) -> int:
    """Return the number of a shard, finished or not, or -1 for any other file name."""
    found = _SHARD.fullmatch(name) or _UNFINISHED.fullmatch(name)
    return int(found[1]) if found else -1


def is_temporary(name: str) -> bool:
    """Whether a file of that name was being written when a writer was killed."""
    return _TEMPORARY.fullmatch(name) is not None


def is_dump_file(name: str) -> bool:
    """Whether a file of that name belongs to a dump."""
    return name == MANIFEST or shard_number(name) >= 0 or is_temporary(name)
