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

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctckit.alphabet import Alphabet
    from ctckit.decoders.base import CONTRACT_VERSION, Decoder
    from ctckit.decoders.beam import BeamDecoder
    from ctckit.decoders.claims import Sometimes
    from ctckit.decoders.function import decoder
    from ctckit.decoders.options import REQUIRED, option
    from ctckit.dumps import open_dump, write_dump
    from ctckit.errors import (
        AlphabetMismatchError,
        CtckitError,
        CtckitWarning,
        DumpError,
        InvalidValueError,
        MissingExtraError,
        NotFoundError,
        PluginError,
    )
    from ctckit.hypotheses import DecodedBatch, Hypothesis, SearchResult
    from ctckit.matrices import MatrixBatch
    from ctckit.registry import DecoderInfo, list_decoders, load_decoder
    from ctckit.rescoring import rescore

__version__ = "0.1.0"

__all__ = [
    "CONTRACT_VERSION",
    "REQUIRED",
    "Alphabet",
    "AlphabetMismatchError",
    "BeamDecoder",
    "CtckitError",
    "CtckitWarning",
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
    "Sometimes",
    "__version__",
    "decoder",
    "list_decoders",
    "load_decoder",
    "open_dump",
    "option",
    "rescore",
    "write_dump",
]

_HOMES = {
    "Alphabet": "ctckit.alphabet",
    "CONTRACT_VERSION": "ctckit.decoders.base",
    "Decoder": "ctckit.decoders.base",
    "BeamDecoder": "ctckit.decoders.beam",
    "Sometimes": "ctckit.decoders.claims",
    "decoder": "ctckit.decoders.function",
    "REQUIRED": "ctckit.decoders.options",
    "option": "ctckit.decoders.options",
    "open_dump": "ctckit.dumps",
    "write_dump": "ctckit.dumps",
    "AlphabetMismatchError": "ctckit.errors",
    "CtckitError": "ctckit.errors",
    "CtckitWarning": "ctckit.errors",
    "DumpError": "ctckit.errors",
    "InvalidValueError": "ctckit.errors",
    "MissingExtraError": "ctckit.errors",
    "NotFoundError": "ctckit.errors",
    "PluginError": "ctckit.errors",
    "DecodedBatch": "ctckit.hypotheses",
    "Hypothesis": "ctckit.hypotheses",
    "SearchResult": "ctckit.hypotheses",
    "MatrixBatch": "ctckit.matrices",
    "DecoderInfo": "ctckit.registry",
    "list_decoders": "ctckit.registry",
    "load_decoder": "ctckit.registry",
    "rescore": "ctckit.rescoring",
}
"""The module of each public name, imported when the name is first used."""


if not TYPE_CHECKING:  # else a name that is not there would pass for Any

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'ctckit' has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
