"""N-grams, from lists of them to the trie that is looked up in."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.arrayfile import Arrays
from ctckit.intake import offsets_of
from ctckit.language.words import UInt8Array, empty_table

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NGramLists:
    """The n-grams of a model, order by order, in any order within one.

    Parameters
    ----------
    spellings, offsets : uint8 and int64 (V + 1,); the words, UTF-8 behind one another
    rows : a int32 (M, n) for each order n; word numbers. Unigrams have their words in order
    log_probs, backoffs : a float32 (M,) for each order; natural logarithms
    """

    spellings: UInt8Array
    offsets: Int64Array
    rows: list[Int32Array]
    log_probs: list[Float32Array]
    backoffs: list[Float32Array]

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.rows)


class RepeatedNGramError(Exception):
    """An n-gram is there twice: of which order, and the later one's position in its list."""

    def __init__(self, order: int, position: int) -> None:
        super().__init__(order, position)
        self.order = order
        self.position = position


def build_trie(lists: NGramLists) -> tuple[Arrays, list[int]]:
    """Return a trie's arrays (see `NGramModel`), and how many n-grams of each order were added.

    Added are the contexts and suffixes of n-grams that the lists lack, with the probability that
    backing off gives.

    Raises
    ------
    RepeatedNGramError : some n-gram is there twice
    """
    rows, contexts, suffixes = _close(lists.rows)
    words = len(lists.offsets) - 1
    starts = offsets_of([1, *(len(one) for one in rows)])
    entries = int(starts[-1])
    arrays: Arrays = {
        "word": np.full(entries, -1, dtype=np.int32),
        "log_prob": np.zeros(entries, dtype=np.float32),
        "backoff": np.zeros(entries, dtype=np.float32),
        "suffix": np.zeros(entries, dtype=np.int32),
    }
    parent = np.zeros(entries, dtype=np.int32)
    entry_of_row = np.zeros(1, dtype=np.int32)  # of the order before
    for n, (start, stop) in enumerate(itertools.pairwise(starts[1:].tolist()), start=1):
        own = rows[n - 1]
        context = entry_of_row[contexts[n - 1]]
        key = context.astype(np.int64) * words + own[:, -1]
        ranked = np.argsort(key)
        _check_unique(key[ranked], ranked, n)
        place = slice(start, stop)
        arrays["word"][place] = own[ranked, -1]
        parent[place] = context[ranked]
        arrays["suffix"][place] = entry_of_row[suffixes[n - 1][ranked]]
        _set_probabilities(arrays, lists, n, place, ranked, parent)
        entry_of_row = np.empty(len(own), dtype=np.int32)
        entry_of_row[ranked] = np.arange(start, stop, dtype=np.int32)
    children = np.bincount(parent[1:], minlength=entries)
    arrays["first_child"] = (1 + offsets_of(children)).astype(np.int32)
    arrays["state"] = _states(arrays, children, starts)
    added = [len(all_) - len(own) for all_, own in zip(rows, lists.rows, strict=True)]
    return arrays, added


def _close(
    given: list[Int32Array],
) -> tuple[list[Int32Array], list[Int32Array], list[Int32Array]]:
    """Add the contexts and suffixes that are missing; returns all rows, and which rows these are.

    Contexts and suffixes are row numbers of the order before; of unigrams, the root's, 0.
    """
    from ctckit.kernels.ngramtrie import index_rows, link_rows

    rows = list(given)
    contexts = [np.zeros(len(one), dtype=np.int32) for one in rows]
    suffixes = [np.zeros(len(one), dtype=np.int32) for one in rows]
    for n in range(len(rows) - 1, 0, -1):
        own = rows[n]
        if n == 1:  # each word is a unigram
            contexts[n], suffixes[n] = own[:, 0].copy(), own[:, 1].copy()
            continue
        contexts[n] = np.empty(len(own), dtype=np.int32)
        suffixes[n] = np.empty(len(own), dtype=np.int32)
        table = empty_table(len(rows[n - 1]))
        index_rows(rows[n - 1], table)
        if link_rows(own, rows[n - 1], table, contexts[n], suffixes[n]):
            lacking = np.concatenate([own[contexts[n] < 0, :-1], own[suffixes[n] < 0, 1:]])
            rows[n - 1] = np.concatenate([rows[n - 1], np.unique(lacking, axis=0)])
            table = empty_table(len(rows[n - 1]))
            index_rows(rows[n - 1], table)
            link_rows(own, rows[n - 1], table, contexts[n], suffixes[n])
    if len(rows) > 0:
        contexts[0] = suffixes[0] = np.zeros(len(rows[0]), dtype=np.int32)
    return rows, contexts, suffixes


def _check_unique(key: Int64Array, ranked: Int64Array, order: int) -> None:
    repeated = np.flatnonzero(key[1:] == key[:-1])
    if len(repeated):
        first = np.maximum(ranked[repeated], ranked[repeated + 1]).min()
        raise RepeatedNGramError(order, int(first))


def _set_probabilities(
    arrays: Arrays,
    lists: NGramLists,
    order: int,
    place: slice,
    ranked: Int64Array,
    parent: Int32Array,
) -> None:
    """Copy an order's probabilities in the trie's order; those of added n-grams by backing off."""
    log_prob, backoff = arrays["log_prob"], arrays["backoff"]
    known = ranked < len(lists.log_probs[order - 1])
    entries = np.arange(place.start, place.stop)
    log_prob[entries[known]] = lists.log_probs[order - 1][ranked[known]]
    backoff[entries[known]] = lists.backoffs[order - 1][ranked[known]]
    new = entries[~known]
    log_prob[new] = backoff[parent[new]] + log_prob[arrays["suffix"][new]]


def _states(arrays: Arrays, children: Int64Array, starts: Int64Array) -> Int32Array:
    """Return for each entry the longest suffix, itself included, that later words depend on."""
    state = np.zeros(int(starts[-1]), dtype=np.int32)
    last = len(starts) - 2
    for n in range(1, last + 1):
        entries = np.arange(starts[n], starts[n + 1], dtype=np.int32)
        shorter = state[arrays["suffix"][entries]]
        keep = (children[entries] > 0) | (arrays["backoff"][entries] != 0)
        state[entries] = np.where(keep & (n < last), entries, shorter)
    return state


def to_lists(
    spellings: UInt8Array, offsets: Int64Array, arrays: Arrays, counts: list[int]
) -> NGramLists:
    """Return the n-grams of a trie; counts: how many there are of each order."""
    first_child = arrays["first_child"]
    parent = np.repeat(np.arange(len(first_child) - 1), np.diff(first_child))
    starts = 1 + offsets_of(counts)
    rows: list[Int32Array] = []
    for n, (start, stop) in enumerate(itertools.pairwise(starts.tolist())):
        last = arrays["word"][start:stop, None]
        context = parent[start - 1 : stop - 1]  # the root has none
        rows.append(np.hstack([rows[-1][context - starts[n - 1]], last]) if n else last)
    places = [slice(*pair) for pair in itertools.pairwise(starts.tolist())]
    return NGramLists(
        spellings,
        offsets,
        rows,
        [arrays["log_prob"][place] for place in places],
        [arrays["backoff"][place] for place in places],
    )
