"""Search over spellings, each of which is one word or several, and the words of what it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from ctckit.decoders.ngrambeamsearch import NGramBeamSearch
from ctckit.errors import warn_user
from ctckit.language.alternatives import with_alternatives
from ctckit.language.ngrams import NGramModel
from ctckit.language.tables import LanguageTables

Words = Sequence[str]
Trail = tuple["Trail", str] | None
"""The words of a reading: those before the last one, and that."""


class SpelledBeamSearch(NGramBeamSearch):
    """Beam search whose lexicon maps spellings to the words that have them.

    A spelling counts as the likeliest of its words after the words before.
    """

    def _tables_of(self, model: NGramModel) -> LanguageTables:
        words_of = cast(Mapping[str, Words], self.lexicon)
        spellings = list(self._everything.words)
        count = Counter(word for spelling in spellings for word in words_of[spelling])
        names: list[str] = []
        members: dict[str, list[int]] = {}
        special = {model.unknown, model.begin, model.end}
        for spelling in spellings:
            words = words_of[spelling]
            if len(words) == 1 and count[words[0]] == 1:
                names.append(words[0])
                continue
            numbers = model.words.numbers(words, unknown=-1).tolist()
            known = [number for number in numbers if number >= 0 and number not in special]
            if known:
                members[spelling] = known
            names.append(spelling)
        histories = np.unique([one for known in members.values() for one in known]).astype(np.int64)
        longer = with_alternatives(model, list(members), list(members.values()))
        numbers = longer.words.numbers(names, unknown=-1)
        tables = LanguageTables(longer if members else model, numbers, histories)
        if tables.known == 0:
            examples = ", ".join(repr(words_of[one][0]) for one in spellings[:3])
            warn_user(
                f"lm knows none of the words of the lexicon, such as {examples}: all count as "
                "unknown; check that they belong together"
            )
        return tables


class WordReader:
    """Reads spellings as words; of several readings the one that the language likes best.

    Parameters
    ----------
    words_of : of each spelling its words
    silence : what may stand between words, if anything
    separated : whether it must
    unknown : what other words are called; None: there are none
    model : of words, if there is one
    lm_weight, word_bonus, unknown_score : as the search has them
    """

    def __init__(
        self,
        words_of: Mapping[str, Words],
        silence: str | None,
        *,
        separated: bool,
        unknown: str | None = None,
        model: NGramModel | None = None,
        lm_weight: float = 0.0,
        word_bonus: float = 0.0,
        unknown_score: float = 0.0,
    ) -> None:
        self._words_of = words_of
        self._silence = silence
        self._separated = separated
        self._unknown = unknown
        self._model = model
        self._lm_weight, self._word_bonus = lm_weight, word_bonus
        self._unknown_score = unknown_score
        self._longest = max(map(len, words_of))
        self._numbers: dict[str, int] = {}
        self._one_reading = separated and all(
            len(words) == 1 and str(silence) not in spelling for spelling, words in words_of.items()
        )

    def words(self, text: str) -> list[str]:
        """Return the words of a text of symbols; a last one that is not whole is left out."""
        if self._one_reading:
            runs = filter(None, text.split(self._silence))
            read = (self._words_of.get(run, (self._unknown,))[0] for run in runs)
            return [word for word in read if word is not None]
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
        last = max(i for i, readings in enumerate(found) if readings)
        best = max(found[last], key=lambda state: found[last][state][0] + self._end(state))
        words = []
        trail = found[last][best][1]
        while trail is not None:
            trail, word = trail
            words.append(word)
        return words[::-1]

    def _next(self, text: str, start: int) -> Iterator[tuple[int, str, bool]]:
        """Yield where a word from `start` on may end, the word, and if the lexicon has it."""
        inside = text[start] != self._silence
        for stop in range(start + 1, len(text) + 1):
            ends = stop == len(text) or not self._separated or text[stop] == self._silence
            spelling = text[start:stop]
            words = self._words_of.get(spelling, ()) if ends else ()
            for word in words:
                yield stop, word, True
            if ends and not words and inside and self._unknown is not None:
                yield stop, self._unknown, False
            inside &= stop < len(text) and text[stop] != self._silence
            if stop - start >= self._longest and not (inside and self._unknown is not None):
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
