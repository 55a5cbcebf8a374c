"""Texts to draw: words of lists, as running text has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ctckit.errors import InvalidValueError

ASCII = frozenset(map(chr, range(32, 127)))
_MARKS = "«»£€°"
"""Characters beyond ASCII that texts may hold though no word does."""


class WordSource:
    """Texts to draw: mostly words of lists, in the cases and with the marks of running text.

    Parameters
    ----------
    lists : words by name of their list; each list is drawn from equally often

    Raises
    ------
    InvalidValueError : no list, or one without a word
    """

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        kept = {name: [word for word in words if word.strip()] for name, words in lists.items()}
        for name, words in kept.items():
            if not words:
                raise InvalidValueError(
                    f"words must hold at least one word, got none in '{name}'; give a word list"
                )
        if not kept:
            raise InvalidValueError("words must hold at least one list, got none; give a word list")
        self.lists = kept
        self._lists = list(kept.values())
        # Running text is made of short words more than a dictionary is.
        self._by_length = [_by_length(words) for words in self._lists]

    def characters(self) -> set[str]:
        """Return the characters that texts may hold, all of ASCII's among them."""
        found = {char for words in self._lists for word in words for char in word}
        return found | set(map(_upper, found)) | ASCII | set(_MARKS)

    def word(self, rng: np.random.Generator) -> str:
        """Return a word, as a list spells it."""
        which = int(rng.integers(len(self._lists)))
        words = self._lists[which]
        if rng.random() < 0.6:
            lengths = self._by_length[which]
            wanted = 1 + int(rng.gamma(2.6, 1.6))
            words = lengths[min(wanted, len(lengths) - 1)] or words
        return words[int(rng.integers(len(words)))]

    def text(self, rng: np.random.Generator) -> str:
        """Return what one image shows."""
        kind = rng.random()
        if kind < 0.78:
            return self._dressed(self.word(rng), rng)
        if kind < 0.92:
            count = int(rng.integers(2, 5))
            return " ".join(self._dressed(self.word(rng), rng) for _ in range(count))
        if kind < 0.98:
            return _number(rng)
        letters = list(self.word(rng) + self.word(rng))
        rng.shuffle(letters)
        return "".join(letters[: int(rng.integers(1, 9))]).strip() or self.word(rng)

    def _dressed(self, word: str, rng: np.random.Generator) -> str:
        """Return a word with a capital or in capitals, with a mark behind it, or as it is."""
        kind = rng.random()
        if kind < 0.16:
            word = _upper(word[:1]) + word[1:]
        elif kind < 0.21 and "ß" not in word:
            word = _upper(word)
        kind = rng.random()
        if kind < 0.12:
            word += _one_of(",,,,....;:!?-", rng)
        elif kind < 0.16:
            pair = _one_of(('""', "''", "()", "«»", '""'), rng)
            word = pair[0] + word + pair[1]
        elif kind < 0.19:
            word += "-" + self.word(rng)
        elif kind < 0.21:
            word += "'s"
        elif kind < 0.22:
            word += _one_of("/&+*=%#@_", rng) + self.word(rng)
        return word


def _upper(text: str) -> str:
    """Return `text` in capitals, but for characters whose capital is more than one, such as ß."""
    return "".join(upper if len(upper := char.upper()) == 1 else char for char in text)


def _by_length(words: Sequence[str]) -> list[list[str]]:
    lengths: list[list[str]] = [[] for _ in range(1 + max(map(len, words)))]
    for word in words:
        lengths[len(word)].append(word)
    return lengths


def _one_of(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _number(rng: np.random.Generator) -> str:
    """Return a number, a year, a date, a price, a measure."""
    kind = rng.random()
    if kind < 0.4:
        return str(int(rng.integers(0, 10 ** int(rng.integers(1, 6)))))
    if kind < 0.6:
        return str(int(rng.integers(1700, 2030)))
    if kind < 0.7:
        return f"{rng.integers(1, 32)}.{rng.integers(1, 13)}.{rng.integers(0, 100):02d}"
    if kind < 0.8:
        return f"{rng.integers(0, 1000)}{_one_of('.,:/-', rng)}{rng.integers(0, 100):02d}"
    if kind < 0.9:
        return f"{_one_of('$€£', rng)}{rng.integers(1, 10000)}"
    ends = ("%", "th", "er", "°", ")", ".", " km", "+", "a")
    return f"{rng.integers(1, 100)}{_one_of(ends, rng)}"
