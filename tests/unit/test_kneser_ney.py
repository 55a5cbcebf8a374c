"""Training: corners, and what is refused. That it is right is tested in tests/oracle."""

from __future__ import annotations

import itertools

import pytest

from ctckit import InvalidValueError
from ctckit.language import NGramModel, split_sentences
from ctckit.language.kneser_ney import FALLBACK, estimate


def test_what_is_known_of_the_text():
    made = estimate([["a", "b"], [], ["a"]], 2)
    assert (made.sentences, made.words) == (3, 3)
    assert made.fallback == [1, 2]
    assert made.discounts == [FALLBACK, FALLBACK]
    assert made.lists.order == 2


def test_sentences_may_come_one_by_one():
    once = estimate(iter([("a", "b"), ("b",)]), 2)
    assert once.words == 3


def test_words_of_the_text_that_stand_for_unknown_ones():
    with_unknown = NGramModel.train([["a", "<unk>"], ["b", "<unk>"], ["a", "b"]], 2)
    without = NGramModel.train([["a"], ["b"], ["a", "b"]], 2)
    assert with_unknown.score(["new"], begin=False) > without.score(["new"], begin=False)
    assert list(with_unknown.words).count("<unk>") == 1


def test_rare_ngrams_are_left_out():
    sentences = [["a", "b", "c"]] * 2 + [["a", "c", "b"]]
    counts = NGramModel.train(sentences, 4).counts
    fewer = NGramModel.train(sentences, 4, min_count=2).counts
    assert counts[:2] == fewer[:2]
    assert (counts[2:], fewer[2:]) == ([6, 4], [3, 2])
    assert NGramModel.train(sentences, 4, min_count=9).counts[2:] == [0, 0]


def test_begin_is_never_foretold():
    model = NGramModel.train([["a"]], 2)
    assert model.log_prob[1 + model.begin] < -200


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (0, "order must be an integer from 1 to 20, got 0; give another number"),
        (21, "order must be an integer from 1 to 20, got 21"),
        (2.0, r"order must be an integer from 1 to 20, got 2\.0"),
        (True, "order must be an integer from 1 to 20, got True"),
        (
            5,
            "order must be at most 4, the words of .* with its begin and end, got 5; give",
        ),
    ],
)
def test_orders_that_cannot_be(order, message):
    with pytest.raises(InvalidValueError, match=message):
        estimate([["a", "b"], ["a"]], order)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([], "sentences must hold some words, got none; give another text"),
        ([[], []], "sentences must hold some words, got none"),
        (["a b"], "sentences must be sequences of words, got the text 'a b'; split it"),
        ([["a", "<s>"]], "sentences must not hold the word '<s>', which stands for their begin"),
        ([["</s>"]], "sentences must not hold the word '</s>'"),
        ([["a b"]], "words must be valid Unicode without white space, got 'a b'; write"),
        ([["a", ""]], "words must be valid Unicode without white space, got ''"),
        ([["\xa0"]], r"words must be valid Unicode without white space, got '\\xa0'"),
        ([["\ud800"]], r"words must be valid Unicode without white space, got '\\ud800'"),
    ],
)
def test_texts_that_cannot_be(sentences, message):
    with pytest.raises(InvalidValueError, match=message):
        estimate(sentences, 1)


def test_min_count_is_checked():
    with pytest.raises(InvalidValueError, match="min_count must be an integer from 1 to 2"):
        estimate([["a"]], 1, min_count=0)


def test_lines_are_sentences():
    assert split_sentences("a  b\r\n\n \t\nc\x0bd") == [["a", "b"], ["c", "d"]]
    assert split_sentences("a-b c, d\n...\n", word_characters="abcd") == [["a", "b", "c", "d"]]
    assert split_sentences(" ab\tc \r\n\n", characters=True) == [["a", "b", "<space>", "c"]]
    with pytest.raises(InvalidValueError, match="word_characters must be None where"):
        split_sentences("a", characters=True, word_characters="a")


def test_a_model_of_characters():
    words = ["tea", "eat", "ate", "tee", "a tea"]
    model = NGramModel.train(split_sentences("\n".join(words), characters=True), 4)
    assert set(model.words) == {"<unk>", "<s>", "</s>", "<space>", *"tea"}
    scores = {one: model.score(list(one)) for one in map("".join, itertools.permutations("tea"))}
    assert min(scores[one] for one in words[:3]) > max(
        score for one, score in scores.items() if one not in words
    )
