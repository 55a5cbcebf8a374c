"""Many words, numbered: UTF-8 behind one another, made into strings when they are asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.intake import offsets_of

UInt8Array = npt.NDArray[np.uint8]


class WordList(Sequence[str]):
    """V different words by their number.

    Parameters
    ----------
    spellings : uint8; the words' UTF-8 behind one another
    offsets : int64 (V + 1,); where each begins and ends
    table : int32; of `make_table`

    Examples
    --------
    >>> words = WordList.of(["to", "be"])
    >>> words[1], "be" in words, words.numbers(["or", "to"], unknown=-1).tolist()
    ('be', True, [-1, 0])
    """

    def __init__(self, spellings: UInt8Array, offsets: Int64Array, table: Int32Array) -> None:
        self.spellings = spellings
        self.offsets = offsets
        self.table = table

    @classmethod
    def of(cls, words: Sequence[str]) -> WordList:
        """Return a list of different words."""
        spellings, offsets = encode_words(words)
        return cls(spellings, offsets, make_table(spellings, offsets)[0])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start, stop = self.offsets[number : number + 2].tolist()
        return self.spellings[start:stop].tobytes().decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        data = self.spellings.tobytes()
        pairs = itertools.pairwise(self.offsets.tolist())
        return (data[start:stop].decode("utf-8") for start, stop in pairs)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and bool(self.numbers([word], unknown=-1)[0] >= 0)

    def numbers(self, words: Iterable[str], *, unknown: int) -> Int32Array:
        """Return the number of each word, `unknown` for those that are not in the list."""
        from ctckit.kernels.words import look_up_words

        wanted, wanted_offsets = encode_words(words)
        numbers = np.empty(len(wanted_offsets) - 1, dtype=np.int32)
        look_up_words(
            wanted, wanted_offsets, self.spellings, self.offsets, self.table, unknown, numbers
        )
        return numbers

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return self.spellings.nbytes + self.offsets.nbytes + self.table.nbytes

    def mean_length(self) -> float:
        """Return how many characters a word has on average; those in <> do not count."""
        filled = np.flatnonzero(np.diff(self.offsets))
        first, last = self.offsets[filled], self.offsets[filled + 1] - 1
        marks = (self.spellings[first] == ord("<")) & (self.spellings[last] == ord(">"))
        begins = offsets_of((self.spellings & 0xC0) != 0x80)  # of characters
        lengths = (begins[last + 1] - begins[first])[~marks | (first == last)]
        return float(lengths.mean()) if len(lengths) else math.nan

    def __repr__(self) -> str:
        return f"WordList({len(self)} words)"


def encode_words(words: Iterable[str]) -> tuple[UInt8Array, Int64Array]:
    """Return words as UTF-8 behind one another, and their offsets."""
    encoded = [word.encode("utf-8", "surrogatepass") for word in words]
    offsets = offsets_of([len(one) for one in encoded])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def make_table(spellings: UInt8Array, offsets: Int64Array) -> tuple[Int32Array, int]:
    """Return the hash table of words, and the first that is there twice, or -1."""
    from ctckit.kernels.words import index_words

    table = empty_table(len(offsets) - 1)
    return table, int(index_words(spellings, offsets, table))


def empty_table(count: int) -> Int32Array:
    """Return a table with no entry yet, for `count` of them."""
    return np.full(1 << (2 * count).bit_length(), -1, dtype=np.int32)
