"""wordbeamsearch without word separators, against every text and every way to cut it into words."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.oracles import text_probs

ALPHABET = Alphabet(["a", "b", ".", ""], 3)
CORPORA = ["ab", "a ab", "aa ba b", "ab ba aab", "a b ab ba", "aba a bb. ab ab a", "bab ba abab"]


def cuts(text, words):
    """Return every way to cut a text into words and single points, the last word maybe only begun.

    A cut is its finished words, and the open one or "".
    """
    if not text:
        return [((), "")]
    found = []
    if any(word.startswith(text) for word in words):
        found.append(((), text))
    for end in range(1, len(text) + 1):
        head = text[:end]
        if head == "." or (head in words and end < len(text)):
            rest = cuts(text[end:], words)
            found += [((() if head == "." else (head,)) + done, open) for done, open in rest]
    return found


def ended(cut, words):
    """Return what a cut's open word is completed to, and whether it is a word."""
    open = cut[1]
    if open in words or not open:
        return open
    longer = [word for word in words if word.startswith(open)]
    return longer[0] if len(longer) == 1 else open


def whole_cuts_first(found, words):
    whole = [cut for cut in found if cut[1] in words or not cut[1]]
    return whole or found


def tiny_matrices(seed, frames=(0, 1, 4, 5, 6, 6)):
    rng = np.random.default_rng(seed)
    matrices = [rng.normal(size=(count, 4)) * rng.choice([0.5, 2, 4]) for count in frames]
    for matrix in matrices[3:]:
        matrix[rng.random(matrix.shape) < 0.15] = -np.inf
        matrix[:, 3] = np.maximum(matrix[:, 3], -9)
    return MatrixBatch.from_logits(matrices, ALPHABET)


def decoded(path, batch, corpus, n_best, **options):
    path.write_text(corpus, encoding="utf-8")
    decoder = load_decoder(
        "wordbeamsearch",
        ALPHABET,
        corpus=path,
        word_separator=None,
        beam_width=3000,
        **options,
    )
    return decoder.decode_batch(batch, n_best=n_best)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("corpus", CORPORA)
def test_words_are_the_likeliest_of_all_texts_in_the_language(corpus, complete, tmp_path):
    words = set(corpus.replace(".", " ").split())
    batch = tiny_matrices(len(corpus))
    found = decoded(tmp_path / "c.txt", batch, corpus, 5, complete_last_word=complete)
    for matrix, line in zip(batch, found, strict=True):
        best = {}
        for token_ids, prob in text_probs(matrix, 3).items():
            text = ALPHABET.decode(token_ids)
            possible = cuts(text, words)
            if not possible:
                continue
            completions = [text]
            if complete:
                completions = [
                    text + ended(cut, words)[len(cut[1]) :]
                    for cut in whole_cuts_first(possible, words)
                ]
            # Of several completions the one of the longest open word.
            best[completions[0]] = max(best.get(completions[0], 0.0), prob)
        expected = sorted(best.items(), key=lambda item: -item[1])[:5]
        assert [one.text for one in line] == [text for text, _ in expected]
        for one, (_, prob) in zip(line, expected, strict=True):
            assert one.score == pytest.approx(math.log(prob), abs=1e-5)


def weight(cut, words, mode, score_last, k):
    """Return the weight of a cut at the end of a text, from counts of the corpus."""
    counts, pairs = Counter(words), Counter(itertools.pairwise(words))

    def chance(before, word):
        if before is None:
            return counts[word] / len(words)
        return (pairs[before, word] + k) / (counts[before] + k * len(counts))

    done, open = cut
    factors = [chance(*pair) for pair in itertools.pairwise((None, *done))]
    before = done[-1] if done else None
    begun = [word for word in counts if word.startswith(open)]
    if open and score_last and open in counts:
        factors.append(chance(before, open))
    elif open and (score_last or mode == "NGramsForecast"):
        factors.append(min(sum(chance(before, word) for word in begun), 1.0))
    return math.prod(factors) ** (1 / len(factors)) if factors else 1.0


@pytest.mark.parametrize("score_last", [True, False])
@pytest.mark.parametrize("mode", ["NGrams", "NGramsForecast"])
def test_scores_are_those_of_the_best_cut(mode, score_last, tmp_path):
    exact = total = 0
    for corpus in CORPORA:
        words = corpus.replace(".", " ").split()
        batch = tiny_matrices(len(corpus))
        found = decoded(
            tmp_path / "c.txt",
            batch,
            corpus,
            50,
            mode=mode,
            smoothing=0.3,
            complete_last_word=False,
            score_last_word=score_last,
        )
        for matrix, line in zip(batch, found, strict=True):
            probs = text_probs(matrix, 3)
            for one in line:
                weights = [
                    weight(cut, words, mode, score_last, 0.3) for cut in cuts(one.text, set(words))
                ]
                scores = [math.log(probs[one.token_ids] * value) for value in weights]
                assert min(abs(score - one.score) for score in scores) < 1e-5
                total += 1
                exact += abs(max(scores) - one.score) < 1e-5
            # Every text of the language is there.
            language = [text for text in probs if cuts(ALPHABET.decode(text), set(words))]
            assert len(line) == min(len(language), 50)
    assert exact == total


@pytest.mark.parametrize("mode", ["NGrams", "NGramsForecast"])
def test_in_long_texts_the_cut_is_about_the_best(mode, tmp_path):
    """Of cuts that end in the same two words, only the one that was better so far is followed."""
    rng = np.random.default_rng(3)
    for corpus in CORPORA[1:]:
        words = rng.choice(corpus.replace(".", " ").split(), 40).tolist()
        texts = ["".join(rng.choice(words, 8)) for _ in range(6)]
        paths = [[3, *itertools.chain(*((c, 3) for c in ALPHABET.encode(t)))] for t in texts]
        batch = MatrixBatch.from_probs([np.eye(4)[path] for path in paths], ALPHABET)
        found = decoded(
            tmp_path / "c.txt",
            batch,
            " ".join(words),
            1,
            mode=mode,
            smoothing=0.3,
            complete_last_word=False,
        )
        assert found.texts() == texts
        for text, (one,) in zip(texts, found, strict=True):
            best = max(weight(cut, words, mode, False, 0.3) for cut in cuts(text, set(words)))
            assert math.log(best) - 0.03 < one.score < math.log(best) + 1e-9
