"""ngrambeamsearch against brute force over all texts, and against a search on dictionaries."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.language import (
    WordLanguage,
    arpa_text,
    best_texts,
    language_beam_search,
    random_model,
)
from ctckit.testing.oracles import text_probs

TIE = 1e-6
PARTS = ("matrix", "lm", "words", "boost")


def random_words(rng, letters, count, longest=4):
    words = {
        "".join(rng.choice(list(letters), size=rng.integers(1, longest + 1))) for _ in range(count)
    }
    words |= {word[: rng.integers(1, len(word) + 1)] for word in sorted(words)[:2]}
    return sorted(words)


def random_matrices(rng, count, classes, blank, frames):
    matrices = []
    for i in range(count):
        logits = rng.normal(size=(int(frames), classes)) * (0.5, 2, 4)[i % 3]
        logits[rng.random(int(frames)) < 0.3, blank] += 3
        if i % 4 == 3:
            logits[rng.random(logits.shape) < 0.2] = -np.inf
            logits[:, blank] = np.maximum(logits[:, blank], 0)
        matrices.append(logits)
    return matrices


class Case:
    """A random language, as the decoder and as the oracle have it."""

    def __init__(self, rng, folder, tokens, letters, *, order=3, lm=True, **options):
        self.blank = int(rng.integers(len(tokens) + 1))
        self.tokens = [*tokens[: self.blank], "", *tokens[self.blank :]]
        self.alphabet = Alphabet(self.tokens, self.blank)
        self.lexicon = options.pop("lexicon", None) or random_words(rng, letters, 6)
        known = [word for word in self.lexicon if rng.random() < 0.8] + ["elsewhere"]
        log_prob = None
        if lm:
            grams, log_prob = random_model(rng, known, order, 60)
            path = folder / f"model{rng.integers(1 << 30)}.arpa"
            path.write_text(arpa_text(grams), encoding="utf-8")
            options["lm"] = path
        weights = {
            "lm_weight": float(rng.uniform(0.2, 1.5)) if lm else 0.0,
            "word_bonus": float(rng.uniform(-1, 2)),
            "unknown_score": float(-rng.uniform(0, 4)),
        }
        phrases = options.get("hot_phrases") or {}
        separator = options.get("word_separator", " ")
        self.decoder_options = {
            "lexicon": self.lexicon,
            "word_characters": letters,
            **(weights if lm else {k: v for k, v in weights.items() if k != "lm_weight"}),
            **options,
        }
        words = {word for phrase in phrases for word in phrase.split()}
        if separator is None:
            words = {phrase.replace(" ", "") for phrase in phrases}
        open_vocabulary = options.get("open_vocabulary", False)
        self.language = WordLanguage(
            frozenset(self.lexicon) | words,
            letters,
            log_prob,
            frozenset(known),
            separator,
            open_vocabulary,
            weights["lm_weight"],
            weights["word_bonus"],
            weights["unknown_score"] if open_vocabulary else 0.0,
            phrases,
            options.get("score_boundaries", True),
        )

    def decoder(self, beam_width):
        return load_decoder(
            "ngrambeamsearch",
            self.alphabet,
            beam_width=beam_width,
            beam_threshold=None,
            **self.decoder_options,
        )


VARIANTS = {
    "hard": {},
    "hard without a model": {"lm": False},
    "open": {"open_vocabulary": True},
    "open without a model": {"open_vocabulary": True, "lm": False},
    "no boundaries": {"score_boundaries": False},
    "bigrams": {"order": 2},
    "unigrams": {"order": 1},
    "order 4": {"order": 4},
    "phrases": {"hot_phrases": {"ab": 2.0, "b a": 1.5, "a": -0.7, "ba b": 3.0, "b": 0.5}},
    "open, phrases": {"open_vocabulary": True, "hot_phrases": {"ba": 2.0, "a b": 1.0, "aab": 2}},
    "direct": {"word_separator": None},
    "direct without a model": {"word_separator": None, "lm": False},
    "direct, phrases": {"word_separator": None, "hot_phrases": {"ab": 1.0, "ba": 2.0, "bab": -1}},
    "punctuation in words": {"lexicon": ["a", "ab", "a.", ".", "b.a", "bb"]},
    "punctuation, open": {"lexicon": ["a", "a.", "b.a", "bb"], "open_vocabulary": True},
    "punctuation, phrases": {
        "lexicon": ["a", "ab", "a.", "b.a"],
        "hot_phrases": {"a.": 1.0, ".b": 2.0, "a b": 1.0},
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_best_of_all_texts_is_found(variant, tmp_path):
    rng = np.random.default_rng(list(variant.encode()))
    for _ in range(3):
        case = Case(rng, tmp_path, ["a", "b", " ", "."], "ab", **VARIANTS[variant])
        matrices = random_matrices(rng, 6, 5, case.blank, 5)
        batch = MatrixBatch.from_logits(matrices, case.alphabet)
        decoded = case.decoder(20_000).decode_batch(batch, n_best=4)
        for matrix, found in zip(batch, decoded, strict=True):
            probs = text_probs(matrix, case.blank)
            expected = best_texts(probs, case.tokens, case.language)
            assert len(found) == min(4, len(expected))
            scores = [sum(parts) for _, parts in expected]
            assert [one.score for one in found] == pytest.approx(scores[: len(found)], abs=1e-4)
            by_text = dict(expected)
            for one in found:
                assert [one.parts[name] for name in PARTS] == pytest.approx(
                    by_text[one.token_ids], abs=1e-4
                ) or _has_other_reading(one, by_text)
                assert sum(one.parts.values()) == pytest.approx(one.score, abs=1e-9)
                assert one.parts["matrix"] == pytest.approx(one.log_prob, abs=1e-5)


def _has_other_reading(one, by_text):
    """Readings of equal score may differ in their parts."""
    return one.score == pytest.approx(sum(by_text[one.token_ids]), abs=1e-4)


ONE_READING = [name for name in VARIANTS if "direct" not in name and "punctuation" not in name]


@pytest.mark.parametrize("width", [1, 3, 8, 25])
@pytest.mark.parametrize("variant", ONE_READING)
def test_narrow_beams_are_those_of_the_slow_search(variant, width, tmp_path):
    rng = np.random.default_rng([width, *variant.encode()])
    agreeing = total = 0
    for _ in range(2):
        case = Case(rng, tmp_path, ["a", "b", "c", " ", "."], "abc", **VARIANTS[variant])
        matrices = [
            random_matrices(rng, 1, 6, case.blank, frames)[0] for frames in rng.integers(0, 25, 5)
        ]
        batch = MatrixBatch.from_logits(matrices, case.alphabet)
        n_best = min(width, 3)
        decoded = case.decoder(width).decode_batch(batch, n_best=n_best)
        for matrix, found in zip(batch, decoded, strict=True):
            expected = language_beam_search(
                matrix, case.tokens, case.blank, case.language, beam_width=width, n_best=n_best
            )
            total += 1
            if found[0].score == -np.inf:
                agreeing += expected.hypotheses == [((), -np.inf)]
                continue
            if expected.closest < TIE:
                continue
            assert [one.score for one in found] == pytest.approx(
                [score for _, score in expected.hypotheses], abs=2e-4
            )
            assert [one.token_ids for one in found] == [text for text, _ in expected.hypotheses]
            agreeing += 1
    assert agreeing >= 0.7 * total


@pytest.mark.nojit
def test_tiny(tmp_path):
    rng = np.random.default_rng(3)
    case = Case(rng, tmp_path, ["a", "b", " "], "ab", hot_phrases={"ab": 1.0})
    batch = MatrixBatch.from_logits(random_matrices(rng, 2, 4, case.blank, 4), case.alphabet)
    with np.errstate(over="ignore"):  # hashes may overflow, of which plain Python would warn
        decoded = case.decoder(200).decode_batch(batch)
    for matrix, found in zip(batch, decoded, strict=True):
        expected = best_texts(text_probs(matrix, case.blank), case.tokens, case.language)
        assert found[0].score == pytest.approx(sum(expected[0][1]), abs=1e-4)


def test_the_oracle_finds_what_it_should():
    language = WordLanguage(frozenset(["a", "ab"]), "ab", phrases={"ab a": 4.0, "a": 1.0})
    assert language.boost("ab a", held=True) == pytest.approx(4.0)
    assert language.boost("ab a ", held=True) == pytest.approx(5.0)
    assert language.boost("ab ab", held=True) == pytest.approx(2.0)
    assert language.boost("ab", held=True) == pytest.approx(2.0)
    assert language.boost("ab a", held=False) == pytest.approx(5.0)
    probs = {(0,): 0.5, (1,): 0.25, (0, 2, 0): 0.25}
    found = [text for text, _ in best_texts(probs, ["a", "b", " "], language)]
    assert found == [(0, 2, 0), (0,)]


def test_all_readings_are_tried():
    language = WordLanguage(frozenset(["a", "ab", "b"]), "ab", separator=None, word_bonus=1.0)
    (text, parts), *rest = best_texts({(0, 1): 1.0}, ["a", "b"], language)
    assert (text, parts, rest) == ((0, 1), (0.0, 0.0, 2.0, 0.0), [])


def test_languages_are_as_the_words_say():
    """The texts of a lexicon over four characters, counted by hand."""
    language = WordLanguage(frozenset(["ab"]), "ab")
    texts = [
        text
        for n in range(4)
        for text in itertools.product(range(3), repeat=n)
        if best_texts({text: 1.0}, ["a", "b", " "], language)
    ]
    spelled = {"".join("ab "[i] for i in text) for text in texts}
    assert spelled == {"", " ", "  ", "   ", "ab", "ab ", " ab"}
