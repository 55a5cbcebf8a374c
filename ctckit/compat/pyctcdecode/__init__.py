"""The calls of pyctcdecode 0.5.0 over ctckit's decoders: change one import.

``from ctckit.compat.pyctcdecode import build_ctcdecoder``
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
