"""What benchmarks/language.py compares: decoders with their models, ctckit's and the peers'."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ctckit_peers import Peer
from inputs import Float32Array, Lines, batch_of
from language_inputs import Model
from peers import own_work, versions_of

import ctckit
from ctckit.registry import decoder_class

Call = Callable[[], object]
LOG_10 = math.log(10)
UNPRUNED = 1e9
"""A difference of scores that never occurs."""
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

PYCTCDECODE, FLASHLIGHT = "pyctcdecode", "flashlight-text"


@dataclass(frozen=True)
class Entry:
    """A decoder with its options.

    Attributes
    ----------
    label : of its row
    decoder : ctckit's or a peer's
    against : the decoder of ctckit that does the same, for peers
    bar : how many times as long as that one it is to take; None: no bar
    """

    label: str
    decoder: ctckit.Decoder
    against: str | None = None
    bar: float | None = None

    def timed(self, log_probs: Float32Array) -> Call:
        """Return what is timed: of a peer its own work, of ours the making of texts, too."""
        if isinstance(self.decoder, Peer):
            return own_work(self.decoder, log_probs)
        batch = batch_of(log_probs, self.decoder.alphabet)
        return lambda: self.decoder.decode_batch(batch, threads=1).texts()

    def texts(self, log_probs: Float32Array) -> list[str]:
        """Return the texts."""
        batch = batch_of(log_probs, self.decoder.alphabet)
        return self.decoder.decode_batch(batch, threads=1).texts()


class Entries:
    """Makes the entries for each model and width, with the peers that are installed."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.characters = "".join(one for one in lines.alphabet.token_ids if one != " ")
        self.left_out: dict[str, str] = {}
        missing = [name for name in ("pyctcdecode", "kenlm") if find_spec(name) is None]
        if missing:
            self.left_out[PYCTCDECODE] = f"{' and '.join(missing)} could not be installed"
        if find_spec("flashlight") is None:
            self.left_out[FLASHLIGHT] = f"{FLASHLIGHT} could not be installed"

    def versions(self) -> dict[str, str]:
        """Return the versions of all that take part."""
        names = ("ctckit", "ctcwordbeamsearch", "numpy", "numba")
        versions = {name: version(name) for name in names}
        if PYCTCDECODE not in self.left_out:
            versions |= versions_of("pyctcdecode") | {"kenlm": version("kenlm")}
        if FLASHLIGHT not in self.left_out:
            versions |= versions_of("flashlightlexicon")
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
        if PYCTCDECODE not in self.left_out:
            entries += self._pyctcdecode(model, width, unpruned=more and width <= SLOWEST)
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
        if FLASHLIGHT not in self.left_out:
            entries += self._thresholds("flashlightlexiconfree", width, BEAM, lm=model)
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
        return Entry(label, ctckit.load_decoder(name, self.lines.alphabet, **options))

    def _pyctcdecode(self, model: Model, width: int, unpruned: bool) -> list[Entry]:
        """Return pyctcdecode as it comes, and without pruning by scores.

        What it adds for an unknown word counts log10, and for each word natural logs; it drops
        beams of one history, as its own decode() does.
        """
        options = {
            "lm": model.path,
            "unigrams": model.words,
            "alpha": LM_WEIGHT,
            "beta": WORD_BONUS,
            "beam_width": width,
            "prune_history": True,
        }
        entries = [self._theirs(PYCTCDECODE, "pyctcdecode", FAST, BARS[PYCTCDECODE], **options)]
        if unpruned:
            options |= {"beam_prune_logp": -UNPRUNED, "token_min_logp": -UNPRUNED}
            label = f"{PYCTCDECODE}, unpruned"
            entries.append(self._theirs(label, "pyctcdecode", OPEN, None, **options))
        return entries

    def _theirs(
        self, label: str, name: str, against: str, bar: float | None, **options: Any
    ) -> Entry:
        decoder = ctckit.load_decoder(name, self.lines.alphabet, **options)
        return Entry(label, decoder, against, bar)

    def _flashlight_words(self, words: list[str], lm: Path | None, width: int) -> list[Entry]:
        if FLASHLIGHT in self.left_out:
            return []
        bar = None if lm else BARS[FLASHLIGHT]
        options = {"lexicon": words, "lm": lm, "word_score": WORD_BONUS if lm else 0.0}
        return self._thresholds("flashlightlexicon", width, HARD, bar, **options)

    def _thresholds(
        self, name: str, width: int, against: str, bar: float | None = None, **options: Any
    ) -> list[Entry]:
        """Return flashlight's search unpruned, and with the threshold that ctckit has."""
        given = {"beam_width": width, "lm_weight": LM_WEIGHT * LOG_10, "log_add": True, **options}
        entries = []
        for label, threshold, own_bar in (
            ("unpruned", UNPRUNED, bar),
            (f"beam_threshold {SAME_THRESHOLD:g}", SAME_THRESHOLD, None),
        ):
            label = f"{FLASHLIGHT}, {label}"
            entries.append(
                self._theirs(label, name, against, own_bar, beam_threshold=threshold, **given)
            )
        return entries
