"""What must not change a result: the order of classes, other matrices, threads, time."""

from __future__ import annotations

from typing import Any

import numpy as np

import ctckit.parallel
from ctckit.alphabet import Alphabet
from ctckit.errors import AlphabetMismatchError
from ctckit.hypotheses import DecodedBatch
from ctckit.matrices import MatrixBatch
from ctckit.testing.checks.registered import check
from ctckit.testing.examples import (
    CHARACTERS,
    RAGGED,
    example_alphabet,
    example_batch,
    tied_batch,
)
from ctckit.testing.strategies import NO_TIES, batches, decoder_alphabets, with_numbers
from ctckit.testing.subject import (
    CheckFailed,
    Subject,
    decode,
    different_columns,
    for_all,
    most_texts,
)

TOLERANCE = 1e-4
"""Of scores that need not be equal in every bit."""
SMALL_CHUNK = 40
"""Frames of a chunk where threads are tried, so that few matrices make many."""


def _texts(decoded: DecodedBatch) -> list[list[str]]:
    return [[one.text for one in line] for line in decoded]


def _demand_equal_texts(what: str, batch: MatrixBatch, expected: Any, got: Any) -> None:
    """Show the first line in which two lists of texts differ."""
    for i, (one, other) in enumerate(zip(expected, got, strict=True)):
        if one != other:
            raise CheckFailed(what, batch[i : i + 1], expected=one, got=other)


def reordered(batch: MatrixBatch, order: list[int]) -> MatrixBatch:
    """Return the batch with its classes in another order: new class i is old class order[i]."""
    tokens = [batch.alphabet.tokens[i] for i in order]
    alphabet = Alphabet(tokens, order.index(batch.alphabet.blank))
    return MatrixBatch.from_log_probs([matrix[:, order] for matrix in batch], alphabet)


def _demand_order_does_not_matter(subject: Subject, batch: MatrixBatch, order: list[int]) -> None:
    """Decode with the classes in another order."""
    other = reordered(batch, order)
    decoders = [subject.decoder_or_none(one.alphabet) for one in (batch, other)]
    if None in decoders:
        return
    n_best = most_texts(subject.decoder(batch.alphabet), 3)
    expected, got = (
        _texts(decode(subject.decoder(one.alphabet), one, n_best=n_best)) for one in (batch, other)
    )
    tokens = ["blank" if i == batch.alphabet.blank else batch.alphabet.tokens[i] for i in order]
    _demand_equal_texts(
        f"the order of the classes must not matter, got other texts in the order {tokens}",
        batch,
        expected,
        got,
    )


@check("blank-anywhere")
def blank_anywhere(subject: Subject) -> None:
    """The texts are the same wherever the blank is among the classes."""
    alphabet = example_alphabet()
    batch = example_batch(alphabet, RAGGED)
    last = len(CHARACTERS)
    for blank in range(last):
        order = [*range(blank), last, *range(blank, last)]
        if subject.decoder_or_none(example_alphabet(blank)) is None:
            raise CheckFailed("any class may be the blank, got a refusal", blank=blank)
        _demand_order_does_not_matter(subject, batch, order)


@check("permuted-classes")
def permuted_classes(subject: Subject) -> None:
    """The texts are the same in whatever order the classes are."""

    def holds(drawn: tuple[MatrixBatch, int]) -> None:
        batch, seed = drawn
        order = np.random.default_rng(seed).permutation(len(batch.alphabet)).tolist()
        _demand_order_does_not_matter(subject, batch, order)

    one = batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=2, styles=NO_TIES)
    for_all(subject, with_numbers(one, 5), holds)


@check("certain-blanks")
def certain_blanks(subject: Subject) -> None:
    """Frames that are certain of the blank, at either end, change neither texts nor scores."""

    def holds(drawn: tuple[MatrixBatch, int, int]) -> None:
        batch, before, after = drawn
        decoder = subject.decoder_or_none(batch.alphabet)
        if decoder is None:
            return
        certain = np.full((1, len(batch.alphabet)), -np.inf, dtype=np.float32)
        certain[0, batch.alphabet.blank] = 0
        longer = MatrixBatch.from_log_probs(
            [np.concatenate([certain] * before + [one] + [certain] * after) for one in batch],
            batch.alphabet,
        )
        n_best = most_texts(decoder, 3)
        plain, padded = (decode(decoder, one, n_best=n_best) for one in (batch, longer))
        added = f"{before} frames of certain blank before and {after} after must change nothing"
        _demand_equal_texts(added, batch, _texts(plain), _texts(padded))
        for i, (line, other) in enumerate(zip(plain, padded, strict=True)):
            scores, after_all = ([one.score for one in each] for each in (line, other))
            if not np.allclose(scores, after_all, rtol=1e-5, atol=TOLERANCE):
                one = batch[i : i + 1]
                raise CheckFailed(added, one, expected_scores=scores, got_scores=after_all)

    one = batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=2, styles=NO_TIES)
    for_all(subject, with_numbers(one, 2, 2), holds)


@check("one-by-one")
def one_by_one(subject: Subject) -> None:
    """A batch is its matrices one by one, in any order, in every bit."""

    def holds(batch: MatrixBatch) -> None:
        decoder = subject.decoder_or_none(batch.alphabet)
        if decoder is None:
            return
        n_best = most_texts(decoder, 3)
        whole = list(decode(decoder, batch, n_best=n_best))
        singles = [batch[i : i + 1] for i in range(len(batch))]
        alone = [decode(decoder, one, n_best=n_best)[0] for one in singles]
        turned = decode(decoder, MatrixBatch.concatenate(singles[::-1]), n_best=n_best)
        for what, found in (
            ("a matrix must be read alone as in a batch", alone),
            ("the order of the matrices must not matter", list(turned)[::-1]),
        ):
            for i, (one, other) in enumerate(zip(whole, found, strict=True)):
                if one != other:
                    raise CheckFailed(
                        f"{what}, got another for matrix {i}", batch, together=one, otherwise=other
                    )

    for_all(subject, batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=3), holds)
    holds(example_batch(example_alphabet(), RAGGED))
    holds(tied_batch(example_alphabet()))


@check("threads")
def threads(subject: Subject) -> None:
    """One thread, two and five give the same in every bit."""
    batch = example_batch(example_alphabet(), [40, 0, 35, 60] * 12)
    decoder = subject.decoder()
    n_best = most_texts(decoder, 2)
    smallest = ctckit.parallel.SMALLEST_CHUNK
    ctckit.parallel.SMALLEST_CHUNK = SMALL_CHUNK
    try:
        serial = decode(decoder, batch, n_best=n_best, threads=1)
        for count in (2, 5, 5):
            found = decode(decoder, batch, n_best=n_best, threads=count)
            _demand_same(f"{count} threads must give what one gives", batch, serial, found)
    finally:
        ctckit.parallel.SMALLEST_CHUNK = smallest


def _demand_same(what: str, batch: MatrixBatch, one: DecodedBatch, other: DecodedBatch) -> None:
    _demand_equal_texts(what, batch, _texts(one), _texts(other))
    if different := different_columns(one, other):
        raise CheckFailed(f"{what} in every bit, got other {different}", batch)


@check("deterministic")
def deterministic(subject: Subject) -> None:
    """Decoding again, and with another instance, gives the same in every bit."""
    batch = example_batch(example_alphabet(), RAGGED)
    decoder = subject.decoder()
    n_best = most_texts(decoder, 3)
    first = decode(decoder, batch, n_best=n_best)
    again = decode(decoder, batch, n_best=n_best)
    _demand_same("decoding again must give the same", batch, first, again)
    other = decode(subject.make(batch.alphabet), batch, n_best=n_best)
    _demand_same("another instance must give the same", batch, first, other)


@check("n-best-prefix")
def n_best_prefix(subject: Subject) -> None:
    """The best text does not depend on how many are asked for."""

    def holds(batch: MatrixBatch) -> None:
        decoder = subject.decoder_or_none(batch.alphabet)
        if decoder is None:
            return
        one = decode(decoder, batch).texts()
        for n_best in range(2, most_texts(decoder, 4) + 1):
            several = decode(decoder, batch, n_best=n_best).texts()
            what = f"the best text must not depend on n_best, got another with {n_best}"
            _demand_equal_texts(what, batch, one, several)

    for_all(subject, batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=2), holds)
    holds(tied_batch(example_alphabet()))


@check("other-alphabet")
def other_alphabet(subject: Subject) -> None:
    """Matrices of another alphabet are refused by an AlphabetMismatchError."""
    batch = example_batch(example_alphabet(0), [3])
    try:
        found = subject.decoder().decode_batch(batch)
    except AlphabetMismatchError:
        return
    raise CheckFailed("matrices of another alphabet must be refused", batch, got=found.texts())


CHECKS = (
    blank_anywhere,
    permuted_classes,
    certain_blanks,
    one_by_one,
    threads,
    deterministic,
    n_best_prefix,
    other_alphabet,
)
