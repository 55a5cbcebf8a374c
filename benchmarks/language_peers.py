"""The installed peers that decode with language models, each as calls that return texts.

Their words are what stands between spaces. Both get KenLM's reading of the same ARPA files.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from inputs import Float32Array

import ctckit

Texts = Callable[[], list[str]]
LOG_10 = math.log(10)
UNPRUNED = 1e9
"""A difference of scores that never occurs."""


class PyCtcDecode:
    """pyctcdecode, in Python, with KenLM; words that its model lacks may be written.

    Its language weights count log10, but what it adds for each word does not.
    """

    def __init__(self, alphabet: ctckit.Alphabet) -> None:
        import pyctcdecode

        logging.getLogger("pyctcdecode").setLevel(logging.ERROR)
        self._build: Any = pyctcdecode.build_ctcdecoder
        self._labels = [*alphabet.tokens]
        self._labels[alphabet.blank] = ""
        self.versions = {name: version(name) for name in ("pyctcdecode", "kenlm")}

    def search(
        self, model: Path, words: Sequence[str], lm_weight: float, word_bonus: float
    ) -> Callable[[Float32Array, int, bool], Texts]:
        """Return a search with a model; it takes matrices, a width, and whether to prune.

        Pruned is how it comes: prefixes 10 below the best one go, and classes below -5.
        """
        decoder = self._build(
            self._labels, str(model), list(words), alpha=lm_weight, beta=word_bonus
        )

        def texts(log_probs: Float32Array, width: int, pruned: bool) -> Texts:
            cuts = {} if pruned else {"beam_prune_logp": -UNPRUNED, "token_min_logp": -UNPRUNED}
            return lambda: [decoder.decode(one, beam_width=width, **cuts) for one in log_probs]

        return texts


class FlashlightText:
    """flashlight-text, in C++, with its own KenLM.

    In its lexicon each word ends with the space, as its recipes have it: spelled without one,
    words need no space between them, and far more errors are made. So that the last word can end,
    a frame of a space is put behind each matrix.
    """

    def __init__(self, alphabet: ctckit.Alphabet) -> None:
        from flashlight.lib.text import decoder, dictionary
        from flashlight.lib.text.decoder.kenlm import KenLM

        self._decoder: Any = decoder
        self._dictionary: Any = dictionary.Dictionary
        self._kenlm: Any = KenLM
        self._alphabet = alphabet
        self._space = alphabet.token_ids[" "]
        self.versions = {"flashlight-text": version("flashlight-text")}

    def word_search(
        self, words: Sequence[str], model: Path | None, lm_weight: float, word_bonus: float
    ) -> Callable[[Float32Array, int, float], Texts]:
        """Return a search in a lexicon; it takes matrices, a width and a threshold of scores."""
        numbers = self._dictionary([*words, "<unk>"])
        unknown = numbers.get_index("<unk>")
        numbers.set_default_index(unknown)
        lm = self._decoder.ZeroLM() if model is None else self._kenlm(str(model), numbers)
        start, classes = lm.start(False), len(self._alphabet)
        trie = self._decoder.Trie(classes, self._space)
        for number, word in enumerate(words):
            score = 0.0 if model is None else lm.score(start, number)[1]
            trie.insert([*self._alphabet.encode(word).tolist(), self._space], number, score)
        trie.smear(self._decoder.SmearingMode.MAX)

        def texts(log_probs: Float32Array, width: int, threshold: float) -> Texts:
            options = self._decoder.LexiconDecoderOptions(
                beam_size=width,
                beam_size_token=classes,
                beam_threshold=threshold,
                lm_weight=lm_weight * LOG_10,
                word_score=word_bonus,
                unk_score=-math.inf,
                sil_score=0.0,
                log_add=True,
                criterion_type=self._decoder.CriterionType.CTC,
            )
            search = self._decoder.LexiconDecoder(
                options, trie, lm, self._space, self._alphabet.blank, unknown, [], False
            )
            ended = self._ended(log_probs)
            return lambda: [
                " ".join(numbers.get_entry(word) for word in best.words if word >= 0)
                for best in self._best(search, ended)
            ]

        return texts

    def character_search(
        self, model: Path, space: str, lm_weight: float
    ) -> Callable[[Float32Array, int, float], Texts]:
        """Return a search without a lexicon; it takes matrices, a width and a threshold."""
        names = [space if token == " " else token for token in self._alphabet.tokens]
        names[self._alphabet.blank] = "<blank>"
        numbers = self._dictionary([*names, "<unk>"])
        numbers.set_default_index(numbers.get_index("<unk>"))
        lm = self._kenlm(str(model), numbers)

        def texts(log_probs: Float32Array, width: int, threshold: float) -> Texts:
            options = self._decoder.LexiconFreeDecoderOptions(
                beam_size=width,
                beam_size_token=len(names),
                beam_threshold=threshold,
                lm_weight=lm_weight * LOG_10,
                sil_score=0.0,
                log_add=True,
                criterion_type=self._decoder.CriterionType.CTC,
            )
            search = self._decoder.LexiconFreeDecoder(
                options, lm, self._space, self._alphabet.blank, []
            )
            matrices = np.ascontiguousarray(log_probs)
            return lambda: [self._collapsed(best.tokens) for best in self._best(search, matrices)]

        return texts

    def _best(self, search: Any, matrices: Float32Array) -> list[Any]:
        found = []
        for one in matrices:
            search.decode_begin()
            search.decode_step(one.ctypes.data, *one.shape)
            search.decode_end()
            found.append(search.get_best_hypothesis())
        return found

    def _ended(self, log_probs: Float32Array) -> Float32Array:
        """Return the matrices with a frame more, which is a space."""
        lines, _, classes = log_probs.shape
        space = np.full((lines, 1, classes), -1e4, dtype=np.float32)
        space[..., self._space] = 0.0
        return np.concatenate([log_probs, space], axis=1)

    def _collapsed(self, path: Sequence[int]) -> str:
        """Return the text of a path, which has a space more before and behind it."""
        tokens, blank = self._alphabet.tokens, self._alphabet.blank
        path = path[1:-1]
        return "".join(
            tokens[token]
            for i, token in enumerate(path)
            if token not in (-1, blank) and (i == 0 or token != path[i - 1])
        )


def find_peers(
    alphabet: ctckit.Alphabet,
) -> tuple[PyCtcDecode | None, FlashlightText | None, dict[str, str]]:
    """Return the peers that are installed, and why others are left out."""
    left_out = {}
    pyctcdecode = flashlight = None
    missing = [name for name in ("pyctcdecode", "kenlm") if find_spec(name) is None]
    if missing:
        left_out["pyctcdecode"] = f"{' and '.join(missing)} could not be installed"
    else:
        pyctcdecode = PyCtcDecode(alphabet)
    if find_spec("flashlight") is None:
        left_out["flashlight-text"] = "flashlight-text could not be installed"
    else:
        flashlight = FlashlightText(alphabet)
    return pyctcdecode, flashlight, left_out
