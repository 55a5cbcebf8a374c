"""Matrices on their way into a dump: their ids and references checked, until a batch is full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ctckit.dumps.shards import FloatArray
from ctckit.errors import InvalidValueError

References = Sequence[str | None] | Mapping[str, str]


class Pending:
    """Matrices that wait until they fill a record batch."""

    def __init__(self) -> None:
        self.rows: list[FloatArray] = []
        self.lengths: list[int] = []
        self.ids: list[str] = []
        self.references: list[str | None] = []
        self.digests: list[str | None] = []
        self.frames = 0

    def add(
        self,
        rows: FloatArray,
        lengths: Sequence[int],
        ids: Sequence[str],
        references: Sequence[str | None],
        digests: Sequence[str | None],
    ) -> None:
        """Take n matrices: rows (sum of T, C) of the dump's type, and what belongs to each."""
        self.rows.append(rows)
        self.lengths += lengths
        self.ids += ids
        self.references += references
        self.digests += digests
        self.frames += len(rows)


def checked_strings(name: str, values: Sequence[Any], count: int) -> list[Any]:
    """Return `count` strings that UTF-8 can hold, or raise InvalidValueError."""
    if isinstance(values, str) or len(values) != count:
        raise InvalidValueError(
            f"{name} must be {count}, one a matrix, got {len(values)}; give one for each"
        )
    for value in values:
        if not isinstance(value, str):
            raise InvalidValueError(f"{name} must be strings, got {value!r}; convert it with str()")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValueError(
                f"{name} must be valid Unicode, got {value!r}; replace the lone surrogate"
            ) from None
    return list(values)


def checked_references(references: References | None, ids: Sequence[str]) -> list[str | None]:
    """Return the reference of each id, None where it is not known, or raise InvalidValueError."""
    if references is None:
        return [None] * len(ids)
    if isinstance(references, Mapping):
        known_ids = set(ids)
        for one in references:
            if one not in known_ids:
                example = f", such as {ids[0]!r}" if ids else ""
                raise InvalidValueError(
                    f"references must be for ids of the batch, got one for {one!r}; it has "
                    f"{len(ids)} ids{example}"
                )
        references = [references.get(one) for one in ids]
    return checked_optional("references", references, len(ids))


def checked_optional(
    name: str, values: Sequence[str | None] | None, count: int
) -> list[str | None]:
    """Return `count` strings or Nones, all None for None, or raise InvalidValueError."""
    if values is None:
        return [None] * count
    # A string would come apart into its characters; it is refused whole.
    known = values if isinstance(values, str) else ["" if one is None else one for one in values]
    checked_strings(name, known, count)
    return list(values)
