"""ctckit: the best text out of CTC matrices, fast.

>>> import ctckit, numpy as np
>>> alphabet = ctckit.Alphabet(["a", "b", ""], blank=2)
>>> probs = np.array([[[0.4, 0.0, 0.6], [0.4, 0.0, 0.6]]])
>>> batch = ctckit.MatrixBatch.from_probs(probs, alphabet)
>>> ctckit.load_decoder("bestpath", alphabet).decode_batch(batch).texts()
['']
>>> ctckit.load_decoder("beamsearch", alphabet).decode_batch(batch).texts()
['a']
"""

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.decoders.options import REQUIRED, option
from ctckit.dumps import open_dump, write_dump
from ctckit.errors import (
    AlphabetMismatchError,
    CtckitError,
    DumpError,
    InvalidValueError,
    MissingExtraError,
    NotFoundError,
    PluginError,
)
from ctckit.hypotheses import DecodedBatch, Hypothesis, SearchResult
from ctckit.matrices import MatrixBatch
from ctckit.registry import DecoderInfo, list_decoders, load_decoder

__version__ = "0.1.0"

__all__ = [
    "REQUIRED",
    "Alphabet",
    "AlphabetMismatchError",
    "CtckitError",
    "DecodedBatch",
    "Decoder",
    "DecoderInfo",
    "DumpError",
    "Hypothesis",
    "InvalidValueError",
    "MatrixBatch",
    "MissingExtraError",
    "NotFoundError",
    "PluginError",
    "SearchResult",
    "__version__",
    "list_decoders",
    "load_decoder",
    "open_dump",
    "option",
    "write_dump",
]
