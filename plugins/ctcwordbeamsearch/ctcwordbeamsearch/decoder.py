"""The decoder `wordbeamsearch`."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from ctckit import BeamDecoder, InvalidValueError, MatrixBatch, SearchResult, option
from ctckit.language import (
    Lexicon,
    WordBigrams,
    default_word_characters,
    read_corpus,
    split_words,
)

COMPLETES = "the last word is completed even where the matrix has no room for its end"
MODES = ("Words", "NGrams", "NGramsForecast", "NGramsForecastAndSample")


class WordBeamSearch(BeamDecoder):
    """Write words of a corpus only, with anything between them, and rank by their bigrams.

    Word beam search of Scheidl, Fiel and Sablatnig (ICFHR 2018). Words are the maximal runs of
    word characters in the corpus, case-sensitive. Inside a word only what continues it to a word
    of the corpus may follow; between words every other character may, unscored, and one must.
    Where `word_separator` is None, for scripts without spaces, none must, and a text counts by the
    best way to cut it into words of the corpus, in which words are separated all the same.

    A prefix is ranked by the probability p of its alignments times its text's: 1 (Words), or the
    geometric mean of its words' probabilities (NGrams), the open word's among them, summed over
    the words that it may become (NGramsForecast). The first word has its unigram probability,
    count / N, the others (count + k) / (count(before) + k * V), with V different words and k the
    smoothing. The sum is cheap to have exactly, so that NGramsForecastAndSample, which estimates it
    from 20 random words in the original, is the same as NGramsForecast here.

    The score is the natural log of what the winner was ranked by. Prefixes less than 1e-200
    times as likely as the likeliest are dropped. Where a frame allows nothing above exp(-700), or
    all that is left runs into a dead end, the score is -inf.
    """

    corpus: Path | Collection[str] = option(help="UTF-8 text file whose words may be written.")
    mode: str = option("Words", choices=MODES, help="How the words are scored.")
    smoothing: float = option(0.0, minimum=0.0, help="Added to each bigram's count.")
    word_characters: str | None = option(
        None, help="Characters that words are made of; by default the letters and apostrophe."
    )
    word_separator: str | None = option(
        " ",
        help="Token that separates words, as every other does that is no word character; None "
        "where words follow each other directly.",
    )
    complete_last_word: bool = option(
        True, help="Complete the last word where only one word begins like it."
    )
    score_last_word: bool = option(
        False, help="Score the last word as the others, though nothing follows it."
    )

    def prepare(self) -> None:
        """Read the corpus, and load the kernel."""
        characters = self._checked_word_characters()
        self._check_word_separator(characters)
        words = split_words(self._corpus_text(), characters)
        if not words:
            corpus = self.corpus
            given = repr(str(corpus)) if isinstance(corpus, Path) else reprlib.repr(corpus)
            raise InvalidValueError(
                f"corpus must share word characters with the alphabet, got {given} "
                f"without any of {characters!r}; give another corpus, or word_characters"
            )
        # Kernels load from here on, after what may be wrong with the arguments.
        from ctcwordbeamsearch.prefixes import UNUSED

        self._kernel = self._load_kernel()
        self.scores_are_log_probs = self.mode == "Words" and not self.complete_last_word
        if self.complete_last_word:
            self.known_failings = {"impossible-classes": COMPLETES}

        lexicon = Lexicon(words, self.alphabet)
        bigrams = WordBigrams(words, lexicon)
        self._longest_word = lexicon.longest
        kinds = np.zeros(len(self.alphabet), dtype=np.uint8)
        for token, index in self.alphabet.token_ids.items():
            kinds[index] = set(token) <= set(characters)
        bits, exact = lexicon.bits.copy(), lexicon.exact_bits
        unused = np.setdiff1d(np.flatnonzero(kinds), lexicon.token[1:])
        kinds[unused] = UNUSED
        others = [i for i in self.alphabet.token_ids.values() if not kinds[i]]
        for rank, index in enumerate(others):
            bits[index] = rank % 64
        self._language = (
            kinds,
            bits,
            exact and len(others) <= 64,
            lexicon.nodes,
            lexicon.token,
            lexicon.word_end,
            bigrams.counts,
            bigrams.unigrams,
            bigrams.row_start,
            bigrams.second,
            bigrams.cumulated,
        )

    def _corpus_text(self) -> str:
        if isinstance(self.corpus, Path):
            return read_corpus(self.corpus)
        wrong = [one for one in self.corpus if not isinstance(one, str)]
        if wrong:
            raise InvalidValueError(
                f"corpus must hold strings, got {reprlib.repr(wrong[0])}; give a list of texts"
            )
        return "\n".join(self.corpus)

    def _checked_word_characters(self) -> str:
        if self.word_characters is None:
            characters = default_word_characters(self.alphabet)
            if not characters:
                raise InvalidValueError(
                    "word_characters must be given, since the alphabet holds no letter, got None; "
                    "name the characters that words are made of"
                )
            return characters
        if not self.word_characters:
            raise InvalidValueError(
                "word_characters must hold at least one character, got ''; "
                "leave the option out for the alphabet's letters and apostrophe"
            )
        known = set("".join(self.alphabet.token_ids))
        missing = sorted(set(self.word_characters) - known)
        if missing:
            raise InvalidValueError(
                f"word_characters must be in the alphabet, got {''.join(missing)!r}, which is not; "
                "leave it out, or use the alphabet that the matrices were made with"
            )
        return self.word_characters

    def _check_word_separator(self, characters: str) -> None:
        separator = self.word_separator
        if separator is None or "word_separator" not in self.given_options:
            return  # an alphabet may lack the space, as long as nobody asks for it
        if separator not in self.alphabet.token_ids:
            raise InvalidValueError(
                f"word_separator must be one of the alphabet's tokens or None, got {separator!r}; "
                "give None if words follow each other directly"
            )
        if set(separator) <= set(characters):
            raise InvalidValueError(
                f"word_separator must not be made of word characters, got {separator!r}; "
                "name the others by word_characters"
            )

    def _load_kernel(self) -> Callable[..., int]:
        if self.word_separator is None:
            from ctcwordbeamsearch.unseparated import unseparated_beam_search

            return unseparated_beam_search
        from ctcwordbeamsearch.kernels import word_beam_search

        return word_beam_search

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        return self.run_kernel(
            self._kernel,
            batch,
            n_best,
            min(MODES.index(self.mode), 2),
            self.smoothing,
            self.complete_last_word,
            self.score_last_word,
            *self._language,
            longer=self._longest_word,  # a completed word may be longer than the matrix
        )
