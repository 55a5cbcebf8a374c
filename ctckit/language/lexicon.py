"""A lexicon: words as token ids, in a trie of flat arrays."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.arrayfile import Arrays
from ctckit.cache import cached
from ctckit.errors import InvalidValueError
from ctckit.intake import offsets_of
from ctckit.language.speller import Speller, bits_of
from ctckit.language.symbols import WordStore, upper_halves
from ctckit.language.wordlist import checked_identity, read_words

_VERSION = 1
"""Of what the cache holds; to be raised when arrays change their meaning."""
_PART = 1 << 12
"""Words that are handled at a time."""
_CONVERSIONS: dict[str, Callable[[str], str]] = {
    "Unicode's form NFC": partial(unicodedata.normalize, "NFC"),
    "Unicode's form NFD": partial(unicodedata.normalize, "NFD"),
    "upper case": str.upper,
    "lower case": str.lower,
}
"""What may be wrong with words of which none can be spelled."""


class Lexicon:
    """The words that a decoder may write, spelled in an alphabet.

    Parameters
    ----------
    words : any number of words; repeated ones count once; the empty one and those that the
        alphabet cannot spell are left out
    alphabet : tokens to spell them with
    all_spellings : where tokens have several characters, let words be spelled in every way, not
        by the longest token first alone
    word_mark : with all spellings, what tokens may begin with that begin a word, such as "▁" of
        "▁the"; it is no part of the word

    Attributes
    ----------
    words : V strings, sorted by their token ids, a prefix before what it begins; with all spellings
        by their characters. A sequence that makes each string when it is asked for
    lost : number of different words that the alphabet cannot spell
    lost_examples : up to three of them, the first ones
    longest : tokens of the longest word, in its longest spelling
    nodes : int64 (M + 1, 2) for M trie nodes; read it with `ctckit.kernels.lexicon`
    token : int32 (M,); each node's last token. With all spellings, its last character as a rank
        among the tokens' characters
    word_end : int32 (M,); the words that begin like a node are those from its first word, which
        `nodes` holds, to this (exclusive)
    arc_token, arc_target : int32 (A,); each arc's token, and the node it leads to. A node's arcs
        are neighbours and their tokens rise. Where a node is reached in one way only, the arc to it
        has its number, arc_token is `token`, and arc_target is empty
    bits : int64 (C,); each token's bit in the masks of `nodes`: its rank among the tokens that the
        words use, modulo 64
    exact_bits : whether no two of them share a bit

    Raises
    ------
    InvalidValueError : no word is left

    Examples
    --------
    >>> lexicon = Lexicon(["ab", "a", "b1"], Alphabet("ab-", blank=2))
    >>> list(lexicon.words), lexicon.lost, "ab" in lexicon
    (['a', 'ab'], 1, True)
    """

    nodes: Int64Array
    token: Int32Array
    word_end: Int32Array
    arc_token: Int32Array
    arc_target: Int32Array
    bits: Int64Array

    def __init__(
        self,
        words: Iterable[str],
        alphabet: Alphabet,
        *,
        all_spellings: bool = False,
        word_mark: str | None = None,
    ) -> None:
        speller = Speller(alphabet, all_spellings=all_spellings, word_mark=word_mark)
        self._take(speller, *_build(_in_parts(words), speller, "the words"))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        alphabet: Alphabet,
        *,
        all_spellings: bool = False,
        word_mark: str | None = None,
    ) -> Lexicon:
        """Return the lexicon of a UTF-8 file with one word a line; the next time, from the cache.

        A byte order mark at its start, white space around a word and empty lines are dropped.

        Raises
        ------
        NotFoundError : no such file
        InvalidValueError : not a file that can be read, not UTF-8, white space inside a line, no
            word, or none that the alphabet can spell
        """
        path = Path(path)
        identity = checked_identity(path)
        speller = Speller(alphabet, all_spellings=all_spellings, word_mark=word_mark)

        def build() -> tuple[Arrays, dict[str, Any]]:
            return _build(read_words(path), speller, repr(str(path)))

        mark = word_mark if speller.in_every_way else None
        key = [_VERSION, *identity, alphabet.fingerprint, speller.in_every_way, mark]
        lexicon = cls.__new__(cls)
        # A pipe can be read once, and has nothing to know it by.
        lexicon._take(speller, *(cached("lexicon", key, build) if path.is_file() else build()))
        return lexicon

    def _take(self, speller: Speller, arrays: Arrays, about: dict[str, Any]) -> None:
        self.alphabet = speller.alphabet
        self._speller = speller
        self.nodes = arrays["nodes"]
        self.token = arrays["token"]
        self.word_end = arrays["word_end"]
        self.bits = arrays["bits"]
        if speller.in_every_way:
            self.arc_token = arrays["arc_token"]
            self.arc_target = arrays["arc_target"]
            self._first_child = arrays["first_child"]
        else:
            self.arc_token = self.token
            self.arc_target = np.zeros(0, dtype=np.int32)
            self._first_child = upper_halves(self.nodes)
        self.lost: int = about["lost"]
        self.lost_examples: tuple[str, ...] = tuple(about["lost_examples"])
        self.longest: int = about["longest"]
        self.exact_bits: bool = about["exact_bits"]

    @property
    def words(self) -> Sequence[str]:
        """The words in order, made when they are asked for."""
        return _Words(self)

    def __len__(self) -> int:
        return int(self.word_end[0])

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and bool(self.numbers([word])[0] >= 0)

    def number(self, word: str) -> int:
        """Return a word's position in `words`; LookupError if it is not there."""
        number = int(self.numbers([word])[0])
        if number < 0:
            raise KeyError(word)
        return number

    def numbers(self, words: Iterable[str]) -> Int64Array:
        """Return many words' positions in `words`, -1 for those that are not there."""
        parts = [np.zeros(0, dtype=np.int64)]
        for part in _in_parts(words):
            node = self.nodes_of(part)
            packed = self.nodes[node, 1]
            is_word = (node > 0) & (packed & 1 == 1)
            parts.append(np.where(is_word, (packed & 0xFFFFFFFF) >> 1, -1))
        return np.concatenate(parts)

    def node_of(self, text: str) -> int | None:
        """Return the node that a text leads to from the root; None if no word begins like it.

        Texts are spelled as words are: by the longest token first, unless with all spellings.
        """
        node = int(self.nodes_of([text])[0])
        return node if node >= 0 else None

    def nodes_of(self, texts: Sequence[str]) -> Int64Array:
        """Return the nodes that many texts lead to, -1 where no word begins like one."""
        from ctckit.kernels.lexicon import find_nodes

        symbols, offsets, known = self._speller.symbols(texts)
        found = np.empty(len(offsets) - 1, dtype=np.int64)
        find_nodes(symbols, offsets, self._first_child, self.token, found)
        nodes = np.full(len(texts), -1, dtype=np.int64)
        nodes[known] = found
        return nodes

    def _texts(self, start: int, stop: int) -> list[str]:
        """Return the words from one number to another, by their nodes, depth after depth."""
        low, high = 0, 1
        all_words = [np.zeros(0, dtype=np.int64)]
        all_symbols = [np.zeros(0, dtype=np.int32)]
        while True:
            low, high = int(self._first_child[low]), int(self._first_child[high])
            first = (self.nodes[low:high, 1] & 0xFFFFFFFF) >> 1
            end = self.word_end[low:high].astype(np.int64)
            here = slice(np.searchsorted(end, start, "right"), np.searchsorted(first, stop))
            low, high = low + int(here.start), low + int(here.stop)
            if low >= high:
                break
            begin = np.maximum(first[here], start) - start
            offsets = offsets_of(np.minimum(end[here], stop) - start - begin)
            counts = np.diff(offsets)
            all_words.append(np.repeat(begin - offsets[:-1], counts) + np.arange(offsets[-1]))
            all_symbols.append(np.repeat(self.token[low:high], counts))
        words = np.concatenate(all_words)
        symbols = np.concatenate(all_symbols)[np.argsort(words, kind="stable")]
        return self._speller.texts(symbols, offsets_of(np.bincount(words, minlength=stop - start)))

    def spellings(self) -> tuple[Int32Array, Int64Array]:
        """Return the tokens of all words behind one another, and the offsets, V + 1.

        Raises
        ------
        InvalidValueError : a word may have several spellings
        """
        if self._speller.in_every_way:
            raise InvalidValueError(
                "lexicon must have one spelling a word, got one with all_spellings; make it without"
            )
        symbols, offsets, _ = self._speller.symbols(list(self.words))
        return symbols, offsets

    def __repr__(self) -> str:
        return f"Lexicon({len(self)} words, {len(self.nodes) - 1} nodes, {self.lost} lost)"


class _Words(Sequence[str]):
    """The words of a lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def __len__(self) -> int:
        return len(self._lexicon)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        wanted = range(len(self))[index]
        if isinstance(wanted, int):
            return self._lexicon._texts(wanted, wanted + 1)[0]
        if not wanted:
            return []
        low, high = min(wanted), max(wanted)
        return self._lexicon._texts(low, high + 1)[:: wanted.step]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _PART):
            yield from self._lexicon._texts(start, min(start + _PART, len(self)))

    def __contains__(self, word: object) -> bool:
        return word in self._lexicon

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"<{len(self)} words: {shown}{', ...' if len(self) > 3 else ''}>"


def _in_parts(words: Iterable[str]) -> Iterator[list[str]]:
    words = iter(words)
    while part := list(itertools.islice(words, _PART)):
        yield part


def _build(
    parts: Iterable[list[str]], speller: Speller, where: str
) -> tuple[Arrays, dict[str, Any]]:
    """Return a lexicon's arrays, and what else is to be known of it."""
    store = WordStore(speller.size)
    lost: set[str] = set()
    examples: list[str] = []
    for part in parts:
        different = list(dict.fromkeys(part))
        if "" in different:
            different.remove("")
        symbols, offsets, known = speller.spell(different)
        store.add(symbols, offsets)
        for i in np.flatnonzero(~known).tolist():
            if different[i] not in lost:
                lost.add(different[i])
                examples += [different[i]] * (len(examples) < 3)
    about: dict[str, Any] = {"lost": len(lost), "lost_examples": examples}
    del lost
    kept = store.finish()
    if not len(kept.shared):
        raise InvalidValueError(_nothing_left(speller, where, about["lost"], examples))
    used, bits, about["longest"] = store.used, bits_of(store.used), store.longest
    arrays = kept.trie(bits)
    del kept
    if speller.in_every_way:
        used, bits, about["longest"] = speller.add_arcs(arrays)
    arrays["bits"] = bits
    about["exact_bits"] = int(np.count_nonzero(used)) <= 64
    return arrays, about


def _nothing_left(speller: Speller, where: str, lost: int, examples: Sequence[str]) -> str:
    message = f"lexicon must hold some word that the alphabet can spell, got none in {where}"
    if examples:
        message += f" ({lost:,}, such as {', '.join(map(repr, examples))})"
    for way, convert in _CONVERSIONS.items():
        _, _, known = speller.spell([convert(one) for one in examples])
        if known.any():
            return f"{message}; in {way} some can be spelled: convert them"
    return f"{message}; check that the words and the alphabet belong together"
