"""The searches that torchaudio's arguments ask for, and what they find."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.compat.renaming import renamed
from ctckit.compat.torchaudio.emissions import Array, normalizers
from ctckit.compat.torchaudio.silences import with_single_silences
from ctckit.compat.torchaudio.spelled import SpelledBeamSearch, WordReader
from ctckit.compat.torchaudio.spellings import Spellings, Tokens, lines_of, symbol_of
from ctckit.decoders.beam import BeamDecoder
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.errors import InvalidValueError
from ctckit.hypotheses import DecodedBatch, SearchResult
from ctckit.language.corpus import SPACE
from ctckit.language.ngrams import NGramModel
from ctckit.matrices import MatrixBatch


@dataclass(frozen=True)
class Found:
    """What was found in matrices, best first.

    Attributes
    ----------
    batch : the matrices, their classes the tokens
    decoded : the texts
    words : of each line and text
    norms : of each matrix what its emissions sum to above its log-probabilities
    """

    batch: MatrixBatch
    decoded: DecodedBatch
    words: list[list[list[str]]]
    norms: list[float]


@dataclass(frozen=True)
class Search:
    """A decoder over tokens and their variants.

    Attributes
    ----------
    decoder : its classes are the tokens, then variants
    reader : of the words of what it finds
    bases : of each class the token; None: there are no variants
    direct : whether words may follow each other directly
    """

    decoder: BeamDecoder
    reader: WordReader | None = None
    bases: Array | None = None
    direct: bool = False

    def find(self, emissions: Array, tokens: Tokens, lengths: Any, n_best: int) -> Found:
        """Decode emissions (B, T, C) of some lengths."""
        wide = emissions if self.bases is None else emissions[:, :, self.bases]
        with renamed("logits", "emissions", "check the network"):
            batch = MatrixBatch.from_logits(wide, self.decoder.alphabet, lengths)
        # A token need not have a blank before it if the one before is its variant. Between two
        # words that follow each other this is wrong, and made good by what a text really has.
        exact = self.direct and self.bases is not None
        # Of those that are found some cannot be read, if variants are in words of any spelling.
        any_word = self.bases is not None and self.reader is not None and self.reader.unknown
        most = self.decoder.beam_width if exact or any_word or n_best > 1 else 1
        decoded = self.decoder.decode_batch(batch, n_best=most)
        scores, norms, ids = decoded.scores, normalizers(wide, batch), decoded.token_ids
        if self.bases is not None:
            batch = MatrixBatch.from_logits(emissions, tokens.alphabet(), lengths)
            ids = self.bases[ids].astype(np.int32)
        if exact:
            result = SearchResult(ids, decoded.token_offsets, decoded.hypothesis_offsets)
            scores = _with_exact_matrix(decoded, DecodedBatch(batch, result).log_probs)
            norms = normalizers(emissions, batch)
        chosen = self._different(decoded, ids, scores, tokens.silence, n_best)
        result = SearchResult.from_lists(
            [[text for text, _, _ in line] for line in chosen],
            [[score for _, score, _ in line] for line in chosen],
        )
        words = [[words for _, _, words in line] for line in chosen]
        return Found(batch, DecodedBatch(batch, result), words, norms)

    def _different(
        self, decoded: DecodedBatch, ids: Array, scores: Array, silence: int, n_best: int
    ) -> list[list[tuple[list[int], float, list[str]]]]:
        """Return tokens, score and words of the best texts, which differ not in silences alone.

        ids, scores : in place of those of `decoded`
        """
        offsets = decoded.token_offsets.tolist()
        chosen = []
        for first, last in itertools.pairwise(decoded.hypothesis_offsets.tolist()):
            line: dict[Hashable, tuple[list[int], float, list[str]]] = {}
            seen = set()
            rows = sorted(range(first, last), key=lambda row: -scores[row])
            for row in rows:
                if len(line) == n_best or (line and scores[row] == -np.inf):
                    break
                place = slice(*offsets[row : row + 2])
                text, varied = ids[place].tolist(), decoded.token_ids[place].tolist()
                key = with_single_silences(varied, silence)
                words = None if key in seen else self._words(varied)
                seen.add(key)
                if words is not None:
                    bare = with_single_silences(text, silence), tuple(words)
                    line.setdefault(bare, (text, float(scores[row]), words))
            if not line:
                text = ids[slice(*offsets[rows[0] : rows[0] + 2])].tolist()
                line[()] = text, float(scores[rows[0]]), self._words(text) or []
            chosen.append(list(line.values()))
        return chosen

    def _words(self, ids: list[int]) -> list[str] | None:
        """Return the words of tokens and variants, None if they cannot be read as words."""
        if self.reader is None:
            return []
        return self.reader.words("".join(map(symbol_of, ids)))


def _with_exact_matrix(decoded: DecodedBatch, log_probs: Array) -> Array:
    """Return the scores with the texts' log-probabilities in place of what the search gathered."""
    gathered = (decoded.parts or {})["matrix"]
    with np.errstate(invalid="ignore"):
        scores = decoded.scores - gathered + log_probs
    return np.where(np.isfinite(decoded.scores), scores, -np.inf)


def search_words(
    path: Path,
    tokens: Tokens,
    lm_dict: str | Path | None,
    options: dict[str, Any],
    word_score: float,
    unk_score: float,
    unk_word: str,
) -> Search:
    """Return the search of a lexicon's words."""
    use_model = options["lm"] is not None and options["lm_weight"] > 0
    # Without a model, nothing tells words apart that are spelled alike.
    spellings = Spellings(path, tokens, alike=use_model)
    _check_words(spellings, path, lm_dict)
    any_word = unk_score != -math.inf
    if any_word and unk_score > word_score:
        raise InvalidValueError(
            f"unk_score must be at most word_score ({word_score:g}), got {unk_score:g}; "
            "lower it: a word that the lexicon lacks must not be better than one that it has"
        )
    # There an unknown word gets unk_score in place of word_score, here beside it.
    unknown_score = unk_score - word_score if any_word else 0.0
    special = (tokens.blank, tokens.silence)
    letters = [symbol_of(i) for i in range(len(spellings.bases)) if i not in special]
    decoder = SpelledBeamSearch(
        tokens.alphabet(len(spellings.bases)),
        tokens=len(tokens),
        lexicon=spellings.word_of,
        word_separator=spellings.separator,
        word_characters="".join(letters),
        word_bonus=word_score,
        open_vocabulary=any_word,
        unknown_score=unknown_score,
        **options,
    )
    reader = WordReader(
        spellings.word_of,
        None if tokens.silence == tokens.blank else symbol_of(tokens.silence),
        separated=spellings.separator is not None,
        variants=[symbol_of(i) for i in range(len(tokens), len(spellings.bases))],
        unknown=unk_word if any_word else None,
        model=NGramModel.load(options["lm"]) if use_model else None,
        lm_weight=options["lm_weight"],
        word_bonus=word_score,
        unknown_score=unknown_score,
    )
    varied = len(spellings.bases) > len(tokens)
    bases = np.array(spellings.bases) if varied else None
    return Search(decoder, reader, bases, spellings.separator is None)


def search_tokens(tokens: Tokens, lm_dict: str | Path | None, options: dict[str, Any]) -> Search:
    """Return the search without a lexicon, whose model is one of tokens."""
    if options["lm"] is None:
        return Search(BeamSearch(tokens.alphabet(), **options))
    names = list(tokens.names)
    if lm_dict is None and tokens.silence != tokens.blank and " " not in names:
        model = NGramModel.load(options["lm"])
        if names[tokens.silence] not in model and SPACE in model:
            names[tokens.silence] = " "  # as it is in models of ctckit lm train --characters
    if lm_dict is not None:
        names = [line.split()[0] for _, line in lines_of("lm_dict", Path(lm_dict))]
        if len(names) < len(tokens):
            raise InvalidValueError(
                f"lm_dict must name each of the {len(tokens)} tokens in their order, got "
                f"{len(names)} names in '{lm_dict}'; without a lexicon the model is one of tokens"
            )
    return Search(BeamSearch(Alphabet(names[: len(tokens)], tokens.blank), **options))


def _check_words(spellings: Spellings, path: Path, lm_dict: str | Path | None) -> None:
    """Refuse words of the lexicon that are not in the dictionary of the model."""
    if lm_dict is None:
        return
    known = {name for _, line in lines_of("lm_dict", Path(lm_dict)) for name in line.split()}
    lacking = next((word for word in spellings.word_of.values() if word not in known), None)
    if lacking is not None:
        raise InvalidValueError(
            f"lm_dict must hold all words of the lexicon, got {lacking!r} in '{path}', which it "
            f"lacks; add it, or leave lm_dict out"
        )
