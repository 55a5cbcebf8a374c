"""The decoder `pyctcdecode`."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ctckit import InvalidValueError, option
from ctckit.language import read_corpus
from ctckit_peers.peer import Float32Array, Found, Matrices, Peer

Beam = tuple[Any, ...]
MERGED = (
    "spaces at the ends of a text and doubled ones are dropped, and the text is given the "
    "probability that it has with them"
)


class PyCtcDecode(Peer):
    """Search with pyctcdecode's ``decode_beams``, in Python, and with KenLM if a model is given.

    Its texts are read as tokens again, the longest first. Tokens that begin with "▁" or "##" are
    refused: pyctcdecode takes them for pieces of words, and its texts then do not tell them.
    """

    distributions = ("pyctcdecode",)
    install = (
        "pip install 'ctckit-peers[pyctcdecode]' and pip install --no-deps pyctcdecode (with "
        "NumPy 2, which it runs with, pip would refuse it)"
    )
    scores_are_log_probs = True
    exhaustive = {"beam_width": 5000, "beam_prune_logp": -1e9, "token_min_logp": -1e9}  # noqa: RUF012
    known_failings = {  # noqa: RUF012
        "exhaustive": MERGED,
        "true-scores": MERGED,
    }

    lm: Path | None = option(None, help="N-gram model of words, of KenLM, ARPA or binary.")
    unigrams: Path | Collection[str] | None = option(
        None, help="Words that the model knows, white space between; others are unknown."
    )
    alpha: float = option(0.5, help="Weight of the model's natural log.")
    beta: float = option(1.5, help="Added for each word.")
    unk_score_offset: float = option(-10.0, help="Added to the model's log10 for an unknown word.")
    lm_score_boundary: bool = option(True, help="Score the start and the end of the text.")
    hotwords: Path | Collection[str] | None = option(
        None, help="Words to prefer, white space between."
    )
    hotword_weight: float = option(10.0, help="Of each hot word.")
    beam_width: int = option(100, minimum=1, help="Beams kept after each frame.")
    beam_prune_logp: float = option(
        -10.0, maximum=0.0, help="Beams so much worse than the best are dropped."
    )
    token_min_logp: float = option(
        -5.0, maximum=0.0, help="Classes below this are not tried, but the best of a frame."
    )
    prune_history: bool = option(
        False, help="Drop beams that the model will not tell apart, as its decode() does."
    )

    def prepare(self) -> None:
        """Build pyctcdecode's decoder."""
        labels = list(self.alphabet.tokens)
        labels[self.alphabet.blank] = ""
        for token in labels:
            if token.startswith(("▁", "##")):
                raise InvalidValueError(
                    f"alphabet must have no pieces of words, got {token!r}; pyctcdecode's texts "
                    "do not tell them"
                )
        module = self._import_quietly()
        if self.lm is not None:
            if not self.lm.is_file():
                raise InvalidValueError(f"lm must be a file, got {str(self.lm)!r}; check the path")
            self.import_peer("kenlm", "kenlm", "pip install 'ctckit-peers[kenlm]'")
        self._hotwords = _words(self.hotwords)
        self._decoder: Any = module.build_ctcdecoder(
            labels,
            None if self.lm is None else str(self.lm),
            _words(self.unigrams),
            alpha=self.alpha,
            beta=self.beta,
            unk_score_offset=self.unk_score_offset,
            lm_score_boundary=self.lm_score_boundary,
        )

    def _import_quietly(self) -> Any:
        """Import pyctcdecode, which warns where kenlm is missing; with a model that is an error."""
        logger = logging.getLogger("pyctcdecode")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            return self.import_peer("pyctcdecode")
        finally:
            logger.setLevel(level)

    def convert(self, matrices: Matrices) -> list[Float32Array]:
        """Return the matrices."""
        return list(matrices)

    def run(self, inputs: list[Float32Array], n_best: int) -> list[list[Beam]]:
        """Call pyctcdecode on each matrix."""
        options = {
            "beam_width": self.beam_width,
            "beam_prune_logp": self.beam_prune_logp,
            "token_min_logp": self.token_min_logp,
            "prune_history": self.prune_history,
            "hotwords": self._hotwords,
            "hotword_weight": self.hotword_weight,
        }
        return [self._decoder.decode_beams(one, **options) for one in inputs]

    def collect(self, raw: list[list[Beam]]) -> Found:
        """Return the texts of each matrix, best first."""
        return [((self._token_ids(beam[0]), float(beam[-1])) for beam in beams) for beams in raw]

    def _token_ids(self, text: str) -> list[int]:
        """Return the tokens of a text, which has a space where the alphabet may have "|"."""
        known = self.alphabet.token_ids
        if " " not in known and "|" in known:
            text = text.replace(" ", "|")
        ids: list[int] = self.alphabet.encode(text).tolist()
        return ids


def _words(given: Path | Collection[str] | None) -> list[str] | None:
    if given is None:
        return None
    return read_corpus(given).split() if isinstance(given, Path) else list(given)
