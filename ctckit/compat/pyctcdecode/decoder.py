"""`BeamSearchDecoderCTC` and `build_ctcdecoder`, over the decoders of ctckit."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt

from ctckit.compat.pyctcdecode.alphabet import Alphabet
from ctckit.compat.pyctcdecode.arguments import (
    checked_least,
    checked_model,
    checked_prune,
    checked_start,
    checked_weight,
    checked_width,
    warn_of_what_does_nothing,
)
from ctckit.compat.pyctcdecode.beams import (
    Found,
    Frames,
    WordFrames,
    find_texts,
    settled_text,
    word_frames,
)
from ctckit.compat.pyctcdecode.constants import (
    DEFAULT_ALPHA,
    DEFAULT_BEAM_WIDTH,
    DEFAULT_BETA,
    DEFAULT_HOTWORD_WEIGHT,
    DEFAULT_MIN_TOKEN_LOGP,
    DEFAULT_PRUNE_BEAMS,
    DEFAULT_PRUNE_LOGP,
    DEFAULT_SCORE_LM_BOUNDARY,
    DEFAULT_UNK_LOGP_OFFSET,
)
from ctckit.compat.pyctcdecode.folders import visible_names
from ctckit.compat.pyctcdecode.hub import find_cached
from ctckit.compat.pyctcdecode.kenlm import State
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, LanguageModel
from ctckit.compat.pyctcdecode.matrices import to_batch, without_unlikely
from ctckit.compat.pyctcdecode.searches import Searches, Wanted, split_hot_words
from ctckit.compat.pyctcdecode.spelling import Spelling
from ctckit.compat.renaming import listed, path_of
from ctckit.decoders.base import Decoder
from ctckit.errors import InvalidValueError, NotFoundError, warn_user
from ctckit.hypotheses import DecodedBatch
from ctckit.matrices import MatrixBatch

__all__ = [
    "BeamSearchDecoderCTC",
    "Frames",
    "LMState",
    "OutputBeam",
    "OutputBeamMPSafe",
    "WordFrames",
    "build_ctcdecoder",
]

Logits = npt.NDArray[Any]
LMState = State | None
OutputBeam = tuple[str, LMState, list[WordFrames], float, float]
"""text, last_lm_state, text_frames, logit_score, lm_score"""
OutputBeamMPSafe = tuple[str, list[WordFrames], float, float]
"""The same without the state."""

MOST_TOKENS = 1 << 24
"""Tokens of hypotheses that are decoded at a time."""


@dataclass(frozen=True)
class _Asked:
    """A decoder, and the log-probability under which it sees no class; None: it sees all."""

    decoder: Decoder
    least: float | None


class BeamSearchDecoderCTC:
    """Decodes matrices of logits, one or many, with a language model and hot words or without.

    Parameters
    ----------
    alphabet : the labels, as `Alphabet.build_alphabet` makes them
    language_model : None: texts are ranked by the matrix alone

    Raises
    ------
    InvalidValueError : labels without one blank, or a language model that the search cannot use or
        of which the labels can spell no word
    """

    model_container: ClassVar[dict[bytes, AbstractLanguageModel | None]] = {}
    """The language models of all decoders that live, by the decoders' ``_model_key``."""

    _ALPHABET_SERIALIZED_FILENAME = "alphabet.json"
    _LANGUAGE_MODEL_SERIALIZED_DIRECTORY = "language_model"

    def __init__(
        self, alphabet: Alphabet, language_model: AbstractLanguageModel | None = None
    ) -> None:
        if not hasattr(alphabet, "is_bpe"):
            raise InvalidValueError(
                f"alphabet must be an Alphabet, got {type(alphabet).__name__}; make one of labels "
                "by Alphabet.build_alphabet, or call build_ctcdecoder"
            )
        self._alphabet = alphabet
        self._is_bpe = alphabet.is_bpe
        self._idx2vocab = dict(enumerate(alphabet.labels))
        self._spelling = Spelling(alphabet)
        self._searches = Searches(self._spelling, checked_model(language_model))
        self._model_key = os.urandom(16)
        container = BeamSearchDecoderCTC.model_container
        container[self._model_key] = language_model
        weakref.finalize(self, container.pop, self._model_key, None)

    def reset_params(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
    ) -> None:
        """Set weights of the language model; None leaves one as it is. Nothing without a model."""
        model = self._language_model
        if model is not None:
            model.reset_params(
                alpha=alpha,
                beta=beta,
                unk_score_offset=unk_score_offset,
                score_boundary=lm_score_boundary,
            )

    @classmethod
    def clear_class_models(cls) -> None:
        """Let go of the language models of all decoders, which cannot be used any more."""
        cls.model_container.clear()

    def cleanup(self) -> None:
        """Let go of the language model. The decoder cannot be used any more."""
        self._searches = Searches(self._spelling, None)
        BeamSearchDecoderCTC.model_container.pop(self._model_key, None)

    @property
    def _language_model(self) -> AbstractLanguageModel | None:
        try:
            return BeamSearchDecoderCTC.model_container[self._model_key]
        except KeyError:
            raise NotFoundError(
                "the decoder must have its language model, got one after cleanup() or "
                "clear_class_models(); build another decoder"
            ) from None

    def decode(
        self,
        logits: Logits,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
        lm_start_state: LMState = None,
    ) -> str:
        """Return the best text of a matrix; parameters as for `decode_beams`."""
        asked = self._asked(
            beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight, lm_start_state
        )
        return next(self._best_texts(asked, [logits]))

    def decode_batch(
        self,
        pool: Any,
        logits_list: Sequence[Logits] | Logits,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[str]:
        """Return the best text of each matrix, in threads; parameters as for `decode_beams`.

        pool : not used
        """
        asked = self._asked(beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight)
        return list(self._best_texts(asked, logits_list))

    def decode_beams(
        self,
        logits: Logits,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
        lm_start_state: LMState = None,
    ) -> list[OutputBeam]:
        """Return the texts of a matrix, best first, with states, frames and scores.

        Parameters
        ----------
        logits : (T, C) of scores before the softmax or log-probabilities, or of probabilities:
            values from 0 to 1 of which each frame's sum to 1
        beam_width : prefixes kept after each frame
        beam_prune_logp : how far below the best score one is dropped, at most 0
        token_min_logp : classes below it are not tried in a frame, the likeliest one is in any
            case. Its default counts where there are hot words only: else every class is tried
        prune_history : nothing is dropped for being alike at the end, whatever it is
        hotwords : words to prefer; of a phrase, each of its words
        hotword_weight : added for each hot word of a text
        lm_start_state : of a beam after which this one goes on; None: a text begins

        Raises
        ------
        InvalidValueError : a matrix or an argument that breaks its rule
        """
        asked = self._asked(
            beam_width,
            beam_prune_logp,
            token_min_logp,
            hotwords,
            hotword_weight,
            lm_start_state,
            prune_history,
        )
        beams = next(self._all_beams(asked, [logits], beam_prune_logp))
        start = self._start(lm_start_state)
        return [
            (one.text, self._state_after(start, one.text), frames, one.logit_score, one.lm_score)
            for one, frames in beams
        ]

    def decode_beams_batch(
        self,
        pool: Any,
        logits_list: Sequence[Logits] | Logits,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[list[OutputBeamMPSafe]]:
        """Return the texts of each matrix, in threads; parameters as for `decode_beams`.

        pool : not used
        """
        asked = self._asked(
            beam_width,
            beam_prune_logp,
            token_min_logp,
            hotwords,
            hotword_weight,
            prune_history=prune_history,
        )
        return [
            [(one.text, frames, one.logit_score, one.lm_score) for one, frames in beams]
            for beams in self._all_beams(asked, logits_list, beam_prune_logp)
        ]

    def _asked(
        self,
        beam_width: int,
        beam_prune_logp: float,
        token_min_logp: float,
        hotwords: Iterable[str] | None,
        hotword_weight: float,
        lm_start_state: LMState = None,
        prune_history: bool = False,
    ) -> _Asked:
        """Return the decoder for some arguments, and the model as it is weighed now."""
        warn_of_what_does_nothing(prune_history)
        model = checked_model(self._language_model)
        if model is not self._searches.model:
            self._searches = Searches(self._spelling, model)
        hot_words = split_hot_words(hotwords, self._spelling)
        wanted = Wanted(
            checked_width(beam_width),
            checked_prune(beam_prune_logp),
            hot_words,
            checked_weight(hotword_weight) if hot_words else 0.0,
            None if model is None else model.weights(),
            checked_start(lm_start_state, model),
        )
        least = checked_least(token_min_logp)
        # The weight of a hot word would make up for any evidence.
        masks = bool(hot_words) or least != DEFAULT_MIN_TOKEN_LOGP
        return _Asked(self._searches.get(wanted), least if masks else None)

    def _start(self, state: LMState) -> LMState:
        model = self._searches.model
        return model.get_start_state() if state is None and model is not None else state

    def _state_after(self, start: LMState, text: str) -> LMState:
        model = self._searches.model
        if start is None or model is None:
            return None
        return start.after(tuple(text.split()), model.order)

    def _decoded(
        self, asked: _Asked, matrices: Sequence[Logits] | Logits
    ) -> Iterator[tuple[MatrixBatch, DecodedBatch]]:
        """Yield all matrices, many at a time, and their hypotheses."""
        if getattr(matrices, "ndim", 3) != 3:
            raise InvalidValueError(
                f"logits_list must be a list of (T, C), got an array of {matrices.ndim} axes; "  # type: ignore[union-attr]
                "decode one matrix with decode"
            )
        matrices = listed("logits_list", matrices, "the pool comes before it, and may be None")
        batch = to_batch(matrices, self._spelling.tokens)
        if asked.least is not None:
            batch = without_unlikely(batch, asked.least)
        width: int = asked.decoder.beam_width  # type: ignore[attr-defined]
        start = 0
        for stop in range(1, len(batch) + 1):
            frames = batch.offsets[min(stop + 1, len(batch))] - batch.offsets[start]
            if stop == len(batch) or frames * width > MOST_TOKENS:
                part = batch[start:stop]
                yield part, asked.decoder.decode_batch(part, n_best=width)
                start = stop

    def _best_texts(self, asked: _Asked, matrices: Sequence[Logits] | Logits) -> Iterator[str]:
        for _, decoded in self._decoded(asked, matrices):
            for line in range(len(decoded)):
                text = settled_text(decoded, line, self._spelling)
                if text is None:
                    text = find_texts(decoded, line, self._spelling)[0].text
                yield text

    def _all_beams(
        self, asked: _Asked, matrices: Sequence[Logits] | Logits, beam_prune_logp: float
    ) -> Iterator[list[tuple[Found, list[WordFrames]]]]:
        """Yield of each matrix the texts that are good enough, and when their words were said."""
        for batch, decoded in self._decoded(asked, matrices):
            lines = []
            for line in range(len(decoded)):
                texts = find_texts(decoded, line, self._spelling)
                least = texts[0].lm_score + beam_prune_logp
                lines.append([one for one in texts if one.lm_score >= least])
            frames = word_frames(batch, lines, self._spelling)
            for texts, said in zip(lines, frames, strict=True):
                yield list(zip(texts, said, strict=True))

    def save_to_dir(self, filepath: str) -> None:
        """Write the labels and the language model to a folder, which is made if need be.

        Raises
        ------
        InvalidValueError : no folder, or one that has a language model already
        """
        folder = path_of("filepath", filepath, "give that of a folder")
        model = self._language_model
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidValueError(
                f"filepath must be a folder, got '{folder}': {error.strerror}; give another"
            ) from None
        models = folder / self._LANGUAGE_MODEL_SERIALIZED_DIRECTORY
        if models.exists():
            raise InvalidValueError(
                f"filepath must be a folder without a language model, got '{folder}', which has "
                f"'{models.name}'; give another, or remove that"
            )
        path = folder / self._ALPHABET_SERIALIZED_FILENAME
        path.write_text(self._alphabet.dumps(), encoding="utf-8")
        if model is not None:
            models.mkdir()
            model.save_to_dir(str(models))

    @staticmethod
    def parse_directory_contents(filepath: str) -> dict[str, str | None]:
        """Return the paths of a folder's alphabet and language_model, which is None without one.

        Raises
        ------
        NotFoundError : no such folder
        InvalidValueError : it has no alphabet, or something else and no language model
        """
        alphabet = BeamSearchDecoderCTC._ALPHABET_SERIALIZED_FILENAME
        model = BeamSearchDecoderCTC._LANGUAGE_MODEL_SERIALIZED_DIRECTORY
        found = visible_names(filepath)
        if alphabet not in found or (len(found) > 1 and model not in found):
            raise InvalidValueError(
                f"the folder of a decoder must hold {alphabet}, and {model} if it holds anything "
                f"else, got {', '.join(found) or 'nothing'} in '{filepath}'; save the decoder again"
            )
        return {
            "alphabet": str(Path(filepath, alphabet)),
            "language_model": str(Path(filepath, model)) if model in found else None,
        }

    @classmethod
    def load_from_dir(
        cls, filepath: str, unigram_encoding: str | None = None
    ) -> BeamSearchDecoderCTC:
        """Return the decoder of a folder that `save_to_dir` or pyctcdecode wrote.

        unigram_encoding : of the file of words; None: UTF-8
        """
        paths = cls.parse_directory_contents(filepath)
        alphabet = Alphabet.loads(Path(str(paths["alphabet"])).read_text(encoding="utf-8"))
        folder = paths["language_model"]
        model = None
        if folder is not None:
            model = LanguageModel.load_from_dir(folder, unigram_encoding=unigram_encoding)
        return cls(alphabet, language_model=model)

    @classmethod
    def load_from_hf_hub(
        cls, model_id: str, cache_dir: str | None = None, **kwargs: Any
    ) -> BeamSearchDecoderCTC:
        """Return the decoder of a model of the Hugging Face hub that is in a cache here.

        Nothing is downloaded.

        Parameters
        ----------
        model_id : such as ``user/model``
        cache_dir : where it is; None: in pyctcdecode's cache, ``~/.cache/pyctcdecode``, or the
            hub's own
        kwargs : for ``huggingface_hub.snapshot_download``

        Raises
        ------
        NotFoundError : it is not there
        MissingExtraError : huggingface_hub is not installed
        """
        return cls.load_from_dir(find_cached(model_id, cache_dir, kwargs))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._alphabet, self._language_model)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spelling.tokens!r}, {self._searches.model!r})"


def build_ctcdecoder(
    labels: list[str],
    kenlm_model_path: str | None = None,
    unigrams: Collection[str] | None = None,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
    unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
    lm_score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
) -> BeamSearchDecoderCTC:
    """Return a decoder.

    Parameters
    ----------
    labels : one string a class, in the order of the columns; `Alphabet.build_alphabet` says which
        are taken for the blank, the space and the unknown token
    kenlm_model_path : an ARPA file, plain or gzip, or what ``NGramModel.save`` wrote
    unigrams : the words that count as known; None: all that the model has
    alpha : weight of the model's log-probabilities
    beta : added for each word
    unk_score_offset : added, times alpha and ln 10, for each unknown word
    lm_score_boundary : whether the model scores the start and the end of a text

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : labels, a model or weights that cannot be used; KenLM's binary files are
        among them
    """
    alphabet = Alphabet.build_alphabet(labels)
    if kenlm_model_path is None:
        if unigrams is not None:
            warn_user("unigrams do nothing without a language model; give kenlm_model_path")
        return BeamSearchDecoderCTC(alphabet)
    model = LanguageModel(
        kenlm_model_path, unigrams, alpha, beta, unk_score_offset, lm_score_boundary
    )
    if not alphabet.is_bpe and " " not in alphabet.labels:
        warn_user(
            "labels have no space: each text is one word for the language model; name the label "
            "between words ' ' or '|'"
        )
    return BeamSearchDecoderCTC(alphabet, model)
