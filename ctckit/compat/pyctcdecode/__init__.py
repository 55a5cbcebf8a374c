"""The calls of pyctcdecode 0.5.0 over ctckit's decoders: change one import.

``from ctckit.compat.pyctcdecode import build_ctcdecoder``; for libraries that import pyctcdecode
themselves, such as transformers, there is `install`. A text's score is made of the same terms, so
weights may stay as they are. Different on purpose:

Input

- A matrix is of probabilities if all values are from 0 to 1 and each frame's sum to 1 within 0.005;
  not if the mean of all sums is exactly 1. Values from 0 to 1 with other sums, NaN and inf are
  refused. Nothing is clipped: what is impossible stays so.
- KenLM's binary files cannot be read; ARPA files, plain or gzip, can. Language models are
  `LanguageModel`: others, and `MultiLanguageModel`, are refused.
- Values that would give garbage are refused: a string for a list of words, unigrams of which the
  model has none, a negative alpha, a positive unk_score_offset or beam_prune_logp, two blanks.
  Integers are numbers.
- Unigrams without a model, and hot words that the labels cannot spell, get a `CtckitWarning`.

Search

- All alignments of a text are summed. The default of token_min_logp counts only where there are
  hot words, whose weight would make up for any evidence; else each class is tried in each frame.
- prune_history does nothing, and warns.
- A word in the making counts by what the model says of all words that it may become.
- A text that is empty or ends in a space is not charged for an unknown word.
- A word that the model knows and unigrams lack counts as ``<unk>``; so do ``<s>`` and ``</s>``.
- A word piece that follows ``⁇`` begins another word in the text, but is scored with it.

Results

- text_frames are of the likeliest alignment.
- Scores are Python floats. The state of a beam is a `State`, which can be pickled; states of kenlm
  are refused. After an empty text the state is what it was before.
- Warnings are a `CtckitWarning`; nothing is logged.

Around it

- Pools are accepted and not used: threads do the work.
- Pickles of a decoder hold its model, which is gone when the decoder is.
- load_from_hf_hub looks into caches and downloads nothing.
- save_to_dir makes the folder, and writes UTF-8 and a plain ARPA file.
- There is no HotwordScorer.
"""

from ctckit.compat.pyctcdecode.alphabet import Alphabet
from ctckit.compat.pyctcdecode.decoder import BeamSearchDecoderCTC, build_ctcdecoder
from ctckit.compat.pyctcdecode.installing import install, uninstall
from ctckit.compat.pyctcdecode.language_model import LanguageModel

__all__ = [
    "Alphabet",
    "BeamSearchDecoderCTC",
    "LanguageModel",
    "build_ctcdecoder",
    "install",
    "uninstall",
]
