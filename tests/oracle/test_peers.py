"""The adapters of ctckit-peers find what their packages find when they are called by hand."""

from __future__ import annotations

import math
import sys
import types

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, MatrixBatch, load_decoder
from ctckit.language import SPACE

ALPHABET = Alphabet(["a", "<blank>", "bc", " ", "d"], blank=1)
"""The blank in the middle, and a token of two characters."""
CHARACTERS = Alphabet(["a", "b", "", " ", "d"], blank=2)
WORDS = ["a", "ab", "bad", "dab", "d"]
ARPA = """\\data\\
ngram 1={count}
ngram 2=2

\\1-grams:
-99\t<s>\t-0.3
-1.1\t</s>
-1.3\t<unk>
{words}

\\2-grams:
-0.2\t<s> {first}
-0.3\t{first} {second}

\\end\\
"""


def random_batch(alphabet, seed=0, scale=2.0):
    """Eight matrices, flat to peaked, of 1 to 12 frames."""
    rng = np.random.default_rng(seed)
    shapes = [(int(frames), len(alphabet)) for frames in rng.integers(1, 13, size=8)]
    return MatrixBatch.from_logits([rng.normal(size=s) * scale for s in shapes], alphabet)


def by_index(alphabet, order, labels):
    """Return the text of a peer's labels, which count in `order`."""
    return alphabet.decode([order[label] for label in labels])


def write_arpa(path, words):
    lines = "\n".join(f"{-0.7 - i / 10:.1f}\t{word}\t-0.2" for i, word in enumerate(words))
    text = ARPA.format(count=len(words) + 3, words=lines, first=words[1], second=words[0])
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow", reason="needs ctckit-peers[tensorflow]")


BLANK_LAST = [0, 2, 3, 4, 1]
BLANK_FIRST = [1, 0, 2, 3, 4]


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("merge_repeated", [True, False])
def test_tensorflows_greedy_decoder(tf, merge_repeated):
    batch = random_batch(ALPHABET)
    decoder = load_decoder("tensorflowgreedy", ALPHABET, merge_repeated=merge_repeated)
    found = decoder.decode_batch(batch, threads=1)
    for matrix, (best,) in zip(batch, found, strict=True):
        (sparse,), sums = tf.nn.ctc_greedy_decoder(
            matrix[:, None, BLANK_LAST], [len(matrix)], merge_repeated=merge_repeated
        )
        assert best.text == by_index(ALPHABET, BLANK_LAST, sparse.values.numpy())
        assert best.score == pytest.approx(-sums.numpy()[0, 0], abs=1e-6)


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("width", [2, 100])
def test_tensorflows_beam_search(tf, width):
    batch = random_batch(ALPHABET, scale=0.7)
    decoder = load_decoder("tensorflowbeamsearch", ALPHABET, beam_width=width)
    found = decoder.decode_batch(batch, n_best=2, threads=1)
    for matrix, line in zip(batch, found, strict=True):
        texts, scores = tf.nn.ctc_beam_search_decoder(
            matrix[:, None, BLANK_LAST], [len(matrix)], beam_width=width, top_paths=2
        )
        expected = [by_index(ALPHABET, BLANK_LAST, one.values.numpy()) for one in texts]
        assert [one.text for one in line] == expected
        assert [one.score for one in line] == pytest.approx(scores.numpy()[0].tolist(), abs=1e-6)


@pytest.mark.xdist_group("keras")
def test_tensorflow_gives_as_many_texts_as_there_are(tf):
    log_probs = [np.log(np.full((frames, 2), 0.5)) for frames in (1, 3, 0, 2)]
    batch = MatrixBatch.from_log_probs(log_probs, Alphabet(["", "a"], blank=0))
    decoder = load_decoder("tensorflowbeamsearch", batch.alphabet)
    found = decoder.decode_batch(batch, n_best=3, threads=1)
    assert [len(line) for line in found] == [2, 3, 1, 2]
    assert {one.text for one in found[1]} == {"", "a", "aa"}
    assert found[2][0].score == 0


@pytest.fixture(scope="module")
def fast():
    return pytest.importorskip("fast_ctc_decode", reason="needs ctckit-peers[fast-ctc-decode]")


@pytest.mark.parametrize("collapse", [True, False])
def test_fast_ctc_decodes_viterbi_search(fast, collapse):
    batch = random_batch(ALPHABET, scale=0.5)
    decoder = load_decoder("fastctcviterbi", ALPHABET, collapse_repeats=collapse)
    for matrix, text in zip(batch, decoder.decode_batch(batch).texts(), strict=True):
        probs = np.ascontiguousarray(np.exp(matrix)[:, BLANK_FIRST])
        found, _ = fast.viterbi_search(probs, "-xyzw", collapse_repeats=collapse)
        assert text == by_index(ALPHABET, BLANK_FIRST, map("-xyzw".index, found))


@pytest.mark.parametrize(
    "options",
    [
        {"beam_width": 1},
        {"beam_width": 30},
        {"beam_width": 5, "beam_cut_threshold": 0.15},
        {"collapse_repeats": False},
    ],
)
def test_fast_ctc_decodes_beam_search(fast, options):
    batch = random_batch(ALPHABET, scale=0.7)
    decoder = load_decoder("fastctcbeamsearch", ALPHABET, **options)
    names = {"beam_width": "beam_size"}
    theirs = {names.get(name, name): value for name, value in options.items()}
    for matrix, text in zip(batch, decoder.decode_batch(batch).texts(), strict=True):
        probs = np.ascontiguousarray(np.exp(matrix)[:, BLANK_FIRST])
        found, _ = fast.beam_search(probs, "-xyzw", **theirs)
        assert text == by_index(ALPHABET, BLANK_FIRST, map("-xyzw".index, found))


def test_fast_ctc_decode_has_symbols_for_many_classes(fast):
    alphabet = Alphabet([*(f"<{i}>" for i in range(40_000)), ""], blank=40_000)
    probs = np.full((2, 40_001), 1e-6)
    probs[[0, 1], [39_999, 30_000]] = 1.0
    batch = MatrixBatch.from_probs([probs / probs.sum(axis=1, keepdims=True)], alphabet)
    assert load_decoder("fastctcviterbi", alphabet).decode_batch(batch).texts() == [
        "<39999><30000>"
    ]


def test_a_threshold_that_fast_ctc_decode_refuses(fast):
    with pytest.raises(InvalidValueError, match=r"must be below 1 / 5, got 0\.2; lower it"):
        load_decoder("fastctcbeamsearch", ALPHABET, beam_cut_threshold=0.2)


@pytest.fixture(scope="module")
def flashlight():
    pytest.importorskip("flashlight.lib.text", reason="needs ctckit-peers[flashlight]")
    from flashlight.lib.text import decoder

    return decoder


def paths_of(search, matrix, n_best, added=0):
    """Return collapsed paths and scores, as many as differ, of flashlight's hypotheses.

    added : frames at the end that are no part of the text
    """
    matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    found = {}
    for one in search.decode(matrix.ctypes.data, *matrix.shape):
        path = one.tokens[1 : -1 - added]
        kept = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        found.setdefault(tuple(c for c in kept if c != CHARACTERS.blank), one.score)
    return list(found.items())[:n_best]


@pytest.mark.parametrize("log_add", [True, False])
@pytest.mark.parametrize("with_model", [True, False])
def test_flashlights_lexicon_free_decoder(flashlight, with_model, log_add, tmp_path):
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    model = write_arpa(tmp_path / "characters.arpa", ["a", "b", "d", SPACE])
    options = {"beam_width": 20, "beam_threshold": 25.0, "lm_weight": 1.5, "sil_score": -0.5}
    decoder = load_decoder(
        "flashlightlexiconfree",
        CHARACTERS,
        log_add=log_add,
        beam_size_token=4,
        lm=model if with_model else None,
        **options,
    )
    lm = flashlight.ZeroLM()
    if with_model:
        numbers = Dictionary(["a", "b", "<blank>", SPACE, "d", "<unk>"])
        numbers.set_default_index(numbers.get_index("<unk>"))
        lm = KenLM(str(model), numbers)
    theirs = flashlight.LexiconFreeDecoderOptions(
        20, 4, 25.0, 1.5, -0.5, log_add, flashlight.CriterionType.CTC
    )
    batch = random_batch(CHARACTERS)
    found = decoder.decode_batch(batch, n_best=3, threads=1)
    for matrix, line in zip(batch, found, strict=True):
        search = flashlight.LexiconFreeDecoder(theirs, lm, 3, 2, [])
        expected = paths_of(search, matrix, 3)
        assert [one.token_ids for one in line] == [ids for ids, _ in expected]
        assert [one.score for one in line] == [score for _, score in expected]
    assert decoder.decode_batch(batch).texts() == found.texts()


@pytest.mark.parametrize("unk_score", [None, -4.0])
@pytest.mark.parametrize("with_model", [True, False])
def test_flashlights_lexicon_decoder(flashlight, with_model, unk_score, tmp_path):
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    model = write_arpa(tmp_path / "words.arpa", WORDS)
    decoder = load_decoder(
        "flashlightlexicon",
        CHARACTERS,
        lexicon=[*WORDS, "é"],
        lm=model if with_model else None,
        unk_score=unk_score,
        word_score=0.7,
        lm_weight=1.1,
        beam_width=40,
    )
    numbers = Dictionary([*WORDS, "<unk>"])
    numbers.set_default_index(len(WORDS))
    lm = KenLM(str(model), numbers) if with_model else flashlight.ZeroLM()
    trie = flashlight.Trie(5, 3)
    for i, word in enumerate(WORDS):
        score = lm.score(lm.start(False), i)[1] if with_model else 0.0
        trie.insert([*CHARACTERS.encode(word).tolist(), 3], i, score)
    trie.smear(flashlight.SmearingMode.MAX)
    unknown = -math.inf if unk_score is None else unk_score
    theirs = flashlight.LexiconDecoderOptions(
        40, 5, 50.0, 1.1, 0.7, unknown, 0.0, False, flashlight.CriterionType.CTC
    )
    batch = random_batch(CHARACTERS, scale=1.0)
    found = decoder.decode_batch(batch, threads=1)
    ended = 0
    for matrix, (best,) in zip(batch, found, strict=True):
        search = flashlight.LexiconDecoder(theirs, trie, lm, 3, 2, len(WORDS), [], False)
        last = np.full((1, 5), -2e4)
        last[0, [2, 3]] = -1e4, 0
        (ids, score), *_ = paths_of(search, np.concatenate([matrix, last]), 1, added=1)
        assert best.token_ids == ids
        assert best.score == score
        ended += set(best.text.split()) <= set(WORDS)
    assert ended == len(batch) or unk_score is not None


def test_flashlights_words_without_a_separator(flashlight):
    alphabet = Alphabet(["", "a", "b"], blank=0)
    batch = random_batch(alphabet)
    with pytest.raises(InvalidValueError, match="word_separator must be one of the alphabet's"):
        load_decoder("flashlightlexicon", alphabet, lexicon=["ab"], word_separator=" ")
    decoder = load_decoder("flashlightlexicon", alphabet, lexicon=["ab", "aab"])
    texts = decoder.decode_batch(batch).texts()
    assert any(len(text) > 2 for text in texts)
    assert all(set(text.replace("aab", ".").replace("ab", ".")) <= {"."} for text in texts)
    with pytest.raises(InvalidValueError, match="lexicon must hold a word that the alphabet spell"):
        load_decoder("flashlightlexicon", alphabet, lexicon=["é"])
    with pytest.raises(InvalidValueError, match=r"lm must be a file, got 'none\.arpa'"):
        load_decoder("flashlightlexiconfree", alphabet, lm="none.arpa")


@pytest.fixture(scope="module")
def pyctcdecode():
    return pytest.importorskip("pyctcdecode", reason="needs pyctcdecode")


LABELS = ["a", "b", "", " ", "d"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_width": 7, "beam_prune_logp": -3.0},
        {"token_min_logp": -1.5, "prune_history": True},
        {"hotwords": ["bad", "dab"], "hotword_weight": 3.0},
    ],
)
def test_pyctcdecode_without_a_model(pyctcdecode, options):
    batch = random_batch(CHARACTERS)
    decoder = load_decoder("pyctcdecode", CHARACTERS, **options)
    theirs = pyctcdecode.build_ctcdecoder(LABELS)
    n_best = min(5, options.get("beam_width", 5))
    found = decoder.decode_batch(batch, n_best=n_best, threads=1)
    assert_pyctcdecode(theirs, options, batch, found)


def test_pyctcdecode_with_a_model(pyctcdecode, tmp_path):
    pytest.importorskip("kenlm", reason="needs kenlm, which is built from source")
    model = write_arpa(tmp_path / "words.arpa", WORDS)
    batch = random_batch(CHARACTERS)
    built = {"alpha": 0.8, "beta": 0.4, "unk_score_offset": -3.0, "lm_score_boundary": False}
    words = tmp_path / "words.txt"
    words.write_text("\n".join(WORDS[:4]), encoding="utf-8")
    decoder = load_decoder("pyctcdecode", CHARACTERS, lm=model, unigrams=words, **built)
    theirs = pyctcdecode.build_ctcdecoder(LABELS, str(model), WORDS[:4], **built)
    assert_pyctcdecode(theirs, {}, batch, decoder.decode_batch(batch, n_best=5, threads=1))


def assert_pyctcdecode(theirs, options, batch, found):
    for matrix, line in zip(batch, found, strict=True):
        expected = {}
        for beam in theirs.decode_beams(matrix, **options):
            expected.setdefault(beam[0], beam[-1])
        best = list(expected.items())[: len(line)]
        assert [(one.text, one.score) for one in line] == best
        assert len(line) == min(5, len(expected))


def test_pyctcdecodes_other_space(pyctcdecode):
    alphabet = Alphabet(["|", "a", ""], blank=2)
    path = np.eye(3)[[1, 0, 1]] * 0.98 + 0.01 * (1 - np.eye(3)[[1, 0, 1]])
    batch = MatrixBatch.from_probs([path], alphabet)
    assert load_decoder("pyctcdecode", alphabet).decode_batch(batch).texts() == ["a|a"]


def test_pyctcdecode_with_pieces_of_words():
    with pytest.raises(InvalidValueError, match="must have no pieces of words, got '▁a'"):
        load_decoder("pyctcdecode", Alphabet(["▁a", "b", ""], blank=2))


class FakeWordBeamSearch:
    """What word_beam_search is asked, and a best path for an answer."""

    asked: tuple

    def __init__(self, beam_width, mode, smoothing, corpus, chars, word_chars):
        type(self).asked = beam_width, mode, smoothing, corpus, chars, word_chars

    def compute(self, matrix):
        assert matrix.dtype == np.float64
        assert np.allclose(matrix.sum(axis=2), 1, atol=1e-5)
        path = matrix[:, 0].argmax(axis=1)
        return [[c for i, c in enumerate(path) if c != 4 and (i == 0 or c != path[i - 1])]]


def test_word_beam_search_is_asked_rightly(monkeypatch, tmp_path):
    fake = types.SimpleNamespace(WordBeamSearch=FakeWordBeamSearch)
    monkeypatch.setitem(sys.modules, "word_beam_search", fake)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("bad dab é", encoding="utf-8")
    options = {"corpus": corpus, "mode": "NGrams", "smoothing": 0.1, "beam_width": 7}
    decoder = load_decoder("wordbeamsearchcpp", CHARACTERS, **options)
    said = "bad dab é".encode(), b"ab d", b"abd"
    assert FakeWordBeamSearch.asked == (7, "NGrams", 0.1, *said)
    batch = random_batch(CHARACTERS)
    best = load_decoder("bestpath", CHARACTERS).decode_batch(batch).texts()
    assert decoder.decode_batch(batch).texts() == best
    load_decoder("wordbeamsearchcpp", CHARACTERS, word_characters="a", **options)
    assert FakeWordBeamSearch.asked[-1] == b"a"
    with pytest.raises(InvalidValueError, match="must have tokens of one character, got 'bc'"):
        load_decoder("wordbeamsearchcpp", ALPHABET, **options)


def test_pytorchs_best_path():
    pytest.importorskip("torch", reason="needs ctckit-peers[torch]")
    batch = random_batch(ALPHABET, scale=0.5)
    ours = load_decoder("bestpath", ALPHABET).decode_batch(batch).texts()
    assert load_decoder("torchgreedy", ALPHABET).decode_batch(batch).texts() == ours
