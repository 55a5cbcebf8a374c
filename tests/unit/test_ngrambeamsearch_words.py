"""Which words `ngrambeamsearch` writes, and what it says of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ctckit import Alphabet, CtckitWarning, InvalidValueError, MatrixBatch, load_decoder

ALPHABET = Alphabet("abc -", blank=4)
BATCH = MatrixBatch.from_logits(np.zeros((3, 4, 5)), ALPHABET)


def load(items, **options):
    return load_decoder("ngrambeamsearch", ALPHABET, item_lexicons=items, **options)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({0: ["ab"]}, "item_lexicons must have strings as ids, got 0 in the entry 0; write "),
        (
            {"0": "ab c"},
            "item_lexicons must hold a list of words for each id, got 'ab c' in the entry '0'",
        ),
        (
            {"0": ["ab"], "1": ["x", "yz"]},
            "item_lexicons must hold some word for each id that the alphabet can spell, got 'x', "
            "'yz' for '1'; leave the id out",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::ctckit.CtckitWarning")
def test_what_is_said_of_wrong_lexica(items, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        load(items)


def test_words_that_cannot_be_spelled_are_counted():
    message = r"1 of 3 words of the item lexica \(33.3%\) cannot be spelled .*, such as 'x'$"
    with pytest.warns(CtckitWarning, match=message):
        load({"0": ["ab", "x"], "1": ["c"]})


def test_who_has_none_gets_the_lexicon_or_there_must_be_one_for_all():
    with pytest.raises(
        InvalidValueError,
        match=r"must hold every matrix if there is no lexicon, .*"
        "got none for '1'; add it, or give a lexicon for all others",
    ):
        load({"0": ["ab"]}, hot_phrases=["c"]).decode_batch(BATCH)
    # In flat matrices the words decide: two letters have more alignments than one.
    texts = load({"1": ["c"]}, lexicon=["a"], word_bonus=50.0).decode_batch(BATCH).texts()
    assert [set(text) - {" "} for text in texts] == [{"a"}, {"c"}, {"a"}]


def test_phrases_without_anything_else():
    def load_phrases(**options):
        return load_decoder("ngrambeamsearch", ALPHABET, hot_phrases=["b"], **options)

    assert load_phrases().decode_batch(BATCH).texts()[0].strip() == "b b"
    batch = MatrixBatch.from_logits(np.random.default_rng(0).normal(size=(5, 9, 5)) * 3, ALPHABET)
    plain = load_decoder("beamsearch", ALPHABET).decode_batch(batch).texts()
    anything = load_phrases(open_vocabulary=True, unknown_score=0.0, hot_weight=0.0)
    assert anything.decode_batch(batch).texts() == plain
    message = "lexicon or lm or item_lexicons or hot_phrases must be given to the decoder"
    with pytest.raises(InvalidValueError, match=message):
        load_decoder("ngrambeamsearch", ALPHABET)
