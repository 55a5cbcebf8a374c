"""Every installed decoder passes the conformance suite that ctckit ships."""

from __future__ import annotations

import numpy as np
import pytest

from ctckit import REQUIRED, Decoder, PluginError, SearchResult, list_decoders, load_decoder
from ctckit.registry import decoder_class
from ctckit.testing.conformance import DecoderConformance, example_batch

CORPUS = "ab a'b cab, bac; a b ab'c cab ab ba a"


class TestInstalledDecoders(DecoderConformance):
    @pytest.fixture(autouse=True, params=[info.name for info in list_decoders()])
    def chosen(self, request, tmp_path):
        corpus = tmp_path / "corpus.txt"
        corpus.write_text(CORPUS, encoding="utf-8")
        self.name = request.param
        chosen = decoder_class(self.name)
        required = [one.name for one in chosen.options.values() if one.default is REQUIRED]
        self.options = dict.fromkeys(required, corpus)
        if "lexicon" in chosen.at_least_one:
            self.options["lexicon"] = CORPUS.replace(",", " ").replace(";", " ").split()

    def make_decoder(self, alphabet):
        return load_decoder(self.name, alphabet, **self.options)


class TestWithoutWordSeparators(DecoderConformance):
    @pytest.fixture(autouse=True, params=["Words", "NGramsForecast"])
    def chosen(self, request, tmp_path):
        self.corpus, self.mode = tmp_path / "corpus.txt", request.param
        self.corpus.write_text(CORPUS, encoding="utf-8")

    def make_decoder(self, alphabet):
        options = {"corpus": self.corpus, "mode": self.mode, "smoothing": 0.1}
        return load_decoder("wordbeamsearch", alphabet, word_separator=None, **options)


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


class Faulty(Decoder):
    """Depends on what it must not."""

    def search(self, batch, n_best):
        return self.fault(batch, n_best)


def by_batch(self, batch, n_best):
    return SearchResult.from_best([[len(batch) % 3]] * len(batch))


def by_chance(self, batch, n_best):
    return SearchResult.from_best(np.random.default_rng().integers(0, 2, size=(len(batch), 8)))


def by_n_best(self, batch, n_best):
    return SearchResult.from_best([[min(n_best, 3) - 1]] * len(batch))


def by_class_index(self, batch, n_best):
    tokens = [[c for c in (0, 1) if c != self.alphabet.blank] for _ in batch]
    return SearchResult.from_best(tokens)


def twice(self, batch, n_best):
    texts = [[[]] * min(n_best, 2) for _ in batch]
    return SearchResult.from_lists(texts, [[0.0] * len(line) for line in texts])


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (by_batch, "test_a_batch_is_its_matrices_one_by_one"),
        (by_batch, "test_threads_change_nothing"),
        (by_chance, "test_it_is_deterministic"),
        (by_n_best, "test_the_best_does_not_depend_on_n_best"),
        (by_class_index, "test_the_index_of_the_blank_does_not_matter"),
        (by_class_index, "test_no_frames_is_the_empty_text"),
        (by_n_best, "test_what_is_certain_is_read"),
        (twice, "test_results_are_valid_wherever_the_blank_is"),
    ],
)
def test_the_suite_finds_faults(fault, check, monkeypatch):
    monkeypatch.setattr(Faulty, "fault", fault, raising=False)

    class Suite(DecoderConformance):
        def make_decoder(self, alphabet):
            return Faulty(alphabet)

    with pytest.raises((AssertionError, PluginError)):
        getattr(Suite(), check)()


def test_the_examples_cover_what_they_should(alphabet):
    batch = example_batch(alphabet, DecoderConformance.RAGGED)
    assert np.isneginf(batch.log_probs).any()
    assert 0 in batch.lengths
