"""Kernels that read and write the n-grams of one order as the bytes of an ARPA file."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    BOOL,
    F32_1D,
    I32_1D,
    I32_2D,
    I64,
    I64_1D,
    OUT_F32_1D,
    OUT_I32_2D,
    OUT_I64_1D,
    OUT_I64_2D,
    OUT_U8_1D,
    U8_1D,
    inline,
    kernel,
)
from ctckit.kernels.words import find_word

(
    READ,
    TOO_FEW,
    TOO_MANY,
    BAD_PROBABILITY,
    TOO_FEW_WORDS,
    TOO_MANY_WORDS,
    NO_UNIGRAM,
    BAD_BACKOFF,
    BACKOFF_AT_END,
) = range(9)
"""What `read_ngrams` returns."""

TAB, NEWLINE, RETURN, SPACE = 9, 10, 13, 32
BACKSLASH = 92
LOG_10 = np.log(10.0)
ROUNDING = 1e-5
"""What a log-probability may be above 0, which it then is: IRSTLM writes 1.3e-07 and the like."""


@inline
def _skip_blanks(data, at):
    """Return the first position from `at` on that is not blank on the same line."""
    while at < data.size and (data[at] == SPACE or data[at] == TAB or data[at] == RETURN):
        at += 1
    return at


@inline
def _end_of_field(data, at):
    """Return where the field that begins at `at` ends."""
    while at < data.size and not (
        data[at] == SPACE or data[at] == TAB or data[at] == RETURN or data[at] == NEWLINE
    ):
        at += 1
    return at


@inline
def _read_digits(data, at, stop, value, scale, step):
    """Read digits; returns value, scale (each digit adds `step`) and where they end."""
    while at < stop and 48 <= data[at] <= 57:
        if value < 1e17:
            value = value * 10.0 + (np.int64(data[at]) - 48)
            scale += step
        else:  # more than a float64 can hold: only their number counts
            scale += step + 1
        at += 1
    return value, scale, at


@inline
def _read_number(data, at, stop):
    """Return the number that the bytes from `at` to `stop` spell, NaN if none. -inf is one."""
    if (
        stop - at == 4
        and data[at] == 45
        and (
            (data[at + 1] | 32) == 105 and (data[at + 2] | 32) == 110 and (data[at + 3] | 32) == 102
        )
    ):
        return -np.inf
    negative = at < stop and data[at] == 45
    if at < stop and (data[at] == 45 or data[at] == 43):
        at += 1
    first = at
    value, scale, at = _read_digits(data, at, stop, 0.0, np.int64(0), np.int64(0))
    digits = at - first
    if at < stop and data[at] == 46:
        first = at + 1
        value, scale, at = _read_digits(data, first, stop, value, scale, np.int64(-1))
        digits += at - first
    if digits == 0:
        return np.nan
    if at < stop and (data[at] | 32) == 101:
        at += 1
        falling = at < stop and data[at] == 45
        if at < stop and (data[at] == 45 or data[at] == 43):
            at += 1
        first = at
        exponent = np.int64(0)
        while at < stop and 48 <= data[at] <= 57:
            exponent = min(exponent * 10 + (np.int64(data[at]) - 48), np.int64(9999))
            at += 1
        if at == first:
            return np.nan
        scale += -exponent if falling else exponent
    if at < stop:
        return np.nan
    if scale < -300:
        value = value * 1e-300 * 10.0 ** max(scale + 300, np.int64(-300))
    elif scale < 0:
        value /= 10.0 ** (-scale)
    elif value != 0.0:
        value *= 10.0 ** min(scale, np.int64(308))
    return -value if negative else value


@kernel(
    I64(
        U8_1D,
        I64,
        BOOL,
        U8_1D,
        I64_1D,
        I32_1D,
        OUT_I32_2D,
        OUT_I64_2D,
        OUT_F32_1D,
        OUT_F32_1D,
        OUT_I64_1D,
    )
)
def read_ngrams(data, at, last, spellings, offsets, table, rows, spans, log_probs, backoffs, where):
    """Read the n-grams of one order, as many as `log_probs` has room for; returns how it went.

    data: the file; at: where they begin; last: whether the order is the model's; spellings,
    offsets, table: the words, unused for unigrams; rows (M, n): word numbers, out, unused for
    unigrams; spans (M, 2): begin and end of each unigram's word, out, else unused; log_probs,
    backoffs (M): natural logarithms, out; where (4): out, the position at which it stopped, how
    many n-grams were read, and begin and end of what is wrong.
    """
    count = log_probs.size
    order = rows.shape[1]
    size = data.size
    read = 0
    status = READ
    while True:
        while at < size and (
            data[at] == SPACE or data[at] == TAB or data[at] == RETURN or data[at] == NEWLINE
        ):
            at += 1
        where[0] = at
        where[1] = read
        if at == size or data[at] == BACKSLASH:
            return READ if read == count else TOO_FEW
        if read == count:
            return TOO_MANY
        stop = _end_of_field(data, at)
        value = _read_number(data, at, stop)
        where[2] = at
        where[3] = stop
        if not value <= ROUNDING:
            return BAD_PROBABILITY
        log_probs[read] = min(value, 0.0) * LOG_10
        for k in range(order):
            at = _skip_blanks(data, stop)
            stop = _end_of_field(data, at)
            where[2] = at
            where[3] = stop
            if at == stop:
                return TOO_FEW_WORDS
            if order == 1:
                spans[read, 0] = at
                spans[read, 1] = stop
            else:
                word = find_word(data, at, stop, spellings, offsets, table)
                if word < 0:
                    return NO_UNIGRAM
                rows[read, k] = word
        at = _skip_blanks(data, stop)
        stop = _end_of_field(data, at)
        backoffs[read] = 0.0
        if at < stop:
            where[2] = at
            where[3] = stop
            value = _read_number(data, at, stop)
            rest = _skip_blanks(data, stop)
            if rest < size and data[rest] != NEWLINE:
                return TOO_MANY_WORDS
            if not np.isfinite(value):
                return BAD_BACKOFF
            if last and value != 0.0:
                return BACKOFF_AT_END
            backoffs[read] = value * LOG_10
            at = rest
        read += 1
    return status


@inline
def _write_number(value, text, at):
    """Write a number with up to seven decimals, as many as a float32 has; returns where it ends."""
    if value == -np.inf:
        text[at], text[at + 1], text[at + 2], text[at + 3] = 45, 105, 110, 102
        return at + 4
    if abs(value) < 10.0:
        units = np.int64(abs(value) * 1e7 + 0.5)
    else:
        units = np.int64(min(abs(value), 1e9) * 1e5 + 0.5) * 100
    if value < 0.0 and units > 0:
        text[at] = 45
        at += 1
    whole = units // 10_000_000
    rest = units - whole * 10_000_000
    power = np.int64(1)
    while power * 10 <= whole:
        power *= 10
    while power > 0:
        text[at] = 48 + (whole // power) % 10
        at += 1
        power //= 10
    if rest > 0:
        text[at] = 46
        at += 1
    power = np.int64(1_000_000)
    while rest > 0:
        text[at] = 48 + rest // power
        at += 1
        rest %= power
        power //= 10
    return at


@kernel(I64(I32_2D, U8_1D, I64_1D, F32_1D, F32_1D, OUT_U8_1D))
def write_ngrams(rows, spellings, offsets, log_probs, backoffs, text):
    """Write the lines of n-grams; returns how many bytes.

    rows (M, n): word numbers; spellings, offsets: the words; log_probs, backoffs (M): natural
    logarithms; text: out, with room for the words, a byte after each, and 64 more a line.
    """
    at = np.int64(0)
    for i in range(rows.shape[0]):
        at = _write_number(np.float64(log_probs[i]) / LOG_10, text, at)
        for k in range(rows.shape[1]):
            text[at] = TAB if k == 0 else SPACE
            at += 1
            word = rows[i, k]
            for j in range(offsets[word], offsets[word + 1]):
                text[at] = spellings[j]
                at += 1
        if backoffs[i] != 0.0:
            text[at] = TAB
            at = _write_number(np.float64(backoffs[i]) / LOG_10, text, at + 1)
        text[at] = NEWLINE
        at += 1
    return at
