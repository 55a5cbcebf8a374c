"""Hot phrases: words and phrases that a decoder is to prefer, each with a weight."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError
from ctckit.language.files import read_lines

Phrases = Path | Mapping[str, float] | Iterable[str]


def read_phrases(source: Phrases, weight: float) -> dict[str, float]:
    """Return phrases and their weights.

    Parameters
    ----------
    source : a UTF-8 file with a phrase a line, and perhaps a tab and its weight; or phrases, or a
        mapping of phrases to weights
    weight : of phrases without one

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : a file that cannot be read, no phrase, an empty one or one that is twice
        there, or a weight that is not a finite number
    """
    if isinstance(source, Path):
        lines = read_lines(source, "hot phrases")
        pairs = [_parsed(line, weight, f"line {i} of '{source}'") for i, line in lines]
    elif isinstance(source, Mapping):
        pairs = [(phrase, value, repr(phrase)) for phrase, value in source.items()]
    else:
        pairs = [(phrase, weight, repr(phrase)) for phrase in source]
    found: dict[str, float] = {}
    for phrase, value, where in pairs:
        words = phrase.split() if isinstance(phrase, str) else []
        if not words:
            raise InvalidValueError(
                f"hot phrases must be strings with some character, got {phrase!r}; leave it out"
            )
        name = " ".join(words)
        if name in found:
            raise InvalidValueError(
                f"hot phrases must be different, got {name!r} twice, again as {where}; "
                "leave one out"
            )
        found[name] = _checked_weight(value, where)
    if not found:
        raise InvalidValueError("hot phrases must be one at least, got none; leave the option out")
    return found


def _parsed(line: str, weight: float, where: str) -> tuple[str, Any, str]:
    phrase, tab, value = line.partition("\t")
    if not phrase.split():
        raise InvalidValueError(
            f"hot phrases must have some character, got {line!r} in {where}; write phrase, tab, "
            "weight"
        )
    if not tab:
        return phrase, weight, where
    try:
        return phrase, float(value), where
    except ValueError:
        raise InvalidValueError(
            f"weights of hot phrases must be numbers, got {value!r} in {where}; "
            "write phrase, tab, weight"
        ) from None


def _checked_weight(value: Any, where: str) -> float:
    number = float(value) if isinstance(value, (int, float, np.number)) else math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise InvalidValueError(
            f"weights of hot phrases must be finite numbers, got {value!r} for {where}; "
            "10 is strong, 1 is slight"
        )
    return number


class HotPhrases:
    """An automaton that knows after each character which phrases are in progress.

    It is that of Aho and Corasick (CACM 18, 1975), with boundaries: a phrase begins where a word
    begins and ends where a word ends, unless `anywhere` is set. State 0 stands where a phrase may
    begin; the last state is inside a word with which none can begin any more.

    Parameters
    ----------
    phrases : weights by phrase; a space stands for the separator
    alphabet : of the matrices
    word_characters : what words are made of
    separator : the character between words; None: there is none, and phrases may begin and end
        anywhere

    Attributes
    ----------
    columns : the arrays that `ctckit.kernels.phrases.follow_phrases` takes, in its order
    at_once : the most that a token of several characters may earn beyond what `columns` tell

    Raises
    ------
    InvalidValueError : a phrase that the alphabet cannot spell, or two that it spells alike
    """

    def __init__(
        self,
        phrases: Mapping[str, float],
        alphabet: Alphabet,
        word_characters: str,
        separator: str | None,
    ) -> None:
        self.phrases = dict(phrases)
        self.anywhere = separator is None
        between = "" if separator is None else separator
        texts = [phrase.replace(" ", between) for phrase in phrases]
        self._check_difference(texts, list(phrases))
        self._check_spelling(texts, alphabet)
        self._words = set(word_characters)
        # Characters of words come first, so that among the children of a state the others are last.
        spelled = {character for text in texts for character in text}
        characters = sorted(spelled, key=lambda one: (one not in self._words, one))
        self._number = {character: number for number, character in enumerate(characters)}
        self._build(texts, list(phrases.values()))
        class_characters, class_offsets, kinds = self._classes(alphabet, characters)
        states = self._states()
        self.columns = (
            states,
            states.view(np.float64),
            self._character,
            class_characters,
            class_offsets,
            kinds,
        )
        longest = int(np.diff(class_offsets).max(initial=1))
        self.at_once = 0.0
        if longest > 1:
            most = self._held.max() + self._at_once.max() + self._at_boundary.max()
            self.at_once = float(max(most, 0.0) * longest)

    def _check_difference(self, texts: list[str], phrases: list[str]) -> None:
        """Refuse phrases that differ in spaces alone where words follow each other directly."""
        first: dict[str, str] = {}
        for text, phrase in zip(texts, phrases, strict=True):
            other = first.setdefault(text, phrase)
            if other != phrase:
                raise InvalidValueError(
                    f"hot phrases must be different, got {other!r} and {phrase!r}, both {text!r} "
                    "without word_separator; leave one out"
                )

    def _check_spelling(self, texts: list[str], alphabet: Alphabet) -> None:
        known = set("".join(alphabet.token_ids))
        for text in texts:
            missing = sorted(set(text) - known)
            if missing:
                raise InvalidValueError(
                    f"hot phrases must be spelled in the alphabet, got {text!r} with "
                    f"{''.join(missing)!r}, which it lacks; leave the phrase out"
                )

    def _build(self, texts: list[str], weights: list[float]) -> None:
        """Make the states, numbered by depth so that the children of each are neighbours."""
        tree: list[dict[int, int]] = [{}]
        own = [0.0]
        held = [0.0]
        for text, weight in zip(texts, weights, strict=True):
            state = 0
            late = not self.anywhere and text[-1] in self._words
            for depth, character in enumerate(text, 1):
                following = tree[state].get(self._number[character])
                if following is None:
                    following = tree[state][self._number[character]] = len(tree)
                    tree.append({})
                    own.append(0.0)
                    held.append(0.0)
                state = following
                if depth < len(text) or late:
                    held[state] = max(held[state], weight * depth / len(text))
            own[state] += weight
        order = [0]
        character_of = [-1]
        parent = [0]
        for state in order:
            for number, child in sorted(tree[state].items()):
                order.append(child)
                character_of.append(number)
                parent.append(state)
        size = len(order)
        rank = np.empty(size, dtype=np.int64)
        rank[order] = np.arange(size)
        counts = np.array([len(tree[state]) for state in order] + [0])
        self._first_child = np.concatenate([[1], 1 + np.cumsum(counts)]).astype(np.int32)
        self._character = np.array([*character_of, -1], dtype=np.int32)
        self._held = np.array([*(held[state] for state in order), 0.0])
        self._link(np.array([own[state] for state in order]), [int(rank[p]) for p in parent])

    def _child(self, state: int, character: int) -> int:
        """Return the state that a character leads to, or -1."""
        start, stop = self._first_child[state : state + 2]
        at = start + int(np.searchsorted(self._character[start:stop], character))
        return at if at < stop and self._character[at] == character else -1

    def _link(self, own: np.ndarray[Any, Any], parent: list[int]) -> None:
        """Find where each state goes on when none of its children fits, and what it earns."""
        size = len(own)
        outside = size
        spelled = sorted(self._number, key=self._number.__getitem__)
        ends_word = [False] + [spelled[self._character[s]] in self._words for s in range(1, size)]
        fallback = np.full(size + 1, outside, dtype=np.int32)
        if self.anywhere:
            fallback[0] = 0
        earned = np.append(own, 0.0)
        for state in range(1, size):
            character = int(self._character[state])
            inside = ends_word[state] and not self.anywhere
            fallback[state] = outside if inside else 0
            # Only what follows a boundary may begin a phrase: at the start nothing came before.
            before = parent[state]
            while before not in (0, outside):
                before = int(fallback[before])
                if before == outside and not inside:
                    before = 0
                following = self._child(before, character) if before != outside else -1
                if following >= 0:
                    fallback[state] = following
                    break
            earned[state] += earned[fallback[state]]
        late = np.zeros(size + 1, dtype=bool)
        late[:size] = [one and not self.anywhere for one in ends_word]
        self._fallback = fallback
        self._at_boundary = np.where(late, earned, 0.0)
        self._at_once = np.where(late, 0.0, earned)
        self._most = self._mosts(np.append(ends_word, False))

    def _mosts(self, of_word: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a bound of what one character after each state earns and holds, at least 0.

        of_word : whether the character of each state is one of words
        """
        size = len(self._held) - 1
        worth = np.maximum(self._held + self._at_once, 0.0)[:size]
        counts = np.diff(self._first_child)
        parent = np.repeat(np.arange(size + 1), counts)
        first, behind = self._first_child[0], self._first_child[-1]
        within, apart = np.zeros(size + 1), np.zeros(size + 1)
        children = slice(first, behind)
        np.maximum.at(within, parent, np.where(of_word[children], worth[children], 0.0))
        np.maximum.at(apart, parent, np.where(of_word[children], 0.0, worth[children]))
        apart[size] = apart[0]  # what follows a word may begin a phrase, if it is not of words
        # A state falls back to one of less depth, and each depth is a run of states.
        start, stop = 1, int(self._first_child[1])
        while start < stop:
            fallback = self._fallback[start:stop]
            for reach in (within, apart):
                reach[start:stop] = np.maximum(reach[start:stop], reach[fallback])
            start, stop = stop, int(self._first_child[stop])
        return np.maximum(within, self._at_boundary + apart)

    def _states(self) -> np.ndarray[Any, Any]:
        """Return the table of states that `ctckit.kernels.phrases` names the columns of.

        Each row lies where a line of the processor's cache begins.
        """
        size, columns = len(self._held), 8
        room = np.zeros((size + 1) * columns, dtype=np.int64)
        skip = -room.ctypes.data % (8 * columns) // 8
        states = room[skip : skip + size * columns].reshape(size, columns)
        states[:, 0] = self._first_child[:-1]
        states[:, 1] = self._first_child[1:]
        states[:, 2] = self._fallback
        weights = (self._held, self._at_boundary, self._at_once, self._most)
        states.view(np.float64)[:, 3:7] = np.column_stack(weights)
        return states

    def _classes(
        self, alphabet: Alphabet, characters: list[str]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the characters of each class, and which characters belong to words.

        Characters that no phrase has are two: one of words and one of others.
        """
        other_word, other = len(characters), len(characters) + 1
        kinds = np.array([one in self._words for one in characters] + [True, False], dtype=np.uint8)
        flat: deque[int] = deque()
        offsets = [0]
        for index, token in enumerate(alphabet.tokens):
            if index != alphabet.blank:
                for one in token:
                    unknown = other_word if one in self._words else other
                    flat.append(self._number.get(one, unknown))
            offsets.append(len(flat))
        return np.array(flat, dtype=np.int32), np.array(offsets, dtype=np.int64), kinds
