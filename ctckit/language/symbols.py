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

    Attributes
    ----------
    used : bool; which symbols are in some word
    longest : symbols of the longest word
    """

    def __init__(self, size: int) -> None:
        self.used: BoolArray = np.zeros(size, dtype=np.bool_)
        self.longest = 0
        # Each symbol, from 1 on, has as many bytes as the largest needs; 0 ends a word.
        self._width = 1 if size < 1 << 8 else 2 if size < 1 << 16 else 4
        self._bytes = _Growing(np.dtype(np.uint8))
        self._starts = _Growing(np.dtype(np.int64))

    def add(self, symbols: Int32Array, offsets: Int64Array) -> None:
        """Add words, none of them empty."""
        lengths = np.diff(offsets)
        self.used[symbols] = True
        self.longest = max(self.longest, int(lengths.max(initial=0)))
        words = np.arange(len(lengths))
        values = np.zeros(len(symbols) + len(lengths), dtype=f">u{self._width}")
        values[np.arange(len(symbols)) + np.repeat(words, lengths)] = symbols + 1
        self._starts.add(self._bytes.count + (offsets[:-1] + words) * self._width)
        self._bytes.add(values.view(np.uint8))

    def finish(self) -> SortedWords:
        """Return the words, sorted, one of each that came more than once; empties the store."""
        from ctckit.kernels.lexicon import front_code, sort_words

        data, order, width = self._bytes.array(), self._starts.array(), self._width
        order = order[: sort_words(data, width, order, _pages(len(order), np.dtype(np.int64)))]
        shared = _pages(len(order), np.dtype(np.int32))
        tails = _pages(len(data), np.dtype(np.uint8))
        sizes = np.zeros(self.longest + 1, dtype=np.int64)
        written = front_code(data, width, order, shared, tails, sizes)
        self._bytes.clear()
        self._starts.clear()
        sizes[0] = 1  # the root
        return SortedWords(tails[:written], width, shared, offsets_of(sizes))


@dataclass(frozen=True)
class SortedWords:
    """Words of a `WordStore`, each as what it adds to the one before.

    Attributes
    ----------
    tails : uint8; the symbols that each word does not share with the one before, and 0 after them
    width : bytes of a symbol
    shared : int32; how many symbols each word shares with the one before
    start_of_depth : int64; the first node of each depth in a trie, and the number of nodes
    """

    tails: UInt8Array
    width: int
    shared: Int32Array
    start_of_depth: Int64Array

    def trie(self, bits: Int64Array) -> Arrays:
        """Return the arrays nodes, token and word_end of a `Lexicon`.

        bits : int64; each symbol's bit in the masks
        """
        from ctckit.kernels.lexicon import build_trie

        count = int(self.start_of_depth[-1])
        nodes = np.zeros((count + 1, 2), dtype=np.int64)
        token, word_end = (np.zeros(count, dtype=np.int32) for _ in range(2))
        build_trie(
            self.tails,
            self.width,
            self.shared,
            bits,
            self.start_of_depth,
            nodes,
            token,
            word_end,
        )
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

    def clear(self) -> None:
        """Let go of all of it."""
        self._array, self.count = self._array[:0].copy(), 0

    def array(self) -> npt.NDArray[Any]:
        """Return what has been added; a view."""
        return self._array[: self.count]


def _pages(size: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an array of zeros in memory that goes back to the system as soon as it is free.

    Of what malloc gives much would stay with the process, and lie below what is kept.
    """
    pages = mmap.mmap(-1, max(size, 1) * dtype.itemsize)
    return np.frombuffer(pages, dtype=dtype, count=size)
