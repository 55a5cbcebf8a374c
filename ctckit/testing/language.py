"""Slow, plain references for searches with words, an n-gram model and hot phrases.

As those of `ctckit.testing.oracles`, they share no code with the kernels. Texts are read character
by character, models are functions, and a search keeps dictionaries.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ctckit.testing.oracles import FloatArray, Reference, TokenIds, search_prefixes

LogProb = Callable[[tuple[str, ...], str], float]
"""Natural log of the probability of a word after the words before it."""


@dataclass(frozen=True)
class Reading:
    """A text read as words.

    Attributes
    ----------
    words : those that have ended
    open : the characters of the one that has not; empty between words
    text : all characters
    last : the last token
    """

    words: tuple[str, ...] = ()
    open: str = ""
    text: str = ""
    last: str = ""


@dataclass
class WordLanguage:
    """What may be written, and what it gains.

    Attributes
    ----------
    lexicon : the words
    word_characters : what words are made of
    log_prob : of a word after others, ``<s>`` and ``</s>`` among them; None: no model
    known : the words that the model knows
    separator, open_vocabulary, lm_weight, word_bonus, unknown_score : as in `ngrambeamsearch`
    phrases : weights of hot phrases
    boundaries : whether the model scores the start and the end
    """

    lexicon: frozenset[str]
    word_characters: str
    log_prob: LogProb | None = None
    known: frozenset[str] = frozenset()
    separator: str | None = " "
    open_vocabulary: bool = False
    lm_weight: float = 0.0
    word_bonus: float = 0.0
    unknown_score: float = 0.0
    phrases: Mapping[str, float] = field(default_factory=dict)
    boundaries: bool = True

    def __post_init__(self) -> None:
        self._prefixes = {word[:n] for word in self.lexicon for n in range(1, len(word) + 1)}
        self._below: dict[str, list[str]] = {}
        for word in self.lexicon:
            for n in range(1, len(word) + 1):
                self._below.setdefault(word[:n], []).append(word)
        between = self.separator or ""
        self._phrases = {text.replace(" ", between): w for text, w in self.phrases.items()}

    def is_word_character(self, character: str) -> bool:
        """Whether words are made of it."""
        return character in self.word_characters

    def separates(self, token: str) -> bool:
        """Whether no character of a token belongs to words."""
        return not any(map(self.is_word_character, token))

    def can_end(self, word: str) -> bool:
        """Whether a word may end so."""
        return self.open_vocabulary or word in self.lexicon

    def extensions(self, reading: Reading, token: str) -> list[Reading]:
        """Return how a reading can go on with a token."""
        found = []
        rest = token
        if self.separator and token != self.separator:
            rest = token.removeprefix(self.separator)
        text = reading.text + token
        plain = rest == token
        unknown = self.open_vocabulary and plain and not self.separates(token)
        longer = reading.open + token
        if plain and (longer in self._prefixes or unknown):
            found.append(Reading(reading.words, longer, text, token))
        if reading.open and not self.can_end(reading.open):
            return found
        ended = reading.words + ((reading.open,) if reading.open else ())
        if self.separates(rest):
            if token not in self.lexicon:
                found.append(Reading(ended, "", text, token))
        elif not plain and (rest in self._prefixes or self.open_vocabulary):
            found.append(Reading(ended, rest, text, token))
        apart = self.separator is None or self.separates(token) or self.separates(reading.last)
        if reading.open and plain and apart and (token in self._prefixes or unknown):
            found.append(Reading(ended, token, text, token))
        return found

    def word_log_prob(self, before: tuple[str, ...], word: str) -> float:
        """Return what the model gives a word, `lm_weight` left out."""
        if self.log_prob is None:
            return 0.0
        return self.log_prob(self._history(before), self._spelled(word))

    def _spelled(self, word: str) -> str:
        return word if word in self.lexicon and word in self.known else "<unk>"

    def _history(self, words: tuple[str, ...]) -> tuple[str, ...]:
        start = ("<s>",) if self.boundaries else ()
        return start + tuple(map(self._spelled, words))

    def finished(self, words: tuple[str, ...]) -> tuple[float, float]:
        """Return the parts lm and words of finished words."""
        lm = sum(self.word_log_prob(words[:i], word) for i, word in enumerate(words))
        unknown = sum(word not in self.lexicon for word in words)
        return self.lm_weight * lm, self.word_bonus * len(words) + self.unknown_score * unknown

    def gain(self, reading: Reading) -> float:
        """Return what a prefix gains, its open word by what it may become."""
        total = sum(self.finished(reading.words)) + self.boost(reading.text, held=True)
        if not reading.open:
            return total
        unknown = self.unknown_score
        if self.log_prob is not None:
            history = self._history(reading.words)
            unknown += self.lm_weight * self.log_prob(history, "<unk>")
        below = self._below.get(reading.open)
        if below is None:
            return total + self.word_bonus + unknown
        known = 0.0
        if self.log_prob is not None:
            probs = [self.word_log_prob(reading.words, w) for w in below if w in self.known]
            if len(probs) < len(below):
                probs.append(self.log_prob(history, "<unk>"))
            known = self.lm_weight * math.log(min(math.fsum(map(math.exp, probs)), 1.0))
        return total + self.word_bonus + (max(known, unknown) if self.open_vocabulary else known)

    def final_parts(self, reading: Reading) -> tuple[float, float, float] | None:
        """Return the parts lm, words and boost of a whole text; None if its last word is not."""
        words = reading.words
        if reading.open:
            if not self.can_end(reading.open):
                return None
            words = (*words, reading.open)
        lm, bonus = self.finished(words)
        if self.log_prob is not None and self.boundaries:
            lm += self.lm_weight * self.log_prob(self._history(words), "</s>")
        return lm, bonus, self.boost(reading.text, held=False)

    def boost(self, text: str, *, held: bool) -> float:
        """Return what phrases weigh in a text; held: in one that may go on."""
        total = 0.0
        for phrase, weight in self._phrases.items():
            for start in range(len(text) - len(phrase) + 1):
                end = start + len(phrase)
                if text[start:end] == phrase and self._begins(text, start):
                    late = self.separator is not None and self.is_word_character(phrase[-1])
                    done = not late or (end < len(text) and not self.is_word_character(text[end]))
                    total += weight * (done or (end == len(text) and not held))
        return total + (self._held(text) if held else 0.0)

    def _begins(self, text: str, start: int) -> bool:
        anywhere = self.separator is None or start == 0
        return (
            anywhere
            or not self.is_word_character(text[start - 1])
            or not self.is_word_character(text[start])
        )

    def _held(self, text: str) -> float:
        """Return the share of the phrases that the longest fitting end of a text begins."""
        for start in range(len(text)):
            end = text[start:]
            fitting = [one for one in self._phrases.items() if one[0].startswith(end)]
            if fitting and self._begins(text, start):
                held = 0.0
                for phrase, weight in fitting:
                    late = self.separator is not None and self.is_word_character(phrase[-1])
                    if len(end) < len(phrase) or late:
                        held = max(held, weight * len(end) / len(phrase))
                return held
        return 0.0


def language_beam_search(
    log_probs: FloatArray,
    tokens: Sequence[str],
    blank: int,
    language: WordLanguage,
    *,
    beam_width: int = 25,
    n_best: int = 1,
) -> Reference:
    """Prefix beam search over the words of a language (Hannun et al., 2014), on dictionaries.

    Each reading of a text is a prefix of its own; for languages where texts have one reading.
    """
    token_ids = [(i, token) for i, token in enumerate(tokens) if i != blank]

    def extensions(reading: Reading) -> list[tuple[int, Reading]]:
        found = []
        for i, token in token_ids:
            longer = language.extensions(reading, token)
            if len(longer) > 1:
                raise ValueError(f"{longer[0].text!r} has several readings")
            found += [(i, one) for one in longer]
        return found

    def finish(text: TokenIds, reading: Reading) -> tuple[TokenIds, float]:
        parts = language.final_parts(reading)
        return text, 0.0 if parts is None else math.exp(sum(parts))

    return search_prefixes(
        log_probs,
        blank,
        beam_width,
        n_best,
        start=Reading(),
        extensions=extensions,
        weight=lambda reading: math.exp(language.gain(reading)),
        finish=finish,
    )


def best_texts(
    probs: Mapping[TokenIds, float], tokens: Sequence[str], language: WordLanguage
) -> list[tuple[TokenIds, tuple[float, float, float, float]]]:
    """Return all texts of the language with their scores' parts, best first.

    The probabilities are those of every text, as `ctckit.testing.oracles.text_probs` gives them. A
    text counts by the best of its readings.
    """
    found = []
    for text, prob in probs.items():
        readings = [language.final_parts(one) for one in _readings(text, tokens, language)]
        whole = [parts for parts in readings if parts is not None]
        if whole:
            found.append((text, (math.log(prob), *max(whole, key=sum))))
    return sorted(found, key=lambda one: -sum(one[1]))


def _readings(text: TokenIds, tokens: Sequence[str], language: WordLanguage) -> Iterator[Reading]:
    readings = [Reading()]
    for i in text:
        readings = list(
            itertools.chain.from_iterable(
                language.extensions(reading, tokens[i]) for reading in readings
            )
        )
    yield from readings


def random_model(
    rng: np.random.Generator, words: Sequence[str], order: int, count: int
) -> tuple[dict[tuple[str, ...], tuple[float, float]], LogProb]:
    """Draw an n-gram model: log-probabilities and backoffs by n-gram, and its function.

    It is no probability over words, but every n-gram's context and suffix are there.
    """
    everything = [*words, "<unk>", "<s>", "</s>"]
    grams: dict[tuple[str, ...], tuple[float, float]] = {}

    def add(gram: tuple[str, ...]) -> None:
        if gram and gram not in grams:
            add(gram[:-1])
            add(gram[1:])
            grams[gram] = (float(-rng.uniform(2, 7)), float(-rng.uniform(0, 2)))

    for word in everything:
        add((word,))
    for _ in range(count):
        length = int(rng.integers(2, order + 1)) if order > 1 else 1
        add(tuple(str(one) for one in rng.choice(everything, size=length)))

    def log_prob(before: tuple[str, ...], word: str) -> float:
        context = before[max(len(before) - order + 1, 0) :] if order > 1 else ()
        total = 0.0
        while True:
            gram = (*context, word)
            if gram in grams:
                return total + grams[gram][0]
            total += grams[context][1] if context in grams else 0.0
            context = context[1:]

    return grams, log_prob


def arpa_text(grams: Mapping[tuple[str, ...], tuple[float, float]]) -> str:
    """Return an ARPA file of n-grams with natural log-probabilities and backoffs."""
    order = max(map(len, grams))
    by_order = [[one for one in grams.items() if len(one[0]) == n] for n in range(1, order + 1)]
    lines = ["\\data\\", *(f"ngram {n}={len(one)}" for n, one in enumerate(by_order, 1)), ""]
    for n, one in enumerate(by_order, 1):
        lines.append(f"\\{n}-grams:")
        for gram, (log_prob, backoff) in one:
            cells = [f"{log_prob / math.log(10):.9f}", " ".join(gram)]
            if n < order:
                cells.append(f"{backoff / math.log(10):.9f}")
            lines.append("\t".join(cells))
        lines.append("")
    return "\n".join([*lines, "\\end\\", ""])
