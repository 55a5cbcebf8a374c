"""wordbeamsearch against its slow reference: modes, widths, ends, separators, any lexicon."""

from __future__ import annotations

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.oracles import MODES, WordModel, word_beam_search

TIE = 1e-9
LETTERS = "abc'"
OTHERS = " .7"


def random_corpus(rng, letters=LETTERS):
    """Words over some letters, some of them prefixes of others, separated by runs of OTHERS."""
    lexicon = [
        "".join(rng.choice(list(letters), size=rng.integers(1, 6)))
        for _ in range(rng.integers(1, 12))
    ]
    lexicon += [word[: rng.integers(1, len(word) + 1)] for word in lexicon[:3]]
    words = rng.choice(lexicon, size=rng.integers(1, 40))
    return "".join(
        word + "".join(rng.choice(list(OTHERS), size=rng.integers(1, 3))) for word in words
    )


def random_matrices(rng, count, classes, blank):
    matrices = []
    for _ in range(count):
        frames = int(rng.integers(0, 30))
        logits = rng.normal(size=(frames, classes)) * rng.choice([0.5, 2, 5])
        logits[rng.random(frames) < 0.3, blank] += 4
        matrices.append(logits)
    return matrices


def compare(batch, corpus, path, letters=LETTERS, **options):
    """Decode with both; return how many n-best lists agree, of how many."""
    path.write_text(corpus, encoding="utf-8")
    alphabet = batch.alphabet
    width = options["beam_width"]
    n_best = min(width, 3)
    smoothing = options.pop("smoothing", 0.0)
    decoder = load_decoder(
        "wordbeamsearch",
        alphabet,
        corpus=path,
        word_characters=letters,
        smoothing=smoothing,
        **options,
    )
    model = WordModel(corpus, letters, smoothing)
    decoded = decoder.decode_batch(batch, n_best=n_best)
    agreeing = 0
    for matrix, found in zip(batch, decoded, strict=True):
        expected = word_beam_search(
            matrix, alphabet.tokens, alphabet.blank, model, n_best=n_best, **options
        )
        assert [one.score for one in found] == pytest.approx(
            [score for _, score in expected.hypotheses], rel=1e-6, abs=1e-6
        )
        same = [one.token_ids for one in found] == [text for text, _ in expected.hypotheses]
        assert same or expected.closest < TIE
        agreeing += same
    return agreeing, len(batch)


ENDS = [(True, False), (True, True), (False, False), (False, True)]
SEPARATORS = pytest.mark.parametrize("separator", [" ", None])


@SEPARATORS
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("complete", "score"), ENDS)
@pytest.mark.parametrize("width", [1, 2, 5, 25])
def test_random_lexica(tmp_path, mode, complete, score, width, separator):
    rng = np.random.default_rng([MODES.index(mode), complete, score, width])
    agreeing, total = 0, 0
    for smoothing in (0.1, 1.0, 0.5):
        blank = int(rng.integers(8))
        tokens = [*(LETTERS + OTHERS)]
        alphabet = Alphabet([*tokens[:blank], "", *tokens[blank:]], blank)
        batch = MatrixBatch.from_logits(random_matrices(rng, 8, 8, blank), alphabet)
        found = compare(
            batch,
            random_corpus(rng),
            tmp_path / "corpus.txt",
            mode=mode,
            beam_width=width,
            smoothing=smoothing,
            complete_last_word=complete,
            score_last_word=score,
            word_separator=separator,
        )
        agreeing, total = agreeing + found[0], total + found[1]
    assert agreeing >= 0.9 * total  # ties are the exception


@SEPARATORS
@pytest.mark.parametrize("mode", MODES[:3])
def test_more_letters_than_a_mask_has_bits(tmp_path, mode, separator):
    """Few of them are in words, so that the others share their bits in vain."""
    rng = np.random.default_rng([9, MODES.index(mode)])
    letters = "".join(chr(0x4E00 + i) for i in range(90))
    alphabet = Alphabet([*letters[:40], "", *letters[40:], *OTHERS], 40)
    agreeing, total = 0, 0
    for _ in range(3):
        some = "".join(rng.choice(list(letters), size=5, replace=False))
        corpus = random_corpus(rng, some) + " ".join(letters[8:80])
        matrices = random_matrices(rng, 6, 94, 40)
        for matrix in matrices:
            matrix[:, [alphabet.token_ids[one] for one in some + OTHERS]] += 3
        found = compare(
            MatrixBatch.from_logits(matrices, alphabet),
            corpus,
            tmp_path / "corpus.txt",
            letters,
            mode=mode,
            beam_width=8,
            smoothing=0.1,
            word_separator=separator,
        )
        agreeing, total = agreeing + found[0], total + found[1]
    assert agreeing >= 0.9 * total


@SEPARATORS
@pytest.mark.parametrize("mode", MODES[1:3])
def test_unsmoothed_bigrams(tmp_path, mode, separator):
    rng = np.random.default_rng(4)
    alphabet = Alphabet([*LETTERS, *OTHERS, ""], 7)
    corpus = "abc ab a b c. abc' ab c a 7 b ab abc b c"
    batch = MatrixBatch.from_logits(random_matrices(rng, 20, 8, 7), alphabet)
    agreeing, total = compare(
        batch,
        corpus,
        tmp_path / "corpus.txt",
        mode=mode,
        beam_width=25,
        word_separator=separator,
    )
    assert agreeing >= 0.9 * total


@SEPARATORS
@pytest.mark.parametrize("mode", MODES[:3])
@pytest.mark.parametrize("width", [2, 7, 20])
def test_impossible_classes(tmp_path, mode, width, separator):
    """Prefixes die here, and the search may run into a dead end."""
    rng = np.random.default_rng([6, width])
    alphabet = Alphabet([*LETTERS, *OTHERS, ""], 7)
    matrices = random_matrices(rng, 60, 8, 7)
    for matrix in matrices:
        matrix[rng.random(matrix.shape) < 0.4] = -np.inf
        matrix[np.isneginf(matrix).all(axis=1), 7] = 0
    agreeing, total = compare(
        MatrixBatch.from_logits(matrices, alphabet),
        "a ab abc b c ' a'b cab cb ac",
        tmp_path / "corpus.txt",
        mode=mode,
        beam_width=width,
        smoothing=0.1,
        word_separator=separator,
    )
    assert agreeing >= 0.75 * total  # dead ends count as ties


@pytest.mark.nojit
@SEPARATORS
@pytest.mark.parametrize("mode", MODES)
def test_a_few_tiny_matrices(tmp_path, mode, separator):
    rng = np.random.default_rng(1)
    alphabet = Alphabet([*LETTERS, *OTHERS, ""], 7)
    matrices = [rng.normal(size=(frames, 8)) for frames in (0, 3, 5)]
    agreeing, total = compare(
        MatrixBatch.from_logits(matrices, alphabet),
        "ab abc b'a",
        tmp_path / "corpus.txt",
        mode=mode,
        beam_width=3,
        smoothing=0.1,
        word_separator=separator,
    )
    assert agreeing == total


@pytest.mark.parametrize(
    ("mode", "separator", "stop"),
    [("NGrams", " ", 16), ("NGramsForecast", " ", 16), ("NGramsForecast", None, 10)],
)
def test_golden_lines(golden, lines, synthetic, mode, separator, stop):
    corpus = (golden / "corpus.txt").read_text(encoding="utf-8")
    options = {"mode": mode, "beam_width": 10, "word_separator": separator}
    decoder = load_decoder(
        "wordbeamsearch", lines.alphabet, corpus=golden / "corpus.txt", smoothing=0.1, **options
    )
    model = WordModel(corpus, synthetic["word_chars"], 0.1)
    decoded = decoder.decode_batch(lines[8:stop], n_best=3)
    for matrix, found in zip(lines[8:stop], decoded, strict=True):
        expected = word_beam_search(matrix, lines.alphabet.tokens, 79, model, n_best=3, **options)
        assert [one.score for one in found] == pytest.approx(
            [score for _, score in expected.hypotheses], rel=1e-6
        )
        assert expected.closest < TIE or [one.token_ids for one in found] == [
            text for text, _ in expected.hypotheses
        ]


@pytest.mark.parametrize(("low", "frames"), [(-223, 100), (-360, 5), (-600, 50), (-690, 300)])
@pytest.mark.parametrize("mode", ["Words", "NGrams", "NGramsForecast"])
def test_nearly_all_mass_on_a_forbidden_class(low, frames, mode, tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("ab b", encoding="utf-8")
    alphabet = Alphabet(["a", "b", "z", ""], 3)
    log_probs = np.full((frames, 4), low, dtype=np.float32)
    log_probs[:, 2] = 0
    log_probs[::2, 0] = log_probs[1::2, 1] = low + 8
    decoder = load_decoder(
        "wordbeamsearch", alphabet, corpus=corpus, word_characters="abz", mode=mode
    )
    best = decoder.decode_batch(MatrixBatch.from_log_probs([log_probs], alphabet))[0][0]
    assert best.text == "ab"
    assert best.score == pytest.approx(best.log_prob, abs=1)
    assert frames * low - 5 < best.log_prob < frames * (low + 8) + 5


@pytest.mark.parametrize(("low", "frames"), [(-223, 100), (-600, 50)])
@pytest.mark.parametrize("mode", ["Words", "NGrams", "NGramsForecast"])
def test_nearly_all_mass_on_a_forbidden_class_without_separators(low, frames, mode, tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("ab ab b", encoding="utf-8")
    alphabet = Alphabet(["a", "b", "z", ""], 3)
    log_probs = np.full((frames, 4), low, dtype=np.float32)
    log_probs[:, 2] = 0
    log_probs[::2, 0] = log_probs[1::2, 1] = low + 8
    decoder = load_decoder(
        "wordbeamsearch",
        alphabet,
        corpus=corpus,
        word_characters="abz",
        mode=mode,
        word_separator=None,
    )
    best = decoder.decode_batch(MatrixBatch.from_log_probs([log_probs], alphabet))[0][0]
    assert best.text == "ab" * (frames // 2)
    assert best.score == pytest.approx(best.log_prob, abs=1)
