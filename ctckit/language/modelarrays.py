"""The arrays that an n-gram model consists of: made from n-grams, and known again in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.arrayfile import Arrays
from ctckit.errors import InvalidValueError
from ctckit.language.arpa import line_of_ngram, read_arpa
from ctckit.language.trie import NGramLists, RepeatedNGramError, build_trie
from ctckit.language.words import WordList, encode_words, make_table

KIND = "n-gram model"
VERSION = 1
"""Of the arrays; a model that is cached or saved with another is not read."""

UNKNOWN = "<unk>"
UNKNOWN_LOG_PROB = -100 * math.log(10)
"""Of unknown words, where a model does not say."""

NAMES = ("word", "first_child", "log_prob", "backoff", "suffix", "state")
"""The arrays of the trie, in the order in which kernels take them."""

TYPES: dict[str, npt.DTypeLike] = {
    **dict.fromkeys(("word", "first_child", "suffix", "state", "table"), np.int32),
    **dict.fromkeys(("log_prob", "backoff"), np.float32),
    "spellings": np.uint8,
    "offsets": np.int64,
}


def read_model(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and attributes of a model in an ARPA file."""
    try:
        return build_model(read_arpa(path))
    except RepeatedNGramError as error:
        line = line_of_ngram(path, error.order, error.position)
        raise InvalidValueError(
            f"line {line} of '{path}' must hold an n-gram that is new, got one that stands before; "
            "remove one of the two"
        ) from None


def build_model(lists: NGramLists) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays of a model of n-grams, and its other attributes.

    Raises
    ------
    RepeatedNGramError : some n-gram is there twice
    """
    table, _ = make_table(lists.spellings, lists.offsets)
    words = WordList(lists.spellings, lists.offsets, table)
    marks = [UNKNOWN, "<UNK>", "<s>", "</s>"]
    unknown, capitals, begin, end = words.numbers(marks, unknown=-1).tolist()
    if unknown < 0:
        unknown = capitals
    lacking = unknown < 0
    if lacking:
        unknown = len(words)
        lists = _with_unknown(lists)
        table, _ = make_table(lists.spellings, lists.offsets)
    arrays, added = build_trie(lists)
    arrays |= {"spellings": lists.spellings, "offsets": lists.offsets, "table": table}
    counts = [len(rows) + more for rows, more in zip(lists.rows, added, strict=True)]
    added[0] += lacking
    return arrays, {
        "kind": KIND,
        "version": VERSION,
        "order": lists.order,
        "counts": counts,
        "added": added,
        "unknown": unknown,
        "begin": begin,
        "end": end,
    }


def _with_unknown(lists: NGramLists) -> NGramLists:
    """Add the unigram of unknown words, as KenLM does."""
    spelling, offsets = encode_words([UNKNOWN])
    count = len(lists.offsets) - 1

    def more(arrays: list[Any], value: float) -> list[Any]:
        shape = (1, *arrays[0].shape[1:])
        first = np.concatenate([arrays[0], np.full(shape, value, dtype=arrays[0].dtype)])
        return [first, *arrays[1:]]

    return NGramLists(
        np.concatenate([lists.spellings, spelling]),
        np.concatenate([lists.offsets, lists.offsets[-1] + offsets[1:]]),
        more(lists.rows, count),
        more(lists.log_probs, UNKNOWN_LOG_PROB),
        more(lists.backoffs, 0),
    )


def checked(path: Path, arrays: Arrays, about: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Return what a file holds that `NGramModel.save` wrote; refuse another one."""
    if about.get("kind") != KIND or about.get("version") != VERSION or not _fit(arrays):
        raise InvalidValueError(
            f"language model must be an ARPA file or one that NGramModel.save wrote, got '{path}' "
            f"with {about.get('kind', 'something else')} of version {about.get('version')}; make "
            "it again"
        )
    return arrays, about


def _fit(arrays: Arrays) -> bool:
    """Return whether the arrays are there, of the right types and lengths."""
    types = {name: array.dtype for name, array in arrays.items() if array.ndim == 1}
    if types != {name: np.dtype(one) for name, one in TYPES.items()}:
        return False
    size = {name: len(array) for name, array in arrays.items()}
    entries = {size[name] for name in NAMES if name != "first_child"}
    return entries == {size["first_child"] - 1} and (
        size["offsets"] > 1 and arrays["offsets"][-1] == size["spellings"]
    )
