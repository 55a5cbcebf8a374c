"""Run decoders over the same matrices, and count their errors and their time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.bench.specs import DecoderSpec
from ctckit.decoders.base import Decoder
from ctckit.errors import CtckitError, DumpError, InvalidValueError, MissingExtraError, described
from ctckit.matrices import MatrixBatch
from ctckit.metrics import ErrorCounts, count_errors

if TYPE_CHECKING:
    from ctckit.dumps import Dump

Around = Callable[[str, Decoder | None], AbstractContextManager[None]]
"""Takes a decoder's name, and itself once it is made."""

TRIAL = "two even frames"
"""The id of the matrix that each decoder reads before the dump's."""


@dataclass
class Score:
    """What one decoder did.

    Attributes
    ----------
    label : of the row
    counts : errors, pooled over all lines
    seconds : wall time of decoding and making texts, without compilation and reading
    reason : why the decoder was left out; None if it was not
    expected : whether that is no failure
    """

    label: str
    counts: ErrorCounts = field(default_factory=ErrorCounts)
    seconds: float = 0.0
    reason: str | None = None
    expected: bool = False

    @property
    def lines_per_second(self) -> float:
        """Lines decoded in a second of wall time; 0.0 for none."""
        return self.counts.lines / self.seconds if self.seconds else 0.0


@dataclass
class BenchResult:
    """What `run_bench` found.

    Attributes
    ----------
    source : the dump
    scores : one a decoder, in the order they were asked for
    lines : lines that were scored
    unreferenced : lines left out, since they have no reference
    unknown_ids : ids of given references that the dump does not hold
    damaged : one message a shard that could not be read
    """

    source: str
    scores: list[Score]
    lines: int = 0
    unreferenced: int = 0
    unknown_ids: int = 0
    damaged: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether no decoder failed and no shard was damaged."""
        return not self.damaged and all(
            score.reason is None or score.expected for score in self.scores
        )


def run_bench(
    dump: Dump,
    specs: Sequence[DecoderSpec],
    *,
    references: Mapping[str, str] | None = None,
    threads: int | None = None,
    on_lines: Callable[[int], None] | None = None,
    around: Around = lambda name, decoder: nullcontext(),
) -> BenchResult:
    """Decode the lines of a dump that have a reference with each decoder.

    The dump is read once, and each part of it goes to every decoder in turn. A decoder that
    cannot be loaded, or fails, is left out with the reason; the others go on.

    Parameters
    ----------
    dump : an open dump
    specs : the decoders, see `ctckit.bench.specs`
    references : text by id, instead of the dump's own
    threads : worker threads; None takes every core
    on_lines : called with the number of lines just read
    around : gives what to enter while a decoder's code runs

    Raises
    ------
    InvalidValueError : no line has a reference
    DumpError : no line has one that can be read, and a shard is damaged
    """
    unknown_ids = _check_references(dump, references)
    scores = [Score(spec.label, reason=spec.reason, expected=spec.expected) for spec in specs]
    decoders = [
        _load(spec, score, dump.alphabet, around) for spec, score in zip(specs, scores, strict=True)
    ]
    result = BenchResult(str(dump.path), scores, unknown_ids=unknown_ids)
    for part in dump.batches():
        texts = part.references
        if references is not None:
            texts = [references.get(name) for name in part.batch.ids]
        batch, wanted = _with_reference(part.batch, texts)
        result.unreferenced += len(texts) - len(wanted)
        result.lines += len(wanted)
        if wanted:
            for spec, decoder, score in zip(specs, decoders, scores, strict=True):
                if decoder is not None and score.reason is None:
                    with around(spec.name, decoder), _reason_in(score):
                        _decode(decoder, score, batch, wanted, threads)
        if on_lines is not None:
            on_lines(len(texts))
    result.damaged = dump.damaged
    return result


def _check_references(dump: Dump, references: Mapping[str, str] | None) -> int:
    """Refuse a dump without any reference; return how many given ones fit no line."""
    if references is None:
        if all(text is None for text in dump.references):
            if dump.damaged:
                raise DumpError(dump.damaged[0])
            raise InvalidValueError(
                f"references must be known for one line at least, got none in '{dump.path}'; "
                "give a file of them with --references, or convert the dump with them"
            )
        return 0
    unknown = len(set(references).difference(dump.ids))
    if unknown == len(references):
        example = next(iter(dump.ids), None)
        raise InvalidValueError(
            f"references must name one line of '{dump.path}' at least, got {unknown} ids that "
            f"it does not hold; its first id is {example!r}"
        )
    return unknown


@contextmanager
def _reason_in(score: Score) -> Iterator[None]:
    """Let whatever goes wrong inside be the reason why a decoder is left out."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except CtckitError as error:
        score.reason = str(error)
    except BaseException as error:
        score.reason = f"decoder must work, got {described(error)}; tell its author"


def _load(spec: DecoderSpec, score: Score, alphabet: Alphabet, around: Around) -> Decoder | None:
    """Make a decoder and run it once, so that what is compiled then is not timed."""
    if score.reason is not None:
        return None
    with around(spec.name, None), _reason_in(score):
        try:
            decoder = spec.load(alphabet)
        except MissingExtraError:
            score.expected = not spec.asked
            raise
        uniform = np.full((1, 2, len(alphabet)), 1 / len(alphabet), dtype=np.float32)
        trial = MatrixBatch.from_probs(uniform, alphabet, ids=[TRIAL])
        decoder.decode_batch(trial, threads=1).texts()
        return decoder
    return None


def _with_reference(
    batch: MatrixBatch, references: Sequence[str | None]
) -> tuple[MatrixBatch, list[str]]:
    """Return the matrices that have a reference, and these; a copy only where some lack one."""
    wanted = [text for text in references if text is not None]
    if wanted and len(wanted) < len(references):
        known = np.array([text is not None for text in references])
        edges = np.flatnonzero(np.diff(known, prepend=False, append=False)).tolist()
        runs = [batch[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        return MatrixBatch.concatenate(runs), wanted
    # Every page is touched before the first decoder's clock starts.
    batch.log_probs.max(initial=-np.inf)
    return batch, wanted


def _decode(
    decoder: Decoder,
    score: Score,
    batch: MatrixBatch,
    references: Sequence[str],
    threads: int | None,
) -> None:
    start = time.perf_counter()
    texts = decoder.decode_batch(batch, threads=threads).texts()
    score.seconds += time.perf_counter() - start
    score.counts += count_errors(references, texts)
