"""An n-gram model as the words of a lexicon see it: the tables that a decoder's kernel reads."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int32Array
from ctckit.language.ngrams import NGramModel

Array = npt.NDArray[Any]


class LanguageTables:
    """The n-grams of a model that a lexicon's words can make, with words numbered as there.

    Words that the lexicon has and the model knows are numbered in the lexicon's order, so that
    the words below a node of its trie are a range; ``<unk>``, ``<s>`` and ``</s>`` follow, then
    words that are in histories only. The rows are the model's, without what other words are in.

    Attributes
    ----------
    columns : the arrays of `ctckit.kernels.language.MODEL`, in its order. Beside the model's own
        (natural log): ``backed_off``, exp(backoff); ``cumulated``, of each entry the sum over its
        row up to it of what each word has there over what backing off would give it; ``unknown``,
        the log-probability of ``<unk>`` in each context; ``known_before``, of each word of the
        lexicon how many before it the model knows; ``known``, the numbers of those in the tables
    order : of the model
    unknown, end : numbers of ``<unk>`` and ``</s>`` in the tables; end is -1 if there is none
    first_state : context at the start of a sentence
    known : how many of the lexicon's words the model knows
    """

    def __init__(self, model: NGramModel, words: Array, histories: Array | None = None) -> None:
        """Make the tables.

        model : any
        words : int32 (V,); of each word of the lexicon its number in the model, -1 for none. Of
            several with one number the first has it; ``<unk>``, ``<s>`` and ``</s>`` count as none
        histories : numbers of more words that may be before others
        """
        from ctckit.kernels.language import fill_tables

        self.order = model.order
        is_known = np.zeros(len(words), dtype=bool)
        is_known[np.unique(words, return_index=True)[1]] = True
        is_known &= (words >= 0) & ~np.isin(words, [model.unknown, model.begin, model.end])
        self.known = int(is_known.sum())
        new = np.full(len(model.words), -1, dtype=np.int64)
        new[words[is_known]] = np.arange(self.known)
        self.unknown = self.known
        new[model.unknown] = self.unknown
        for offset, special in enumerate((model.begin, model.end), 1):
            if special >= 0:
                new[special] = self.known + offset
        self.end = self.known + 2 if model.end >= 0 else -1
        more = np.unique(np.zeros(0, dtype=np.int64) if histories is None else histories)
        more = more[new[more] < 0]
        self._size = self.known + 3 + len(more)
        new[more] = np.arange(self.known + 3, self._size)
        self._rows(model, new)
        self.first_state = int(self._state[1 + self.known + 1]) if model.begin >= 0 else 0
        cumulated, unknown = (np.zeros(len(self._word)) for _ in range(2))
        fill_tables(
            self._word,
            self._first_child,
            self._log_prob,
            self._backoff,
            self._suffix,
            self.unknown,
            cumulated,
            unknown,
        )
        known_before = np.concatenate([[0], np.cumsum(is_known)]).astype(np.int32)
        self.columns = (
            self._word,
            self._first_child,
            self._log_prob,
            self._backoff,
            np.exp(self._backoff.astype(np.float64)),
            self._suffix,
            self._state,
            cumulated,
            unknown,
            known_before,
            np.arange(self.known, dtype=np.int32),
        )

    def seen_by(self, words: Array) -> LanguageTables:
        """Return the tables as a lexicon of fewer words sees them.

        words : int64; its words' numbers in the lexicon of the tables, rising
        """
        known_before, known = self.columns[-2:]
        is_known = known_before[words + 1] > known_before[words]
        other = copy.copy(self)
        other.known = int(is_known.sum())
        other.columns = (
            *self.columns[:-2],
            np.concatenate([[0], np.cumsum(is_known)]).astype(np.int32),
            known[known_before[words[is_known]]],
        )
        return other

    def seen_with(self, more: Array) -> LanguageTables:
        """Return the tables as a lexicon of more words sees them, which the model does not know.

        more : int64; those words' numbers in that lexicon, rising
        """
        known_before, known = self.columns[-2:]
        is_known = np.zeros(len(known_before) - 1 + len(more), dtype=bool)
        others = np.ones(len(is_known), dtype=bool)
        others[more] = False
        is_known[others] = np.diff(known_before) > 0
        other = copy.copy(self)
        known_before = np.concatenate([[0], np.cumsum(is_known)]).astype(np.int32)
        other.columns = (*self.columns[:-2], known_before, known)
        return other

    def state_after(self, words: Array, *, begin: bool) -> int:
        """Return the state after words.

        words : int64; their numbers in the lexicon, -1 for those that it lacks
        begin : whether a text begins right before them
        """
        known_before, known = self.columns[-2:]
        history = [self.known + 1] if begin else []
        for word in words.tolist():
            at = int(known_before[word]) if word >= 0 else -1
            is_known = word >= 0 and known_before[word + 1] > at
            history.append(int(known[at]) if is_known else self.unknown)
        for start in range(len(history)):
            entry = self._entry(history[start:])
            if entry:
                return int(self._state[entry])
        return 0

    def _entry(self, words: list[int]) -> int:
        """Return the entry of an n-gram; 0 if there is none."""
        entry = 0
        for word in words:
            start, stop = self._first_child[entry : entry + 2]
            at = start + int(np.searchsorted(self._word[start:stop], word))
            if at == stop or self._word[at] != word:
                return 0
            entry = at
        return entry

    def _rows(self, model: NGramModel, new: Array) -> None:
        """Take the entries that are left in their new order, level by level."""
        fanout = np.diff(model.first_child)
        parent = np.repeat(np.arange(len(fanout)), fanout)  # of the entries from 1 on
        place = np.full(len(fanout), -1, dtype=np.int64)  # of an old entry among the new ones
        place[0] = 0
        taken = [np.zeros(1, dtype=np.int64)]
        # Unigrams of special words that the model lacks are there too, so that entry 1 + w is w.
        size = self._size
        unigrams = np.full(size, -1, dtype=np.int64)
        has = np.flatnonzero(new >= 0)
        unigrams[new[has]] = 1 + has
        place[1 + has] = 1 + new[has]
        taken.append(unigrams)
        start, stop = 1, int(model.first_child[1])
        total = 1 + size
        for _ in range(1, model.order):
            start, stop = stop, int(model.first_child[stop])
            entries = np.arange(start, stop)
            word, above = new[model.word[entries]], place[parent[entries - 1]]
            kept = (word >= 0) & (above >= 0)
            entries, word, above = entries[kept], word[kept], above[kept]
            entries = entries[np.lexsort((word, above))]
            place[entries] = total + np.arange(len(entries))
            total += len(entries)
            taken.append(entries)
        old = np.concatenate(taken)
        missing = old < 0
        old[missing] = 0

        def column(values: Array, empty: Any) -> Array:
            out = values[old]
            out[missing] = empty
            return out

        self._word: Int32Array = column(np.append(-1, new[model.word[1:]]), 0).astype(np.int32)
        self._word[1 : 1 + size] = np.arange(size)
        self._log_prob = column(model.log_prob, -np.inf)
        self._backoff = column(model.backoff, 0.0)
        self._suffix: Int32Array = column(place[model.suffix], 0).astype(np.int32)
        self._state: Int32Array = column(place[model.state], 0).astype(np.int32)
        above = place[np.append(0, parent)][old]
        above[missing] = 0
        counts = np.bincount(above[1:], minlength=total)
        self._first_child: Int32Array = np.concatenate([[1], 1 + np.cumsum(counts)]).astype(
            np.int32
        )
