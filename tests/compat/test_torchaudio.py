"""`ctckit.compat.torchaudio`: what it takes and returns."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctckit import AlphabetMismatchError, CtckitWarning, InvalidValueError, NotFoundError
from ctckit.compat import torchaudio
from ctckit.compat.torchaudio import (
    CTCDecoder,
    CTCDecoderLM,
    CTCDecoderLMState,
    CTCHypothesis,
    ctc_decoder,
    download_pretrained_files,
)
from ctckit.language import NGramModel
from ctckit.testing.oracles import text_probs

TOKENS = ["-", "|", "a", "b", "c"]
LEXICON = "ab a b |\nb b |\nab a c |\n"
PHONES = ["-", "|", "T", "UW", "IH", "Z", "AY", "R", "EH", "D", "IY"]
DATA = Path(__file__).resolve().parents[1] / "data"
PRONUNCIATIONS = (DATA / "pronunciations.txt").read_text(encoding="utf-8")


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text(LEXICON, encoding="utf-8")
    return path


@pytest.fixture
def model(tmp_path):
    """A model of the words of the pronunciations."""
    text = """i read two red
i read too
to read is to eye
i is two
two eye two
red is too red
"""
    path = tmp_path / "words.arpa"
    NGramModel.train([line.split() for line in text.splitlines()], 3).write_arpa(path)
    return path


def write(folder, text, name="lexicon.txt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def sure(path, classes=5, height=12.0):
    """Return logits (1, T, C) of a path of classes."""
    emissions = np.zeros((1, len(path), classes), dtype=np.float32)
    emissions[0, np.arange(len(path)), path] = height
    return emissions


def spoken(text, tokens):
    """Return logits of tokens, a blank after each."""
    path = [index for name in text.split() for index in (tokens.index(name), 0)]
    return sure(path, len(tokens))


def plain(one):
    return one.tokens.tolist(), one.words, one.timesteps.tolist()


@pytest.mark.parametrize(
    ("path", "tokens", "words", "timesteps"),
    [
        ([2, 2, 0, 3, 1, 3, 1], [1, 2, 3, 1, 3, 1], ["ab", "b"], [0, 1, 4, 5, 6, 7]),
        (
            [1, 2, 3, 1, 0, 3, 0, 1, 0],
            [1, 2, 3, 1, 3, 1, 1],
            ["ab", "b"],
            [0, 2, 3, 4, 6, 8, 10],
        ),
        ([2, 4, 1, 1, 0, 1], [1, 2, 4, 1, 1], ["ab"], [0, 1, 2, 3, 6]),
        ([0, 0, 0], [1, 1], [], [0, 4]),
        ([1, 1], [1], [], [0]),
    ],
)
def test_tokens_and_timesteps_as_the_original_has_them(lexicon, path, tokens, words, timesteps):
    """What flashlight-text 0.0.7 gave."""
    expected = tokens, words, timesteps
    assert plain(ctc_decoder(lexicon, TOKENS)(sure(path))[0][0]) == expected
    expected = tokens, [], timesteps
    assert plain(ctc_decoder(None, TOKENS)(sure(path))[0][0]) == expected


def test_the_last_word_needs_no_silence(lexicon):
    best = ctc_decoder(lexicon, TOKENS)(sure([2, 3, 1, 3]))[0][0]
    assert plain(best) == ([1, 2, 3, 1, 3, 1], ["ab", "b"], [0, 1, 2, 3, 4, 5])


def test_no_frames(lexicon):
    for path in (lexicon, None):
        found = ctc_decoder(path, TOKENS, nbest=3)(np.zeros((2, 0, 5), dtype=np.float32))
        assert [[plain(one) for one in line] for line in found] == [[([1], [], [0])]] * 2
        assert ctc_decoder(path, TOKENS)(np.zeros((0, 4, 5), dtype=np.float32)) == []


def test_a_word_that_does_not_end_in_time(lexicon):
    """Its tokens are there, it is not."""
    impossible = np.full((1, 3, 5), -np.inf, dtype=np.float32)
    impossible[0, [0, 1, 2], [3, 1, 2]] = 0.0
    (only,) = ctc_decoder(lexicon, TOKENS, nbest=5)(impossible)[0]
    assert plain(only) == ([1, 3, 1, 2, 1], ["b"], [0, 1, 2, 3, 4])
    assert only.score == -math.inf


def test_scores_are_those_of_the_emissions(lexicon):
    """The sum over the alignments of the emissions as they came: logits, not normalised."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 5, 5)).astype(np.float32)
    peak = np.log(np.exp(logits.astype(np.float64)).sum(axis=2, keepdims=True))
    for path, width in ((lexicon, 100), (None, 5000)):
        decoder = ctc_decoder(path, TOKENS, nbest=3, beam_size=width, beam_threshold=math.inf)
        raw, normal = decoder(logits)[0], decoder((logits - peak).astype(np.float32))[0]
        probs = text_probs((logits - peak)[0], 0)
        for one, other in zip(raw, normal, strict=True):
            assert plain(one) == plain(other)
            assert one.score == pytest.approx(other.score + float(peak.sum()), abs=1e-4)
        best = max(p for p in probs.values())
        if path is None:
            assert normal[0].score == pytest.approx(math.log(best), abs=1e-4)


def test_hypotheses_differ_in_more_than_silence(lexicon):
    rng = np.random.default_rng(1)
    emissions = rng.normal(size=(4, 9, 5)).astype(np.float32)
    for path in (lexicon, None):
        several = ctc_decoder(path, TOKENS, nbest=8)(emissions)
        for line in several:
            texts = ["".join(map(str, one.tokens.tolist())).strip("1") for one in line]
            texts = ["1".join(filter(None, text.split("1"))) for text in texts]
            assert len(set(texts)) == len(texts) == 8
            scores = [one.score for one in line]
            assert scores == sorted(scores, reverse=True)
        best = ctc_decoder(path, TOKENS)(emissions)
        assert [plain(line[0]) for line in best] == [plain(line[0]) for line in several]


def test_no_more_hypotheses_than_the_beam_holds():
    assert len(ctc_decoder(None, TOKENS, nbest=9, beam_size=3)(sure([2, 3, 4]))[0]) <= 3


def test_a_batch_is_its_matrices(lexicon):
    rng = np.random.default_rng(2)
    emissions, lengths = rng.normal(size=(6, 12, 5)) * 2, [12, 0, 5, 12, 1, 7]
    for path in (lexicon, None):
        decoder = ctc_decoder(path, TOKENS, nbest=3, word_score=0.0)
        together = decoder(emissions, lengths)
        for matrix, length, found in zip(emissions, lengths, together, strict=True):
            (alone,) = decoder(matrix[None, :length])
            assert [plain(one) for one in alone] == [plain(one) for one in found]
            expected = [pytest.approx(one.score) for one in alone]
            assert [one.score for one in found] == expected


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_types_and_orders(lexicon, dtype):
    decoder = ctc_decoder(lexicon, TOKENS)
    emissions = np.asfortranarray(sure([2, 3, 1]).astype(dtype))
    assert decoder(emissions)[0][0].words == ["ab"]
    assert decoder(emissions.tolist())[0][0].words == ["ab"]


def test_silence_can_be_weighed(lexicon):
    emissions = np.random.default_rng(3).normal(size=(3, 10, 5)).astype(np.float32)
    shifted = emissions.copy()
    shifted[:, :, 1] += 1.5
    for path in (lexicon, None):
        found = ctc_decoder(path, TOKENS, sil_score=1.5)(emissions)
        expected = ctc_decoder(path, TOKENS)(shifted)
        assert [plain(line[0]) for line in found] == [plain(line[0]) for line in expected]
        assert found[0][0].score == pytest.approx(expected[0][0].score, abs=1e-4)


def test_words_can_be_weighed(lexicon):
    emissions = sure([3, 1, 3, 1])
    one, other = (ctc_decoder(lexicon, TOKENS, word_score=w)(emissions)[0][0] for w in (0, 2.5))
    assert one.words == other.words == ["b", "b"]
    assert other.score - one.score == pytest.approx(5.0)


def test_the_threshold_drops_prefixes(lexicon):
    emissions = np.random.default_rng(4).normal(size=(1, 8, 5)).astype(np.float32)
    everything = ctc_decoder(lexicon, TOKENS, nbest=50, beam_threshold=math.inf)(emissions)[0]
    few = ctc_decoder(lexicon, TOKENS, nbest=50, beam_threshold=1.0)(emissions)[0]
    assert len(few) < len(everything)
    assert few[0].score - few[-1].score <= 1.0


def test_a_silence_that_is_the_blank():
    """As it is for alphabets that have none."""
    tokens = ["-", "a", "b"]
    decoder = ctc_decoder(None, tokens, blank_token="-", sil_token="-")
    assert plain(decoder(sure([0, 1, 0, 2], 3))[0][0]) == ([1, 2], [], [2, 4])


def test_words_that_follow_each_other(tmp_path):
    """Spelled without a silence, they need none between them."""
    lexicon = write(tmp_path, "ab a b\nb b\nc c\n")
    decoder = ctc_decoder(lexicon, TOKENS)
    assert decoder(sure([2, 3, 4, 1, 3, 0, 3]))[0][0].words == ["ab", "c", "b", "b"]
    (best,) = ctc_decoder(lexicon, TOKENS, blank_token="-", sil_token="-")(sure([2, 3, 4]))[0]
    assert (best.words, best.tokens.tolist()) == (["ab", "c"], [2, 3, 4])


def test_silence_within_spellings(tmp_path):
    """A compound, and words of which only some end in silence."""
    compound = write(tmp_path, "a-b a | b |\nab a b |\nc c |\n")
    assert ctc_decoder(compound, TOKENS)(sure([2, 1, 3, 1, 4]))[0][0].words == ["a-b", "c"]
    mixed = write(tmp_path, "ab a b |\nc c\n")
    decoder = ctc_decoder(mixed, TOKENS)
    assert decoder(sure([4, 2, 3, 1, 4, 1, 4]))[0][0].words == ["c", "ab", "c", "c"]


def test_tokens_of_several_characters(tmp_path):
    tokens = ["<b>", "|", "th", "e", "t", "he"]
    lexicon = write(tmp_path, "the th e |\nthe t he |\nthethe th e t he |\n")
    decoder = ctc_decoder(lexicon, tokens, blank_token="<b>", nbest=3)
    assert decoder(sure([2, 3, 1, 4, 5], 6))[0][0].words == ["the", "the"]
    best = decoder(sure([2, 3, 4, 5], 6))[0][0]
    assert best.words == ["thethe"]
    assert decoder.idxs_to_tokens(best.tokens) == ["|", "th", "e", "t", "he", "|"]


def test_many_tokens(tmp_path):
    tokens = ["-", "|", *(f"t{i}" for i in range(7000))]
    lexicon = write(tmp_path, "one t6990 t6991 |\ntwo t6991 |\n")
    path = [tokens.index("t6991"), 1, tokens.index("t6990"), tokens.index("t6991")]
    decoder = ctc_decoder(lexicon, tokens)
    assert decoder(sure(path, len(tokens), 30.0))[0][0].words == ["two", "one"]


def test_a_file_of_tokens(tmp_path, lexicon):
    tokens = write(tmp_path, "- <blank>\n|\n\na A\nb B\nc\n", "tokens.txt")
    path = write(tmp_path, "Ab A b |\n", "other.txt")
    for blank in ("-", "<blank>"):
        decoder = ctc_decoder(str(path), str(tokens), blank_token=blank)
        best = decoder(sure([2, 3, 1]))[0][0]
        assert best.words == ["Ab"]
        assert decoder.idxs_to_tokens(best.tokens) == ["|", "a", "b", "|"]


@pytest.mark.parametrize("silence", ["", " |"])
def test_words_that_sound_alike(tmp_path, model, silence):
    """The model knows which of them is meant, and what comes after."""
    text = "".join(f"{line}{silence}\n" for line in PRONUNCIATIONS.splitlines())
    decoder = ctc_decoder(write(tmp_path, text), PHONES, lm=model, nbest=2)
    for said, expected in {
        "AY | R IY D | T UW | R EH D": "i read two red",
        "AY | R EH D | T UW": "i read too",
        "T UW | AY | T UW": "two eye two",
        "R EH D | IH Z | T UW | R EH D": "red is too red",
    }.items():
        assert " ".join(decoder(spoken(said, PHONES))[0][0].words) == expected


def test_without_a_model_the_first_of_them_is_taken(tmp_path):
    decoder = ctc_decoder(write(tmp_path, PRONUNCIATIONS), PHONES)
    assert decoder(spoken("AY T UW", PHONES))[0][0].words == ["i", "to"]


@pytest.mark.parametrize(
    "spellings",
    [
        {"ab": ["a b", "b"], "aa": ["a"], "a": ["a"], "ba": ["b a"]},
        {"ab": ["a a", "a a a"], "aa": ["a a a"], "ba": ["b", "a b b"]},
        {"ab": ["a | b"], "aa": ["a", "a | a"], "a": ["a"], "ba": ["b"]},
    ],
)
@pytest.mark.parametrize("silence", ["", " |"])
@pytest.mark.parametrize("with_unknown", [False, True])
def test_it_finds_the_best_of_all_texts(tmp_path, spellings, silence, with_unknown):
    """Beside every text and every reading of it, where words sound alike or have two spellings."""
    lines = [f"{word} {one}{silence}\n" for word, all_ in spellings.items() for one in all_]
    lexicon = write(tmp_path, "".join(lines))
    sentences = ["ab aa", "a ba ab", "aa aa ba", "a a ab", "ba a", "ab ab a"]
    model = NGramModel.train([one.split() for one in sentences], 2)
    model.write_arpa(tmp_path / "words.arpa")
    weight, bonus, unknown = 1.2, 0.3, -1.0 if with_unknown else -math.inf
    decoder = ctc_decoder(
        lexicon,
        TOKENS[:4],
        lm=tmp_path / "words.arpa",
        lm_weight=weight,
        word_score=bonus,
        unk_score=unknown,
        beam_size=3000,
        beam_threshold=math.inf,
    )

    def readings(text):
        """Yield the words of a text in each way to read it."""
        if not text:
            yield []
            return
        if text[0] == 1:
            yield from readings(text[1:])
        for length in range(1, len(text) + 1):
            ends = length == len(text) or not silence or text[length] == 1
            spelled = " ".join(TOKENS[one] for one in text[:length])
            words = [word for word, all_ in spellings.items() if spelled in all_]
            if not words and with_unknown and 1 not in text[:length]:
                words = ["<unk>"]
            for word in words if ends else ():
                yield from ([word, *rest] for rest in readings(text[length:]))

    def score(words):
        lm = weight * model.score(words) / math.log(10)
        return lm + sum(unknown if word == "<unk>" else bonus for word in words)

    rng = np.random.default_rng(5)
    for _ in range(12):
        emissions = rng.normal(size=(1, 5, 4)) * 2
        log_probs = emissions[0] - np.log(np.exp(emissions[0]).sum(axis=1, keepdims=True))
        scored = [
            (math.log(prob) + score(words), words)
            for text, prob in text_probs(log_probs, 0).items()
            for words in readings(text)
        ]
        expected = max(scored)
        best = decoder(log_probs[None])[0][0]
        assert best.score == pytest.approx(expected[0], abs=1e-3)
        assert best.words == expected[1]


def test_models_of_tokens(tmp_path):
    """Without a lexicon; the names of the tokens are the model's words."""
    path = tmp_path / "tokens.arpa"
    NGramModel.train([["a", "b", "|", "a", "b"], ["b", "|", "c"]], 3).write_arpa(path)
    unsure = sure([2, 3]) + sure([2, 4]) * 1.01
    assert ctc_decoder(None, TOKENS)(unsure)[0][0].tokens.tolist() == [1, 2, 4, 1]
    assert ctc_decoder(None, TOKENS, lm=path)(unsure)[0][0].tokens.tolist() == [1, 2, 3, 1]
    names = write(tmp_path, "-\n|\nx\nc\nb\n<unk>\n", "names.txt")
    decoder = ctc_decoder(None, TOKENS, lm=path, lm_dict=names, lm_weight=4)
    assert decoder(sure([1, 3]) + sure([1, 4]))[0][0].tokens.tolist() == [1, 3, 1]


def test_models_of_characters_have_another_name_for_the_silence(tmp_path):
    """Such as `ctckit lm train --characters` makes."""
    path, other = tmp_path / "space.arpa", tmp_path / "silence.arpa"
    NGramModel.train([["a", "<space>", "b"], ["b", "<space>", "c"]], 3).write_arpa(path)
    NGramModel.train([["a", "|", "b"], ["b", "|", "c"]], 3).write_arpa(other)
    emissions = sure([2, 1, 3]) + sure([2, 4, 3]) * 1.01
    with_it, without = (ctc_decoder(None, TOKENS, lm=lm)(emissions)[0][0] for lm in (path, other))
    assert plain(with_it) == plain(without)
    assert with_it.tokens.tolist() == [1, 2, 1, 3, 1]
    assert with_it.score == pytest.approx(without.score)


def test_classes_are_shown_as_tokens(lexicon):
    decoder = ctc_decoder(lexicon, TOKENS)
    assert decoder.idxs_to_tokens(np.array([1, 2, 0])) == ["|", "a", "-"]
    assert decoder.idxs_to_tokens([]) == []
    with pytest.raises(InvalidValueError, match=r"idxs must be 0 to 4, got -1; give classes of"):
        decoder.idxs_to_tokens([1, -1])
    with pytest.raises(InvalidValueError, match=r"idxs must be 0 to 4, got 5"):
        decoder.idxs_to_tokens([5])
    with pytest.raises(InvalidValueError, match=r"idxs must be a list of classes, got <U1 of shap"):
        decoder.idxs_to_tokens(["a"])


def test_a_weight_of_none(tmp_path, lexicon):
    model = write(tmp_path, "\\data\\\nngram 1=2\n\n\\1-grams:\n-1 <unk>\n-1 b\n\n\\end\\\n", "m")
    emissions = sure([2, 3, 1])
    with_it, without = (
        ctc_decoder(lexicon, TOKENS, lm=lm, lm_weight=0)(emissions)[0][0] for lm in (model, None)
    )
    assert plain(with_it) == plain(without)
    assert with_it.score == without.score


def test_unknown_words(lexicon):
    emissions = sure([4, 2, 1, 2, 3, 1], height=30.0)
    decoder = ctc_decoder(lexicon, TOKENS, unk_score=-3.0, word_score=0.5)
    best = decoder(emissions)[0][0]
    assert (best.words, best.tokens.tolist()) == (["<unk>", "ab"], [1, 4, 2, 1, 2, 3, 1])
    assert best.score == pytest.approx(6 * 30.0 - 3.0 + 0.5, abs=1e-4)
    named = ctc_decoder(lexicon, TOKENS, unk_score=-3.0, unk_word="<oov>")
    assert named(emissions)[0][0].words == ["<oov>", "ab"]
    assert "<unk>" not in ctc_decoder(lexicon, TOKENS)(emissions)[0][0].words


def test_unknown_words_without_silences(tmp_path):
    lexicon = write(tmp_path, "ab a b\n")
    decoder = ctc_decoder(lexicon, TOKENS, unk_score=-3.0, word_score=0.5)
    best = decoder(sure([4, 4, 2, 3, 1, 3], height=30.0))[0][0]
    assert best.words == ["<unk>", "ab", "<unk>"]


def test_streaming_collects_the_frames(lexicon):
    emissions = np.random.default_rng(6).normal(size=(1, 9, 5)).astype(np.float32)
    decoder = ctc_decoder(lexicon, TOKENS, nbest=3)
    for pieces in ([4, 5], [0, 9], [1] * 9):
        decoder.decode_begin()
        buffer = np.zeros((9, 5), dtype=np.float32)
        for start, length in zip(itertools.accumulate([0, *pieces]), pieces, strict=False):
            buffer[:length] = emissions[0, start : start + length]  # the same memory each time
            decoder.decode_step(buffer[:length])
        decoder.decode_end()
        found = decoder.get_final_hypothesis()
        assert [plain(one) for one in found] == [plain(one) for one in decoder(emissions)[0]]
    decoder.decode_begin()
    decoder.decode_end()
    assert [plain(one) for one in decoder.get_final_hypothesis()] == [([1], [], [0])]


def test_streaming_in_another_order(lexicon):
    decoder = ctc_decoder(lexicon, TOKENS)
    with pytest.raises(InvalidValueError, match=r"decode_begin must come before decode_step"):
        decoder.decode_step(sure([2])[0])
    with pytest.raises(InvalidValueError, match=r"decode_begin must come before decode_end"):
        decoder.decode_end()
    decoder.decode_begin()
    with pytest.raises(InvalidValueError, match=r"decode_end must come before get_final_hypoth"):
        decoder.get_final_hypothesis()
    with pytest.raises(InvalidValueError, match=r"emissions must have shape \(T, 5\), got \(1, 1"):
        decoder.decode_step(sure([2]))


def test_tensors(lexicon):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    decoder = ctc_decoder(lexicon, TOKENS, nbest=2)
    emissions = torch.from_numpy(sure([2, 3, 1, 3]))
    lengths = torch.tensor([3])
    for given in (emissions, emissions.double(), emissions.bfloat16(), emissions.requires_grad_()):
        (best, _) = decoder(given, lengths)[0]
        assert isinstance(best.tokens, torch.Tensor)
        assert (best.tokens.dtype, best.timesteps.dtype) == (torch.int64, torch.int32)
        assert isinstance(best.score, float)
        assert plain(best) == ([1, 2, 3, 1], ["ab"], [0, 1, 2, 3])
        assert decoder.idxs_to_tokens(best.tokens) == ["|", "a", "b", "|"]
    decoder.decode_begin()
    decoder.decode_step(emissions[0])
    decoder.decode_end()
    assert isinstance(decoder.get_final_hypothesis()[0].tokens, torch.Tensor)
    assert isinstance(decoder(sure([2, 3]))[0][0].tokens, np.ndarray)


def test_importing_it_loads_nothing_heavy():
    code = """
import sys, ctckit.compat.torchaudio, ctckit.compat.word_beam_search
print([m for m in ("numba", "torch", "tensorflow", "pandas", "pyarrow") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_decoding_arrays_does_not_import_torch(lexicon):
    code = f"""
import sys, numpy as np
from ctckit.compat.torchaudio import ctc_decoder
print(ctc_decoder({str(lexicon)!r}, {TOKENS})(np.zeros((1, 2, 5), np.float32))[0][0].words)
print("torch" in sys.modules)
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\nFalse\n"


def test_decoders_can_be_pickled(tmp_path, model):
    decoder = ctc_decoder(write(tmp_path, PRONUNCIATIONS), PHONES, lm=model)
    emissions = spoken("AY R IY D T UW", PHONES)
    restored = pickle.loads(pickle.dumps(decoder))
    assert plain(restored(emissions)[0][0]) == plain(decoder(emissions)[0][0])


def test_signatures():
    """Those of torchaudio 2.8."""
    parameters = inspect.signature(ctc_decoder).parameters
    defaults = {name: one.default for name, one in parameters.items()}
    required = inspect.Parameter.empty
    assert defaults == {
        "lexicon": required,
        "tokens": required,
        "lm": None,
        "lm_dict": None,
        "nbest": 1,
        "beam_size": 50,
        "beam_size_token": None,
        "beam_threshold": 50,
        "lm_weight": 2,
        "word_score": 0,
        "unk_score": -math.inf,
        "sil_score": 0,
        "log_add": False,
        "blank_token": "-",
        "sil_token": "|",
        "unk_word": "<unk>",
    }
    assert CTCHypothesis._fields == ("tokens", "words", "score", "timesteps")
    assert list(inspect.signature(CTCDecoder.__call__).parameters)[1:] == ["emissions", "lengths"]
    assert list(inspect.signature(CTCDecoder.idxs_to_tokens).parameters)[1:] == ["idxs"]
    assert set(torchaudio.__all__) == {
        "CTCDecoder",
        "CTCDecoderLM",
        "CTCDecoderLMState",
        "CTCHypothesis",
        "ctc_decoder",
        "download_pretrained_files",
    }


def test_models_in_python_are_refused():
    class Own(CTCDecoderLM):
        def __init__(self):
            CTCDecoderLM.__init__(self)
            self.states = {0: CTCDecoderLMState()}

    with pytest.raises(InvalidValueError, match=r"lm must be the path .* got Own; .* nbest above"):
        ctc_decoder(None, TOKENS, lm=Own())


def test_binary_models_are_refused(tmp_path, lexicon):
    path = tmp_path / "lm.bin"
    path.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(100))
    with pytest.raises(InvalidValueError, match=r"got KenLM's binary format.*; give the ARPA file"):
        ctc_decoder(lexicon, TOKENS, lm=path)


def test_models_of_characters_need_no_lexicon(tmp_path, lexicon):
    path = tmp_path / "characters.arpa"
    NGramModel.train([["a", "<space>", "b"]], 2).write_arpa(path)
    with pytest.raises(InvalidValueError, match=r"lm must be a model of words.*or leave the lexi"):
        ctc_decoder(lexicon, TOKENS, lm=path)
    NGramModel.train([["abba", "cab", "bac"]], 2).write_arpa(path)
    with pytest.raises(InvalidValueError, match=r"lm must be a model of .* or give a lexicon"):
        ctc_decoder(None, TOKENS, lm=path)


def test_a_model_of_other_words(tmp_path, lexicon):
    path = tmp_path / "words.arpa"
    NGramModel.train([["x", "y"]], 2).write_arpa(path)
    with pytest.warns(CtckitWarning, match=r"lm knows none of the words .* such as 'ab', 'b'"):
        ctc_decoder(lexicon, TOKENS, lm=path)


def test_nothing_is_downloaded():
    with pytest.raises(NotFoundError, match=r"got 'librispeech-4-gram'; nothing is downloaded"):
        download_pretrained_files("librispeech-4-gram")


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"tokens": ["-", "|", "a", "a"]}, InvalidValueError, r"tokens must be unique, got 'a' tw"),
        ({"tokens": ["-", "|", 3]}, InvalidValueError, r"tokens must be strings, got 3 at index 2"),
        ({"tokens": "no.txt"}, NotFoundError, r"tokens must be a text file, got 'no.txt', which"),
        (
            {"blank_token": "_"},
            InvalidValueError,
            r"blank_token must be one of the tokens, got '_'",
        ),
        ({"sil_token": "||"}, InvalidValueError, r"sil_token .*got '\|\|'; did you mean '\|'\?"),
        ({"lexicon": "no.txt"}, NotFoundError, r"lexicon must be a text file, got 'no.txt', which"),
        ({"tokens": None}, InvalidValueError, r"tokens must be a list, got None; give one a class"),
        ({"lexicon": {"ab": "a b"}}, InvalidValueError, r"lexicon must be a path, got dict; give"),
        ({"lm_dict": 3}, InvalidValueError, r"lm_dict must be a path, got int; give that of a"),
        ({"unk_word": None}, InvalidValueError, r"unk_word must be a string, got None; it is what"),
        ({"lm": "no.arpa"}, NotFoundError, r"language model must be a file, got 'no.arpa'"),
        ({"lm_dict": "no.txt"}, NotFoundError, r"lm_dict must be a text file, got 'no.txt'"),
        ({"nbest": 0}, InvalidValueError, r"nbest must be an integer of at least 1, got 0"),
        (
            {"beam_size": 0},
            InvalidValueError,
            r"beam_size must be an integer from 1 to 100000, got",
        ),
        ({"beam_size": 2.5}, InvalidValueError, r"beam_size must be an integer .*, got 2.5"),
        ({"beam_size_token": 0}, InvalidValueError, r"beam_size_token must be an integer of at"),
        ({"beam_threshold": -1}, InvalidValueError, r"beam_threshold must be .* at least 0"),
        ({"lm_weight": -1}, InvalidValueError, r"lm_weight must be .* at least 0"),
        ({"word_score": math.inf}, InvalidValueError, r"word_score must be a finite number, got i"),
        ({"sil_score": math.nan}, InvalidValueError, r"sil_score must be a finite number, got nan"),
        ({"unk_score": math.nan}, InvalidValueError, r"unk_score must be a finite number, got nan"),
        ({"unk_score": 1.0}, InvalidValueError, r"unk_score must be at most word_score \(0\), got"),
    ],
)
def test_wrong_arguments(lexicon, changed, error, match):
    with pytest.raises(error, match=match):
        ctc_decoder(**{"lexicon": lexicon, "tokens": TOKENS, **changed})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ab a b |\nb\n", r"a word and its spelling a line, got 'b' alone in line 2 of"),
        ("ab a q |\n", r"spelled in the tokens, got 'q' in the spelling of 'ab' in line 1 of"),
        ("ab a - b |\n", r"spelled without the blank, got it in the spelling of 'ab' in line 1"),
        ("\n \n", r"lexicon must hold some words, got none in"),
    ],
)
def test_wrong_lexica(tmp_path, text, match):
    with pytest.raises(InvalidValueError, match=match):
        ctc_decoder(write(tmp_path, text), TOKENS)


def test_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_bytes(b"ab a b |\n\xff a |\n")
    with pytest.raises(InvalidValueError, match=r"lexicon must be UTF-8, got byte 0xff in line 2"):
        ctc_decoder(path, TOKENS)
    with pytest.raises(InvalidValueError, match=r"lexicon must be a readable text file, got"):
        ctc_decoder(tmp_path, TOKENS)


def test_dictionaries(tmp_path, lexicon):
    enough = write(tmp_path, "b\nab\n<unk>\n", "enough.txt")
    assert ctc_decoder(lexicon, TOKENS, lm_dict=enough)(sure([3]))[0][0].words == ["b"]
    few = write(tmp_path, "b\nc\n", "few.txt")
    with pytest.raises(InvalidValueError, match=r"lm_dict must hold all words .* got 'ab' in"):
        ctc_decoder(lexicon, TOKENS, lm_dict=few)
    model = tmp_path / "tokens.arpa"
    NGramModel.train([["a", "b"]], 2).write_arpa(model)
    with pytest.raises(InvalidValueError, match=r"lm_dict must name each of the 5 tokens .* got 2"):
        ctc_decoder(None, TOKENS, lm=model, lm_dict=few)


def test_what_has_no_effect_is_said():
    with pytest.warns(CtckitWarning, match=r"beam_size_token=3 does nothing here: every token is"):
        ctc_decoder(None, TOKENS, beam_size_token=3)
    ctc_decoder(None, TOKENS, beam_size_token=5)
    with pytest.warns(CtckitWarning, match=r"word_score and unk_score have no effect without a"):
        ctc_decoder(None, TOKENS, word_score=1.0)


@pytest.mark.parametrize(
    ("emissions", "lengths", "match"),
    [
        (sure([2])[0], None, r"emissions must have shape \(B, T, 5\), got \(1, 5\); add the axis"),
        (sure([2]).astype(int), None, r"emissions must be floats, got int64; convert them"),
        ([[[1.0], [2.0, 3.0]]], None, r"emissions must be a rectangular array"),
        (sure([2]) * np.nan, None, r"emissions must not hold NaN, .* frame 0, class 0; check the"),
        (sure([2]) + np.inf, None, r"emissions must be finite or -inf, got inf at matrix 0, fra"),
        (sure([2]) - np.inf, None, r"emissions must allow some class, got only -inf at matrix 0"),
        (sure([2]), [2], r"lengths must be 0 to 1, got 2 for matrix 0; give the valid frames"),
        (sure([2]), [1, 1], r"lengths must be 1 integers, one a matrix, got int64 of shape \(2,\)"),
    ],
)
def test_wrong_emissions(lexicon, emissions, lengths, match):
    with pytest.raises(InvalidValueError, match=match):
        ctc_decoder(lexicon, TOKENS)(emissions, lengths)


def test_another_number_of_classes(lexicon):
    with pytest.raises(
        AlphabetMismatchError, match=r"must have 5 classes, one for each of the tok"
    ):
        ctc_decoder(lexicon, TOKENS)(sure([2], 6))


def test_probabilities_are_told_apart(lexicon):
    probs = np.full((1, 3, 5), 0.2, dtype=np.float32)
    decoder = ctc_decoder(lexicon, TOKENS)
    with pytest.warns(CtckitWarning, match=r"emissions must be log-probabilities .* logarithm"):
        decoder(probs)
    decoder(np.log(probs))
