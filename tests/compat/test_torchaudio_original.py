"""`ctckit.compat.torchaudio` beside flashlight-text, called as torchaudio's decoder calls it."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import editdistance
import numpy as np
import pytest

from ctckit.compat.torchaudio import ctc_decoder
from ctckit.language import NGramModel

SPECIAL = {" ": "|", "|": "<bar>", "-": "<dash>"}
DATA = Path(__file__).resolve().parents[1] / "data"
PRONUNCIATIONS = (DATA / "pronunciations.txt").read_text(encoding="utf-8")
APART = """to T UW
is IH Z
i AY
read R IY D
red R EH D
tree T R IY
"""
"""Some of them that are spelled in one way, each in another."""
SENTENCES = """i read two red
i read too
to read is to eye
i is two
two eye two
red is too red
two red tree
i read to two tree
too red is red
"""
PHONES = ["-", "|", "T", "UW", "IH", "Z", "AY", "R", "EH", "D", "IY"]


@pytest.fixture(scope="module")
def flashlight():
    """The modules of flashlight-text that torchaudio's decoder uses."""
    reason = "flashlight-text is not installed"
    decoder = pytest.importorskip("flashlight.lib.text.decoder", reason=reason)
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary", reason=reason)
    kenlm = pytest.importorskip(
        "flashlight.lib.text.decoder.kenlm", reason="it has no KenLM", exc_type=ImportError
    )
    return decoder, dictionary, kenlm.KenLM


class Original:
    """flashlight's decoders with torchaudio's arguments and results.

    blank "-", silence "|"; a result is tokens, words, score and timesteps.
    """

    def __init__(
        self,
        flashlight,
        lexicon,
        tokens,
        lm=None,
        lm_dict=None,
        nbest=1,
        beam_size=50,
        beam_threshold=50.0,
        word_score=0.0,
        unk_score=-math.inf,
        lm_weight=2.0,
        sil_score=0.0,
        log_add=False,
    ):
        decoder, dictionary, kenlm = flashlight
        self.nbest = nbest
        names = dictionary.Dictionary(tokens)
        self.blank, silence = names.get_index("-"), names.get_index("|")
        options = {
            "beam_size": beam_size,
            "beam_size_token": len(tokens),
            "beam_threshold": beam_threshold,
            "lm_weight": lm_weight,
            "sil_score": sil_score,
            "log_add": log_add,
            "criterion_type": decoder.CriterionType.CTC,
        }
        if lexicon is None:
            # Without a dictionary torchaudio gives the model the tokens in another order.
            self.words = None if lm_dict is None else dictionary.Dictionary(str(lm_dict))
            self.lm = decoder.ZeroLM() if lm is None else kenlm(str(lm), self.words)
            kind = decoder.LexiconFreeDecoderOptions(**options)
            self.decoder = decoder.LexiconFreeDecoder(kind, self.lm, silence, self.blank, [])
            return
        spellings = dictionary.load_words(str(lexicon))
        self.words = dictionary.create_word_dict(spellings)
        self.lm = decoder.ZeroLM() if lm is None else kenlm(str(lm), self.words)
        trie = decoder.Trie(len(tokens), silence)
        start = self.lm.start(False)
        for word, all_of_it in spellings.items():
            number = self.words.get_index(word)
            _, score = self.lm.score(start, number)
            for spelling in all_of_it:
                trie.insert([names.get_index(name) for name in spelling], number, score)
        trie.smear(decoder.SmearingMode.MAX)
        kind = decoder.LexiconDecoderOptions(word_score=word_score, unk_score=unk_score, **options)
        unknown = self.words.get_index("<unk>")
        self.decoder = decoder.LexiconDecoder(
            kind, trie, self.lm, silence, self.blank, unknown, [], False
        )

    def __call__(self, emissions):
        found = []
        for one in np.ascontiguousarray(emissions, dtype=np.float32):
            results = self.decoder.decode(one.ctypes.data, *one.shape)[: self.nbest]
            found.append([self.hypothesis(result) for result in results])
        return found

    def hypothesis(self, result):
        path = list(result.tokens)
        tokens = [token for token, _ in itertools.groupby(path) if token != self.blank]
        words = [self.words.get_entry(word) for word in result.words if word >= 0]
        times = [
            i
            for i, token in enumerate(path)
            if token != self.blank and (i == 0 or token != path[i - 1])
        ]
        return tokens, words, result.score, times


def plain(one):
    return one.tokens.tolist(), one.words, one.timesteps.tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two lexica whose words end in silence, and a model of the words."""
    folder = tmp_path_factory.mktemp("phones")
    for name, lines in (("lexicon.txt", PRONUNCIATIONS), ("apart.txt", APART)):
        text = "".join(f"{line} |\n" for line in lines.splitlines())
        (folder / name).write_text(text, encoding="utf-8")
    sentences = [line.split() for line in SENTENCES.splitlines()]
    NGramModel.train(sentences, 3).write_arpa(folder / "words.arpa")
    return folder


def draw(rng, spelling, noise):
    """Return emissions of tokens, each for a few frames, blanks and repeats as they come."""
    path = []
    for name in spelling:
        path += [PHONES.index(name)] * rng.integers(1, 3) + [0] * rng.integers(0, 3)
        if path[-1] != 0:
            path.append(0)
    emissions = rng.normal(0, noise, (len(path), len(PHONES)))
    emissions[np.arange(len(path)), path] += 8.0
    return emissions.astype(np.float32)


def spell(rng, words, pronunciations=PRONUNCIATIONS):
    """Return the tokens of words, a silence behind each."""
    spellings = [line.split() for line in pronunciations.splitlines()]
    found = []
    for word in words:
        ways = [one[1:] for one in spellings if one[0] == word]
        found += [*ways[rng.integers(len(ways))], "|"]
    return found


@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("with_lexicon", [False, True])
def test_what_is_clear_is_the_same(flashlight, folder, with_lexicon, with_model):
    """Tokens, words, timesteps and scores."""
    rng = np.random.default_rng(0)
    known = [line.split()[0] for line in APART.splitlines()]
    lines = [rng.choice(known, rng.integers(1, 6)) for _ in range(12)]
    arguments = {"lexicon": None, "tokens": PHONES, "lm": None, "lm_weight": 1.5}
    if with_lexicon:
        arguments |= {"lexicon": folder / "apart.txt", "word_score": 0.7}
        arguments["lm"] = folder / "words.arpa" if with_model else None
    elif with_model:
        names = folder / "names.txt"
        names.write_text("\n".join([*PHONES, "<unk>"]), encoding="utf-8")
        spoken = [spell(rng, line.split()) for line in SENTENCES.splitlines()]
        NGramModel.train(spoken, 3).write_arpa(folder / "phones.arpa")
        arguments |= {"lm": folder / "phones.arpa", "lm_dict": names}
    original = Original(flashlight, log_add=True, **arguments)
    ours = ctc_decoder(**arguments)
    for line in lines:
        emissions = draw(rng, spell(rng, line, APART), 0.3)[None]
        ((tokens, words, score, times),) = original(emissions)[0]
        best = ours(emissions)[0][0]
        assert plain(best) == (tokens, words, times)
        # There a text also counts with more silences, here by its own alignments.
        assert best.score == pytest.approx(score, abs=0.05)


@pytest.mark.parametrize("silence", [-1.0, 1.0])
def test_silence_weighs_the_same(flashlight, folder, silence):
    rng = np.random.default_rng(1)
    emissions = draw(rng, spell(rng, ["to", "red", "tree"], APART), 0.3)[None]
    arguments = {"lexicon": folder / "apart.txt", "tokens": PHONES, "sil_score": silence}
    ((tokens, _, score, times),) = Original(flashlight, log_add=True, **arguments)(emissions)[0]
    best = ctc_decoder(**arguments)(emissions)[0][0]
    assert (best.tokens.tolist(), best.timesteps.tolist()) == (tokens, times)
    assert best.score == pytest.approx(score, abs=0.05)


def test_words_that_sound_alike(flashlight, folder):
    """With noise: no more errors than the original, whose beam holds all words of a spelling."""
    rng = np.random.default_rng(5)
    arguments = {
        "lexicon": folder / "lexicon.txt",
        "tokens": PHONES,
        "lm": folder / "words.arpa",
        "lm_weight": 3.0,
    }
    ours = ctc_decoder(**arguments)
    originals = [Original(flashlight, log_add=log_add, **arguments) for log_add in (False, True)]
    errors = np.zeros(3, dtype=int)
    for line in SENTENCES.splitlines() * 6:
        words = line.split()
        emissions = draw(rng, spell(rng, words), 3.5)[None]
        found = [ours(emissions)[0][0].words, *(one(emissions)[0][0][1] for one in originals)]
        errors += [editdistance.eval(one, words) for one in found]
    assert 0 < errors[0] <= errors[1:].min()


@pytest.fixture(scope="module")
def prose(golden, synthetic, tmp_path_factory):
    """Tokens, a lexicon, and models of words and of characters, of the golden lines' corpus."""
    folder = tmp_path_factory.mktemp("prose")
    tokens = [SPECIAL.get(one, one) for one in synthetic["chars"]] + ["-"]
    words = (golden / "corpus.txt").read_text(encoding="utf-8").split()
    sentences = [words[i : i + 12] for i in range(0, len(words), 12)]
    known = sorted({word for word in words if set(word) <= set(synthetic["chars"])})
    lines = [f"{word} {' '.join(SPECIAL.get(one, one) for one in word)} |\n" for word in known]
    (folder / "lexicon.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "names.txt").write_text("\n".join([*tokens, "<unk>"]), encoding="utf-8")
    NGramModel.train(sentences, 2).write_arpa(folder / "words.arpa")
    characters = [[SPECIAL.get(one, one) for one in " ".join(line)] for line in sentences]
    NGramModel.train(characters, 4).write_arpa(folder / "characters.arpa")
    return folder, tokens


@pytest.mark.parametrize("log_add", [False, True])
@pytest.mark.parametrize(
    ("lexicon", "lm", "options"),
    [
        ("lexicon.txt", None, {}),
        ("lexicon.txt", None, {"beam_size": 10, "beam_threshold": 25.0}),
        ("lexicon.txt", "words.arpa", {"lm_weight": 1.5, "word_score": 1.0}),
        (None, None, {}),
        (None, "characters.arpa", {"lm_weight": 1.5}),
    ],
)
def test_golden_lines(flashlight, prose, lines, synthetic, lexicon, lm, options, log_add):
    """No more errors than the original makes, which gets a frame of silence at the end.

    Without it, it would drop the last words of the lexicon.
    """
    folder, tokens = prose
    count = 20 if lexicon else 6
    emissions = np.stack(list(lines))[:count]
    ended = np.full((count, 1, len(tokens)), -50.0, dtype=np.float32)
    ended[:, :, tokens.index("|")] = 0.0
    arguments = {
        "lexicon": lexicon and folder / lexicon,
        "tokens": tokens,
        "lm": lm and folder / lm,
        "lm_dict": None if lexicon or not lm else folder / "names.txt",
        **options,
    }
    original = Original(flashlight, log_add=log_add, **arguments)
    theirs = original(np.concatenate([emissions, ended], axis=1))
    ours = ctc_decoder(**arguments)(emissions)

    def text_of(ids, words):
        if lexicon:
            return " ".join(words)
        characters = [*synthetic["chars"], ""]
        return "".join(characters[one] for one in ids).strip()

    def errors(texts):
        return sum(map(editdistance.eval, texts, synthetic["reference"][:count]))

    our_errors = errors([text_of(line[0].tokens.tolist(), line[0].words) for line in ours])
    assert our_errors <= errors([text_of(*line[0][:2]) for line in theirs])
