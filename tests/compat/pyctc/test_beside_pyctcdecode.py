"""The shim beside the installed pyctcdecode: signatures, labels, texts, scores, frames, folders."""

from __future__ import annotations

import importlib
import inspect
import re

import editdistance
import numpy as np
import pytest

from ctckit.compat import pyctcdecode as shim
from ctckit.compat.pyctcdecode import Alphabet, LanguageModel, build_ctcdecoder, kenlm
from ctckit.language import NGramModel, split_sentences

MODULES = ("alphabet", "constants", "decoder", "language_model")
LEFT_OUT = {"HotwordScorer", "MultiLanguageModel"}
"""A part of the search, which is another here, and what cannot be made."""
HOT = ["okafor", "  night train", "train", ""]


def own(module):
    """Return what a module defines under public names."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def parameters(function):
    return [
        (one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("name", MODULES)
def test_signatures_are_the_same(original, name):
    theirs = own(importlib.import_module(f"pyctcdecode.{name}"))
    ours = importlib.import_module(f"ctckit.compat.pyctcdecode.{name}")
    compared = 0
    for what in theirs.keys() - LEFT_OUT:
        if inspect.isfunction(theirs[what]):
            assert parameters(getattr(ours, what)) == parameters(theirs[what]), what
            compared += 1
        elif inspect.isclass(theirs[what]):
            for method, there in inspect.getmembers(theirs[what], callable):
                if method == "__init__" or not method.startswith("_"):
                    here = getattr(getattr(ours, what), method)
                    assert parameters(here) == parameters(there), (what, method)
                    compared += 1
    assert compared > 0 or name == "constants"


@pytest.mark.parametrize("name", MODULES)
def test_constants_are_the_same(original, name):
    theirs = vars(importlib.import_module(f"pyctcdecode.{name}"))
    ours = vars(importlib.import_module(f"ctckit.compat.pyctcdecode.{name}"))
    constants = {k for k, v in theirs.items() if k.isupper() and isinstance(v, (int, float, str))}
    constants -= {"NULL_FRAMES", "TYPE_CHECKING"}
    for one in constants & ours.keys():
        assert ours[one] == pytest.approx(theirs[one]) if one[0] != "U" else theirs[one], one
    if name in ("constants", "alphabet"):
        assert constants <= ours.keys()
        assert constants


@pytest.mark.parametrize("token", ["<pad>", "[PAD]", "<PAD]", "pad", "<pads>", "x<pad>", "<unk>"])
def test_patterns_match_the_same(original, token):
    theirs = importlib.import_module("pyctcdecode.alphabet")
    ours = importlib.import_module("ctckit.compat.pyctcdecode.alphabet")
    for name in ("BLANK_TOKEN_PTN", "UNK_TOKEN_PTN", "SPECIAL_TOKEN_PTN"):
        found = bool(getattr(ours, name).match(token))
        assert found == bool(getattr(theirs, name).match(token)), name


def test_attributes_that_others_read_are_there(original, labels, arpa):
    theirs = original.build_ctcdecoder(labels, arpa)
    ours = build_ctcdecoder(labels, arpa)
    for name in ("_alphabet", "_idx2vocab", "_is_bpe", "_model_key", "_language_model"):
        assert hasattr(theirs, name)
        assert hasattr(ours, name)
    assert ours._idx2vocab == theirs._idx2vocab
    for name in ("_ALPHABET_SERIALIZED_FILENAME", "_LANGUAGE_MODEL_SERIALIZED_DIRECTORY"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("JSON_ATTRS", "_ATTRS_SERIALIZED_FILENAME", "_UNIGRAMS_SERIALIZED_FILENAME"):
        assert getattr(LanguageModel, name) == getattr(original.LanguageModel, name)
    assert ours._language_model.serializable_attrs == theirs._language_model.serializable_attrs


@pytest.mark.parametrize(
    "given",
    [
        ["<pad>", "<s>", "</s>", "<unk>", "|", "a", "b"],
        ["[PAD]", "[UNK]", " ", "|", "a"],
        ["a", "b", " "],
        ["_", "a", " "],
        ["_", "", "a"],
        ["a", "|", ""],
        ["a", "b", "ch", ""],
        ["<unk>", "▁the", "▁", "s", "<pad>"],
        ["▁the", "s", "_"],
        ["[PAD]", "[UNK]", "[CLS]", "the", "##s", "a", "##b"],
        ["▁⁇▁", "▁", "##a", "b", ""],
    ],
)
def test_labels_are_read_alike(original, given):
    ours, theirs = Alphabet.build_alphabet(given), original.Alphabet.build_alphabet(given)
    assert (ours.labels, ours.is_bpe) == (theirs.labels, theirs.is_bpe)
    assert Alphabet.loads(theirs.dumps()).labels == theirs.labels
    assert original.Alphabet.loads(ours.dumps()).labels == ours.labels


def test_texts_frames_and_scores_of_clear_lines_are_the_same(original, labels, read):
    theirs, ours = original.build_ctcdecoder(labels), build_ctcdecoder(labels)
    for text in ("the night train", "all good  bells", "a", "", " to be ", "zz"):
        logits = read(text, noise=0.1)
        there, here = theirs.decode_beams(logits), ours.decode_beams(logits)
        assert [len(one) for one in here] == [len(there[0])] * len(here)
        assert here[0][:2] == there[0][:2] == (" ".join(text.split()), None)
        true = [(3 + 4 * one.start(), 1 + 4 * one.end()) for one in re.finditer(r"\S+", text)]
        assert here[0][2] == list(zip(text.split(), true, strict=True))
        frames = [[one for _, pair in beams[0][2] for one in pair] for beams in (here, there)]
        assert frames[0] == pytest.approx(frames[1], abs=1)
        # All alignments are summed here.
        assert there[0][3] - 1e-6 <= here[0][3] <= there[0][3] + 0.3
        assert here[0][3] == here[0][4]
        batch = ours.decode_beams_batch(None, [logits])[0]
        assert [len(one) for one in batch] == [4] * len(batch)
        assert batch[0] == (*here[0][:1], *here[0][2:])


@pytest.mark.parametrize("hotwords", [None, HOT])
def test_texts_with_a_model_are_the_same(original, labels, arpa, lines, hotwords):
    theirs, ours = original.build_ctcdecoder(labels, arpa), build_ctcdecoder(labels, arpa)
    asked = {"hotwords": hotwords, "hotword_weight": 20.0}
    texts = ours.decode_batch(None, lines, **asked)
    assert texts == theirs.decode_batch(None, lines, **asked)
    assert texts[0] == "the night train to york"
    assert texts[1] == f"call mister {'okafor' if hotwords else 'ocafer'} at noon"
    for logits in lines[:4]:
        there, here = (one.decode_beams(logits, **asked)[0] for one in (theirs, ours))
        assert [word for word, _ in here[2]] == [word for word, _ in there[2]]
        # Noise beside a character may belong to it or not.
        frames = [[one for _, pair in beam[2] for one in pair] for beam in (here, there)]
        assert frames[0] == pytest.approx(frames[1], abs=1)
        for a, b in zip(here[3:], there[3:], strict=True):
            assert b - 1e-3 <= a <= b + 0.3


class Formula:
    """A text's score but for the matrix, by the parts of pyctcdecode."""

    def __init__(self, decoder, hotwords=None, weight=10.0):
        self.model = decoder._language_model
        module = importlib.import_module("pyctcdecode.language_model")
        self.hot = module.HotwordScorer.build_scorer(hotwords, weight=weight)

    def __call__(self, text, state=None):
        words, total = text.split(), self.hot.score(text)
        if self.model is not None:
            state = state or self.model.get_start_state()
            for i, word in enumerate(words, 1):
                value, state = self.model.score(state, word, is_last_word=i == len(words))
                total += value
        return total, state


@pytest.mark.parametrize("hotwords", [None, HOT])
@pytest.mark.parametrize("boundary", [True, False])
@pytest.mark.parametrize("unigrams", [None, ["the", "night", "train", "york", "nowhere"]])
def test_scores_are_the_sum_of_the_same_terms(
    original, labels, lines, arpa, hotwords, boundary, unigrams, tmp_path
):
    # Words that the unigrams lack have to be unknown to the model, too.
    path = arpa
    if unigrams:
        kept = [[w if w in unigrams else "<unk>" for w in s] for s in split_sentences(SENTENCES)]
        path = str(tmp_path / "few.arpa")
        NGramModel.train(kept, order=2).write_arpa(path)
    options = {"alpha": 0.7, "beta": 1.1, "unk_score_offset": -3.0, "lm_score_boundary": boundary}
    theirs = original.build_ctcdecoder(labels, path, unigrams, **options)
    ours = build_ctcdecoder(labels, path, unigrams, **options)
    formula = Formula(theirs, hotwords, 4.0)
    checked = 0
    for logits in lines:
        beams = ours.decode_beams(
            logits, beam_prune_logp=-25.0, hotwords=hotwords, hotword_weight=4.0
        )
        scores = [one[4] for one in beams]
        assert scores == sorted(scores, reverse=True)
        for text, _, _, logit_score, lm_score in beams:
            if text and not {"<s>", "⁇"} & set(text.split()):  # special to kenlm
                assert lm_score - logit_score == pytest.approx(formula(text)[0], abs=1e-4), text
                checked += 1
    assert checked > 20


SENTENCES = "the night train to york\nthe train to leeds\na night in york"


def test_scores_without_a_model_count_hot_words(original, labels, lines):
    formula = Formula(original.build_ctcdecoder(labels), HOT, 4.0)
    beams = build_ctcdecoder(labels).decode_beams(lines[1], hotwords=HOT, hotword_weight=4.0)
    differences = [one[4] - one[3] for one in beams]
    assert differences == pytest.approx([formula(one[0])[0] for one in beams])
    assert max(differences) == 4.0


def test_beams_go_on_after_a_state(original, labels, arpa, read):
    theirs, ours = original.build_ctcdecoder(labels, arpa), build_ctcdecoder(labels, arpa)
    first, second = read("the night"), read("train to yorc")
    there, here = theirs.decode_beams(first)[0], ours.decode_beams(first)[0]
    alone = ours.decode_beams(second)[0]
    after_theirs = theirs.decode_beams(second, lm_start_state=there[1])[0]
    after = ours.decode_beams(second, lm_start_state=here[1])[0]
    assert after[0] == after_theirs[0]
    assert after[4] == pytest.approx(after_theirs[4], abs=0.05)
    assert after[4] > alone[4] + 0.5
    assert ours.decode(second, lm_start_state=here[1]) == after[0]
    text = f"{here[0]} {after[0]}"
    assert after[1] == ours._language_model.get_start_state().after(tuple(text.split()), 3)


@pytest.mark.parametrize(
    "labels_of",
    [
        pytest.param(lambda pieces: pieces, id="underline"),
        pytest.param(
            lambda pieces: [
                one if one in ("▁", "<unk>", "<pad>") else one[1:] if one[0] == "▁" else f"##{one}"
                for one in pieces
            ],
            id="hashes",
        ),
    ],
)
def test_word_pieces(original, arpa, labels_of):
    pieces = "<unk> ▁the ▁tra in ▁n ight ▁l te ▁t he ▁ <pad> a b c d e g h i k l m n o r s t v w y"
    pieces = pieces.split()
    given = labels_of(pieces)
    theirs = original.build_ctcdecoder(given, arpa)
    ours = build_ctcdecoder(given, arpa)
    assert ours._alphabet.labels == theirs._alphabet.labels
    rng = np.random.default_rng(3)
    path = ["▁the", "▁n", "ight", "▁tra", "in", "<pad>", "▁l", "a", "te"]
    logits = rng.normal(0, 0.5, (2 * len(path), len(pieces)))
    logits[np.arange(2 * len(path)), np.repeat([pieces.index(one) for one in path], 2)] += 7
    there, here = theirs.decode_beams(logits)[0], ours.decode_beams(logits)[0]
    assert here[0] == there[0] == "the night train late"
    assert here[2] == there[2]
    assert here[3:] == pytest.approx(there[3:], abs=0.05)
    assert ours.decode(logits, hotwords=["light"]) == there[0]


def test_golden_lines_have_no_more_errors(original, synthetic, lines_of_golden):
    labels = [*synthetic["chars"], ""]
    matrices, arpa = lines_of_golden
    for path in (None, arpa):
        theirs = original.build_ctcdecoder(labels, path)
        ours = build_ctcdecoder(labels, path)
        found = [one.decode_batch(None, matrices) for one in (theirs, ours)]
        said = synthetic["reference"][: len(matrices)]
        wrong = [sum(map(editdistance.eval, texts, said)) for texts in found]
        assert wrong[1] <= wrong[0]
        if path is None:
            assert sum(map(str.__eq__, *found)) >= len(matrices) - 2


@pytest.fixture(scope="module")
def lines_of_golden(golden, tmp_path_factory):
    """Some lines, and a model of the corpus."""
    with np.load(golden / "synthetic_lines.npz") as arrays:
        matrices = arrays["log_probs"][:30]
    words = (golden / "corpus.txt").read_text(encoding="utf-8").split()
    sentences = [words[i : i + 12] for i in range(0, len(words), 12)]
    path = tmp_path_factory.mktemp("golden") / "words.arpa"
    NGramModel.train(sentences, order=2).write_arpa(path)
    return list(matrices), str(path)


def test_folders_are_read_by_either(original, labels, arpa, lines, tmp_path):
    theirs = original.build_ctcdecoder(labels, arpa, alpha=0.6, beta=1.25)
    ours = build_ctcdecoder(labels, arpa, alpha=0.6, beta=1.25)
    (tmp_path / "theirs").mkdir()
    theirs.save_to_dir(str(tmp_path / "theirs"))
    ours.save_to_dir(str(tmp_path / "ours"))
    here = shim.BeamSearchDecoderCTC.load_from_dir(str(tmp_path / "theirs"))
    there = original.BeamSearchDecoderCTC.load_from_dir(str(tmp_path / "ours"), "utf-8")
    assert here._language_model.serializable_attrs == there._language_model.serializable_attrs
    assert here._language_model.serializable_attrs["alpha"] == 0.6
    assert here._alphabet.labels == there._alphabet.labels
    texts = ours.decode_batch(None, lines)
    assert here.decode_batch(None, lines) == texts
    assert there.decode_batch(None, lines) == theirs.decode_batch(None, lines)
    for folder in (tmp_path / "theirs", tmp_path / "ours"):
        found = [
            one.parse_directory_contents(str(folder))
            for one in (original.BeamSearchDecoderCTC, shim.BeamSearchDecoderCTC)
        ]
        assert found[0] == found[1]
        found = [
            one.parse_directory_contents(found[0]["language_model"])
            for one in (original.LanguageModel, LanguageModel)
        ]
        assert found[0] == found[1]


def test_folders_without_a_model_are_read_by_either(original, labels, lines, tmp_path):
    build_ctcdecoder(labels).save_to_dir(str(tmp_path))
    there = original.BeamSearchDecoderCTC.load_from_dir(str(tmp_path))
    here = shim.BeamSearchDecoderCTC.load_from_dir(str(tmp_path))
    assert here.decode(lines[2]) == there.decode(lines[2]) == "a letter cane"


def test_language_models_score_alike(original, arpa):
    module = importlib.import_module("pyctcdecode.language_model")
    unigrams = module.load_unigram_set_from_arpa(arpa)
    assert unigrams - {"<s>", "</s>", "<unk>"} == {
        *importlib.import_module(
            "ctckit.compat.pyctcdecode.language_model"
        ).load_unigram_set_from_arpa(arpa)
    }
    theirs = original.LanguageModel(module.kenlm.Model(arpa), unigrams)
    ours = LanguageModel(module.kenlm.Model(arpa), unigrams)
    assert ours.order == theirs.order == 3
    for boundary in (True, False):
        for model in (theirs, ours):
            model.reset_params(score_boundary=boundary, alpha=0.8)
        there, here = theirs.get_start_state(), ours.get_start_state()
        for i, word in enumerate(["the", "night", "train", "zzz", "to", "leeds"]):
            a, there = theirs.score(there, word, is_last_word=i % 2 == 1)
            b, here = ours.score(here, word, is_last_word=i % 2 == 1)
            assert b == pytest.approx(a, abs=1e-5), word
    for part in ("n", "nig", "nigx", "nightnightnight", ""):
        assert ours.score_partial_token(part) == pytest.approx(theirs.score_partial_token(part))


def test_the_stand_in_scores_as_kenlm_does(arpa):
    theirs = pytest.importorskip("kenlm", reason="kenlm is not built here")
    if not re.search(r"\.(so|pyd)$", getattr(theirs, "__file__", "") or ""):
        pytest.skip("kenlm is a stand-in")
    peer, model = theirs.Model(arpa), kenlm.Model(arpa)
    assert (peer.order, peer.path) == (model.order, model.path)
    for word in ("night", "zzz", "<s>", "<unk>", ""):
        assert (word in peer) == (word in model), word
    for begin in ("BeginSentenceWrite", "NullContextWrite"):
        there, here = theirs.State(), kenlm.State()
        getattr(peer, begin)(there)
        getattr(model, begin)(here)
        for word in ["the", "night", "train", "zzz", "to", "leeds", "is", "late", "</s>"]:
            after_there, after_here = theirs.State(), kenlm.State()
            a = peer.BaseScore(there, word, after_there)
            assert model.BaseScore(here, word, after_here) == pytest.approx(a, abs=1e-5)
            there, here = after_there, after_here
    assert model.score("the night zzz") == pytest.approx(peer.score("the night zzz"), abs=1e-5)
