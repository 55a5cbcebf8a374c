"""The calls of torchaudio's ``ctc_decoder`` (flashlight-text), which torchaudio 2.9 removed.

``from torchaudio.models.decoder import ctc_decoder`` becomes
``from ctckit.compat.torchaudio import ctc_decoder``. Neither torch nor torchaudio is needed: torch
tensors give torch tensors, NumPy arrays give NumPy arrays. Signatures are those of torchaudio 2.8.

Same: the files of tokens and lexica, with several spellings of a word and several words of a
spelling; models of words with a lexicon, of tokens without one; what ``lm_weight``, ``word_score``,
``unk_score``, ``sil_score`` and ``beam_threshold`` weigh; the tokens that are returned, with a
silence before and behind them, and the timesteps, which count from that one on.

Different on purpose:

- All alignments of a text are summed, as with ``log_add=True``. With ``log_add=False``, the
  default there, the original ranks by the best one.
- All tokens are tried in each frame: ``beam_size_token`` does nothing, and warns if it asks for
  fewer. Without a lexicon and a model ``beam_threshold`` does nothing either.
- An open word counts by all words that it may become after the words before it; there by the best
  one at the start of a sentence.
- The last word needs no silence behind it. There it is dropped.
- With an ``unk_score`` any other word may be written, not the begins of known ones alone. It is at
  most ``word_score``.
- Without a model the first of the words that are spelled alike is taken; there any.
- The words of a model of tokens are the tokens' names. There, without ``lm_dict``, they are given
  to other tokens, in the order of a hash table.
- Hypotheses of one call differ in more than where silences are; there the same words come several
  times.
- Models are ARPA files. Models in Python (`CTCDecoderLM`) and KenLM's binary files are refused.
- Streaming (`decode_begin`, `decode_step`, `decode_end`) collects the frames and decodes at the
  end.
- Nothing is downloaded.
- What is taken silently there is an error: other numbers of classes than of tokens, NaN. What
  looks like probabilities gets a warning.
"""

from ctckit.compat.torchaudio.decoder import (
    CTCDecoder,
    CTCDecoderLM,
    CTCDecoderLMState,
    CTCHypothesis,
    ctc_decoder,
    download_pretrained_files,
)

__all__ = [
    "CTCDecoder",
    "CTCDecoderLM",
    "CTCDecoderLMState",
    "CTCHypothesis",
    "ctc_decoder",
    "download_pretrained_files",
]
