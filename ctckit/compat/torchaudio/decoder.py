"""`ctc_decoder`, what it makes, and what that returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ctckit.compat.arrays import array_of, checked_count, like
from ctckit.compat.renaming import checked_as, finite, path_of, said_as
from ctckit.compat.torchaudio.emissions import Array, checked_emissions
from ctckit.compat.torchaudio.searches import Search, search_tokens, search_words
from ctckit.compat.torchaudio.silences import between_silences, longest_possible
from ctckit.compat.torchaudio.spellings import Tokens
from ctckit.errors import InvalidValueError, NotFoundError, warn_user
from ctckit.hypotheses import Hypothesis
from ctckit.matrices import MatrixBatch

LOG_10 = math.log(10)
"""KenLM's scores, which lm_weight is meant for, are log10; ours are natural."""
NAME = "ngrambeamsearch"
"""Whose options have the same rules."""


class CTCHypothesis(NamedTuple):
    """A text that is proposed.

    Attributes
    ----------
    tokens : classes, no blanks, from a silence before the first frame to one behind the last;
        int64, or a torch.LongTensor if the emissions were a tensor
    words : of the lexicon; empty without one
    score : sum over the alignments of the text, of the emissions as they came, plus the weighted
        model and bonuses. -inf if no word has ended in time
    timesteps : where each token begins: 0 is before the first frame, which is 1; int32, or a
        torch.IntTensor
    """

    tokens: Any
    words: list[str]
    score: float
    timesteps: Any


def _like(emissions: Any, one: CTCHypothesis) -> CTCHypothesis:
    """Return a hypothesis with tensors, if the emissions are one."""
    tokens, times = like(emissions, one.tokens), like(emissions, one.timesteps)
    return one._replace(tokens=tokens, timesteps=times)


class CTCDecoderLMState:
    """There the state of a model written in Python; here to be imported only."""


class CTCDecoderLM:
    """There the base of models written in Python; here to be imported only.

    `ctc_decoder` refuses one: the search runs in compiled code, on all cores, and asks no Python.
    Decode with ``nbest`` above 1 and rank the hypotheses by the model, or see `ctckit.rescore`.
    """


class CTCDecoder:
    """A decoder as `ctc_decoder` makes it.

    Attributes
    ----------
    nbest : hypotheses a matrix at most
    blank : its class
    """

    def __init__(
        self,
        search: Search,
        tokens: Tokens,
        nbest: int,
        sil_score: float,
    ) -> None:
        self.nbest = nbest
        self.blank = tokens.blank
        self._search = search
        self._tokens = tokens
        self._sil_score = sil_score
        self._pieces: list[tuple[Any, Array]] | None = None
        self._final: list[CTCHypothesis] | None = None

    def __call__(self, emissions: Any, lengths: Any = None) -> list[list[CTCHypothesis]]:
        """Return the best hypotheses of each matrix, best first.

        Parameters
        ----------
        emissions : (B, T, C) floats, log-probabilities or logits; a tensor or an array
        lengths : valid frames of each, B integers; None: all

        Raises
        ------
        InvalidValueError : another shape, NaN, or lengths that do not fit
        """
        values = checked_emissions(emissions, "B, T", len(self._tokens))
        frames = None if lengths is None else array_of("lengths", lengths)
        found = self._decode(values, frames)
        return [[_like(emissions, one) for one in line] for line in found]

    def decode_begin(self) -> None:
        """Begin a matrix that comes in pieces. Nothing is decoded before its end."""
        self._pieces, self._final = [], None

    def decode_step(self, emissions: Any) -> None:
        """Take more frames, (T, C)."""
        if self._pieces is None:
            raise InvalidValueError(
                "decode_begin must come before decode_step, got decode_step alone; call it first"
            )
        values = checked_emissions(emissions, "T", len(self._tokens))
        self._pieces.append((emissions, values.copy()))

    def decode_end(self) -> None:
        """Decode what was collected."""
        if self._pieces is None:
            raise InvalidValueError(
                "decode_begin must come before decode_end, got decode_end alone; call it first"
            )
        pieces, self._pieces = self._pieces, None
        nothing = np.zeros((0, len(self._tokens)), dtype=np.float32)
        values = np.concatenate([nothing, *(piece for _, piece in pieces)])
        (found,) = self._decode(values[None], None)
        self._final = [_like(pieces[0][0] if pieces else None, one) for one in found]

    def get_final_hypothesis(self) -> list[CTCHypothesis]:
        """Return the best hypotheses of the matrix that came in pieces."""
        if self._final is None:
            raise InvalidValueError(
                "decode_end must come before get_final_hypothesis, got no matrix; call it first"
            )
        return self._final

    def idxs_to_tokens(self, idxs: Any) -> list[str]:
        """Return the tokens of classes.

        Raises
        ------
        InvalidValueError : a number that is no class
        """
        numbers = array_of("idxs", idxs)
        count = len(self._tokens)
        if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
            raise InvalidValueError(
                f"idxs must be a list of classes, got {numbers.dtype} of shape {numbers.shape}; "
                "give the tokens of one hypothesis"
            )
        wrong = numbers[(numbers < 0) | (numbers >= count)]
        if len(wrong):
            raise InvalidValueError(
                f"idxs must be 0 to {count - 1}, got {wrong[0]}; give classes of these tokens"
            )
        return [self._tokens.names[index] for index in numbers.tolist()]

    def _decode(self, emissions: Array, lengths: Any) -> list[list[CTCHypothesis]]:
        if self._sil_score:
            emissions = emissions.astype(np.float64)
            emissions[:, :, self._tokens.silence] += self._sil_score
        found = self._search.find(emissions, self._tokens, lengths, self.nbest)
        return [
            [
                self._hypothesis(found.batch[i : i + 1], one, words, norm)
                for one, words in zip(line, all_words, strict=True)
            ]
            for i, (line, all_words, norm) in enumerate(
                zip(found.decoded, found.words, found.norms, strict=True)
            )
        ]

    def _hypothesis(
        self, matrix: MatrixBatch, found: Hypothesis, words: list[str], norm: float
    ) -> CTCHypothesis:
        ids: Sequence[int] = found.token_ids
        frames: Sequence[int] | None = found.timesteps
        if frames is None:  # it was completed to a word for which there are not enough frames
            ids, frames = longest_possible(matrix, ids)
            words = words[:-1]
        tokens, times = between_silences(
            matrix[0], ids, frames, self._tokens.silence, self._tokens.blank
        )
        score = found.score + norm
        return CTCHypothesis(np.array(tokens, np.int64), words, score, np.array(times, np.int32))


def ctc_decoder(
    lexicon: str | Path | None,
    tokens: str | Path | Sequence[str],
    lm: str | Path | None = None,
    lm_dict: str | Path | None = None,
    nbest: int = 1,
    beam_size: int = 50,
    beam_size_token: int | None = None,
    beam_threshold: float = 50,
    lm_weight: float = 2,
    word_score: float = 0,
    unk_score: float = float("-inf"),
    sil_score: float = 0,
    log_add: bool = False,
    blank_token: str = "-",
    sil_token: str = "|",
    unk_word: str = "<unk>",
) -> CTCDecoder:
    """Make a decoder.

    Parameters
    ----------
    lexicon : file with a word and its spelling in tokens a line; None: any tokens
    tokens : one a class, or a file of them
    lm : ARPA file; of the lexicon's words, or without a lexicon of the tokens
    lm_dict : file of the words that the model knows, one a line; without a lexicon, what it calls
        each token
    nbest : hypotheses a matrix at most
    beam_size : prefixes that are kept after each frame
    beam_size_token : does nothing, since all tokens are tried
    beam_threshold : prefixes whose score is this far below the best one's are dropped
    lm_weight : of the model's log10 probabilities
    word_score : added for each word
    unk_score : added for each word that the lexicon lacks; -inf: none is written
    sil_score : added for each frame of silence
    log_add : does nothing, since alignments are always summed
    blank_token, sil_token : which tokens these are
    unk_word : what a word is called that the lexicon lacks

    Raises
    ------
    NotFoundError : a file that does not exist
    InvalidValueError : an argument breaks its rule, or cannot be honoured

    Examples
    --------
    >>> decoder = ctc_decoder(lexicon=None, tokens=["-", "|", "a", "b"], beam_size=10)
    >>> emissions = np.log(np.eye(4, dtype=np.float32)[None, [2, 0, 3]] + 1e-3)
    >>> best = decoder(emissions)[0][0]
    >>> decoder.idxs_to_tokens(best.tokens), best.timesteps.tolist()
    (['|', 'a', 'b', '|'], [0, 1, 3, 4])
    """
    if lm is not None and not isinstance(lm, (str, Path)):
        _refuse_model(lm)
    named = Tokens(tokens, blank_token, sil_token)
    width = checked_as(NAME, "beam_width", "beam_size", beam_size)
    nbest = min(checked_count("nbest", nbest, "how many texts a matrix may get"), width)
    if beam_size_token is not None:
        tried = checked_count("beam_size_token", beam_size_token, "how many tokens are tried")
        if tried < len(named):
            warn_user(f"beam_size_token={tried} does nothing here: every token is tried")
    threshold = None if beam_threshold == math.inf else beam_threshold
    options = {
        "lm": lm,
        "lm_weight": checked_as(NAME, "lm_weight", "lm_weight", lm_weight) / LOG_10,
        "beam_width": width,
        "beam_threshold": checked_as(NAME, "beam_threshold", "beam_threshold", threshold),
    }
    sil_score = finite("sil_score", sil_score)
    word_score = finite("word_score", word_score)
    if unk_score != -math.inf:
        unk_score = finite("unk_score", unk_score)
    if lm_dict is not None:
        lm_dict = path_of("lm_dict", lm_dict, "give that of a file of words, or None")
    if not isinstance(unk_word, str):
        raise InvalidValueError(
            f"unk_word must be a string, got {unk_word!r}; it is what unknown words are called"
        )
    if lexicon:
        path = path_of(
            "lexicon", lexicon, "give that of a file with a word and its spelling a line"
        )
        with said_as({"or use beamsearch": "or leave the lexicon out"}):
            search = search_words(path, named, lm_dict, options, word_score, unk_score, unk_word)
    else:
        with said_as({"or use ngrambeamsearch": "or give a lexicon"}):
            search = search_tokens(named, lm_dict, options)
        if word_score or unk_score != -math.inf:
            warn_user("word_score and unk_score have no effect without a lexicon: leave them out")
    return CTCDecoder(search, named, nbest, sil_score)


def _refuse_model(lm: Any) -> NoReturn:
    raise InvalidValueError(
        f"lm must be the path of an ARPA file or None, got {type(lm).__name__}; the search cannot "
        "ask a model in Python: decode with nbest above 1 and rank the hypotheses by it, or see "
        "ctckit.rescore"
    )


def download_pretrained_files(model: str) -> NoReturn:
    """Refuse: there it downloads a lexicon, tokens and a model of LibriSpeech.

    Raises
    ------
    NotFoundError : always
    """
    raise NotFoundError(
        f"model must be in files of your own, got {model!r}; nothing is downloaded: give "
        "ctc_decoder the paths of a lexicon, of the tokens and of an ARPA file"
    )
