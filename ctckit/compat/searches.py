"""The searches that torchaudio's arguments ask for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ctckit.compat.spelledsearch import SpelledBeamSearch, WordReader
from ctckit.compat.spellings import Spellings, Tokens, lines_of
from ctckit.decoders.beam import BeamDecoder
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.errors import InvalidValueError
from ctckit.language.ngrams import NGramModel


def search_words(
    path: Path,
    tokens: Tokens,
    lm_dict: str | Path | None,
    options: dict[str, Any],
    word_score: float,
    unk_score: float,
    unk_word: str,
) -> tuple[BeamDecoder, WordReader]:
    """Return the search of a lexicon's words, and what reads them in what it finds."""
    spellings = Spellings(path, tokens)
    _check_words(spellings, path, lm_dict)
    any_word = unk_score != -math.inf
    if any_word and unk_score > word_score:
        raise InvalidValueError(
            f"unk_score must be at most word_score ({word_score:g}), got {unk_score:g}; "
            "lower it: a word that the lexicon lacks must not be better than one that it has"
        )
    # There an unknown word gets unk_score in place of word_score, here beside it.
    unknown_score = unk_score - word_score if any_word else 0.0
    search = SpelledBeamSearch(
        tokens.alphabet(),
        lexicon=spellings.words_of,
        word_separator=spellings.separator,
        word_characters=tokens.letters,
        word_bonus=word_score,
        open_vocabulary=any_word,
        unknown_score=unknown_score,
        **options,
    )
    model = None
    if options["lm"] is not None and options["lm_weight"] > 0:
        model = NGramModel.load(options["lm"])
    reader = WordReader(
        spellings.words_of,
        None if tokens.silence == tokens.blank else tokens.symbols[tokens.silence],
        separated=spellings.separator is not None,
        unknown=unk_word if any_word else None,
        model=model,
        lm_weight=options["lm_weight"],
        word_bonus=word_score,
        unknown_score=unknown_score,
    )
    return search, reader


def search_tokens(
    tokens: Tokens, lm_dict: str | Path | None, options: dict[str, Any]
) -> BeamDecoder:
    """Return the search without a lexicon, whose model is one of tokens."""
    if options["lm"] is None:
        del options["lm"]
        return BeamSearch(tokens.alphabet(), **options)
    names = tokens.names
    if lm_dict is not None:
        names = [line.split()[0] for _, line in lines_of("lm_dict", Path(lm_dict))]
        if len(names) < len(tokens):
            raise InvalidValueError(
                f"lm_dict must name each of the {len(tokens)} tokens in their order, got "
                f"{len(names)} names in '{lm_dict}'; without a lexicon the model is one of tokens"
            )
    return BeamSearch(tokens.alphabet(names[: len(tokens)]), **options)


def _check_words(spellings: Spellings, path: Path, lm_dict: str | Path | None) -> None:
    """Refuse words of the lexicon that are not in the dictionary of the model."""
    if lm_dict is None:
        return
    known = {name for _, line in lines_of("lm_dict", Path(lm_dict)) for name in line.split()}
    lacking = next((word for word in spellings.words() if word not in known), None)
    if lacking is not None:
        raise InvalidValueError(
            f"lm_dict must hold all words of the lexicon, got {lacking!r} in '{path}', which it "
            f"lacks; add it, or leave lm_dict out"
        )
