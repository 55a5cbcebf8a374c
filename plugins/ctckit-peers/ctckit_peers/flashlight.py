"""The decoders `flashlightlexicon` and `flashlightlexiconfree`."""

from __future__ import annotations

import abc
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ctckit import InvalidValueError, Sometimes, option
from ctckit.language import SPACE, read_corpus
from ctckit_peers.peer import Float32Array, Found, Matrices, Peer

UNENDED, IMPOSSIBLE = -1e4, -2e4
"""In the frame behind a matrix, of the blank, on which a word that has not ended can stay, and of
all else but the separator; not so low that they swallow other scores."""
UNKNOWN = "<unk>"
Inputs = tuple[Any, list[Float32Array]]
TIES = Sometimes("ties are broken by addresses in memory")
START = "a separator in the first frame is taken as the continuation of one before it"


class Flashlight(Peer):
    """What flashlight-text's two decoders share; defaults are those of torchaudio's.

    A search keeps its hypotheses in itself, so that `convert` makes one for each batch.
    """

    distributions = ("flashlight-text",)
    install = "pip install 'ctckit-peers[flashlight]'"

    lm: Path | None = option(None, help="N-gram model of KenLM, ARPA or binary.")
    lm_weight: float = option(2.0, help="Of the model's log10.")
    sil_score: float = option(0.0, help="Added for each separator.")
    beam_width: int = option(50, minimum=1, help="Hypotheses kept after each frame.")
    beam_size_token: int | None = option(
        None, minimum=1, help="How many classes of a frame are tried; all by default."
    )
    beam_threshold: float = option(
        50.0, minimum=0.0, help="Hypotheses so much worse than the best are dropped."
    )
    log_add: bool = option(False, help="Sum alignments, instead of taking the best.")
    word_separator: str | None = option(
        " ", help="Token between words, which flashlight calls silence; None: there is none."
    )

    _behind = 1
    """Tokens of a path behind those of the matrix."""

    def prepare(self) -> None:
        """Load flashlight-text and the model."""
        self._module = self.import_peer("flashlight.lib.text.decoder")
        self._dictionary = self.import_peer("flashlight.lib.text.dictionary").Dictionary
        self._separator = self._checked_separator()
        self.load()

    @abc.abstractmethod
    def load(self) -> None:
        """Make what the searches share."""

    def _checked_separator(self) -> int | None:
        """Return the separator's class; an alphabet may lack it as long as nobody asks for it."""
        found = self.alphabet.token_ids.get(self.word_separator or "")
        if found is None and self.given_options.get("word_separator") is not None:
            raise InvalidValueError(
                "word_separator must be one of the alphabet's tokens or None, got "
                f"{self.word_separator!r}; give None if words follow each other directly"
            )
        return found

    def _model(self, names: Sequence[str]) -> tuple[Any, Any]:
        """Return a dictionary of names, the unknown last, and the model that scores them."""
        numbers = self._dictionary([*names, UNKNOWN])
        numbers.set_default_index(numbers.get_index(UNKNOWN))
        if self.lm is None:
            return numbers, self._module.ZeroLM()
        if not self.lm.is_file():
            raise InvalidValueError(f"lm must be a file, got {str(self.lm)!r}; check the path")
        kenlm = self.import_peer("flashlight.lib.text.decoder.kenlm")
        return numbers, kenlm.KenLM(str(self.lm), numbers)

    def _options(self, classes: int) -> dict[str, Any]:
        return {
            "beam_size": self.beam_width,
            "beam_size_token": self.beam_size_token or classes,
            "beam_threshold": self.beam_threshold,
            "lm_weight": self.lm_weight,
            "sil_score": self.sil_score,
            "log_add": self.log_add,
            "criterion_type": self._module.CriterionType.CTC,
        }

    def run(self, inputs: Inputs, n_best: int) -> list[list[Any]]:
        """Call flashlight-text on each matrix."""
        search, matrices = inputs
        return [search.decode(one.ctypes.data, *one.shape) for one in matrices]

    def collect(self, raw: list[list[Any]]) -> Found:
        """Return the texts that the paths spell, best first."""
        return [((self._collapsed(one.tokens), one.score) for one in line) for line in raw]

    def _collapsed(self, path: Sequence[int]) -> tuple[int, ...]:
        """Return the text of a path, which has tokens before and behind those of the matrix."""
        blank, known = self.alphabet.blank, len(self.alphabet)
        path = path[1 : -self._behind]
        return tuple(
            one
            for i, one in enumerate(path)
            if 0 <= one < known and one != blank and (i == 0 or one != path[i - 1])
        )


class FlashlightLexicon(Flashlight):
    """Write words of a lexicon with flashlight-text's ``LexiconDecoder``, in C++.

    As its recipes have it, words are spelled with the separator behind them: without it nothing
    need stand between words, and more errors are made. So that the last word can end, a frame of
    the separator is put behind each matrix, which is no part of the text.
    """

    known_failings = {  # noqa: RUF012
        "one-by-one": TIES,
        "n-best-prefix": TIES,
    }

    lexicon: Path | Collection[str] = option(help="Words that may be written, white space between.")
    word_score: float = option(0.0, help="Added for each word.")
    unk_score: float | None = option(
        None, help="Added for what is no word of the lexicon; None: nothing else is written."
    )

    def load(self) -> None:
        """Build the trie, each word with its score in the model alone."""
        words = self._words()
        numbers, self._lm = self._model(words)
        self._unknown = numbers.get_index(UNKNOWN)
        # Without a separator, a class of its own that no frame allows.
        self._silence = len(self.alphabet) if self._separator is None else self._separator
        trie = self._module.Trie(max(len(self.alphabet), self._silence + 1), self._silence)
        start = self._lm.start(False)
        end = [] if self._separator is None else [self._separator]
        self._behind = 1 + len(end)
        for word in words:
            number = numbers.get_index(word)
            score = 0.0 if self.lm is None else self._lm.score(start, number)[1]
            trie.insert([*self.alphabet.encode(word).tolist(), *end], number, score)
        trie.smear(self._module.SmearingMode.MAX)
        self._trie = trie

    def _words(self) -> list[str]:
        given = self.lexicon
        words = read_corpus(given).split() if isinstance(given, Path) else list(given)
        words = [word for word in dict.fromkeys(words) if self._spells(word)]
        if not words:
            raise InvalidValueError(
                "lexicon must hold a word that the alphabet spells, got none; check the file"
            )
        return words

    def _spells(self, word: str) -> bool:
        try:
            return len(self.alphabet.encode(word)) > 0
        except InvalidValueError:
            return False

    def convert(self, matrices: Matrices) -> Inputs:
        """Return a search, and the matrices as it needs them."""
        classes = max(len(self.alphabet), self._silence + 1)
        options = self._module.LexiconDecoderOptions(
            word_score=self.word_score,
            unk_score=-math.inf if self.unk_score is None else self.unk_score,
            **self._options(classes),
        )
        search = self._module.LexiconDecoder(
            options,
            self._trie,
            self._lm,
            self._silence,
            self.alphabet.blank,
            self._unknown,
            [],
            False,
        )
        return search, [self._ended(one, classes) for one in matrices]

    def _ended(self, matrix: Float32Array, classes: int) -> Float32Array:
        """Return a matrix with a frame of the separator more, or a class that no frame allows."""
        frames, own = matrix.shape
        ended = np.full((frames + (self._separator is not None), classes), IMPOSSIBLE, np.float32)
        ended[:frames, :own] = matrix
        if self._separator is not None:
            ended[frames, self.alphabet.blank] = UNENDED
            ended[frames, self._separator] = 0.0
        return ended


class FlashlightLexiconFree(Flashlight):
    """Search a beam of prefixes with flashlight-text's ``LexiconFreeDecoder``, in C++.

    A model is one of the alphabet's tokens, in which the space is spelled as `ctckit lm train
    --characters` spells it.
    """

    scores_are_log_probs = True
    exhaustive = {"beam_width": 5000, "beam_threshold": 1e9, "log_add": True}  # noqa: RUF012
    known_failings = {  # noqa: RUF012
        "certain-blanks": START,
        "exhaustive": START,
        "one-by-one": TIES,
        "n-best-prefix": TIES,
    }

    def load(self) -> None:
        """Load the model."""
        names = [SPACE if token == " " else token for token in self.alphabet.tokens]
        names[self.alphabet.blank] = "<blank>"
        _, self._lm = self._model(names)

    def convert(self, matrices: Matrices) -> Inputs:
        """Return a search, and the matrices."""
        options = self._module.LexiconFreeDecoderOptions(**self._options(len(self.alphabet)))
        separator = -1 if self._separator is None else self._separator
        search = self._module.LexiconFreeDecoder(
            options, self._lm, separator, self.alphabet.blank, []
        )
        return search, [np.ascontiguousarray(one) for one in matrices]
