"""Every installed decoder passes the conformance suite that ctckit ships."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ctckit import InvalidValueError, list_decoders, load_decoder
from ctckit.language import default_word_characters, split_words
from ctckit.testing.checks import CHECKS
from ctckit.testing.conformance import EXAMPLE_FILES, DecoderConformance, example_batch
from ctckit.testing.examples import RAGGED
from ctckit.testing.oracles import path_log_probs, text_log_prob
from ctckit.testing.strategies import ALPHABETS


class TestInstalledDecoders(DecoderConformance):
    @pytest.fixture(params=[info.name for info in list_decoders()])
    def decoder(self, request):
        return request.param


def words_of(alphabet):
    """Return the words of the example corpus that an alphabet spells, as tuples of token ids."""
    found = set()
    for word in split_words(EXAMPLE_FILES["corpus"], default_word_characters(alphabet)):
        try:
            found.add(tuple(alphabet.encode(word).tolist()))
        except InvalidValueError:
            continue
    return found


class TestBestPath(DecoderConformance):
    @pytest.fixture
    def decoder(self):
        return "bestpath"

    def oracle(self, log_probs, alphabet):
        return path_log_probs(log_probs, alphabet.blank)

    @pytest.mark.parametrize("check", ["exhaustive"])
    def test_conforms(self, check, subject):
        super().test_conforms(check, subject)


class TestLexiconSearch(TestBestPath):
    @pytest.fixture
    def decoder(self):
        return "lexiconsearch"

    def oracle(self, log_probs, alphabet):
        """Four frames are so few that every word is near enough to the best path's text."""
        blank = alphabet.blank
        scores = {word: text_log_prob(log_probs, word, blank) for word in words_of(alphabet)}
        possible = {word: score for word, score in scores.items() if score > -np.inf}
        return possible or {(): text_log_prob(log_probs, (), blank)}


class TestTokenPassing(TestBestPath):
    @pytest.fixture
    def decoder(self):
        return "tokenpassing"

    def oracle(self, log_probs, alphabet):
        scores = path_log_probs(log_probs, alphabet.blank)
        word = "|".join(re.escape(as_characters(word)) for word in words_of(alphabet))
        space = re.escape(as_characters([alphabet.token_ids.get(" ", 99)]))
        spelled = re.compile(f"(?:{word})(?:{space}(?:{word}))*")
        possible = {
            text: score for text, score in scores.items() if spelled.fullmatch(as_characters(text))
        }
        return possible or {(): scores.get((), -np.inf)}


def as_characters(token_ids):
    """Return a character for each token, whatever its own are."""
    return "".join(chr(200 + one) for one in token_ids)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(EXAMPLE_FILES["corpus"], encoding="utf-8")
    return path


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_text(EXAMPLE_FILES["lm"], encoding="utf-8")
    return path


class InThisProcess(DecoderConformance):
    """The checks that need no other one."""

    @pytest.mark.parametrize(
        "check", [name for name in CHECKS if name not in ("import-weight", "interrupt")]
    )
    def test_conforms(self, check, subject):
        super().test_conforms(check, subject)


class TestWithoutWordSeparators(InThisProcess):
    """The way of a subclass that overrides `make_decoder`."""

    @pytest.fixture(autouse=True, params=["Words", "NGramsForecast"])
    def chosen(self, request, corpus):
        self.corpus, self.mode = corpus, request.param

    def make_decoder(self, alphabet):
        options = {"corpus": self.corpus, "mode": self.mode, "smoothing": 0.1}
        return load_decoder("wordbeamsearch", alphabet, word_separator=None, **options)


class TestLastWordsAsTheyAre(InThisProcess):
    @pytest.fixture
    def decoder(self, corpus):
        options = {"corpus": corpus, "complete_last_word": False}
        return lambda alphabet: load_decoder("wordbeamsearch", alphabet, **options)


class TestLanguageModel(InThisProcess):
    @pytest.fixture
    def decoder(self, model):
        return lambda alphabet: load_decoder("ngrambeamsearch", alphabet, lm=model)


class TestTokenBonus(InThisProcess):
    @pytest.fixture
    def decoder(self):
        return lambda alphabet: load_decoder("beamsearch", alphabet, token_bonus=0.5)


def test_all_of_ours_are_tested():
    assert {info.name for info in list_decoders()} >= {
        "bestpath",
        "beamsearch",
        "ngrambeamsearch",
        "prefixsearch",
        "lexiconsearch",
        "tokenpassing",
        "wordbeamsearch",
    }


def test_what_scores_are_depends_on_the_options(alphabet, corpus):
    def are_log_probs(name, **options):
        return load_decoder(name, alphabet, **options).scores_are_log_probs

    assert are_log_probs("beamsearch")
    assert not are_log_probs("beamsearch", token_bonus=0.5)
    assert not are_log_probs("wordbeamsearch", corpus=corpus)
    assert are_log_probs("wordbeamsearch", corpus=corpus, complete_last_word=False)


def test_the_examples_cover_what_they_should(alphabet):
    batch = example_batch(alphabet, RAGGED)
    assert np.isneginf(batch.log_probs).any()
    assert 0 in batch.lengths
    assert {one.blank for one in ALPHABETS} == set(range(6))
    assert any(len(token) > 1 for one in ALPHABETS for token in one.token_ids)


def test_the_names_are_those_that_decoders_may_declare():
    names = """
        valid blank-anywhere permuted-classes certain-path certain-blanks no-frames one-class
        impossible-classes one-by-one threads deterministic n-best-prefix pickling
        options-round-trip other-alphabet import-weight interrupt quiet exhaustive true-scores
    """
    assert set(CHECKS) == set(names.split())
