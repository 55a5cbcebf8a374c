"""`ngrambeamsearch`: no word outside its lexicon, scripts without spaces, word marks."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ctckit import Alphabet, CtckitWarning, InvalidValueError, MatrixBatch, load_decoder
from ctckit.language import NGramModel, split_sentences
from ctckit.testing.language import WordLanguage, arpa_text, best_texts, random_model
from ctckit.testing.oracles import text_probs

LEXICON = ["a", "ab", "abba", "b", "ba", "bab", "c", "cab", "cabba"]


def random_batch(alphabet, count, seed, frames=30):
    """Flat to peaked, some classes impossible."""
    rng = np.random.default_rng(seed)
    matrices = []
    for i in range(count):
        logits = rng.normal(size=(rng.integers(1, frames + 1), len(alphabet)))
        logits *= (0.5, 2, 5, 9)[i % 4]
        if i % 5 == 4:
            logits[rng.random(logits.shape) < 0.3] = -np.inf
            logits[:, alphabet.blank] = np.maximum(logits[:, alphabet.blank], -1)
        matrices.append(logits)
    return MatrixBatch.from_logits(matrices, alphabet)


def test_no_word_outside_the_lexicon_in_10_000_matrices():
    alphabet = Alphabet([*"abc 7,", ""], 6)
    decoder = load_decoder("ngrambeamsearch", alphabet, lexicon=LEXICON, beam_width=5)
    texts = decoder.decode_batch(random_batch(alphabet, 10_000, 0), threads=2).texts()
    words = {word for text in texts for word in re.findall("[abc]+", text)}
    assert words == set(LEXICON)
    assert any("7" in text for text in texts)
    assert any("," in text for text in texts)


def test_without_spaces_every_text_is_words_in_a_row():
    alphabet = Alphabet([*"abc", ""], 3)
    decoder = load_decoder(
        "ngrambeamsearch", alphabet, lexicon=["ab", "ca", "bbc"], word_separator=None, beam_width=5
    )
    decoded = decoder.decode_batch(random_batch(alphabet, 3_000, 1), n_best=3)
    allowed = re.compile("(ab|ca|bbc)*")
    assert all(allowed.fullmatch(one.text) for line in decoded for one in line)
    assert len({line[0].text for line in decoded}) > 100


def drawn(alphabet, text, seed=0, noise=1.0):
    """Logits of a text, three frames a token, with noise and blanks."""
    rng = np.random.default_rng(seed)
    rows = []
    for token in alphabet.encode(text):
        for target in (token, token, alphabet.blank):
            row = rng.normal(size=len(alphabet)) * noise
            row[target] += 5
            rows.append(row)
    return MatrixBatch.from_logits([np.array(rows)], alphabet)


THAI = ["ผม", "รัก", "ภาษา", "ไทย", "มาก", "และ", "อาหาร", "ไม่", "เผ็ด"]
CHINESE = ["我们", "今天", "学习", "中文", "很", "高兴", "明天", "去", "北京", "大学"]


@pytest.mark.parametrize(
    ("words", "line"),
    [(THAI, "ผมรักภาษาไทยและอาหารไม่เผ็ด"), (CHINESE, "我们今天学习中文明天去北京大学")],
)
def test_scripts_without_spaces_come_out_as_written(words, line):
    letters = sorted({c for word in words for c in word})
    alphabet = Alphabet([*letters, *" ,-1", ""], len(letters) + 4)
    batch = drawn(alphabet, line)
    decoder = load_decoder("ngrambeamsearch", alphabet, lexicon=words, word_separator=None)
    assert decoder.decode_batch(batch).texts() == [line]
    spaced = load_decoder("ngrambeamsearch", alphabet, lexicon=words)
    assert spaced.decode_batch(batch).texts() != [line]  # something must stand between words


def test_word_marks_of_subwords(tmp_path):
    """Every spelling of a word counts, the first token with the mark."""
    rng = np.random.default_rng(5)
    tokens = ["▁a", "▁ab", "b", "▁", "a", "bb"]
    alphabet = Alphabet([*tokens, ""], 6)
    words = ["a", "ab", "abb", "ba"]
    grams, log_prob = random_model(rng, words, 2, 20)
    path = tmp_path / "model.arpa"
    path.write_text(arpa_text(grams), encoding="utf-8")
    language = WordLanguage(
        frozenset(words), "ab", log_prob, frozenset(words), "▁", lm_weight=0.7, word_bonus=0.5
    )
    decoder = load_decoder(
        "ngrambeamsearch",
        alphabet,
        lm=path,
        lexicon=words,
        word_separator="▁",
        lm_weight=0.7,
        word_bonus=0.5,
        beam_width=20_000,
        beam_threshold=None,
    )
    batch = MatrixBatch.from_logits(rng.normal(size=(4, 5, 7)) * 2, alphabet)
    for matrix, found in zip(batch, decoder.decode_batch(batch, n_best=3), strict=True):
        expected = best_texts(text_probs(matrix, 6), alphabet.tokens, language)[:3]
        assert [one.score for one in found] == pytest.approx(
            [sum(parts) for _, parts in expected], abs=1e-4
        )


def test_a_reading_that_turns_out_better_keeps_its_parts_together(tmp_path):
    """Scores are those of one reading, in narrow beams too."""
    rng = np.random.default_rng([31, 7])
    lexicon = sorted({"".join(rng.choice(["a", "b"], size=rng.integers(1, 4))) for _ in range(7)})
    grams, log_prob = random_model(rng, lexicon, 3, 30)
    path = tmp_path / "model.arpa"
    path.write_text(arpa_text(grams), encoding="utf-8")
    phrases = {"ba": 5.0, "b": 2.5}
    known = frozenset(lexicon)
    language = WordLanguage(
        known | set(phrases), "ab", log_prob, known, None, False, 0.5, 3.0, 0.0, phrases
    )
    alphabet = Alphabet(["a", "b", ""], 2)
    batch = MatrixBatch.from_logits(rng.normal(size=(60, 12, 3)) * 2, alphabet)
    decoder = load_decoder(
        "ngrambeamsearch",
        alphabet,
        lm=path,
        lexicon=lexicon,
        word_separator=None,
        word_bonus=3.0,
        hot_phrases=phrases,
        beam_width=3,
    )
    for line in decoder.decode_batch(batch, n_best=2):
        for one in line:
            readings = best_texts({one.token_ids: 1.0}, ["a", "b"], language)
            limit = sum(readings[0][1])
            assert one.score - one.parts["matrix"] <= limit + 1e-4
            assert sum(one.parts.values()) == pytest.approx(one.score)


def test_what_cannot_be_spelled_is_said(tmp_path):
    alphabet = Alphabet([*"ab ", ""], 3)
    with pytest.warns(CtckitWarning, match=r"2 of 4 words of the lexicon \(50.0%\) cannot"):
        load_decoder("ngrambeamsearch", alphabet, lexicon=["a", "b", "xyz", "ä"])
    with pytest.raises(InvalidValueError, match="lexicon must hold some word that the alphabet"):
        load_decoder("ngrambeamsearch", alphabet, lexicon=["xyz"])
    with pytest.raises(InvalidValueError, match="hot phrases must be spelled in the alphabet, got"):
        load_decoder("ngrambeamsearch", alphabet, lexicon=["a"], hot_phrases=["zz"])


@pytest.mark.parametrize("name", ["lm_weight", "word_bonus", "unknown_score", "hot_weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_are_finite(name, value):
    alphabet = Alphabet([*"ab ", ""], 3)
    with pytest.raises(InvalidValueError, match=f"{name} must be a finite number"):
        load_decoder("ngrambeamsearch", alphabet, lexicon=["a"], **{name: value})


def test_models_of_the_wrong_kind(tmp_path):
    alphabet = Alphabet([*"ab ", ""], 3)
    path = tmp_path / "characters.arpa"
    NGramModel.train(split_sentences("ab ba", characters=True), order=2).write_arpa(path)
    with pytest.raises(InvalidValueError, match="lm must be a model of words, got"):
        load_decoder("ngrambeamsearch", alphabet, lm=path)
    path.write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\ta\n", encoding="utf-8")
    with pytest.raises(InvalidValueError, match=re.escape(str(path))):
        load_decoder("ngrambeamsearch", alphabet, lm=path)


def test_a_class_made_directly_asks_for_one_of_its_options():
    from ctckit.decoders.ngrambeamsearch import NGramBeamSearch

    with pytest.raises(InvalidValueError, match="must be given to the decoder NGramBeamSearch"):
        NGramBeamSearch(Alphabet([*"ab ", ""], 3))


def test_the_widest_and_the_narrowest_threshold():
    alphabet = Alphabet([*"abc ", ""], 4)
    batch = random_batch(alphabet, 50, 3)
    lexicon = {"lexicon": LEXICON, "beam_width": 10}
    greedy = load_decoder("ngrambeamsearch", alphabet, beam_threshold=0.0, **lexicon)
    assert len(greedy.decode_batch(batch).texts()) == 50
    some = load_decoder("ngrambeamsearch", alphabet, **lexicon).decode_batch(batch).texts()
    every = load_decoder("ngrambeamsearch", alphabet, beam_threshold=None, **lexicon)
    same = sum(a == b for a, b in zip(some, every.decode_batch(batch).texts(), strict=True))
    assert same > 40
