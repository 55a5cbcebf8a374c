"""beamsearch with an n-gram model of its tokens, against brute force over all texts."""

from __future__ import annotations

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.language import arpa_text, random_model
from ctckit.testing.oracles import text_probs

TOKENS = ["a", "b", " ", "ch"]
KNOWN = ["a", "<space>", "ch", "elsewhere"]
"""Of the model: it lacks a token, and has a word that is none."""


def best_texts(log_probs, tokens, blank, log_prob, weight, bonus):
    """Return the scores of all texts and their parts, best first, in plain Python."""
    names = ["<space>" if one == " " else one for one in tokens]
    found = []
    for text, prob in text_probs(log_probs, blank).items():
        words = [names[i] if names[i] in KNOWN else "<unk>" for i in text]
        sentence = ["<s>", *words, "</s>"]
        lm = 0.0
        if log_prob is not None:
            lm = sum(log_prob(tuple(sentence[:i]), sentence[i]) for i in range(1, len(sentence)))
        parts = (np.log(prob), weight * lm, bonus * len(text), 0.0)
        found.append((sum(parts), text, parts))
    return sorted(found, reverse=True)


def compare(rng, path, *, order, frames, options, width):
    blank = int(rng.integers(len(TOKENS) + 1))
    tokens = [*TOKENS[:blank], "", *TOKENS[blank:]]
    log_prob = None
    weight = options.get("lm_weight", 0.5)
    if order:
        grams, log_prob = random_model(rng, KNOWN, order, 40)
        path.write_text(arpa_text(grams), encoding="utf-8")
        options = {**options, "lm": path}
    alphabet = Alphabet(tokens, blank)
    decoder = load_decoder("beamsearch", alphabet, beam_width=width, beam_threshold=None, **options)
    batch = MatrixBatch.from_logits(rng.normal(size=(4, frames, 5)) * 2, alphabet)
    for log_probs, found in zip(batch, decoder.decode_batch(batch, n_best=3), strict=True):
        expected = best_texts(
            log_probs, tokens, blank, log_prob, weight, options.get("token_bonus", 0.0)
        )
        assert [one.token_ids for one in found] == [text for _, text, _ in expected[:3]]
        for one, (score, _, parts) in zip(found, expected, strict=False):
            assert one.score == pytest.approx(score, abs=1e-4)
            assert list(one.parts.values()) == pytest.approx(list(parts), abs=1e-4)


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("options", [{}, {"lm_weight": 1.3, "token_bonus": 2.0}])
def test_the_best_of_all_texts_is_found(order, options, tmp_path):
    rng = np.random.default_rng(order)
    for _ in range(3):
        compare(rng, tmp_path / "a.arpa", order=order, frames=5, options=options, width=5_000)


def test_a_bonus_without_a_model(tmp_path):
    rng = np.random.default_rng(0)
    options = {"token_bonus": 0.7}
    compare(rng, tmp_path / "a.arpa", order=0, frames=5, options=options, width=5_000)


@pytest.mark.nojit
def test_tiny(tmp_path):
    rng = np.random.default_rng(1)
    options = {"token_bonus": 1.0}
    compare(rng, tmp_path / "a.arpa", order=2, frames=3, options=options, width=200)
