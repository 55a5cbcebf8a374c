"""``CTCBeamDecoder`` as the package ctcdecode (of parlance) has it.

In place of ``from ctcdecode import CTCBeamDecoder``::

    from ctckit.compat.ctcdecode import CTCBeamDecoder

    decoder = CTCBeamDecoder(labels, beam_width=100, blank_id=0, log_probs_input=True)
    beam_results, beam_scores, timesteps, out_lens = decoder.decode(log_probs)

Arguments, defaults and results are the original's: tensors of PyTorch in, tensors out; arrays in,
arrays out. PyTorch is not imported here. Scores are negative log-likelihoods: the lower the better,
``exp(-score)`` is the probability of the text, without the language model.

A language model is an ARPA file. As in the original it is one of characters if all its words have
one character (``<space>`` may be among them), else one of words, and then only its words are
written, spaces between. As there, ``alpha`` weighs natural logarithms, and ``beta`` is added for
each word, or for each character with a model of characters: weights can be kept.

What differs, on purpose:

- Each frame tries every class: ``cutoff_top_n`` and ``cutoff_prob`` are not needed, and not used.
- ``beam_scores`` are exact, all alignments summed, whatever left the beam.
- What a line has less than ``beam_width`` results is of length 0, its score inf; what is behind the
  end of a result is 0. The original leaves there what was in memory.
- Input that is no probabilities is refused (NaN, frames that do not sum to 1 within 0.005), and so
  are lengths over the frames that there are, and another number of classes than labels.
- With a model of words an open word counts by what it may become, and the end of the text is scored
  as the end of a sentence (if the model has ``</s>``). The original scores words when they end.
  Spaces are free: a text may begin with one, and several may stand between words.
- KenLM's binary files are not read; give the ARPA file that they were made from.
- `OnlineCTCBeamDecoder` keeps the frames and decodes all of them anew with each chunk.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.compat.arrays import (
    beam_search,
    by_log_prob,
    checked_count,
    checked_lengths,
    like,
    numbered_classes,
    peak_frames,
    shaped_array,
)
from ctckit.compat.renaming import as_number, listed, path_of, said_as
from ctckit.decoders.beam import BeamDecoder
from ctckit.errors import InvalidValueError, warn_user
from ctckit.matrices import MatrixBatch

__all__ = ["CTCBeamDecoder", "DecoderState", "OnlineCTCBeamDecoder"]

TOP_N = 40
"""The default of cutoff_top_n, about which nothing is said."""
SPACE = " "
WORDS = {
    "tokens must": "labels must",
    "blank must": "blank_id must",
    "lm must": "model_path must",
    "lm_weight must": "alpha must",
    "word_bonus must": "beta must",
    "token_bonus must": "beta must",
    "exp(log_probs) must": "exp(probs) must",
    "log_probs must": "probs must",
    "use from_log_probs if": "give log_probs_input=True if",
    "use from_probs if": "leave log_probs_input out if",
    "use from_logits if": "apply softmax if",
    "from_logits normalises": "log_softmax normalises",
    "or use ngrambeamsearch": "or leave is_bpe_based out",
}
"""What ctckit's errors say, and what they are to say here."""


class _BeamDecoder:
    """What decoding at once and in chunks share."""

    def __init__(
        self,
        labels: Sequence[str],
        model_path: str | Path | None = None,
        alpha: float = 0,
        beta: float = 0,
        cutoff_top_n: int = TOP_N,
        cutoff_prob: float = 1.0,
        beam_width: int = 100,
        num_processes: int = 4,
        blank_id: int = 0,
        log_probs_input: bool = False,
        is_bpe_based: bool = False,
    ) -> None:
        self._labels = listed("labels", labels, "give one string a class")
        self._beam_width = checked_count("beam_width", beam_width, "how many prefixes are kept")
        self._threads = checked_count("num_processes", num_processes, "how many threads work")
        _check_cutoffs(cutoff_top_n, cutoff_prob)
        self._log_probs_input = log_probs_input
        try:
            blank_id = operator.index(blank_id)
        except TypeError:
            raise InvalidValueError(
                f"blank_id must be an integer, got {blank_id!r}; give the class index of the blank"
            ) from None
        with said_as(WORDS):
            self._blank = numbered_classes(len(self._labels), blank_id).blank
        self._model: _Model | None = None
        if model_path:
            path = path_of("model_path", model_path, "give that of an ARPA file, or None")
            with said_as(WORDS):
                self._model = _Model(path, Alphabet(self._labels, blank_id), is_bpe_based)
        self._decoder = self._decoder_with(alpha, beta)

    def _decoder_with(self, alpha: float, beta: float) -> BeamDecoder:
        with said_as(WORDS):
            if self._model is None:
                return beam_search(len(self._labels), self._blank, self._beam_width)
            return self._model.decoder(self._beam_width, alpha, beta)

    def character_based(self) -> bool | None:
        """Return whether the model is one of characters; None without a model."""
        return None if self._model is None else self._model.of_characters

    def max_order(self) -> int | None:
        """Return the length of the model's longest n-grams; None without a model."""
        return None if self._model is None else self._model.order

    def dict_size(self) -> int | None:
        """Return how many words a model of words allows, 0 for others; None without a model."""
        return None if self._model is None else self._model.dict_size()

    def reset_params(self, alpha: float, beta: float) -> None:
        """Weigh the model and its words anew; without a model nothing happens."""
        if self._model is not None:
            self._decoder = self._decoder_with(alpha, beta)

    def _batch_of(self, probs: Any, seq_lens: Any) -> tuple[MatrixBatch, int]:
        """Return the valid frames of all lines, and how many frames there is room for."""
        array = shaped_array("probs", probs, "(N, T, C)")
        count, frames, classes = array.shape
        if classes != len(self._labels):
            raise InvalidValueError(
                f"probs must have {len(self._labels)} classes, one a label, got {classes} in shape "
                f"{array.shape}; its axes are (N, T, C), and the blank has a label, too"
            )
        lengths = None
        if seq_lens is not None:
            lengths = checked_lengths("seq_lens", seq_lens, count, frames)
        make = MatrixBatch.from_log_probs if self._log_probs_input else MatrixBatch.from_probs
        with said_as(WORDS):
            return make(array, self._decoder.alphabet, lengths), frames

    def _results(self, batch: MatrixBatch, longest: int, given: Any) -> tuple[Any, ...]:
        """Return results, scores, timesteps and lengths, tensors if `given` is one.

        longest : frames that there is room for
        """
        found = self._decoder.decode_batch(batch, n_best=self._beam_width, threads=self._threads)
        shape = len(batch), self._beam_width
        lengths = np.zeros(shape, dtype=np.int32)
        scores = np.full(shape, np.inf, dtype=np.float32)
        results, timesteps = (np.zeros((*shape, longest), dtype=np.int32) for _ in range(2))
        # Without a model by exact scores, else by those that hold the model's. What no alignment
        # spells is no result: the last word of a line in which none ends in time.
        rows = by_log_prob(found) if self._model is None else np.arange(len(found.log_probs))
        owners = np.repeat(np.arange(len(found)), np.diff(found.hypothesis_offsets))
        ranks = np.arange(len(rows)) - found.hypothesis_offsets[owners]
        possible = np.isfinite(found.log_probs[rows])
        rows, owners, ranks = rows[possible], owners[possible], ranks[possible]
        lengths[owners, ranks] = np.diff(found.token_offsets)[rows]
        scores[owners, ranks] = 0.0 - found.log_probs[rows]  # not -0.0
        peaks = peak_frames(batch, found)
        for row, owner, rank in zip(rows.tolist(), owners.tolist(), ranks.tolist(), strict=True):
            start, stop = found.token_offsets[row : row + 2]
            results[owner, rank, : stop - start] = found.token_ids[start:stop]
            timesteps[owner, rank, : stop - start] = peaks[start:stop]
        columns = results, scores, timesteps, lengths
        return tuple(like(given, column) for column in columns)


class CTCBeamDecoder(_BeamDecoder):
    """Decode batches of probabilities by beam search.

    Parameters
    ----------
    labels : C strings, one a class, that of the blank included; without a model only their number
        counts
    model_path : ARPA file, plain or gzip; None: no language model
    alpha : weight of the model's natural log-probabilities, at least 0
    beta : added for each word, or character with a model of characters; without a model not used
    cutoff_top_n, cutoff_prob : not needed, and not used
    beam_width : prefixes kept after each frame, and results of each line
    num_processes : threads
    blank_id : class of the blank
    log_probs_input : whether `decode` gets natural-log probabilities, else probabilities
    is_bpe_based : whether the words of the model are the labels, whatever their length

    Raises
    ------
    InvalidValueError : a value out of its range, labels that repeat (with a model), or a model of
        other words than it is taken for
    NotFoundError : no such model

    Examples
    --------
    >>> decoder = CTCBeamDecoder(["-", "a"], beam_width=3)
    >>> results, scores, timesteps, lengths = decoder.decode([[[0.55, 0.45], [0.6, 0.4]]])
    >>> results[0, 0, : lengths[0, 0]], timesteps[0, 0, : lengths[0, 0]], np.exp(-scores[0])
    (array([1], dtype=int32), array([0], dtype=int32), array([0.67, 0.33, 0.  ], dtype=float32))
    """

    def decode(self, probs: Any, seq_lens: Any = None) -> tuple[Any, Any, Any, Any]:
        """Return the likeliest texts of each line, best first.

        Parameters
        ----------
        probs : (N, T, C), probabilities or their natural logs, as the decoder was told
        seq_lens : (N,) valid frames of each line; None: all

        Returns
        -------
        beam_results : int32 (N, beam_width, T), classes; 0 behind the end
        beam_scores : float32 (N, beam_width), minus the log-probability of each text, without the
            model; inf where a line has no such result
        timesteps : int32 (N, beam_width, T), the frame in which each class is likeliest, within its
            part of the likeliest alignment
        out_lens : int32 (N, beam_width), classes of each result

        Raises
        ------
        InvalidValueError : wrong shape, lengths, or no probabilities
        """
        batch, frames = self._batch_of(probs, seq_lens)
        results, scores, timesteps, lengths = self._results(batch, frames, probs)
        return results, scores, timesteps, lengths


class OnlineCTCBeamDecoder(_BeamDecoder):
    """Decode lines that come in chunks; parameters as those of `CTCBeamDecoder`.

    Each line has a `DecoderState`, which keeps its frames. Each call decodes all frames so far, so
    results are those of `CTCBeamDecoder` on the whole, and a line of many chunks is decoded as many
    times.
    """

    def decode(
        self,
        probs: Any,
        states: Sequence[DecoderState],
        is_eos_s: Sequence[bool],
        seq_lens: Any = None,
    ) -> tuple[Any, Any, Any, Any]:
        """Add a chunk to each line, and return the likeliest texts of what there is.

        Parameters
        ----------
        probs : (N, T, C), the next frames
        states : N states, one a line
        is_eos_s : N truth values, whether a line ends with the chunk
        seq_lens : (N,) valid frames of each chunk; None: all

        Returns
        -------
        As `CTCBeamDecoder.decode`, for the longest line so far

        Raises
        ------
        InvalidValueError : as there, another number of states, or a chunk behind the end of a line
        """
        chunk, _ = self._batch_of(probs, seq_lens)
        states = listed("states", states, "make a DecoderState for each line")
        is_eos_s = listed("is_eos_s", is_eos_s, "say of each line whether it ends")
        for name, values in (("states", states), ("is_eos_s", is_eos_s)):
            if len(values) != len(chunk):
                raise InvalidValueError(
                    f"{name} must be {len(chunk)}, one a line, got {len(values)}; keep them with "
                    "the lines"
                )
        for i, state in enumerate(states):
            if not isinstance(state, DecoderState):
                raise InvalidValueError(
                    f"states must be of DecoderState, got {type(state).__name__} for line {i}; "
                    "make one for each line, and keep it with the line"
                )
            if any(state is other for other in states[:i]):
                raise InvalidValueError(
                    f"states must be one for each line, got that of line {i} twice; make a new "
                    "DecoderState for each line"
                )
            if state.ended:
                raise InvalidValueError(
                    f"states must be of lines that go on, got one that has ended for line {i}; "
                    "make a new DecoderState for each line"
                )
        for state, frames, ends in zip(states, chunk, is_eos_s, strict=True):
            before = [] if state.frames is None else [state.frames]
            state.frames = np.concatenate([*before, frames])
            state.ended = bool(ends)
        matrices = [state.frames for state in states]
        batch = MatrixBatch.from_log_probs(matrices, self._decoder.alphabet)
        longest = int(batch.lengths.max(initial=0))
        results, scores, timesteps, lengths = self._results(batch, longest, probs)
        return results, scores, timesteps, lengths


class DecoderState:
    """What an `OnlineCTCBeamDecoder` keeps of a line: its frames, and whether it has ended."""

    def __init__(self, decoder: OnlineCTCBeamDecoder) -> None:
        self.frames: npt.NDArray[np.float32] | None = None
        self.ended = False


class _Model:
    """A language model, and the decoder that reads it."""

    def __init__(self, path: Path, alphabet: Alphabet, of_labels: bool) -> None:
        from ctckit.language import NGramModel
        from ctckit.language.corpus import SPACE as SPACE_IN_MODEL

        self._path, self._alphabet = path, alphabet
        model = NGramModel.load(path)
        special = {model.unknown, model.begin, model.end}
        self._words = [word for i, word in enumerate(model.words) if i not in special]
        self.order = model.order
        longer = any(len(word) > 1 and word != SPACE_IN_MODEL for word in self._words)
        self.of_characters = not longer
        self.of_words = longer and not of_labels
        if self.of_words and SPACE not in alphabet.token_ids:
            warn_user(
                "labels have no space: each text is one word for the language model; name the "
                "label between words ' '"
            )

    def decoder(self, beam_width: int, alpha: float, beta: float) -> BeamDecoder:
        """Return the decoder with these weights."""
        from ctckit.decoders.beamsearch import BeamSearch
        from ctckit.decoders.ngrambeamsearch import NGramBeamSearch

        options: dict[str, Any] = {"lm": self._path, "lm_weight": alpha, "beam_width": beam_width}
        options["beam_threshold"] = None  # so that the results are as many as there can be
        if not self.of_words:
            return BeamSearch(self._alphabet, token_bonus=beta, **options)
        characters = "".join(sorted(set("".join(self._alphabet.token_ids)) - {SPACE}))
        return NGramBeamSearch(
            self._alphabet, word_bonus=beta, word_characters=characters, **options
        )

    def dict_size(self) -> int:
        """Return how many of the words can be spelled, if the model is one of words."""
        from ctckit.language import Lexicon

        return len(Lexicon(self._words, self._alphabet, all_spellings=True)) if self.of_words else 0


def _check_cutoffs(cutoff_top_n: int, cutoff_prob: float) -> None:
    checked_count("cutoff_top_n", cutoff_top_n, "how many classes of a frame the original tries")
    if not 0 < as_number(cutoff_prob) <= 1:
        raise InvalidValueError(
            f"cutoff_prob must be over 0 and at most 1, got {cutoff_prob!r}; leave it out: it "
            "is not needed"
        )
    if cutoff_top_n != TOP_N or cutoff_prob != 1:
        warn_user(
            f"cutoff_top_n={cutoff_top_n} and cutoff_prob={cutoff_prob} are not used: every class "
            "is tried in every frame; leave them out"
        )
