"""The decoder `wordbeamsearchcpp`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import InvalidValueError, option
from ctckit.language import default_word_characters, read_corpus
from ctckit_peers.peer import Found, Matrices, Peer, in_order

MODES = ("Words", "NGrams", "NGramsForecast", "NGramsForecastAndSample")


class WordBeamSearchCpp(Peer):
    """Write words of a corpus only with CTCWordBeamSearch, in C++ (Scheidl et al., ICFHR 2018).

    It is on no registry, but built from a clone. It gives one text without a score.
    """

    distributions = ("word_beam_search",)
    install = "pip install . in a clone of CTCWordBeamSearch"
    one_text = True

    corpus: Path = option(help="UTF-8 text file whose words may be written.")
    mode: str = option("Words", choices=MODES, help="How the words are scored.")
    smoothing: float = option(0.0, minimum=0.0, help="Added to each bigram's count.")
    word_characters: str | None = option(
        None, help="Characters that words are made of; by default the letters and apostrophe."
    )
    beam_width: int = option(25, minimum=1, help="Prefixes kept after each frame.")

    def prepare(self) -> None:
        """Read the corpus, and load word_beam_search."""
        if not self.alphabet.single_characters:
            longer = next(one for one in self.alphabet.token_ids if len(one) > 1)
            raise InvalidValueError(
                f"alphabet must have tokens of one character, got {longer!r}; word_beam_search "
                "knows no others, the decoder wordbeamsearch does"
            )
        corpus = read_corpus(self.corpus)
        module = self.import_peer("word_beam_search")
        words = self.word_characters or default_word_characters(self.alphabet)
        self._classes = self.blank_last()
        self._decoder: Any = module.WordBeamSearch(
            self.beam_width,
            self.mode,
            self.smoothing,
            corpus.encode("utf-8"),
            "".join(self.alphabet.token_ids).encode("utf-8"),
            words.encode("utf-8"),
        )

    def convert(self, matrices: Matrices) -> list[npt.NDArray[np.float64]]:
        """Return probabilities (T, 1, C), float64."""
        return [
            np.exp(in_order(one, self._classes).astype(np.float64))[:, None] for one in matrices
        ]

    def run(self, inputs: list[npt.NDArray[np.float64]], n_best: int) -> list[list[int]]:
        """Call word_beam_search on each matrix."""
        return [self._decoder.compute(one)[0] for one in inputs]

    def collect(self, raw: list[list[int]]) -> Found:
        """Return one text a matrix; older versions end it with the blank."""
        last = len(self._classes) - 1
        return [[([self._classes[label] for label in one if label != last], None)] for one in raw]
