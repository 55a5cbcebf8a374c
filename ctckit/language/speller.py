"""How words are spelled in an alphabet: by the longest token first, or in every way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.arrayfile import Arrays
from ctckit.intake import offsets_of
from ctckit.language.symbols import BoolArray, Characters, WordStore, upper_halves


class Speller:
    """Turns words into the symbols by which a lexicon's trie branches, and back.

    The symbols are tokens; where a word may have several spellings they are characters. Then a
    token may begin with a mark, a character that is no part of the word: it begins words only.

    Attributes
    ----------
    in_every_way : whether the symbols are characters, and tokens lead over several of them
    size : number of symbols
    """

    def __init__(
        self, alphabet: Alphabet, *, all_spellings: bool = False, word_mark: str | None = None
    ) -> None:
        self.alphabet = alphabet
        self.in_every_way = all_spellings and not alphabet.single_characters
        self._characters = Characters(alphabet)
        self.size = len(self._characters) if self.in_every_way else len(alphabet)
        if not alphabet.single_characters:
            self._tokens = self._token_trie(word_mark if all_spellings else None)

    def _token_trie(self, mark: str | None) -> tuple[Int64Array, Int32Array, Int32Array]:
        """Return the table and the symbols of the tokens' trie, and its tokens' classes.

        What tokens are without the mark has classes beyond the alphabet's.
        """
        class_of = dict(self.alphabet.token_ids)
        for token in self.alphabet.token_ids if mark else ():
            rest = token.removeprefix(mark or "")
            if rest and rest not in class_of:
                class_of[rest] = len(self.alphabet) + len(class_of)
        tokens = sorted(class_of)
        store = WordStore(len(self._characters))
        symbols, offsets, _ = self._characters.symbols(tokens)
        store.add(symbols, offsets)
        trie = store.finish().trie(np.zeros(len(self._characters), dtype=np.int64))
        classes = np.array([class_of[one] for one in tokens], dtype=np.int32)
        return trie["nodes"], trie["token"], classes

    def symbols(self, words: Sequence[str]) -> tuple[Int32Array, Int64Array, BoolArray]:
        """Return the symbols of those words that have them.

        Returns
        -------
        These words' symbols behind one another; offsets, one more than words; which words they are.
        """
        symbols, offsets, known = self._characters.symbols(words)
        if self.in_every_way or self.alphabet.single_characters:
            return symbols, offsets, known
        from ctckit.kernels.spelling import spell_longest

        tokens = np.empty(len(symbols), dtype=np.int32)
        stops = np.empty(len(offsets) - 1, dtype=np.int64)
        written = spell_longest(symbols, offsets, *self._tokens, tokens, stops)
        has_spelling = stops >= 0
        known[np.flatnonzero(known)[~has_spelling]] = False
        return tokens[:written], np.append(0, stops[has_spelling]), known

    def spell(self, words: Sequence[str]) -> tuple[Int32Array, Int64Array, BoolArray]:
        """Return the same, but only of words that can be spelled to their end."""
        symbols, offsets, known = self.symbols(words)
        if not self.in_every_way:
            return symbols, offsets, known
        from ctckit.kernels.spelling import find_spellable

        lengths = np.diff(offsets)
        spellable = np.zeros(len(lengths), dtype=np.bool_)
        find_spellable(symbols, offsets, *self._tokens, len(self.alphabet), spellable)
        known[np.flatnonzero(known)[~spellable]] = False
        return symbols[np.repeat(spellable, lengths)], offsets_of(lengths[spellable]), known

    def texts(self, symbols: Int32Array, offsets: Int64Array) -> list[str]:
        """Return the texts that symbols stand for."""
        if self.in_every_way:
            return self._characters.texts(symbols, offsets)
        return self.alphabet.decode_many(symbols, offsets)

    def add_arcs(self, trie: Arrays) -> tuple[BoolArray, Int64Array, int]:
        """Put arcs for tokens in place of the children in a trie over characters.

        The arrays get arc_token and arc_target, and first_child as the table had it.

        Returns
        -------
        Which classes the arcs use; each class's bit in the masks; tokens of the word with the most.
        """
        from ctckit.kernels.spelling import build_arcs, count_arcs

        nodes, symbol = trie["nodes"], trie["token"]
        first_child = trie["first_child"] = upper_halves(nodes).copy()
        arcs = np.zeros(len(symbol), dtype=np.int32)
        used = np.zeros(len(self.alphabet), dtype=np.bool_)
        total = count_arcs(first_child, symbol, nodes, *self._tokens, arcs, used)
        bits = bits_of(used)
        token, target = (np.empty(total, dtype=np.int32) for _ in range(2))
        longest = build_arcs(first_child, symbol, *self._tokens, arcs, bits, nodes, token, target)
        trie["arc_token"], trie["arc_target"] = token, target
        return used, bits, int(longest)


def bits_of(used: BoolArray) -> Int64Array:
    """Return each symbol's bit in masks: its rank among those that are used, modulo 64."""
    bits: Int64Array = np.where(used, (np.cumsum(used) - 1) % 64, 0)
    return bits
