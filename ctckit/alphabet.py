"""The ordered tokens of a CTC output and the index of the blank."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ctckit.errors import InvalidValueError

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


class Alphabet:
    """What each class of a CTC matrix stands for.

    Parameters
    ----------
    tokens : one string a class, C in all, in the order of the matrix columns; a token is one or
        more code points. The string at `blank` is ignored (use ``""`` or ``"<blank>"``)
    blank : index of the blank, 0 to C - 1; negative indices are refused, since libraries
        disagree about what they mean

    Raises
    ------
    InvalidValueError : no tokens, an empty or repeated token, or `blank` out of range

    Examples
    --------
    >>> alphabet = Alphabet(["a", "b", ""], blank=2)
    >>> alphabet.encode("abba").tolist()
    [0, 1, 1, 0]
    >>> alphabet.decode([1, 0])
    'ba'
    """

    __slots__ = ("__dict__", "blank", "tokens")

    tokens: tuple[str, ...]
    blank: int

    def __init__(self, tokens: Sequence[str], blank: int) -> None:
        try:
            index = operator.index(blank)
        except TypeError:
            raise InvalidValueError(
                f"blank must be an integer, got {blank!r}; give the class index of the blank"
            ) from None
        # The class is hashable, so it does not change: see __setattr__.
        try:
            object.__setattr__(self, "tokens", tuple(tokens))
        except TypeError:
            raise InvalidValueError(
                f"tokens must be a sequence of strings, got {tokens!r}; give one string a class"
            ) from None
        object.__setattr__(self, "blank", index)
        self._check()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Alphabet does not change, got a new {name}; make another one")

    def _check(self) -> None:
        size = len(self.tokens)
        if size == 0:
            raise InvalidValueError(
                "tokens must hold at least the blank, got none; give one string a class"
            )
        if not 0 <= self.blank < size:
            raise InvalidValueError(
                f"blank must be 0 to {size - 1}, got {self.blank}; "
                f"the alphabet has {size} tokens, the blank's included"
            )
        seen: dict[str, int] = {}
        for index, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise InvalidValueError(
                    f"tokens must be strings, got {token!r} at index {index}; "
                    "give one string a class"
                )
            if index == self.blank:
                continue
            if token == "":
                raise InvalidValueError(
                    f"tokens must not be empty, got '' at index {index}; "
                    f"only the blank (index {self.blank}) may be"
                )
            if token in seen:
                raise InvalidValueError(
                    f"tokens must be unique, got {token!r} at index {seen[token]} and {index}; "
                    "remove or rename one"
                )
            try:
                token.encode("utf-8")
            except UnicodeEncodeError:
                raise InvalidValueError(
                    f"tokens must be valid Unicode, got {token!r} at index {index}; "
                    "replace the lone surrogate"
                ) from None
            seen[token] = index

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Alphabet):
            return NotImplemented
        return self is other or self._canonical == other._canonical

    def __hash__(self) -> int:
        return hash(self._canonical)

    def __repr__(self) -> str:
        return f"Alphabet({len(self.tokens)} tokens, blank={self.blank}, {self.fingerprint[:12]})"

    def __reduce__(self) -> tuple[type[Alphabet], tuple[tuple[str, ...], int]]:
        return Alphabet, (self.tokens, self.blank)

    @cached_property
    def _canonical(self) -> tuple[int, tuple[str, ...]]:
        """What equality looks at: the blank's string does not count."""
        tokens = tuple("" if i == self.blank else token for i, token in enumerate(self.tokens))
        return self.blank, tokens

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the tokens and the blank; equal alphabets have equal fingerprints."""
        text = json.dumps(self._canonical, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def token_ids(self) -> dict[str, int]:
        """Token to class index, the blank left out."""
        return {token: i for i, token in enumerate(self.tokens) if i != self.blank}

    @cached_property
    def single_characters(self) -> bool:
        """Whether every token but the blank is exactly one code point."""
        return all(len(token) == 1 for token in self.token_ids)

    @cached_property
    def _code_points(self) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint32]:
        """One code point a class, as bytes where all are ASCII; for `single_characters` only."""
        points = [0 if i == self.blank else ord(t) for i, t in enumerate(self.tokens)]
        if max(points) < 128:
            return np.array(points, dtype=np.uint8)
        return np.array(points, dtype=np.uint32)

    @cached_property
    def _longest(self) -> int:
        return max((len(token) for token in self.token_ids), default=0)

    def encode(self, text: str) -> Int32Array:
        """Return the token ids of `text`, the longest token first where several fit.

        Raises
        ------
        InvalidValueError : a character that no token covers
        """
        ids, end = self.spelled(text)
        if end < len(text):
            raise InvalidValueError(
                f"text must be spelled in the alphabet, got {text[end]!r} at position "
                f"{end} of {text!r}; add the character to the alphabet or drop it"
            )
        return np.array(ids, dtype=np.int32)

    def spelled(self, text: str) -> tuple[list[int], int]:
        """Return the token ids of the start of `text` that tokens cover, and where it ends."""
        ids: list[int] = []
        lookup = self.token_ids
        position = 0
        while position < len(text):
            for length in range(min(self._longest, len(text) - position), 0, -1):
                found = lookup.get(text[position : position + length])
                if found is not None:
                    ids.append(found)
                    position += length
                    break
            else:
                break
        return ids, position

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the text of token ids (0 to C - 1, no blanks).

        Raises
        ------
        InvalidValueError : an id out of range, or the blank's
        """
        ids = [int(one) for one in token_ids]
        for one in ids:
            if not 0 <= one < len(self.tokens) or one == self.blank:
                raise InvalidValueError(
                    f"token_ids must be 0 to {len(self.tokens) - 1} without the blank "
                    f"{self.blank}, got {one}; collapse a path before"
                )
        return "".join([self.tokens[one] for one in ids])

    def decode_many(self, token_ids: Int32Array, offsets: Int64Array) -> list[str]:
        """Return one text a row of a columnar array, without a Python step a token.

        Parameters
        ----------
        token_ids : int32, all rows behind one another, no blanks
        offsets : int64, N + 1; row i is ``token_ids[offsets[i]:offsets[i + 1]]``
        """
        if self.single_characters:
            points = self._code_points[token_ids]
            encoding = "ascii" if points.dtype == np.uint8 else "utf-32-le"
            flat = points.astype(points.dtype.newbyteorder("<"), copy=False).tobytes()
            text = flat.decode(encoding)
            bounds = offsets.tolist()
            return [text[a:b] for a, b in itertools.pairwise(bounds)]
        tokens = self.tokens
        flat_tokens = [tokens[i] for i in token_ids.tolist()]
        bounds = offsets.tolist()
        return ["".join(flat_tokens[a:b]) for a, b in itertools.pairwise(bounds)]
