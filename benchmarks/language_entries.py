"""What benchmarks/language.py compares: decoders with their models, ctckit's and the peers'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inputs import Float32Array, Lines, batch_of
from language_inputs import Model
from language_peers import LOG_10, UNPRUNED, Texts, find_peers

import ctckit
from ctckit.language import SPACE
from ctckit.registry import decoder_class

HARD, OPEN = "ngrambeamsearch", "ngrambeamsearch, open vocabulary"
NARROW = 5.0
"""A beam_threshold at which there are still fewer errors than pyctcdecode makes."""
FAST = f"{OPEN}, beam_threshold {NARROW:g}"
BEAM = "beamsearch"
LM_WEIGHT, WORD_BONUS = 0.5, 1.5
UNKNOWN = -10.0 * LM_WEIGHT * LOG_10
"""pyctcdecode's default, which it weighs as the model's log10."""
BARS = {"pyctcdecode": 20.0, "flashlight-text": 10.0}
"""How many times as long as ctckit a peer is to take, with no fewer errors."""
SAME_THRESHOLD: float = decoder_class(HARD).options["beam_threshold"].default
"""What ctckit has by default."""
SLOWEST = 25
"""The largest width at which pyctcdecode is run unpruned: with 100 a matrix takes seconds."""


@dataclass(frozen=True)
class Entry:
    """A decoder with its options.

    Attributes
    ----------
    make : makes of matrices a call that returns their texts
    against : the decoder of ctckit that does the same, for peers
    bar : how many times as long as that one it is to take; None: no bar
    """

    decoder: str
    make: Callable[[Float32Array], Texts]
    against: str | None = None
    bar: float | None = None


class Entries:
    """Makes the entries for each model and width, with the peers that are installed."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.characters = "".join(one for one in lines.alphabet.token_ids if one != " ")
        self.pyctcdecode, self.flashlight, self.left_out = find_peers(lines.alphabet)

    def versions(self) -> dict[str, str]:
        """Return the versions of all that take part."""
        names = ("ctckit", "ctcwordbeamsearch", "numpy", "numba")
        versions = {name: version(name) for name in names}
        for peer in (self.pyctcdecode, self.flashlight):
            versions |= peer.versions if peer else {}
        return versions

    def with_model(self, model: Model, width: int, more: bool = False) -> list[Entry]:
        """Return all that decode with a model of words; more: and other options of them."""
        lm = model.path
        entries = [
            self._words(HARD, width, lm=lm),
            self._words(OPEN, width, lm=lm, open_vocabulary=True, unknown_score=UNKNOWN),
            self._words(
                FAST,
                width,
                lm=lm,
                open_vocabulary=True,
                unknown_score=UNKNOWN,
                beam_threshold=NARROW,
            ),
            self._words(f"{HARD}, unpruned", width, lm=lm, beam_threshold=None),
        ]
        if more:
            letters = self._words(f"{HARD}, words of letters", width, lm=lm, word_characters=None)
            entries.append(letters)
        if self.pyctcdecode:
            search = self.pyctcdecode.search(lm, model.words, LM_WEIGHT, WORD_BONUS)
            name = "pyctcdecode"
            entries.append(Entry(name, lambda x: search(x, width, True), FAST, BARS[name]))
            if more and width <= SLOWEST:
                entries.append(Entry(f"{name}, unpruned", lambda x: search(x, width, False), OPEN))
        return entries + self._flashlight_words(model.words, lm, width)

    def with_lexicon(self, model: Model, width: int) -> list[Entry]:
        """Return all that decode with a lexicon alone."""
        words = model.words
        entries = [
            self._words(HARD, width, lexicon=words),
            self._words(f"{HARD}, unpruned", width, lexicon=words, beam_threshold=None),
            self._words(f"{HARD}, words of letters", width, lexicon=words, word_characters=None),
        ]
        corpus = {"corpus": self.lines.corpus, "beam_width": width}
        for mode, smoothing in (("Words", 0.0), ("NGrams", 0.1)):
            options = {"mode": mode, "smoothing": smoothing, **corpus}
            entries.append(self._ours(f"wordbeamsearch, {mode}", "wordbeamsearch", **options))
        return entries + self._flashlight_words(words, None, width)

    def with_characters(self, model: Path, width: int) -> list[Entry]:
        """Return all that decode with a model of characters."""
        entries = [
            self._ours(BEAM, BEAM, lm=model, beam_width=width),
            self._ours(f"{BEAM}, unpruned", BEAM, lm=model, beam_width=width, beam_threshold=None),
        ]
        if self.flashlight:
            search = self.flashlight.character_search(model, SPACE, LM_WEIGHT)
            entries += _thresholds(search, width, BEAM, None)
        return entries

    def without_model(self, width: int) -> list[Entry]:
        """Return what knows no language."""
        return [
            self._ours("bestpath", "bestpath"),
            self._ours(BEAM, BEAM, beam_width=width),
        ]

    def _words(self, label: str, width: int, **options: Any) -> Entry:
        """Return `ngrambeamsearch`; words are what stands between spaces, as for the peers."""
        given = {"beam_width": width, "word_characters": self.characters, **options}
        return self._ours(label, "ngrambeamsearch", **given)

    def _ours(self, label: str, name: str, **options: Any) -> Entry:
        alphabet = self.lines.alphabet
        decoder = ctckit.load_decoder(name, alphabet, **options)

        def make(log_probs: Float32Array) -> Texts:
            batch = batch_of(log_probs, alphabet)
            return lambda: decoder.decode_batch(batch, threads=1).texts()

        return Entry(label, make)

    def _flashlight_words(self, words: list[str], lm: Path | None, width: int) -> list[Entry]:
        if not self.flashlight:
            return []
        bonus = WORD_BONUS if lm else 0.0
        search = self.flashlight.word_search(words, lm, LM_WEIGHT, bonus)
        return _thresholds(search, width, HARD, None if lm else BARS["flashlight-text"])


def _thresholds(
    search: Callable[[Float32Array, int, float], Texts],
    width: int,
    against: str,
    bar: float | None,
) -> list[Entry]:
    """Return flashlight's search unpruned, and with the threshold that ctckit has."""
    name = "flashlight-text"
    return [
        Entry(f"{name}, unpruned", lambda x: search(x, width, UNPRUNED), against, bar),
        Entry(
            f"{name}, beam_threshold {SAME_THRESHOLD:g}",
            lambda x: search(x, width, SAME_THRESHOLD),
            against,
        ),
    ]
