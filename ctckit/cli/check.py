"""Try a decoder on tiny matrices."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.bench.specs import DecoderSpec, parse_spec
from ctckit.decoders.base import Decoder
from ctckit.errors import CtckitError, InvalidValueError, MissingExtraError, PluginError, described
from ctckit.matrices import MatrixBatch
from ctckit.registry import decoder_class
from ctckit.testing.examples import CHARACTERS, example_options, needed_options

FRAMES = (0, 1, 5, 12, 3)
"""Of the matrices that are decoded; one is empty."""


@dataclass(frozen=True)
class CheckedDecoder:
    """What came of trying a decoder.

    Attributes
    ----------
    name : the decoder's, perhaps with options
    outcome : ok, failed or skipped
    reason : why it is not ok; else empty
    known : what it declares to fail, by check, and why
    lacks_package : whether it is skipped since a package is missing
    """

    name: str
    outcome: str
    reason: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    lacks_package: bool = False


class OptionsLackingError(CtckitError):
    """A decoder has required options for which there are no examples."""


def check_decoder(text: str) -> CheckedDecoder:
    """Import a decoder and run it, with the blank at each end and in the middle.

    text : its name, perhaps with options as `parse_spec` reads them
    """
    known: dict[str, str] = {}
    try:
        with ready_spec(text) as spec:
            declared = decoder_class(spec.name).known_failings
            blanks = (
                (0, 2, len(CHARACTERS)) if "blank-anywhere" not in declared else (len(CHARACTERS),)
            )
            for blank in blanks:
                tokens = [*CHARACTERS[:blank], "", *CHARACTERS[blank:]]
                alphabet = Alphabet(tokens, blank=blank)
                decoder = spec.load(alphabet)
                known = dict(decoder.known_failings)
                _try_out(spec.name, decoder, alphabet)
    except (OptionsLackingError, MissingExtraError) as error:
        lacks_package = isinstance(error, MissingExtraError)
        return CheckedDecoder(text, "skipped", str(error), known, lacks_package)
    except CtckitError as error:
        return CheckedDecoder(text, "failed", str(error), known)
    except (Exception, SystemExit) as error:
        name = text.partition(":")[0]
        reason = f"decoder {name!r} must run, got {described(error)}; tell its author"
        return CheckedDecoder(text, "failed", reason, known)
    return CheckedDecoder(text, "ok", known=known)


@contextmanager
def ready_spec(text: str) -> Iterator[DecoderSpec]:
    """Give a decoder with the options that it needs; their files are there inside.

    Raises
    ------
    PluginError : it cannot be imported
    OptionsLackingError : it needs what there is no example of
    """
    spec = parse_spec(text)
    if spec.reason is not None:
        raise PluginError(spec.reason)
    chosen = decoder_class(spec.name)
    with tempfile.TemporaryDirectory(prefix="ctckit-") as folder:
        options: dict[str, Any] = {
            **spec.options,
            **example_options(chosen, Path(folder), spec.options),
        }
        if missing := needed_options(chosen, options):
            raise OptionsLackingError(f"{', '.join(missing)} must be given, and has no default")
        yield replace(spec, options=options)


def _try_out(name: str, decoder: Decoder, alphabet: Alphabet) -> None:
    """Raise an error unless the decoder does what every decoder does, or declares that it fails."""
    frames = FRAMES[1:] if "no-frames" in decoder.known_failings else FRAMES
    random = np.random.default_rng(alphabet.blank)
    logits = [random.normal(0, 3, (t, len(alphabet))).astype(np.float32) for t in frames]
    batch = MatrixBatch.from_logits(logits, alphabet)
    texts = decoder.decode_batch(batch, threads=1).materialize().texts()
    alone = [decoder.decode_batch(batch[i : i + 1]).texts()[0] for i in range(len(batch))]
    blank = f"with blank {alphabet.blank}"
    if frames[0] == 0 and texts[0] != "":
        raise PluginError(
            f"decoder {name!r} must read nothing in no frames, got {texts[0]!r} {blank}"
        )
    for i, (together, single) in enumerate(zip(texts, alone, strict=True)):
        if together != single and "one-by-one" not in decoder.known_failings:
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
