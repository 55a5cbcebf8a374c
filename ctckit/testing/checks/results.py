"""What holds of every result, and what is the right one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.hypotheses import Hypothesis
from ctckit.matrices import MatrixBatch
from ctckit.testing.checks.registered import check
from ctckit.testing.examples import RAGGED, example_alphabet, example_batch
from ctckit.testing.oracles import text_log_prob, text_probs
from ctckit.testing.strategies import batches, decoder_alphabets, tiny_alphabets
from ctckit.testing.subject import (
    CheckFailed,
    NotApplicable,
    Subject,
    decode,
    for_all,
    most_texts,
)

TOLERANCE = 1e-4
"""Of log-probabilities: a decoder may count in float32."""
MOST_PATHS = 2000
"""Of a matrix whose paths are all tried."""


@check("valid")
def valid(subject: Subject) -> None:
    """The n-best list falls, no text comes twice, log-probabilities and timesteps are true."""

    def holds(batch: MatrixBatch) -> None:
        decoder = subject.decoder_or_none(batch.alphabet)
        if decoder is not None:
            for n_best in {1, most_texts(decoder, 5)}:
                _demand_valid(decoder, batch, n_best)

    for_all(
        subject,
        batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=3, max_frames=5),
        holds,
    )
    alphabet = example_alphabet()
    _demand_valid(subject.decoder(), example_batch(alphabet, RAGGED), 1)


def _demand_valid(decoder: Decoder, batch: MatrixBatch, n_best: int) -> None:
    decoded = decode(decoder, batch, n_best=n_best)
    if len(decoded) != len(batch):
        raise CheckFailed("every matrix must get a line", batch, got=len(decoded))
    for i, (line, matrix) in enumerate(zip(decoded, batch, strict=True)):
        one_matrix = batch[i : i + 1]
        texts = [one.text for one in line]
        if not 1 <= len(line) <= n_best:
            raise CheckFailed(f"a line must hold 1 to {n_best} texts", one_matrix, got=texts)
        if len({one.token_ids for one in line}) < len(line):
            raise CheckFailed("no text may come twice", one_matrix, got=texts)
        scores = [one.score for one in line]
        if scores != sorted(scores, reverse=True):
            raise CheckFailed("scores must fall", one_matrix, got=texts, scores=scores)
        for one in line:
            _demand_true(one, matrix, one_matrix)


def _demand_true(one: Hypothesis, matrix: Any, batch: MatrixBatch) -> None:
    """Compare a text's log-probability and timesteps with the matrix."""
    alphabet = batch.alphabet
    if one.text != alphabet.decode(one.token_ids):
        raise CheckFailed("a text must be its tokens", batch, got=one.text, tokens=one.token_ids)
    expected = text_log_prob(matrix, one.token_ids, alphabet.blank)
    if len(alphabet) ** len(matrix) <= MOST_PATHS:
        prob = text_probs(matrix, alphabet.blank).get(one.token_ids, 0.0)
        expected = math.log(prob) if prob else -math.inf
    if not _close(one.log_prob, expected):
        raise CheckFailed(
            "log_prob must be the log-probability of the text over all alignments",
            batch,
            text=one.text,
            expected=expected,
            got=one.log_prob,
        )
    if (one.timesteps is None) != (one.log_prob == -math.inf):
        raise CheckFailed("timesteps must be there where an alignment is", batch, text=one.text)
    frames = one.timesteps or ()
    rising = list(frames) == sorted(set(frames)) and set(frames) <= set(range(len(matrix)))
    if one.timesteps is not None and not (rising and len(frames) == len(one.token_ids)):
        raise CheckFailed(
            "timesteps must be a rising frame for each token", batch, text=one.text, got=frames
        )


def _close(one: float, other: float) -> bool:
    if math.isinf(one) or math.isinf(other):
        return one == other
    return abs(one - other) <= TOLERANCE + 1e-5 * abs(other)


@check("certain-path")
def certain_path(subject: Subject) -> None:
    """A matrix that allows one path only, of "ab" with repeats and blanks, is read as "ab"."""
    for path in ([5, 0, 0, 5, 5, 1, 1, 5], [0, 1], [0, 0, 1], [0, 5, 1, 1], [5, 5, 0, 1, 5]):
        for blank in (5, 0, 2):
            alphabet = example_alphabet(blank)
            decoder = subject.decoder_or_none(alphabet)
            if decoder is None:
                continue  # another check tells
            classes = [blank if c == 5 else alphabet.token_ids["ab"[c]] for c in path]
            with np.errstate(divide="ignore"):
                batch = MatrixBatch.from_probs([np.eye(len(alphabet))[classes]], alphabet)
            best = decode(decoder, batch)[0][0]
            if best.text != "ab":
                raise CheckFailed(
                    "the only path must be read",
                    batch,
                    path=[alphabet.tokens[c] or "blank" for c in classes],
                    expected="ab",
                    got=best.text,
                )
            _demand_true(best, batch[0], batch)


@check("no-frames")
def no_frames(subject: Subject) -> None:
    """A matrix without frames is the empty text, alone and among others; no matrix is no line."""
    alphabet = example_alphabet()
    decoder = subject.decoder(alphabet)
    empty = example_batch(alphabet, [0, 0])
    decoded = decode(decoder, empty, n_best=most_texts(decoder, 2))
    found = [[one.text for one in line] for line in decoded]
    if found != [[""], [""]]:
        raise CheckFailed("no frames must be the empty text", empty, expected=[[""]] * 2, got=found)
    for frames in ([3, 0], [0, 3], [4, 0, 4]):
        batch = example_batch(alphabet, frames)
        text = decode(decoder, batch).texts()[frames.index(0)]
        if text != "":
            raise CheckFailed("no frames must be the empty text", batch, expected="", got=text)
    nothing = decode(decoder, example_batch(alphabet, [])).texts()
    if nothing:
        raise CheckFailed("no matrices must be no lines", got=nothing)


@check("one-class")
def one_class(subject: Subject) -> None:
    """With an alphabet of the blank alone every matrix is the empty text, unless it is refused."""
    alphabet = Alphabet([""], blank=0)
    decoder = subject.decoder_or_none(alphabet)
    if decoder is None:
        raise NotApplicable("it refuses an alphabet of the blank alone")
    batch = MatrixBatch.from_log_probs([np.zeros((t, 1)) for t in (0, 1, 4)], alphabet)
    found = decode(decoder, batch, n_best=most_texts(decoder, 3))
    texts = [[one.text for one in line] for line in found]
    if texts != [[""]] * 3:
        raise CheckFailed("blanks must be the empty text", batch, expected=[[""]] * 3, got=texts)


@check("impossible-classes")
def impossible_classes(subject: Subject) -> None:
    """Where classes have log-probability -inf, the best text is possible, or scores -inf."""

    def holds(batch: MatrixBatch) -> None:
        decoder = subject.decoder_or_none(batch.alphabet)
        if decoder is None:
            return
        for i, line in enumerate(decode(decoder, batch, n_best=most_texts(decoder, 3))):
            best = line[0]
            if best.log_prob == -math.inf and best.score > -math.inf:
                raise CheckFailed(
                    "the best text must be possible, or score -inf",
                    batch[i : i + 1],
                    got=best.text,
                    score=best.score,
                )

    for_all(
        subject,
        batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=2, min_dead=1),
        holds,
    )
    # Nothing but "c", with which one word of the examples begins, and none ends.
    alphabet = example_alphabet()
    certain = np.full((1, len(alphabet)), -np.inf)
    certain[0, alphabet.token_ids["c"]] = 0
    holds(MatrixBatch.from_log_probs([certain], alphabet))


@check("exhaustive")
def exhaustive(subject: Subject) -> None:
    """The n-best list of a tiny matrix is that of trying all paths (of those that claim it)."""
    options = subject.decoder().exhaustive
    if options is None and subject.oracle is None:
        raise NotApplicable("it does not claim to find the likeliest of all texts")

    one_text = _gives_one_text(subject)

    def holds(batch: MatrixBatch) -> None:
        if subject.oracle is not None:
            decoder = subject.decoder_or_none(batch.alphabet)
        else:
            decoder = _with_options(subject, batch.alphabet, options)
        if decoder is None:
            return
        found = decode(decoder, batch, n_best=most_texts(decoder, 5))
        for i, (line, matrix) in enumerate(zip(found, batch, strict=True)):
            expected = _expected(subject, matrix, batch.alphabet)
            if expected is not None:
                _demand_ranked(
                    line,
                    expected,
                    batch[i : i + 1],
                    wanted=1 if one_text else most_texts(decoder, 5),
                    same_scores=subject.oracle is not None or decoder.scores_are_log_probs,
                )

    tiny = tiny_alphabets() if subject.oracle is None else decoder_alphabets()
    most = 5 if subject.oracle is None else 4
    for_all(subject, batches(alphabet=tiny, min_matrices=1, max_matrices=2, max_frames=most), holds)


def _gives_one_text(subject: Subject) -> bool:
    """Return whether it gives the best text alone, however many are asked for."""
    decoder = subject.decoder()
    batch = example_batch(decoder.alphabet, RAGGED)
    return max(map(len, decode(decoder, batch, n_best=most_texts(decoder, 5)))) == 1


def _with_options(subject: Subject, alphabet: Alphabet, options: Any) -> Decoder | None:
    if subject.decoder_or_none(alphabet) is None:
        return None
    return subject.with_options(alphabet, options)


def _expected(subject: Subject, matrix: Any, alphabet: Alphabet) -> dict[Any, float] | None:
    """Return the score of every text that may be found."""
    if subject.oracle is not None:
        told = subject.oracle(matrix, alphabet)
        return None if told is None else dict(told)
    return {text: math.log(prob) for text, prob in text_probs(matrix, alphabet.blank).items()}


def _demand_ranked(
    line: list[Hypothesis],
    expected: dict[Any, float],
    batch: MatrixBatch,
    *,
    wanted: int,
    same_scores: bool,
) -> None:
    """Compare an n-best list with the scores of all texts; texts that tie may change places."""
    as_text = any(isinstance(key, str) for key in expected)
    names = [one.text if as_text else one.token_ids for one in line]
    best = sorted(expected.values(), reverse=True)[: len(line)]
    wanted = min(wanted, len(expected))
    likeliest = sorted(expected, key=lambda key: -expected[key])[: max(wanted, 1)]
    facts = {
        "expected": [(key, round(expected[key], 6)) for key in likeliest],
        "got": [(name, round(one.score, 6)) for name, one in zip(names, line, strict=True)],
    }
    if len(line) != wanted or any(name not in expected for name in names):
        raise CheckFailed("the likeliest texts must be found, as many as asked", batch, **facts)
    for name, one, score in zip(names, line, best, strict=True):
        if not _close(expected[name], score):
            raise CheckFailed("the likeliest texts must be found, best first", batch, **facts)
        if same_scores and not _close(one.score, expected[name]):
            raise CheckFailed("scores must be those of the texts", batch, **facts)


@check("true-scores")
def true_scores(subject: Subject) -> None:
    """A score is at most the text's log-probability (of those that say it is one)."""
    if not subject.decoder().scores_are_log_probs:
        raise NotApplicable("it does not say that its scores are log-probabilities")

    def holds(batch: MatrixBatch) -> None:
        decoder = subject.decoder_or_none(batch.alphabet)
        if decoder is None or not decoder.scores_are_log_probs:
            return
        for i, line in enumerate(decode(decoder, batch, n_best=most_texts(decoder, 3))):
            for one in line:
                if one.score > one.log_prob + TOLERANCE + 1e-5 * abs(one.log_prob):
                    raise CheckFailed(
                        "a score must be at most the log-probability",
                        batch[i : i + 1],
                        text=one.text,
                        score=one.score,
                        log_prob=one.log_prob,
                    )

    for_all(
        subject,
        batches(alphabet=decoder_alphabets(), min_matrices=1, max_matrices=3, max_frames=9),
        holds,
    )


CHECKS = (
    valid,
    certain_path,
    no_frames,
    one_class,
    impossible_classes,
    exhaustive,
    true_scores,
)
