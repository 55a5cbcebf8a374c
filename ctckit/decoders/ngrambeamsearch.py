"""The decoder `ngrambeamsearch`."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ctckit.decoders.beam import BeamDecoder
from ctckit.decoders.language import PARTS, ClassKinds, WordRules, WordSearch
from ctckit.decoders.options import option
from ctckit.errors import InvalidValueError, warn_user
from ctckit.hypotheses import SearchResult
from ctckit.language.corpus import SPACE, default_word_characters
from ctckit.language.items import read_item_lexicons
from ctckit.language.lexicon import Lexicon
from ctckit.language.ngrams import NGramModel
from ctckit.language.phrases import HotPhrases, read_phrases
from ctckit.language.tables import LanguageTables
from ctckit.matrices import MatrixBatch


class NGramBeamSearch(BeamDecoder):
    """Write words of a lexicon, or any words, and rank texts by an n-gram model of words.

    Prefix beam search of Hannun et al. (arXiv 1408.2873, 2014) over the words of a lexicon, which
    by default are those of the model. The score of a text is the log-probability of its alignments
    that the search gathered (``matrix``), plus lm_weight times the natural log of its words'
    probability (``lm``), plus word_bonus for each word and unknown_score for each that the lexicon
    lacks (``words``), plus what hot phrases weigh (``boost``). An open word counts by the
    probability of all words that it may become.

    Characters that are no word characters may stand between words, unscored, unless the lexicon
    has them as words. With an open vocabulary words that the lexicon lacks are written too, and
    have the probability of the model's ``<unk>``. Prefixes less than 1e-200 times as likely as the
    likeliest are dropped. Where no word ends in time, the last one is completed, and the score is
    -inf.
    """

    at_least_one = ("lexicon", "lm", "item_lexicons", "hot_phrases")
    score_parts = PARTS

    lm: Path | None = option(None, help="N-gram model of words, an ARPA file.")
    lexicon: Path | Collection[str] | None = option(
        None, help="File of the words that may be written, one a line; by default the model's."
    )
    item_lexicons: Path | Mapping[str, Collection[str]] | None = option(
        None,
        help="Lexica of single matrices: a .csv file with columns id and lexicon (words, spaces "
        "between), or .jsonl.",
    )
    open_vocabulary: bool = option(False, help="Write words that the lexicon lacks, too.")
    lm_weight: float = option(0.5, minimum=0.0, help="Of the model's log-probabilities.")
    word_bonus: float | None = option(
        None, help="Added for each word; by default 1.5 with a model, else 0."
    )
    unknown_score: float = option(
        -10.0, maximum=0.0, help="Added for each word that the lexicon lacks."
    )
    hot_phrases: Path | Collection[str] | None = option(
        None, help="File of phrases to prefer, one a line, perhaps with a tab and a weight."
    )
    hot_weight: float = option(10.0, help="Of hot phrases without a weight.")
    word_separator: str | None = option(
        " ", help="Token between words; none where words follow each other directly."
    )
    word_characters: str | None = option(
        None, help="Characters that words are made of; by default the letters and apostrophe."
    )
    score_boundaries: bool = option(
        True, help="Score the start and the end of a text as a sentence's."
    )

    beam_threshold: float | None = option(
        10.0, minimum=0.0, help="Prefixes whose score is this far below the best one's are dropped."
    )

    def prepare(self) -> None:
        """Read the model, the lexicon and the phrases, and load the kernel."""
        characters = self._checked_word_characters()
        self._check_separator(characters)
        automaton = None
        self._more: list[str] = []
        if self.hot_phrases is not None:
            phrases = read_phrases(self.hot_phrases, self.hot_weight)
            automaton = HotPhrases(phrases, self.alphabet, characters, self.word_separator)
            self._more = [word for phrase in phrases for word in self._words_of(phrase)]
        self._items: dict[str, list[str]] | None = None
        if self.item_lexicons is not None:
            self._items = read_item_lexicons(self.item_lexicons)
        model = None if self.lm is None else self._checked_model(self.lm)
        bonus = self.word_bonus
        if bonus is None:
            bonus = 1.5 if model is not None else 0.0
        self._rules = WordRules(
            characters,
            self.word_separator,
            self.open_vocabulary,
            self.lm_weight,
            bonus,
            self.unknown_score if self.open_vocabulary else 0.0,
            self.score_boundaries,
            beam_threshold=self.beam_threshold,
        )
        self._automaton = automaton
        self._classes = self._kinds()
        base = self._base_words(model)
        self._everything = self._all_words(base)
        # A weight of 0 takes the model out, even where it says -inf.
        use_model = model is not None and self.lm_weight > 0
        self._tables = self._tables_of(model) if model is not None and use_model else None
        self._search = None if base is None else self._search_with(base)

    def _kinds(self) -> ClassKinds:
        return ClassKinds.of(self.alphabet, self._rules)

    def _checked_model(self, path: Path) -> NGramModel:
        model = NGramModel.load(path)
        if self.word_separator is not None and SPACE in model:
            raise InvalidValueError(
                f"lm must be a model of words, got '{path}', a model of characters; make one with "
                "ctckit lm train, without --characters, or use beamsearch"
            )
        return model

    def _tables_of(self, model: NGramModel) -> LanguageTables:
        words = self._everything.words
        tables = LanguageTables(model, model.words.numbers(words, unknown=-1))
        if tables.known == 0:
            examples = ", ".join(repr(one) for one in words[:3])
            warn_user(
                f"lm knows none of the {len(words)} words of the lexicon, such as {examples}: all "
                "count as unknown; check that they belong together"
            )
        return tables

    def _search_with(self, lexicon: Lexicon) -> WordSearch:
        tables = self._tables
        if tables is not None and lexicon is not self._everything:
            tables = tables.seen_by(self._everything.numbers(lexicon.words))
        return WordSearch(
            self.alphabet, lexicon, self._rules, tables, self._automaton, self._classes
        )

    def _checked_word_characters(self) -> str:
        known = set("".join(self.alphabet.token_ids))
        if self.word_characters is None:
            characters = default_word_characters(self.alphabet)
            separator = self.word_separator or ""
            characters = "".join(one for one in characters if one not in separator)
        else:
            characters = self.word_characters
            missing = sorted(set(characters) - known)
            if missing:
                raise InvalidValueError(
                    f"word_characters must be in the alphabet, got {''.join(missing)!r}, which is "
                    "not; leave it out, or use the alphabet that the matrices were made with"
                )
        if not characters:
            raise InvalidValueError(
                "word_characters must hold a character of the alphabet, got none; "
                "name the characters that words are made of"
            )
        return characters

    def _check_separator(self, characters: str) -> None:
        separator = self.word_separator
        if separator is None or "word_separator" not in self.given_options:
            return  # by default an alphabet may lack it: matrices of single words
        if separator and set(separator) <= set(characters):
            raise InvalidValueError(
                f"word_separator must not be made of word characters, got {separator!r}; "
                "name the others by word_characters"
            )
        if separator and any(token.startswith(separator) for token in self.alphabet.token_ids):
            return
        raise InvalidValueError(
            f"word_separator must be a token of the alphabet or begin one, got {separator!r}; "
            "give the token that stands between words, or None where none does"
        )

    def _base_words(self, model: NGramModel | None) -> Lexicon | None:
        """Return the lexicon of matrices that have none of their own, if there is any."""
        words: Iterable[str]
        if isinstance(self.lexicon, Path):
            lexicon = Lexicon.from_file(
                self.lexicon, self.alphabet, all_spellings=True, word_mark=self.word_separator
            )
            _warn_of_lost(lexicon, "lexicon")
            if (lexicon.numbers(self._more) >= 0).all():
                return lexicon
            words = lexicon.words
        elif self.lexicon is not None:
            words = self.lexicon
            wrong = [word for word in words if not isinstance(word, str)]
            if wrong:
                raise InvalidValueError(
                    f"lexicon must hold strings, got {wrong[0]!r}; write each word as one"
                )
        elif model is not None:
            special = {model.unknown, model.begin, model.end}
            words = [word for i, word in enumerate(model.words) if i not in special]
        elif self._items is not None:
            return None
        else:
            words = ()
        lexicon = self._lexicon(words)
        _warn_of_lost(lexicon, "lexicon")
        return lexicon

    def _all_words(self, base: Lexicon | None) -> Lexicon:
        """Return one numbering for all lexica, so that the model's tables are made once."""
        if self._items is None and base is not None:
            return base
        words = [word for item in (self._items or {}).values() for word in item]
        everything = self._lexicon([*(base.words if base is not None else ()), *words])
        _warn_of_lost(everything, "item lexica")
        self._check_items(everything)
        return everything

    def _check_items(self, everything: Lexicon) -> None:
        """Refuse lexica of single matrices of which the alphabet cannot spell a word."""
        for name, words in (self._items or {}).items():
            if (everything.numbers([*words, *self._more]) < 0).all():
                examples = ", ".join(map(repr, words[:3]))
                raise InvalidValueError(
                    "item_lexicons must hold some word for each id that the alphabet can spell, "
                    f"got {examples} for {name!r}; leave the id out, or check its words"
                )

    def _lexicon(self, words: Iterable[str]) -> Lexicon:
        """Return a lexicon of words and those of the hot phrases."""
        return Lexicon(
            itertools.chain(words, self._more),
            self.alphabet,
            all_spellings=True,
            word_mark=self.word_separator,
        )

    def _words_of(self, phrase: str) -> list[str]:
        return phrase.split() if self.word_separator is not None else [phrase.replace(" ", "")]

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        if self._items is None and self._search is not None:
            return self._search.run(self, batch, n_best)
        edges = [i for i in range(len(batch)) if self._starts_run(batch, i)] + [len(batch)]
        results = [
            self._search_of(batch.ids[start]).run(self, batch[start:stop], n_best)
            for start, stop in itertools.pairwise(edges)
        ]
        if not results:
            nothing = SearchResult.from_lists([], [])
            return replace(nothing, parts={name: np.zeros(0) for name in PARTS})
        return SearchResult.concatenate(results)

    def _starts_run(self, batch: MatrixBatch, i: int) -> bool:
        """Return whether a matrix has not the same lexicon as the one before."""
        items = self._items or {}
        return i == 0 or batch.ids[i] in items or batch.ids[i - 1] in items

    def _search_of(self, name: str) -> WordSearch:
        """Return the search with the lexicon of a matrix."""
        if self._items is not None and name in self._items:
            return self._search_with(self._lexicon(self._items[name]))
        if self._search is None:
            raise InvalidValueError(
                f"item_lexicons must hold every matrix if there is no lexicon, got none for "
                f"{name!r}; add it, or give a lexicon for all others"
            )
        return self._search


def _warn_of_lost(lexicon: Lexicon, whose: str) -> None:
    """Warn of the words that the alphabet cannot spell."""
    if lexicon.lost:
        total = lexicon.lost + len(lexicon)
        examples = ", ".join(repr(one) for one in lexicon.lost_examples)
        warn_user(
            f"{lexicon.lost} of {total} words of the {whose} ({lexicon.lost / total:.1%}) "
            f"cannot be spelled in the alphabet and are left out, such as {examples}"
        )
