"""Try a decoder on tiny matrices."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.bench.specs import CORPUS, DecoderSpec
from ctckit.decoders.base import Decoder
from ctckit.decoders.options import REQUIRED
from ctckit.errors import CtckitError, InvalidValueError, PluginError
from ctckit.matrices import MatrixBatch
from ctckit.registry import decoder_class

LETTERS = "ab c"
FILES = {CORPUS: "ab ba cab a\nabba\n", "lexicon": "ab\nba\ncab\na\nabba\n"}
"""What stands in the files that decoders need, by the option's name."""
FRAMES = (0, 1, 5, 12, 3)
"""Of the matrices that are decoded; one is empty."""


@dataclass(frozen=True)
class CheckResult:
    """What came of checking a decoder.

    Attributes
    ----------
    name : the decoder's
    outcome : ok, failed or skipped
    reason : why it is not ok; else empty
    """

    name: str
    outcome: str
    reason: str = ""


def check_decoder(name: str) -> CheckResult:
    """Import a decoder and run it, with the blank at each end and in the middle."""
    try:
        chosen = decoder_class(name)
        required = [one.name for one in chosen.options.values() if one.default is REQUIRED]
        required += chosen.at_least_one[:1]
        if set(required) - set(FILES):
            needed = ", ".join(one for one in required if one not in FILES)
            return CheckResult(name, "skipped", f"{needed} must be given, and has no default")
        with tempfile.TemporaryDirectory(prefix="ctckit-") as folder:
            options: dict[str, Any] = {}
            for option in required:
                options[option] = Path(folder) / f"{option}.txt"
                options[option].write_text(FILES[option], encoding="utf-8")
            for blank in (0, 2, len(LETTERS)):
                tokens = [*LETTERS[:blank], "", *LETTERS[blank:]]
                alphabet = Alphabet(tokens, blank=blank)
                _try_out(name, DecoderSpec(name, name, options).load(alphabet), alphabet)
    except CtckitError as error:
        return CheckResult(name, "failed", str(error))
    except (Exception, SystemExit) as error:
        reason = f"decoder {name!r} must run, got {type(error).__name__}: {error}; tell its author"
        return CheckResult(name, "failed", reason)
    return CheckResult(name, "ok")


def _try_out(name: str, decoder: Decoder, alphabet: Alphabet) -> None:
    """Raise an error unless the decoder does what every decoder does."""
    random = np.random.default_rng(alphabet.blank)
    logits = [random.normal(0, 3, (t, len(alphabet))).astype(np.float32) for t in FRAMES]
    batch = MatrixBatch.from_logits(logits, alphabet)
    texts = decoder.decode_batch(batch, threads=1).materialize().texts()
    alone = [decoder.decode_batch(batch[i : i + 1]).texts()[0] for i in range(len(batch))]
    blank = f"with blank {alphabet.blank}"
    if texts[0] != "":
        raise PluginError(
            f"decoder {name!r} must read nothing in no frames, got {texts[0]!r} {blank}"
        )
    for i, (together, single) in enumerate(zip(texts, alone, strict=True)):
        if together != single:
            raise PluginError(
                f"decoder {name!r} must read a line the same in any batch, got {together!r} and "
                f"alone {single!r} for matrix {i} {blank}"
            )
    decoder.decode_batch(batch[:0]).texts()
    try:
        decoder.check_n_best(3)
    except InvalidValueError:
        return
    decoder.decode_batch(batch, n_best=3, threads=1).materialize()
