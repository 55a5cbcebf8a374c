"""N-gram models in Python: loading, saving, words, what is refused."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from ctckit import InvalidValueError
from ctckit.arrayfile import read_arrays, write_arrays
from ctckit.language import NGramModel, split_sentences
from ctckit.language.trie import NGramLists
from ctckit.language.words import WordList

TEXT = "to be or not to be\nthat is the question\n\nto be für ever"


@pytest.fixture(scope="module")
def model():
    return NGramModel.train(split_sentences(TEXT), 3)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CTCKIT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_words_are_a_sequence(model):
    words = model.words
    assert words[:5] == ["<unk>", "<s>", "</s>", "to", "be"]
    assert (words[-1], words[words.index("für")], len(words)) == ("ever", "für", 13)
    assert list(words) == [words[i] for i in range(len(words))]
    assert "question" in words
    assert "Question" not in words
    assert 3 not in words
    assert "\ud800" not in words
    assert "für" in model
    assert "fur" not in model
    with pytest.raises(IndexError):
        words[len(words)]
    assert repr(words) == "WordList(13 words)"


def test_words_have_numbers(model):
    assert model.word_id("be") == model.words.index("be")
    assert model.word_id("nothing") == model.unknown == 0
    assert model.word_ids(["be", "nothing", "to"]).tolist() == [4, 0, 3]
    assert model.word_ids([]).tolist() == []


def test_many_words():
    words = WordList.of([f"{'x' * (i % 7)}{i}" for i in range(5000)])
    assert words.numbers(iter(words), unknown=-1).tolist() == list(range(5000))
    assert words.numbers(["5000", "", "x"], unknown=7).tolist() == [7, 7, 7]


def test_how_long_words_are():
    assert WordList.of(["ab", "für", "<unk>", "</s>"]).mean_length() == 2.5
    assert WordList.of(["a", "ü", "<space>", "<", ">"]).mean_length() == 1
    assert math.isnan(WordList.of(["<s>"]).mean_length())
    assert WordList.of([""]).numbers([""], unknown=-1).tolist() == [0]


def test_what_is_scored(model):
    whole = model.score(["to", "be"])
    log_probs, orders = model.word_scores(["to", "be"])
    assert len(log_probs) == 3
    assert orders.tolist() == [2, 3, 3]
    assert whole == pytest.approx(log_probs.sum())
    assert model.score(["to", "be"], end=False) == pytest.approx(log_probs[:2].sum())
    assert model.score(["to", "be"], begin=False) != pytest.approx(whole)
    assert model.score([], begin=False, end=False) == 0
    assert model.score([], end=False) == 0
    assert model.score([]) == pytest.approx(model.word_scores([])[0][0])


def test_states(model):
    assert model.state_after([], begin=False) == 0
    assert model.state_after([]) == model.first_state == 1 + model.begin
    assert model.state_after(["nothing"]) == 0
    state = model.state_after(["to"])
    assert model.word[state] == model.word_id("to")
    assert model.suffix[state] == 1 + model.word_id("to")
    assert model.state_after(["x", "to"]) == 1 + model.word_id("to")


def test_texts_are_scored(model):
    sentences = [["to", "be"], ["nothing"], []]
    score = model.score_text(sentences)
    assert (score.sentences, score.words, score.unknown) == (3, 3, 1)
    assert score.log_prob == pytest.approx(sum(model.score(one) for one in sentences))
    unknown = model.word_scores(["nothing"])[0][0]
    assert score.known_log_prob == pytest.approx(score.log_prob - unknown)
    assert score.perplexity == pytest.approx(math.exp(-score.log_prob / 6))
    assert score.known_perplexity == pytest.approx(math.exp(-score.known_log_prob / 5))
    assert math.isnan(model.score_text([]).perplexity)


def test_a_perplexity_beyond_all_numbers(model):
    from dataclasses import replace

    score = model.score_text([["to"]])
    assert replace(score, log_prob=-math.inf).perplexity == math.inf
    assert replace(score, log_prob=-1e9).perplexity == math.inf


@pytest.mark.parametrize("call", ["score", "word_scores", "state_after"])
def test_a_text_is_no_sequence_of_words(model, call):
    with pytest.raises(InvalidValueError, match="must be a sequence of words, got the text 'to"):
        getattr(model, call)("to be")
    with pytest.raises(InvalidValueError, match="got the text 'to be'; split it"):
        model.score_text(["to be"])


def test_arrays_are_read_only(model):
    for array in model.arrays:
        assert not array.flags.writeable
    assert repr(model) == "NGramModel(order 3, 13 + 14 + 13 n-grams)"


def test_a_model_is_cached(model, cache, tmp_path):
    path = tmp_path / "x.arpa"
    model.write_arpa(path)
    first = NGramModel.load(path)
    (cached,) = cache.iterdir()
    written = cached.stat().st_ino
    again = NGramModel.load(str(path))
    assert cached.stat().st_ino == written
    for one, other in zip(first.arrays, again.arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    NGramModel.train([["another"]], 2).write_arpa(path)
    assert NGramModel.load(path).order == 2
    assert len(list(cache.iterdir())) == 2


def test_a_saved_model_needs_no_cache(model, cache, tmp_path):
    model.save(tmp_path / "x.model")
    saved = NGramModel.load(tmp_path / "x.model")
    assert not cache.exists()
    assert saved.score(["to", "be"]) == model.score(["to", "be"])
    assert "question" in saved
    # Mapped, not read.
    assert not saved.word.flags.owndata
    saved.save(tmp_path / "y.model")
    assert (tmp_path / "x.model").read_bytes() == (tmp_path / "y.model").read_bytes()


def test_another_array_file(tmp_path):
    write_arrays(tmp_path / "x", {"a": np.arange(3)}, {"kind": "lexicon", "version": 3})
    with pytest.raises(InvalidValueError, match=r"x' with lexicon of version 3; make it again"):
        NGramModel.load(tmp_path / "x")
    write_arrays(tmp_path / "x", {"a": np.arange(3)}, {})
    with pytest.raises(InvalidValueError, match="with something else of version None"):
        NGramModel.load(tmp_path / "x")


@pytest.mark.parametrize("name", ["word", "offsets", "spellings", "first_child", "none"])
def test_an_array_file_that_does_not_fit(model, tmp_path, name):
    model.save(tmp_path / "x")
    arrays, about = read_arrays(tmp_path / "x")
    lacking = {key: array for key, array in arrays.items() if key != name}
    if name == "none":
        lacking["table"] = arrays["table"].astype(np.int64)
    for wrong in (lacking, arrays | {name: arrays.get(name, arrays["word"])[:-1]}):
        write_arrays(tmp_path / "x", wrong, about)
        with pytest.raises(InvalidValueError, match="with n-gram model of version 1;"):
            NGramModel.load(tmp_path / "x")


def test_lists_with_an_ngram_twice():
    words = WordList.of(["a", "b"])
    rows = [np.array([[0], [1]], np.int32), np.array([[0, 1], [1, 1], [0, 1]], np.int32)]
    zeros = [np.zeros(len(own), np.float32) for own in rows]
    lists = NGramLists(words.spellings, words.offsets, rows, zeros, zeros)
    with pytest.raises(InvalidValueError, match="2-grams must differ, got number 2 twice; remove"):
        NGramModel.of_lists(lists)


def test_a_gzip_file_says_nothing_of_when_it_was_written(model, tmp_path):
    model.write_arpa(tmp_path / "a.arpa.gz")
    os.utime(tmp_path / "a.arpa.gz", (0, 0))
    model.write_arpa(tmp_path / "b.arpa.gz")
    assert (tmp_path / "a.arpa.gz").read_bytes() == (tmp_path / "b.arpa.gz").read_bytes()


def test_a_file_that_cannot_be_written(model, tmp_path):
    with pytest.raises(OSError, match="No such file"):
        model.write_arpa(tmp_path / "none" / "x.arpa")


@pytest.mark.nojit
def test_numbers_are_written_as_they_are(tmp_path):
    words = WordList.of(["a", "b", "c", "d", "<unk>"])
    log10 = np.array([-12.345678, -0.00000004, 0, -np.inf, -99], np.float32)
    lists = NGramLists(
        words.spellings,
        words.offsets,
        [np.arange(5, dtype=np.int32)[:, None]],
        [(log10 * math.log(10)).astype(np.float32)],
        [np.array([0, 0.5, -0.5, 2, -3], np.float32) * np.float32(math.log(10))],
    )
    NGramModel.of_lists(lists).write_arpa(tmp_path / "x.arpa")
    lines = (tmp_path / "x.arpa").read_text().splitlines()
    assert lines[:4] == ["\\data\\", "ngram 1=5", "", "\\1-grams:"]
    assert [line.split("\t") for line in lines[4:9]] == [
        ["-12.34568", "a"],
        ["0", "b", "0.5"],
        ["0", "c", "-0.5"],
        ["-inf", "d", "2"],
        ["-99", "<unk>", "-3"],
    ]
    assert lines[9:] == ["", "\\end\\"]


def test_loading_needs_no_kernels(model, tmp_path):
    model.save(tmp_path / "x.model")
    code = (
        "import sys; from ctckit.language import NGramModel\n"
        f"model = NGramModel.load({str(tmp_path / 'x.model')!r}); print(model.words[3])\n"
        "assert 'numba' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("to\n", "")
