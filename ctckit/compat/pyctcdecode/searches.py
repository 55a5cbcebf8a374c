"""ctckit's decoders for what a pyctcdecode user asks: made when asked for, the last ones kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ctckit.compat.pyctcdecode.constants import LOG_BASE_CHANGE_FACTOR
from ctckit.compat.pyctcdecode.kenlm import State
from ctckit.compat.pyctcdecode.language_model import LanguageModel
from ctckit.compat.pyctcdecode.spelling import Spelling
from ctckit.compat.renaming import listed
from ctckit.decoders.base import Decoder
from ctckit.decoders.beam import BeamDecoder
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.decoders.language import PARTS, ClassKinds, WordRules, WordSearch
from ctckit.errors import InvalidValueError, warn_user
from ctckit.hypotheses import SearchResult
from ctckit.language.lexicon import Lexicon
from ctckit.language.phrases import HotPhrases
from ctckit.language.speller import Speller
from ctckit.language.tables import LanguageTables
from ctckit.matrices import MatrixBatch

KEPT = 8
"""Decoders that are kept, each for other arguments."""


class WordBeamSearch(BeamDecoder):
    """The search of `ngrambeamsearch`, over a lexicon and tables that were made before."""

    score_parts = PARTS
    words: WordSearch

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        return self.words.run(self, batch, n_best)


@dataclass(frozen=True)
class Wanted:
    """What a decoder depends on, beside the labels and the model.

    Attributes
    ----------
    beam_width : prefixes kept after each frame
    beam_threshold : how far below the best one's score one may be
    hot_words : single words, all different
    hot_weight : of each
    weights : of the language model, as `LanguageModel.weights` returns them; None without one
    start : where texts go on
    """

    beam_width: int
    beam_threshold: float
    hot_words: tuple[str, ...] = ()
    hot_weight: float = 0.0
    weights: tuple[float, float, float, bool] | None = None
    start: State | None = None


def split_hot_words(hotwords: Iterable[str] | None, spelling: Spelling) -> tuple[str, ...]:
    """Return the words of phrases, each once; warn of what the labels cannot spell.

    Raises
    ------
    InvalidValueError : a string instead of a list of them, or a phrase that is no string
    """
    if isinstance(hotwords, str):
        raise InvalidValueError(
            f"hotwords must be a list of words, got the string {hotwords!r}; give [{hotwords!r}]"
        )
    words: dict[str, None] = {}
    if isinstance(hotwords, bytes):
        raise InvalidValueError(
            f"hotwords must be a list of words, got the bytes {hotwords!r}; give a list of strings"
        )
    phrases = [] if hotwords is None else listed("hotwords", hotwords, "give the words in one")
    for phrase in phrases:
        if not isinstance(phrase, str):
            raise InvalidValueError(f"hotwords must be strings, got {phrase!r}; leave it out")
        words.update(dict.fromkeys(phrase.split()))
    if not words:
        return ()
    given = list(words)
    speller = Speller(spelling.tokens, all_spellings=True, word_mark=spelling.separator)
    can_be = speller.spell(given)[2].tolist()
    spelled = [word for word, yes in zip(given, can_be, strict=True) if yes]
    if len(spelled) < len(words):
        lost = [word for word, yes in zip(given, can_be, strict=True) if not yes]
        warn_user(
            f"{len(lost)} of {len(words)} hotwords cannot be spelled in the labels and are left "
            f"out, such as {', '.join(map(repr, lost[:3]))}; check their case"
        )
    return tuple(spelled)


class Searches:
    """Makes decoders for labels and a language model, which may be None."""

    def __init__(self, spelling: Spelling, model: LanguageModel | None) -> None:
        self.spelling = spelling
        self.model = model
        self._classes: ClassKinds | None = None
        self._lexicon: Lexicon | None = None
        self._tables: LanguageTables | None = None
        if model is not None:
            self._lexicon = self._lexicon_of(model.words)
            _warn_of_lost(self._lexicon)
            places = model.ngrams.words.numbers(self._lexicon.words, unknown=-1)
            self._tables = LanguageTables(model.ngrams, places)
        self.get = lru_cache(KEPT)(self._make)
        self._with_more = lru_cache(KEPT)(self._make_with_more)

    def _lexicon_of(self, words: Iterable[str]) -> Lexicon:
        return Lexicon(
            words, self.spelling.tokens, all_spellings=True, word_mark=self.spelling.separator
        )

    def _make_with_more(self, more: tuple[str, ...]) -> tuple[Lexicon, LanguageTables | None]:
        """Return a lexicon and tables with words that the model lacks."""
        if self._lexicon is None or self._tables is None:
            return self._lexicon_of(more), None
        if not more:
            return self._lexicon, self._tables
        lexicon = self._lexicon_of([*self._lexicon.words, *more])
        return lexicon, self._tables.seen_with(np.sort(lexicon.numbers(more)))

    def _make(self, wanted: Wanted) -> Decoder:
        tokens, width = self.spelling.tokens, wanted.beam_width
        if self.model is None and not wanted.hot_words:
            return BeamSearch(tokens, beam_width=width)
        decoder = WordBeamSearch(tokens, beam_width=width)
        alpha, beta, offset, boundary = wanted.weights or (0.0, 0.0, 0.0, False)
        rules = WordRules(
            self.spelling.word_characters,
            self.spelling.separator,
            open_vocabulary=True,
            lm_weight=alpha,
            word_bonus=beta,
            unknown_score=alpha * offset * LOG_BASE_CHANGE_FACTOR,
            score_ends=boundary,
            beam_threshold=wanted.beam_threshold,
        )
        if self._classes is None:
            self._classes = ClassKinds.of(tokens, rules)
        unknown = self._unknown_of(wanted.hot_words)
        lexicon, tables = self._with_more(unknown)
        # Hot words are in the lexicon, so that none is cut for being unknown before it has ended.
        # What an unknown word costs is taken off the weight of those that are.
        phrases = None
        if wanted.hot_words:
            weights = {
                word: wanted.hot_weight + (rules.unknown_score if word in unknown else 0.0)
                for word in wanted.hot_words
            }
            phrases = HotPhrases(weights, tokens, rules.word_characters, rules.separator)
        # A weight of 0 takes the model out, even where it says -inf.
        tables = tables if alpha > 0 else None
        start = None
        if wanted.start is not None and tables is not None:
            words = lexicon.numbers(wanted.start.words)
            start = tables.state_after(words, begin=wanted.start.begins)
        decoder.words = WordSearch(tokens, lexicon, rules, tables, phrases, self._classes, start)
        return decoder

    def _unknown_of(self, words: tuple[str, ...]) -> tuple[str, ...]:
        if self._lexicon is None:
            return words
        known = (self._lexicon.numbers(words) >= 0).tolist()
        return tuple(word for word, is_known in zip(words, known, strict=True) if not is_known)


def _warn_of_lost(lexicon: Lexicon) -> None:
    """Warn if the labels cannot spell much of a language model."""
    total = lexicon.lost + len(lexicon)
    if lexicon.lost > 0.2 * total:
        examples = ", ".join(map(repr, lexicon.lost_examples))
        warn_user(
            f"{lexicon.lost} of {total} words of the language model cannot be spelled in the "
            f"labels and are left out, such as {examples}; check their case"
        )
