"""Words as rows of small numbers, and as bytes in the order of those: what tries are built of."""

from __future__ import annotations

import itertools
import mmap
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.arrayfile import Arrays
from ctckit.intake import offsets_of

BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]


class Characters:
    """The characters of an alphabet, each with a number, its symbol.

    The symbol of a character is its class, where each token is one character, else its rank among
    the tokens' characters in the order of code points.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        if alphabet.single_characters:
            symbols = {ord(token): index for token, index in alphabet.token_ids.items()}
        else:
            characters = sorted(set("".join(alphabet.token_ids)))
            symbols = {ord(one): rank for rank, one in enumerate(characters)}
        self._symbol = np.full(max(symbols, default=0) + 2, -1, dtype=np.int32)
        self._point = np.zeros(max(symbols.values(), default=0) + 1, dtype="<u4")
        points, numbers = list(symbols), list(symbols.values())
        self._symbol[points] = numbers
        self._point[numbers] = points

    def __len__(self) -> int:
        return len(self._point)

    def symbols(self, words: Sequence[str]) -> tuple[Int32Array, Int64Array, BoolArray]:
        """Return the symbols of those words whose characters all have one.

        Returns
        -------
        These words' symbols behind one another; offsets, one more than words; which words they are.
        """
        text = "".join(words).encode("utf-32-le", "surrogatepass")
        points = np.minimum(np.frombuffer(text, dtype="<u4"), len(self._symbol) - 1)
        symbols = self._symbol[points]
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        offsets = offsets_of(lengths)
        unknown = offsets_of(symbols < 0)[offsets]
        known = unknown[1:] == unknown[:-1]
        if known.all():
            return symbols, offsets, known
        return symbols[np.repeat(known, lengths)], offsets_of(lengths[known]), known

    def texts(self, symbols: Int32Array, offsets: Int64Array) -> list[str]:
        """Return the texts that symbols stand for."""
        text = self._point[symbols].tobytes().decode("utf-32-le")
        bounds = offsets.tolist()
        return [text[a:b] for a, b in itertools.pairwise(bounds)]


class WordStore:
    """Words as bytes that sort as their symbols do; takes them in parts.

    Each symbol, from 1 on, has as many bytes as the largest needs, the first byte the most.

    Attributes
    ----------
    width : bytes of a symbol: 1, 2 or 4
    used : bool; which symbols are in some word
    """

    def __init__(self, size: int) -> None:
        self.width = 1 if size < 1 << 8 else 2 if size < 1 << 16 else 4
        self.used: BoolArray = np.zeros(size, dtype=np.bool_)
        self._bytes = _Growing(np.dtype(np.uint8))
        self._stops = _Growing(np.dtype(np.int64))
        self._stops.add(np.zeros(1, dtype=np.int64))

    def add(self, symbols: Int32Array, offsets: Int64Array) -> None:
        """Add words, none of them empty."""
        self.used[symbols] = True
        self._stops.add(self._bytes.count + offsets[1:] * self.width)
        self._bytes.add((symbols + 1).astype(f">u{self.width}").view(np.uint8))

    def finish(self) -> SortedWords:
        """Return the words, sorted; no more can be added."""
        from ctckit.kernels.lexicon import sort_words

        data, starts = self._bytes.array(), self._stops.array()
        order = _pages(len(starts) - 1, np.dtype(np.int32))
        order[:] = np.arange(len(order))
        different = sort_words(data, starts, order, _pages(len(order), np.dtype(np.int64)))
        return SortedWords(data, self.width, starts, order[:different])


@dataclass(frozen=True)
class SortedWords:
    """Words of a `WordStore`.

    Attributes
    ----------
    data : uint8; all bytes
    width : bytes of a symbol
    starts : int64; where each word's bytes begin, and where the last one's end
    order : int32; the words' numbers in order, one of each that came more than once
    """

    data: UInt8Array
    width: int
    starts: Int64Array
    order: Int32Array

    @property
    def longest(self) -> int:
        """Symbols of the longest word."""
        return int(np.diff(self.starts).max()) // self.width

    def trie(self, bits: Int64Array) -> Arrays:
        """Return the arrays nodes, token and word_end of a `Lexicon`.

        bits : int64; each symbol's bit in the masks
        """
        from ctckit.kernels.lexicon import build_trie, count_nodes

        words = (self.data, self.width, self.starts, self.order)
        start_of_depth = np.zeros(self.longest + 2, dtype=np.int64)
        count_nodes(*words, start_of_depth)
        count = int(start_of_depth[-1])
        nodes = np.zeros((count + 1, 2), dtype=np.int64)
        token, word_end = (np.zeros(count, dtype=np.int32) for _ in range(2))
        build_trie(*words, bits, start_of_depth, nodes, token, word_end)
        return {"nodes": nodes, "token": token, "word_end": word_end}


def upper_halves(nodes: Int64Array) -> npt.NDArray[np.uint32]:
    """Return the first children, or arcs, of a table of nodes; a view."""
    halves: npt.NDArray[np.uint32] = nodes.view(np.uint32)[:, 3 if sys.byteorder == "little" else 2]
    return halves


class _Growing:
    """An array to which more is added, in pages of its own."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.count = 0
        self._array = _pages(1 << 16, dtype)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Add values at the end."""
        count = self.count + len(values)
        if count > len(self._array):
            grown = _pages(2 * count, self._array.dtype)
            grown[: self.count] = self.array()
            self._array = grown
        self._array[self.count : count] = values
        self.count = count

    def array(self) -> npt.NDArray[Any]:
        """Return what has been added; a view."""
        return self._array[: self.count]


def _pages(size: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an array of zeros in memory that goes back to the system as soon as it is free.

    Of what malloc gives much would stay with the process, and lie below what is kept.
    """
    pages = mmap.mmap(-1, max(size, 1) * dtype.itemsize)
    return np.frombuffer(pages, dtype=dtype, count=size)
