"""Models with more words, each another name of one that is there: words with several spellings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ctckit.alphabet import Int64Array
from ctckit.arrayfile import Arrays
from ctckit.intake import offsets_of
from ctckit.language.modelarrays import KIND, VERSION
from ctckit.language.ngrams import NGramModel
from ctckit.language.words import encode_words, make_table


def with_synonyms(model: NGramModel, names: Sequence[str], numbers: Sequence[int]) -> NGramModel:
    """Return a model with one more word for each of `names`.

    It is as likely as the word that it is a name of, and what follows it is as likely as after
    that. Both are in the model, so that the probabilities of all words sum to more than 1.

    Parameters
    ----------
    names : words that the model does not have
    numbers : of each the number of a word that it has
    """
    arrays, counts = _with_copies(model, np.asarray(numbers, dtype=np.int64))
    spellings, offsets = encode_words(names)
    known = model.words
    arrays["spellings"] = np.concatenate([known.spellings, spellings])
    arrays["offsets"] = np.concatenate([known.offsets, known.offsets[-1] + offsets[1:]])
    arrays["table"], _ = make_table(arrays["spellings"], arrays["offsets"])
    about = {
        "kind": KIND,
        "version": VERSION,
        "order": model.order,
        "counts": counts,
        "added": model.added,
        "unknown": model.unknown,
        "begin": model.begin,
        "end": model.end,
    }
    return NGramModel(arrays, about)


def _with_copies(model: NGramModel, numbers: Int64Array) -> tuple[Arrays, list[int]]:
    """Return the arrays with a copy, for each new word, of every entry that its old one ends.

    Copies have no children: the context after them is that after their originals.
    """
    old_words = len(model.words)
    by_word = np.argsort(numbers, kind="stable")
    first = offsets_of(np.bincount(numbers, minlength=old_words))
    fanout = np.diff(model.first_child)
    parent = np.append(0, np.repeat(np.arange(len(fanout)), fanout))
    place = np.zeros(len(fanout), dtype=np.int64)  # of an old entry among all
    sources = [np.zeros(1, dtype=np.int64)]  # of each new entry the old one
    words = [np.full(1, -1, dtype=np.int64)]
    total = 1
    for start, stop in itertools.pairwise((1 + offsets_of(model.counts)).tolist()):
        own = np.arange(start, stop)
        last = model.word[own].astype(np.int64)
        copies = first[last + 1] - first[last]
        copied = np.repeat(own, copies)
        within = np.arange(len(copied)) - np.repeat(offsets_of(copies)[:-1], copies)
        source = np.concatenate([own, copied])
        word = np.concatenate([last, old_words + by_word[np.repeat(first[last], copies) + within]])
        ranked = np.lexsort((word, place[parent[source]]))
        at = np.empty(len(ranked), dtype=np.int64)
        at[ranked] = total + np.arange(len(ranked))
        place[own] = at[: len(own)]
        total += len(ranked)
        sources.append(source[ranked])
        words.append(word[ranked])
    source, word = np.concatenate(sources), np.concatenate(words)
    above = place[parent[source]]
    arrays: Arrays = {
        "word": word.astype(np.int32),
        "first_child": (1 + offsets_of(np.bincount(above[1:], minlength=total))).astype(np.int32),
        "log_prob": model.log_prob[source],
        "backoff": model.backoff[source],
        "suffix": place[model.suffix[source]].astype(np.int32),
        "state": place[model.state[source]].astype(np.int32),
    }
    return arrays, [len(one) for one in sources[1:]]
