"""What users write, for mypy alone: public names have the types that they expect of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt
import pytest

import ctckit
from ctckit import (
    Alphabet,
    BeamDecoder,
    DecodedBatch,
    Decoder,
    Hypothesis,
    MatrixBatch,
    SearchResult,
    option,
)
from ctckit.dumps import Dump
from ctckit.language import Lexicon
from ctckit.metrics import ErrorCounts, count_errors
from ctckit.testing.conformance import DecoderConformance

Ints = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def read_matrices(values: npt.NDArray[np.float32]) -> MatrixBatch:
    alphabet = Alphabet(["a", "b", ""], blank=2)
    assert_type(alphabet.blank, int)
    assert_type(alphabet.tokens, tuple[str, ...])
    assert_type(alphabet.encode("ab"), Ints)
    assert_type(alphabet.decode([0, 1]), str)
    assert_type(alphabet.decode(alphabet.encode("ab")), str)
    assert_type(alphabet.fingerprint, str)
    batch = MatrixBatch.from_log_probs([values], alphabet, ids=["first"])
    assert_type(MatrixBatch.from_probs(values, alphabet, layout="TNC"), MatrixBatch)
    assert_type(MatrixBatch.from_logits(values, alphabet, lengths=[3]), MatrixBatch)
    assert_type(batch[0], npt.NDArray[np.float32])
    assert_type(batch[:1], MatrixBatch)
    assert_type([len(matrix) for matrix in batch], list[int])
    assert_type(batch.log_probs, npt.NDArray[np.float32])
    assert_type(batch.offsets, Offsets)
    assert_type(batch.lengths, Offsets)
    assert_type(batch.ids, Sequence[str])
    return assert_type(MatrixBatch.concatenate([batch, batch]), MatrixBatch)


def decode(batch: MatrixBatch) -> list[str]:
    decoder = ctckit.load_decoder("beamsearch", batch.alphabet, beam_width=10)
    assert_type(decoder, Decoder)
    decoded = decoder.decode_batch(batch, n_best=2, threads=1)
    assert_type(decoded, DecodedBatch)
    assert_type(decoded[0], list[Hypothesis])
    assert_type(decoded[:2], list[list[Hypothesis]])
    best = decoded[0][0]
    assert_type(best.text, str)
    assert_type(best.token_ids, tuple[int, ...])
    assert_type(best.timesteps, tuple[int, ...] | None)
    assert_type(best.log_prob, float)
    assert_type(best.score, float)
    assert_type(best.parts, dict[str, float])
    assert_type([one.text for line in decoded for one in line], list[str])
    assert_type(decoded.all_texts(), list[str])
    assert_type(decoded.scores, Doubles)
    assert_type(decoded.log_probs, Doubles)
    assert_type(decoded.timesteps, Ints)
    assert_type(decoded.token_ids, Ints)
    assert_type(decoded.parts, Mapping[str, Doubles] | None)
    assert_type(decoded.materialize(), DecodedBatch)
    again = ctckit.rescore(decoded, lambda texts: [-len(one) for one in texts], weight=0.5)
    return assert_type(again.texts(), list[str])


def keep(batch: MatrixBatch) -> ErrorCounts:
    ctckit.write_dump(Path("dump"), batch, references=["a"], overwrite=True)
    dump = ctckit.open_dump("dump")
    assert_type(dump, Dump)
    for part in dump.batches(max_frames=1000):
        assert_type(part.batch, MatrixBatch)
        assert_type(part.references, list[str | None])
    counts = count_errors(["a"], decode(batch))
    assert_type(counts.cer, float)
    return counts + counts


def look_around() -> list[str]:
    try:
        found = ctckit.list_decoders()
    except ctckit.PluginError as error:
        return [str(error)]
    except (ctckit.AlphabetMismatchError, ctckit.InvalidValueError) as error:
        assert_type(error, ctckit.AlphabetMismatchError | ctckit.InvalidValueError)
        wrong_value: ValueError = error
        return [str(wrong_value)]
    except (ctckit.NotFoundError, ctckit.DumpError, ctckit.MissingExtraError) as error:
        any_of_ours: ctckit.CtckitError = error
        return [str(any_of_ours)]
    warnings.simplefilter("error", ctckit.CtckitWarning)
    assert_type(found, list[ctckit.DecoderInfo])
    assert_type(ctckit.__version__, str)
    assert_type(ctckit.CONTRACT_VERSION, int)
    return [f"{info.name} {info.distribution} {info.version} {info.summary}" for info in found]


class Plugin(Decoder):
    """A decoder as a plugin's author writes it."""

    floor: float = option(0.5, minimum=0.0, maximum=1.0, help="Least probability.")
    corpus: Path | None = option(None, help="Text file.")
    size: int = option(ctckit.REQUIRED, minimum=1, help="How many.")
    contract = 1
    scores_are_log_probs = True
    exhaustive = {"floor": 0.0}  # noqa: RUF012
    known_failings = {  # noqa: RUF012
        "exhaustive": "it is a toy",
        "quiet": ctckit.Sometimes("it mutters"),
    }

    def prepare(self) -> None:
        self._words = Lexicon(["a"], self.alphabet)

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        assert_type(self.floor, float)
        assert_type(self.corpus, Path | None)
        paths = [matrix.argmax(axis=1) for matrix in batch]
        result = SearchResult.from_best(paths, [0.0 for _ in paths])
        assert_type(result.scores, Doubles | None)
        assert_type(SearchResult.from_lists([paths]), SearchResult)
        return assert_type(SearchResult.concatenate([result]), SearchResult)


@ctckit.decoder
def function(log_probs: npt.NDArray[np.float32], alphabet: Alphabet) -> str:
    """A decoder of one function."""
    return alphabet.decode(log_probs.argmax(axis=1))


@ctckit.decoder(scores_are_log_probs=False)
def with_options(
    log_probs: npt.NDArray[np.float32],
    alphabet: Alphabet,
    *,
    size: int = 3,
    floor: float = ctckit.option(0.5, help="Least probability."),
) -> str:
    """A decoder of one function that has options."""
    return alphabet.tokens[size]


class Wide(BeamDecoder):
    """A decoder with a beam."""

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        assert_type(self.beam_width, int)
        return Plugin(self.alphabet, size=1).search(batch, n_best)


class TestFunction(DecoderConformance):
    @pytest.fixture
    def decoder(self) -> type[Decoder]:
        return assert_type(function, type[Decoder])


class TestPlugin(DecoderConformance):
    def make_decoder(self, alphabet: Alphabet) -> Decoder:
        assert_type(with_options(alphabet, size=2), Decoder)
        return Plugin(alphabet, floor=0.1, size=2)


def wrong(batch: MatrixBatch, decoder: Decoder) -> None:
    """Do what mypy must not allow; strict mode also reports an ignore that is not needed."""
    ctckit.no_such_name()  # type: ignore[attr-defined]
    decoder.decode_batch(batch, n_best="2")  # type: ignore[arg-type]
    decoder.decode_batch(batch, 2)  # type: ignore[call-arg]
    decoder.decode_batch(batch).text  # type: ignore[attr-defined]  # noqa: B018
    Alphabet(["a"])  # type: ignore[call-arg]
    Decoder(batch.alphabet)  # type: ignore[abstract]
    ctckit.decoder(len)  # type: ignore[arg-type]
    ctckit.load_decoder(3, batch.alphabet)  # type: ignore[arg-type]
