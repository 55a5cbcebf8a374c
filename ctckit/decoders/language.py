"""What the decoders with a language model share: the kernel of words, and what it reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.decoders.beam import BeamDecoder
from ctckit.hypotheses import SearchResult
from ctckit.language.lexicon import Lexicon
from ctckit.language.phrases import HotPhrases
from ctckit.language.tables import LanguageTables
from ctckit.matrices import MatrixBatch

PARTS = ("matrix", "lm", "words", "boost")
"""What a score is the sum of."""

NO_TABLES: tuple[npt.NDArray[Any], ...] = (
    *(np.zeros(1, dtype=np.int32) for _ in range(2)),
    *(np.zeros(1, dtype=np.float32) for _ in range(2)),
    np.zeros(1),
    *(np.zeros(1, dtype=np.int32) for _ in range(2)),
    *(np.zeros(1) for _ in range(2)),
    *(np.zeros(1, dtype=np.int32) for _ in range(2)),
)
NO_PHRASES: tuple[npt.NDArray[Any], ...] = (
    np.zeros((1, 8), dtype=np.int64),
    np.zeros((1, 8)),
    *(np.zeros(1, dtype=np.int32) for _ in range(2)),
    np.zeros(1, dtype=np.int64),
    np.zeros(1, dtype=np.uint8),
)


@dataclass(frozen=True)
class WordRules:
    """How words are written and weighed.

    Attributes
    ----------
    word_characters : what words are made of; all other characters may stand between words
    separator : the token between words; None: words follow each other directly
    open_vocabulary : whether words that the lexicon lacks may be written, too
    lm_weight : of the model's log-probabilities
    word_bonus : added for each word
    unknown_score : added for each word that the lexicon lacks
    score_ends : whether the model scores the start and the end of a text
    one_reading : whether a text can be read as words in one way only, whatever the lexicon is
    beam_threshold : how far below the best prefix's score one may be; None: any
    """

    word_characters: str
    separator: str | None
    open_vocabulary: bool = False
    lm_weight: float = 0.0
    word_bonus: float = 0.0
    unknown_score: float = 0.0
    score_ends: bool = True
    one_reading: bool = False
    beam_threshold: float | None = None


class WordSearch:
    """A lexicon, tables and phrases made ready for the kernel `ngram_beam_search`.

    first_state : of the tables, for texts that go on after others; None: as the rules say
    """

    def __init__(
        self,
        alphabet: Alphabet,
        lexicon: Lexicon,
        rules: WordRules,
        tables: LanguageTables | None = None,
        phrases: HotPhrases | None = None,
        classes: ClassKinds | None = None,
        first_state: int | None = None,
    ) -> None:
        from ctckit.kernels.ngrambeamsearch import ngram_beam_search

        self._kernel = ngram_beam_search
        self._longest = lexicon.longest
        self._order = 1 if tables is None else tables.order
        classes = ClassKinds.of(alphabet, rules) if classes is None else classes
        kinds, after, begin = classes.with_lexicon(lexicon, len(alphabet), rules.open_vocabulary)
        spells_apart = bool(((kinds & (SPELLS | SEPARATES)) == SPELLS | SEPARATES).any())
        ambiguous = not rules.one_reading and (rules.separator is None or spells_apart)
        words = np.zeros(0, dtype=np.int64)
        if rules.one_reading and tables is not None and len(alphabet) <= MOST_KEPT:
            words = _word_of_class(alphabet, lexicon, tables)
        score_ends = rules.score_ends and tables is not None and tables.end >= 0
        if first_state is None:
            first_state = tables.first_state if tables is not None and rules.score_ends else 0
        self._arguments = (
            (
                lexicon.nodes,
                lexicon.arc_token,
                lexicon.arc_target,
                lexicon.word_end,
            ),
            (kinds, after, begin, lexicon.bits[: len(alphabet)].copy(), words),
            (
                rules.lm_weight,
                rules.word_bonus,
                rules.unknown_score,
                rules.separator is None,
                rules.open_vocabulary,
                ambiguous,
                tables is not None,
                phrases is not None,
                score_ends,
                0 if tables is None else tables.unknown,
                0 if tables is None else tables.end,
                first_state,
                0.0 if phrases is None else phrases.at_once,
                0.0 if rules.beam_threshold is None else math.exp(-rules.beam_threshold),
            ),
            NO_TABLES if tables is None else tables.columns,
            NO_PHRASES if phrases is None else phrases.columns,
            self._order,
        )

    def run(self, decoder: BeamDecoder, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first, with the parts of their scores."""
        parts = np.empty((len(batch) * n_best, len(PARTS)), dtype=np.float64)
        result = decoder.run_kernel(
            self._kernel, batch, n_best, *self._arguments, parts, longer=self._longest
        )
        found = len(result.token_offsets) - 1
        columns = {name: parts[:found, i].copy() for i, name in enumerate(PARTS)}
        return SearchResult(
            result.token_ids,
            result.token_offsets,
            result.hypothesis_offsets,
            result.scores,
            columns,
        )


SPELLS, SEPARATES, OPEN = 1, 2, 4
"""As in `ctckit.kernels.wordprefixes`."""
MOST_KEPT = 512
"""Classes up to which the probabilities of all next tokens are kept for some contexts."""


@dataclass(frozen=True)
class ClassKinds:
    """What an alphabet's tokens are to words, whichever the lexicon has.

    Attributes
    ----------
    classes : int64; those of the tokens, in the order of the other columns
    tokens : the tokens
    rests : the tokens without the mark that begins words
    marked : bool; whether they have it
    separates : bool; whether nothing of the rest is a word character
    bound : bool; whether only words of the lexicon have it, though others may be written, too
    """

    classes: npt.NDArray[np.int64]
    tokens: list[str]
    rests: list[str]
    marked: npt.NDArray[np.bool_]
    separates: npt.NDArray[np.bool_]
    bound: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, alphabet: Alphabet, rules: WordRules) -> ClassKinds:
        """Find out of an alphabet."""
        tokens = list(alphabet.token_ids)
        characters = set(rules.word_characters)
        mark = rules.separator or ""
        rests = [one if one == mark else one.removeprefix(mark) for one in tokens]
        return cls(
            np.fromiter(alphabet.token_ids.values(), dtype=np.int64, count=len(tokens)),
            tokens,
            rests,
            np.array([one != rest for one, rest in zip(tokens, rests, strict=True)], dtype=bool),
            np.array([characters.isdisjoint(rest) for rest in rests], dtype=bool),
            np.zeros(len(tokens), dtype=bool),
        )

    def with_lexicon(
        self, lexicon: Lexicon, size: int, open_words: bool
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return of each class its bits, the node after it between words, and the word it begins.

        size : how many classes there are
        """
        kinds = np.zeros(size, dtype=np.uint8)
        after, begin = (np.full(size, -1, dtype=np.int64) for _ in range(2))
        # Without arcs of their own nodes have the numbers of those to them, and the root has none.
        used = lexicon.arc_token if len(lexicon.arc_target) else lexicon.arc_token[1:]
        kinds[used] = SPELLS
        anywhere = len(lexicon.nodes) - 1 if open_words else -1
        inside = ~self.separates & ~self.marked & ~self.bound
        kinds[self.classes[self.separates]] |= SEPARATES
        if open_words:
            kinds[self.classes[inside]] |= OPEN
        node = _live_nodes(lexicon, self.rests)
        to = np.where(self.separates | self.bound | (node >= 0), node, anywhere)
        begin[self.classes] = np.where(self.marked, -1, to)
        is_word = lexicon.numbers(self.tokens) >= 0
        between = np.where(self.marked, to, -1)
        after[self.classes] = np.where(self.separates, np.where(is_word, -1, 0), between)
        return kinds, after, begin


def _word_of_class(
    alphabet: Alphabet, lexicon: Lexicon, tables: LanguageTables
) -> npt.NDArray[np.int64]:
    """Return the tables' number of each token, which is a word of the lexicon."""
    known_before, known = tables.columns[-2:]
    words = np.full(len(alphabet), tables.unknown, dtype=np.int64)
    for index, number in zip(
        alphabet.token_ids.values(), lexicon.numbers(alphabet.token_ids), strict=True
    ):
        if known_before[number + 1] > known_before[number]:
            words[index] = known[known_before[number]]
    return words


def _live_nodes(lexicon: Lexicon, texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the node that each text leads to, -1 if no word can be ended after it."""
    nodes = lexicon.nodes_of(texts)
    packed, following = lexicon.nodes[nodes, 1], lexicon.nodes[nodes + 1, 1]
    live = (nodes >= 0) & ((packed & 1 == 1) | (following >> 32 > packed >> 32))
    return np.where(live, nodes, -1)
