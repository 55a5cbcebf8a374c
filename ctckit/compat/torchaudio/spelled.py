"""Search over the spellings of words, and the words of what it finds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from ctckit.decoders.language import ClassKinds
from ctckit.decoders.ngrambeamsearch import NGramBeamSearch
from ctckit.decoders.options import option
from ctckit.errors import warn_user
from ctckit.language.ngrams import NGramModel
from ctckit.language.synonyms import with_synonyms
from ctckit.language.tables import LanguageTables

Trail = tuple["Trail", str] | None
"""The words of a reading: those before the last one, and that."""


class SpelledBeamSearch(NGramBeamSearch):
    """Beam search whose lexicon maps spellings to words, of which the model is.

    Classes beyond the tokens are variants, which only words of the lexicon are spelled with.
    """

    tokens: int = option(minimum=1, help="Classes that are no variants.")

    def _kinds(self) -> ClassKinds:
        kinds = super()._kinds()
        return replace(kinds, bound=kinds.classes >= self.tokens)

    def _tables_of(self, model: NGramModel) -> LanguageTables:
        word_of = cast(Mapping[str, str], self.lexicon)
        spellings = list(self._everything.words)
        words = [word_of[spelling] for spelling in spellings]
        numbers = model.words.numbers(words, unknown=-1)
        # The tables have a number once. So all but the first spelling of a word get another.
        first = np.zeros(len(words), dtype=bool)
        first[np.unique(numbers, return_index=True)[1]] = True
        more = np.flatnonzero(~first & (numbers >= 0))
        if len(more):
            histories = numbers[more]
            model = with_synonyms(model, [spellings[i] for i in more], histories.tolist())
            numbers[more] = np.arange(len(model.words) - len(more), len(model.words))
            tables = LanguageTables(model, numbers, histories)
        else:
            tables = LanguageTables(model, numbers)
        if tables.known == 0:
            examples = ", ".join(map(repr, list(dict.fromkeys(words))[:3]))
            warn_user(
                f"lm knows none of the words of the lexicon, such as {examples}: all count as "
                "unknown; check that they belong together"
            )
        return tables


class WordReader:
    """Reads spellings as words; of several readings the one that the language likes best.

    Parameters
    ----------
    word_of : of each spelling its word
    silence : what may stand between words, if anything
    separated : whether it must
    variants : the symbols that only words of the lexicon are spelled with
    unknown : what other words are called; None: there are none
    model : of words, if there is one
    lm_weight, word_bonus, unknown_score : as the search has them
    """

    def __init__(
        self,
        word_of: Mapping[str, str],
        silence: str | None,
        *,
        separated: bool,
        variants: Collection[str] = (),
        unknown: str | None = None,
        model: NGramModel | None = None,
        lm_weight: float = 0.0,
        word_bonus: float = 0.0,
        unknown_score: float = 0.0,
    ) -> None:
        self._word_of = word_of
        self._silence = silence
        self._separated = separated
        self._variants = frozenset(variants)
        self.unknown = unknown
        self._model = model
        self._lm_weight, self._word_bonus = lm_weight, word_bonus
        self._unknown_score = unknown_score
        self._longest = max(map(len, word_of))
        self._numbers: dict[str, int] = {}
        self._one_reading = separated and not any(str(silence) in one for one in word_of)

    def words(self, text: str) -> list[str] | None:
        """Return the words of a text of symbols, None if it cannot be read as words."""
        if self._one_reading:
            runs = [run for run in text.split(self._silence) if run]
            read = [self._word_of.get(run) or self._other_word(run) for run in runs]
            return None if None in read else [word for word in read if word is not None]
        first = 0 if self._model is None else self._model.first_state
        found: list[dict[int, tuple[float, Trail]]] = [{} for _ in range(len(text) + 1)]
        found[0][first] = (0.0, None)
        for start in range(len(text)):
            for state, (score, trail) in found[start].items():
                if text[start] == self._silence:
                    _keep(found[start + 1], state, score, trail)
                for stop, word, known in self._next(text, start):
                    value, following = self._score(state, word, known)
                    _keep(found[stop], following, score + value, (trail, word))
        if not found[-1]:
            return None
        best = max(found[-1], key=lambda state: found[-1][state][0] + self._end(state))
        words = []
        trail = found[-1][best][1]
        while trail is not None:
            trail, word = trail
            words.append(word)
        return words[::-1]

    def _other_word(self, spelling: str) -> str | None:
        """Return what a word is called that the lexicon lacks, None if there are no such words."""
        return self.unknown if self._variants.isdisjoint(spelling) else None

    def _in_others(self, symbol: str) -> bool:
        """Return whether words have it that the lexicon lacks."""
        return symbol != self._silence and symbol not in self._variants

    def _next(self, text: str, start: int) -> Iterator[tuple[int, str, bool]]:
        """Yield where a word from `start` on may end, the word, and if the lexicon has it."""
        inside = self._in_others(text[start])
        for stop in range(start + 1, len(text) + 1):
            ends = stop == len(text) or not self._separated or text[stop] == self._silence
            spelling = text[start:stop]
            if ends and spelling in self._word_of:
                yield stop, self._word_of[spelling], True
            elif ends and inside and self.unknown is not None:
                yield stop, self.unknown, False
            inside &= stop < len(text) and self._in_others(text[stop])
            if stop - start >= self._longest and not (inside and self.unknown is not None):
                return

    def _score(self, state: int, word: str, known: bool) -> tuple[float, int]:
        """Return what a word adds to the score, and the state after it."""
        bonus = self._word_bonus + (0.0 if known else self._unknown_score)
        if self._model is None:
            return bonus, 0
        number = self._model.unknown
        if known:
            if word not in self._numbers:
                self._numbers[word] = self._model.word_id(word)
            number = self._numbers[word]
        value, following = _score_word(self._model, state, number)
        return bonus + self._lm_weight * value, following

    def _end(self, state: int) -> float:
        if self._model is None or self._model.end < 0:
            return 0.0
        return self._lm_weight * _score_word(self._model, state, self._model.end)[0]


def _keep(readings: dict[int, tuple[float, Trail]], state: int, score: float, trail: Trail) -> None:
    """Keep a reading if it is the best one that ends in its state."""
    if state not in readings or readings[state][0] < score:
        readings[state] = (score, trail)


def _score_word(model: NGramModel, state: int, word: int) -> tuple[float, int]:
    """Return a word's log-probability after a state, and the next state."""
    total = 0.0
    entry = state
    while entry != 0:
        low, high = model.first_child[entry : entry + 2].tolist()
        at = low + int(np.searchsorted(model.word[low:high], word))
        if at < high and model.word[at] == word:
            break
        total += float(model.backoff[entry])
        entry = int(model.suffix[entry])
    else:
        at = 1 + word
    return total + float(model.log_prob[at]), int(model.state[at])
