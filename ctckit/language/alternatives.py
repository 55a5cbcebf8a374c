"""Models with more words, each of which stands for the likeliest of some others.

So a spelling is scored that several words have, and a word that has several spellings.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.intake import offsets_of
from ctckit.language.modelarrays import KIND, VERSION
from ctckit.language.ngrams import NGramModel
from ctckit.language.words import encode_words, make_table

Array = npt.NDArray[Any]


def with_alternatives(
    model: NGramModel, names: Sequence[str], members: Sequence[Sequence[int]]
) -> NGramModel:
    """Return a model with one more word for each of `names`.

    In each context it has the probability of the likeliest of its members, and the context after
    it is that one's. (Where a context knows some of them only, the others count by backing off, of
    which one that it knows may be the likeliest: in interpolated models, as ours and KenLM's, this
    makes no difference.)

    Parameters
    ----------
    names : words that the model does not have
    members : of each the numbers of one or more words, all different
    """
    leaves = _Leaves(model, members)
    orders = [leaves.of_order(n) for n in range(1, model.order + 1)]
    arrays = _merged(model, orders, len(names))
    spellings, offsets = encode_words(names)
    known = model.words
    arrays["spellings"] = np.concatenate([known.spellings, spellings])
    arrays["offsets"] = np.concatenate([known.offsets, known.offsets[-1] + offsets[1:]])
    arrays["table"], _ = make_table(arrays["spellings"], arrays["offsets"])
    about = {
        "kind": KIND,
        "version": VERSION,
        "order": model.order,
        "counts": [n + len(one.leaf) for n, one in zip(model.counts, orders, strict=True)],
        "added": model.added,
        "unknown": model.unknown,
        "begin": model.begin,
        "end": model.end,
    }
    return NGramModel(arrays, about)


class _Rows:
    """The new entries of one order: context, leaf, log-probability, state and suffix.

    context and state are entries of the model, suffix is a row of the order before.
    """

    def __init__(self, context: Array, leaf: Array, value: Array, state: Array) -> None:
        self.context, self.leaf, self.value, self.state = context, leaf, value, state
        self.suffix = np.zeros(len(leaf), dtype=np.int64)


class _Leaves:
    """Finds the new entries order by order; they have no children."""

    def __init__(self, model: NGramModel, members: Sequence[Sequence[int]]) -> None:
        self.model = model
        self.parent = parents_of(model)
        self.sizes = np.array([len(one) for one in members], dtype=np.int64)
        member = np.array([one for group in members for one in group], dtype=np.int64)
        order = np.argsort(member, kind="stable")
        self.leaf = np.repeat(np.arange(len(members)), self.sizes)[order]
        self.first = offsets_of(np.bincount(member, minlength=len(model.words)))
        self.starts = 1 + offsets_of(model.counts)
        self.before: _Rows | None = None

    def of_order(self, order: int) -> _Rows:
        model = self.model
        entries = np.arange(*self.starts[order - 1 : order + 1])
        words = model.word[entries]
        repeats = self.first[words + 1] - self.first[words]
        source = np.repeat(entries, repeats)
        offsets = offsets_of(repeats)
        within = np.arange(len(source)) - np.repeat(offsets[:-1], repeats)
        leaf = self.leaf[np.repeat(self.first[words], repeats) + within]
        context, value = self.parent[source], model.log_prob[source].astype(np.float64)
        ranked = np.lexsort((-value, leaf, context))  # the likeliest of each group first
        key = self._keys(context, leaf)[ranked]
        begins = np.flatnonzero(np.diff(key, prepend=-1))
        found = np.diff(np.append(begins, len(key)))
        best = ranked[begins]
        rows = _Rows(context[best], leaf[best], value[best], model.state[source[best]].copy())
        if self.before is not None and len(best):
            self._back_off(rows, self.before, found < self.sizes[rows.leaf])
        self.before = rows
        return rows

    def _keys(self, context: Array, leaf: Array) -> Array:
        return context * len(self.sizes) + leaf

    def _back_off(self, rows: _Rows, shorter: _Rows, lacking: Array) -> None:
        """Let words that a context lacks count by the shorter context."""
        known = self._keys(shorter.context, shorter.leaf)
        suffix = self.model.suffix[rows.context].astype(np.int64)
        rows.suffix = np.searchsorted(known, self._keys(suffix, rows.leaf))
        other = self.model.backoff[rows.context] + shorter.value[rows.suffix]
        better = lacking & (other > rows.value)
        rows.value = np.where(better, other, rows.value)
        rows.state = np.where(better, shorter.state[rows.suffix], rows.state)


def parents_of(model: NGramModel) -> Array:
    """Return each entry's context, as an entry; the root's is 0."""
    fanout = np.diff(model.first_child)
    return np.append(0, np.repeat(np.arange(len(fanout)), fanout))


def _merged(model: NGramModel, orders: Sequence[_Rows], names: int) -> dict[str, Array]:
    """Return the arrays of the model with the new entries put where they belong."""
    parent = parents_of(model)
    place = np.zeros(len(parent), dtype=np.int64)  # of an old entry among all
    starts = 1 + offsets_of(model.counts)
    parts: list[tuple[Array, ...]] = [
        (np.array([-1]), np.zeros(1), np.zeros(1), np.zeros(1, np.int64), np.zeros(1, np.int64))
    ]
    states = [np.zeros(1, dtype=np.int64)]
    total = 1
    leaf_place = np.zeros(names, dtype=np.int64)  # of the new entries of the order before
    for (start, stop), rows in zip(itertools.pairwise(starts.tolist()), orders, strict=True):
        old = np.arange(start, stop)
        context = place[np.concatenate([parent[old], rows.context])]
        word = np.concatenate([model.word[old], len(model.words) + rows.leaf])
        ranked = np.lexsort((word, context))
        at = np.empty(len(ranked), dtype=np.int64)
        at[ranked] = total + np.arange(len(ranked))
        total += len(ranked)
        suffix = np.concatenate([place[model.suffix[old]], leaf_place[rows.suffix]])
        columns = (
            word,
            np.concatenate([model.log_prob[old], rows.value]),
            np.concatenate([model.backoff[old], np.zeros(len(rows.leaf))]),
            suffix if start > 1 else np.zeros(len(ranked), dtype=np.int64),
            context,
        )
        parts.append(tuple(column[ranked] for column in columns))
        states.append(np.concatenate([model.state[old], rows.state])[ranked])
        place[old], leaf_place = at[: len(old)], at[len(old) :]
    word, log_prob, backoff, suffix, above = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    counts = np.bincount(above[1:], minlength=total)
    return {
        "word": word.astype(np.int32),
        "first_child": (1 + offsets_of(counts)).astype(np.int32),
        "log_prob": log_prob.astype(np.float32),
        "backoff": backoff.astype(np.float32),
        "suffix": suffix.astype(np.int32),
        "state": place[np.concatenate(states)].astype(np.int32),
    }
