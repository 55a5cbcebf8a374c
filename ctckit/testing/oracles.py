"""Slow, plain references for the kernels: every path, every prefix, float64, no tricks.

They share no code with the kernels. A matrix is an array (T, C) of natural-log probabilities; a
text is a tuple of token ids.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

TokenIds = tuple[int, ...]
FloatArray = npt.NDArray[np.floating[Any]]

MODES = ("Words", "NGrams", "NGramsForecast", "NGramsForecastAndSample")
_ROUNDING = 1 + 1e-9
"""How much better a weight must be: less is rounding, and the longer word goes first."""


def collapse(path: Iterable[int], blank: int) -> TokenIds:
    """Return the text that a path spells: repeats dropped, then blanks.

    >>> collapse([2, 0, 0, 2, 0, 1], blank=2)
    (0, 0, 1)
    """
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


@functools.lru_cache(maxsize=512)
def _all_paths(
    frames: int, classes: int, blank: int
) -> tuple[list[TokenIds], npt.NDArray[np.int64]]:
    """Return all texts, and for each path in the order of itertools.product the text's number."""
    numbers: dict[TokenIds, int] = {}
    paths = itertools.product(range(classes), repeat=frames)
    found = [numbers.setdefault(collapse(path, blank), len(numbers)) for path in paths]
    return list(numbers), np.array(found, dtype=np.int64)


def text_probs(log_probs: FloatArray, blank: int) -> dict[TokenIds, float]:
    """Return the probability of every text that some path spells, by trying all C ** T paths.

    Texts of probability 0 are left out.
    """
    frames, classes = log_probs.shape
    texts, text_of_path = _all_paths(frames, classes, blank)
    path_probs = np.ones(1)
    for row in np.exp(log_probs.astype(np.float64)):
        path_probs = (path_probs[:, None] * row).reshape(-1)
    totals = np.bincount(text_of_path, weights=path_probs, minlength=len(texts)).tolist()
    return {text: total for text, total in zip(texts, totals, strict=True) if total > 0}


def path_log_probs(log_probs: FloatArray, blank: int) -> dict[TokenIds, float]:
    """Return the log-probability of the likeliest path of every text, by trying all C ** T paths.

    Texts that no path of a probability above 0 spells are left out.
    """
    frames, classes = log_probs.shape
    texts, text_of_path = _all_paths(frames, classes, blank)
    values = np.zeros(1)
    for row in log_probs.astype(np.float64):
        values = (values[:, None] + row).reshape(-1)
    best = np.full(len(texts), -np.inf)
    np.maximum.at(best, text_of_path, values)
    return {text: top for text, top in zip(texts, best.tolist(), strict=True) if top > -math.inf}


def alignments(
    log_probs: FloatArray, token_ids: Sequence[int], blank: int
) -> dict[TokenIds, float]:
    """Return each possible `timesteps` of a text with the log-probability of its best path.

    Timesteps are the first frame of each token; all C ** T paths are tried.
    """
    frames, classes = log_probs.shape
    text = tuple(token_ids)
    rows = log_probs.astype(np.float64).tolist()
    found: dict[TokenIds, float] = {}
    for path in itertools.product(range(classes), repeat=frames):
        if collapse(path, blank) != text:
            continue
        starts = tuple(t for t, c in enumerate(path) if c != blank and (t == 0 or path[t - 1] != c))
        value = math.fsum(row[c] for row, c in zip(rows, path, strict=True))
        if value > found.get(starts, -math.inf):
            found[starts] = value
    return found


def text_log_prob(log_probs: FloatArray, token_ids: Sequence[int], blank: int) -> float:
    """Return the log-probability of a text by the forward pass, in logarithms throughout.

    Graves et al. (ICML 2006), section 4.1, on the text with a blank around each token.
    """
    states = [blank]
    for token in token_ids:
        states += [token, blank]
    skips = np.array(
        [i > 1 and states[i] not in (blank, states[i - 2]) for i in range(len(states))]
    )
    alpha = np.full(len(states), -np.inf)
    alpha[0] = 0.0
    for t, row in enumerate(log_probs.astype(np.float64)):
        step = np.concatenate([[-np.inf], alpha[:-1]])
        jump = np.concatenate([[-np.inf, -np.inf], alpha[:-2]])[: len(states)]
        if t == 0:  # the first frame is on the first blank or the first token
            step, jump = np.full(len(states), -np.inf), np.full(len(states), -np.inf)
            step[1:2] = 0.0
        jump = np.where(skips, jump, -np.inf)
        alpha = np.logaddexp(np.logaddexp(alpha, step), jump) + row[states]
    return float(np.logaddexp.reduce(alpha[-2:]))


State = TypeVar("State")


@dataclass(slots=True)
class _Beam(Generic[State]):
    """Probabilities of a prefix, and what a language model knows of it."""

    state: State
    blank: float = 0.0
    token: float = 0.0


@dataclass
class Reference:
    """What a slow search found.

    Attributes
    ----------
    hypotheses : texts and scores (natural log), best first
    closest : the smallest relative gap between a beam that was kept and the first one dropped, or
        between neighbours in the final order; a text may differ from another implementation's
        only where this is tiny
    """

    hypotheses: list[tuple[TokenIds, float]]
    closest: float


def prefix_beam_search(
    log_probs: FloatArray, blank: int, beam_width: int, n_best: int = 1
) -> Reference:
    """Prefix beam search of Hannun et al. (2014) without a language model, on dictionaries.

    Each frame extends every prefix by every class, sums what spells the same prefix, and keeps
    the `beam_width` likeliest; of equals the lexicographically smaller. Scores are the log of the
    probability that survived the search.
    """
    classes = [c for c in range(log_probs.shape[1]) if c != blank]
    return search_prefixes(
        log_probs,
        blank,
        beam_width,
        n_best,
        start=None,
        extensions=lambda state: [(c, None) for c in classes],
        weight=lambda state: 1.0,
        finish=lambda text, state: (text, 1.0),
    )


def search_prefixes(
    log_probs: FloatArray,
    blank: int,
    beam_width: int,
    n_best: int,
    *,
    start: State,
    extensions: Callable[[State], list[tuple[int, State]]],
    weight: Callable[[State], float],
    finish: Callable[[TokenIds, State], tuple[TokenIds, float]],
) -> Reference:
    """Search over prefixes, whose states say what may follow and how much they weigh."""
    beams: dict[TokenIds, _Beam[State]] = {(): _Beam(start, blank=1.0)}
    log_scale = 0.0
    closest = math.inf
    for row in np.exp(log_probs.astype(np.float64)).tolist():
        following: dict[TokenIds, _Beam[State]] = {}
        for text, beam in beams.items():
            total = beam.blank + beam.token
            same = following.setdefault(text, _Beam(beam.state))
            same.blank += total * row[blank]
            if text:
                same.token += beam.token * row[text[-1]]
            for token, state in extensions(beam.state):
                prob = (beam.blank if text and text[-1] == token else total) * row[token]
                if prob > 0:
                    longer = (*text, token)
                    if longer not in following:
                        following[longer] = _Beam(state)
                    following[longer].token += prob
        ranked = _ranked(
            {
                text: (beam.blank + beam.token) * weight(beam.state)
                for text, beam in following.items()
            }
        )
        if not ranked:
            return Reference([((), -math.inf)], 0.0)  # all texts tie
        kept = ranked[:beam_width]
        if len(ranked) > beam_width:
            closest = min(closest, _gap(kept[-1][1], ranked[beam_width][1]))
        scale = max(following[text].blank + following[text].token for text, _ in kept)
        log_scale += math.log(scale)
        beams = {text: following[text] for text, _ in kept}
        for beam in beams.values():
            beam.blank /= scale
            beam.token /= scale
    final: dict[TokenIds, float] = {}
    for text, beam in beams.items():
        whole, factor = finish(text, beam.state)
        final[whole] = max(final.get(whole, 0.0), (beam.blank + beam.token) * factor)
    ranked = _ranked(final)
    if not ranked:
        return Reference([((), -math.inf)], 0.0)
    for (_, one), (_, other) in itertools.pairwise(ranked[: n_best + 1]):
        closest = min(closest, _gap(one, other))
    scores = [(text, math.log(value) + log_scale) for text, value in ranked[:n_best]]
    return Reference(scores, closest)


def _ranked(values: dict[TokenIds, float]) -> list[tuple[TokenIds, float]]:
    possible = [(text, value) for text, value in values.items() if value > 0]
    return sorted(possible, key=lambda pair: (-pair[1], pair[0]))


def _gap(larger: float, smaller: float) -> float:
    return (larger - smaller) / larger if larger > 0 else 0.0


@dataclass
class _Words:
    """Where a beam of word beam search stands."""

    open: str = ""
    before: str | None = None
    count: int = 0
    product: float = 1.0
    weight: float = 1.0


@dataclass
class WordModel:
    """Words and bigrams of a corpus, counted the plain way (Scheidl et al., ICFHR 2018).

    Attributes
    ----------
    corpus : text, whose maximal runs of `word_characters` are the words
    word_characters : the characters that words are made of
    smoothing : k, added to each bigram's count
    """

    corpus: str
    word_characters: str
    smoothing: float = 0.0
    words: list[str] = field(init=False)

    def __post_init__(self) -> None:
        letters = set(self.word_characters)
        runs = itertools.groupby(self.corpus, key=lambda c: c in letters)
        self.words = ["".join(run) for is_word, run in runs if is_word]
        self._counts = Counter(self.words)
        self._pairs = Counter(itertools.pairwise(self.words))
        self._below: dict[str, list[str]] = {}
        for word in self._counts:
            for length in range(len(word) + 1):
                self._below.setdefault(word[:length], []).append(word)
        self._forecasts: dict[tuple[str | None, str], float] = {}

    def is_word(self, text: str) -> bool:
        """Whether the corpus has that word."""
        return text in self._counts

    def next_characters(self, prefix: str) -> set[str]:
        """Return the characters that follow `prefix` in some word."""
        return {word[len(prefix)] for word in self._below.get(prefix, []) if word != prefix}

    def completion(self, prefix: str) -> str:
        """Return the only word that begins with `prefix`, or `prefix` where there are several."""
        words = self._below[prefix]
        return words[0] if len(words) == 1 else prefix

    def prob(self, before: str | None, word: str) -> float:
        """Return the unigram probability of `word`, or its bigram probability after `before`."""
        if before is None:
            return self._counts[word] / len(self.words)
        k = self.smoothing
        return (self._pairs[before, word] + k) / (self._counts[before] + k * len(self._counts))

    def forecast(self, before: str | None, prefix: str) -> float:
        """Return the probability that the next word begins with `prefix`, 1 at most."""
        key = before, prefix
        if key not in self._forecasts:
            total = math.fsum(self.prob(before, word) for word in self._below[prefix])
            self._forecasts[key] = min(total, 1.0)
        return self._forecasts[key]


def word_beam_search(
    log_probs: FloatArray,
    tokens: Sequence[str],
    blank: int,
    model: WordModel,
    *,
    mode: str = "Words",
    beam_width: int = 25,
    n_best: int = 1,
    complete_last_word: bool = True,
    score_last_word: bool = False,
    word_separator: str | None = " ",
) -> Reference:
    """Word beam search of Scheidl et al. (ICFHR 2018), on dictionaries, with exact forecasts.

    A beam's state is all the ways to cut its text into words, by open word and the word before it;
    there is more than one only without separators.

    Parameters
    ----------
    tokens : C strings of one character, the blank's ignored
    mode : one of `MODES`; the last equals NGramsForecast, since forecasts are exact
    complete_last_word : finish an open word that only one word begins with, if there is no way to
        cut the text into whole words
    score_last_word : score an open word at the end as if a separator followed; one that is no
        word and is not completed, by its forecast
    word_separator : None if a word may directly follow another; else any character may stand
        between two that is no word character, and one must
    """
    letters = set(model.word_characters)
    token_ids = {token: i for i, token in enumerate(tokens) if i != blank}
    separators = [(i, token) for token, i in token_ids.items() if token not in letters]
    forecasting = mode in ("NGramsForecast", "NGramsForecastAndSample")

    def closed(state: _Words) -> _Words:
        """Return the state after the open word."""
        if not state.open:
            return state
        if mode == "Words":
            return _Words()
        count = state.count + 1
        product = state.product * model.prob(state.before, state.open)
        return _Words("", state.open, count, product, product ** (1 / count))

    def opened(state: _Words, character: str) -> _Words:
        word = state.open + character
        weight = state.weight
        if forecasting:
            product = state.product * model.forecast(state.before, word)
            weight = product ** (1 / (state.count + 1))
        return _Words(word, state.before, state.count, state.product, weight)

    @functools.cache
    def successors(prefix: str) -> list[tuple[int, str]]:
        following = model.next_characters(prefix)
        return [(i, token) for token, i in token_ids.items() if token in following]

    def extensions(states: list[_Words]) -> list[tuple[int, list[_Words]]]:
        found: dict[int, dict[tuple[str, str | None], _Words]] = {}

        def add(token: int, state: _Words) -> None:
            same = found.setdefault(token, {})
            key = state.open, state.before
            if key not in same or state.weight > same[key].weight * _ROUNDING:
                same[key] = state

        for state in states:
            for i, token in successors(state.open):
                add(i, opened(state, token))
            if not state.open or model.is_word(state.open):
                after = closed(state)
                for i, _ in separators:
                    add(i, after)
                if word_separator is None and state.open:
                    for i, token in successors(""):
                        add(i, opened(after, token))
        return [(token, list(same.values())) for token, same in found.items()]

    def weight(states: list[_Words]) -> float:
        return max(state.weight for state in states)

    def last_weight(state: _Words) -> float:
        if not (score_last_word and state.open) or mode == "Words":
            return state.weight
        if model.is_word(state.open):
            return closed(state).weight
        product = state.product * model.forecast(state.before, state.open)
        last: float = product ** (1 / (state.count + 1))
        return last

    def finish(text: TokenIds, states: list[_Words]) -> tuple[TokenIds, float]:
        ranked = [(last_weight(state), state.open) for state in states]
        if complete_last_word:
            whole = [
                (value, word)
                for value, word in ranked
                if value > 0 and (not word or model.is_word(word))
            ]
            ranked = whole or ranked
        best, word = ranked[0]
        for value, other in ranked[1:]:
            if value > best * _ROUNDING:
                best, word = value, other
        if complete_last_word and word:
            text += tuple(token_ids[c] for c in model.completion(word)[len(word) :])
        return text, best

    return search_prefixes(
        log_probs,
        blank,
        beam_width,
        n_best,
        start=[_Words()],
        extensions=extensions,
        weight=weight,
        finish=finish,
    )


def token_passing(
    log_probs: FloatArray, blank: int, words: Iterable[TokenIds], separator: int | None = None
) -> tuple[list[TokenIds], float]:
    """Token passing of Graves et al. (PAMI 2009) without a language model, word by word.

    Returns the words of the likeliest path that spells some, the separator between two, and the
    log-probability of that path; without any such path no words, and -inf. No word may hold the
    separator.
    """
    lexicon = sorted(words)
    history = tuple[TokenIds, ...]
    # The best score and history at each place: (word, tokens of it, whether in a blank after
    # them); the place before the first word, and behind a separator, is (), then the blank.
    places: dict[Any, tuple[float, history]] = {((), True): (0.0, ())}

    def ends() -> list[tuple[int, bool, float, history]]:
        return [
            (place[0][-1], place[2], score, said)
            for place, (score, said) in places.items()
            if len(place) == 3 and place[1] == len(place[0])
        ]

    for row in log_probs.astype(np.float64).tolist():
        moves: list[tuple[Any, float, history]] = []
        for place, (score, said) in places.items():
            moves.append(((*place[:-1], True), score + row[blank], said))
            if len(place) == 2:
                if not place[1]:  # the separator goes on
                    moves.append((place, score + row[separator or 0], said))
                moves += [
                    ((word, 1, False), score + row[word[0]], (*said, word)) for word in lexicon
                ]
                continue
            word, spelled, in_blank = place
            if not in_blank:
                moves.append((place, score + row[word[spelled - 1]], said))
            if spelled < len(word) and (in_blank or word[spelled] != word[spelled - 1]):
                moves.append(((word, spelled + 1, False), score + row[word[spelled]], said))
        for last, in_blank, score, said in ends():
            if separator is not None:
                moves.append((((), False), score + row[separator], said))
                continue
            moves += [
                ((word, 1, False), score + row[word[0]], (*said, word))
                for word in lexicon
                if in_blank or word[0] != last
            ]
        places = {}
        for place, score, said in moves:
            if score > places.get(place, (-math.inf, ()))[0]:
                places[place] = score, said
    best = max(((score, said) for _, _, score, said in ends()), default=(-math.inf, ()))
    return list(best[1]), best[0]
