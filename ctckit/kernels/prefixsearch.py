"""Kernel of prefix search decoding (Graves et al., ICML 2006, section 3.2).

The likeliest prefix whose extensions were not tried yet is extended by every token, until the
texts found are at least as likely as all that begin with any such prefix together. It begins with
the prefixes of the best path's text, so that something good to compare with is there at once.

- A token is passed over where all texts that begin so are less likely than what was found: for
  that a product of a vector and the matrix of probabilities suffices.
- Only prefixes that are extended get states; their scale is a number of its own, so that long
  texts do not underflow.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import (
    F32_2D,
    F64,
    I32,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    inline,
    kernel,
)
from ctckit.kernels.likelihood import text_log_probs
from ctckit.kernels.prefixes import (
    LEAST,
    empty_prefix,
    longer_prefix,
    scale_states,
    take_frames,
    weigh_frames,
)

OUT_I32_2D = types.Array(I32, 2, "C")

ROUNDING = 1e-12
"""Share of a prefix's probability that rounding may hide from that of its extensions."""
BELOW_FOUND = 1e-20
"""States are left out that lead to less than this times the last text that would be returned."""
HIGHEST = 600.0
"""Logarithm up to which a limit is distinguished from others that nothing reaches."""
PARENT, LAST, ON_WALK, BEGIN, END = range(5)
"""Columns of the table of prefixes; ON_WALK: how many tokens of the best path's text, or -1."""
ROW, TOKEN = range(2)
"""Columns of the table of what is one token longer than a prefix."""


@inline
def _add(key, row, token, keys, entries, size):
    """Add a prefix to a heap, the largest key first; returns how many there are."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if keys[above] >= key:
            break
        keys[at] = keys[above]
        entries[at, ROW], entries[at, TOKEN] = entries[above, ROW], entries[above, TOKEN]
        at = above
    keys[at] = key
    entries[at, ROW], entries[at, TOKEN] = row, token
    return size + 1


@inline
def _drop_first(keys, entries, size):
    """Take the first prefix of a heap away; returns how many are left."""
    size -= 1
    at = np.int64(0)
    below = np.int64(1)
    while below < size:
        below += np.int64(below + 1 < size and keys[below + 1] > keys[below])
        if keys[size] >= keys[below]:
            break
        keys[at] = keys[below]
        entries[at, ROW], entries[at, TOKEN] = entries[below, ROW], entries[below, TOKEN]
        at = below
        below = 2 * at + 1
    keys[at] = keys[size]
    entries[at, ROW], entries[at, TOKEN] = entries[size, ROW], entries[size, TOKEN]
    return size


@inline
def _put_in(score, row, token, n_best, count, scores, found):
    """Keep a text if it is one of the `n_best` likeliest; returns how many there are."""
    if count == n_best:
        if score <= scores[count - 1]:
            return count
        count -= 1
    at = count
    while at > 0 and scores[at - 1] < score:
        scores[at] = scores[at - 1]
        found[at, ROW], found[at, TOKEN] = found[at - 1, ROW], found[at - 1, TOKEN]
        at -= 1
    scores[at] = score
    found[at, ROW], found[at, TOKEN] = row, token
    return count + 1


@inline
def _write_text(row, token, table, walk, out):
    """Write a text that `_put_in` has kept; returns its length."""
    if row < 0:
        for k in range(token):
            out[k] = walk[k]
        return token
    length = np.int64(1)
    above = row
    while above > 0:
        length += 1
        above = table[above, PARENT]
    out[length - 1] = token
    above = row
    for place in range(length - 2, -1, -1):
        out[place] = table[above, LAST]
        above = table[above, PARENT]
    return length


@inline
def _best_path(log_probs, start, stop, blank, walk):
    """Write the text of the best path; returns its length."""
    length = np.int64(0)
    last = blank
    for t in range(start, stop):
        best = np.argmax(log_probs[t])
        walk[length] = best
        length += np.int64(best != last and best != blank)
        last = best
    return length


@kernel(
    I64(F32_2D, I64, I64, I64, I64, I64, OUT_I32_2D, OUT_I64_1D, OUT_F64_1D),
    reorder_sums=True,
)
def search_piece(log_probs, start, stop, blank, n_best, max_prefixes, texts, lengths, scores):
    """Write the likeliest texts of frames `start` to `stop`, best first; returns how many.

    log_probs (sum of T, C); texts (n_best, at least T), lengths, scores (n_best): out.
    """
    frames = stop - start
    classes = log_probs.shape[1]
    probs = np.empty((classes, frames))
    log_after = np.empty(frames + 1)
    tops = take_frames(log_probs, start, stop, probs, log_after, np.empty(classes))
    highest = np.empty(classes)
    for c in range(classes):
        highest[c] = probs[c].max()
    highest[blank] = 0.0
    after = np.empty(frames)
    weights = np.empty((2, frames))
    # The texts found: a row and one token more, or -1 and how many tokens of the best path's text.
    found = np.empty((n_best, 2), dtype=np.int64)
    count = np.int64(0)
    # A row a prefix that is extended, the empty one first.
    room = np.int64(32)
    table = np.empty((room, 5), dtype=np.int64)
    states = np.empty((room, 2, frames + 1))
    scales = np.empty(room)
    table[0, PARENT], table[0, LAST], table[0, ON_WALK] = -1, blank, 0
    scales[0] = tops
    text = empty_prefix(probs, blank, frames, states[0], table[0, BEGIN:])
    if text > 0.0:
        count = _put_in(np.log(text) + tops, -1, 0, n_best, count, scores, found)

    # First down the best path's text, so that there is something to compare with.
    walk = np.empty(frames, dtype=np.int32)
    walk_length = _best_path(log_probs, start, stop, blank, walk)
    spare = np.empty((2, 2, frames + 1))
    reach = np.empty((2, 2), dtype=np.int64)
    empty_prefix(probs, blank, frames, spare[0], reach[0])
    scale = tops
    walked = np.int64(0)
    while walked < walk_length:
        token = np.int64(walk[walked])
        repeats = walked > 0 and walk[walked - 1] == token
        old, new = walked & 1, (walked + 1) & 1
        weigh_frames(reach[old], frames, log_after, after)
        text, total = longer_prefix(
            probs,
            blank,
            token,
            repeats,
            frames,
            after,
            LEAST,
            spare[old],
            reach[old],
            spare[new],
            reach[new],
        )
        if total <= 0.0:
            break
        walked += 1
        if text > 0.0:
            score = np.log(text) + scale
            count = _put_in(score, -1, walked, n_best, count, scores, found)
        scale += scale_states(spare[new], reach[new])
    if walked < walk_length or text <= 0.0:  # states are lost where their range is too wide
        text_log_probs(
            log_probs,
            np.array([start, stop]),
            np.zeros(1, dtype=np.int64),
            walk,
            np.array([0, walk_length]),
            blank,
            after,
        )
        count = _put_in(after[0], -1, walk_length, n_best, count, scores, found)

    # A heap of prefixes that were not extended: a row and one token more. Their keys are the
    # log-probabilities of all texts that are longer than the prefix, and begin with it.
    heap_room = 8 * classes
    keys = np.empty(heap_room)
    entries = np.empty((heap_room, 2), dtype=np.int64)
    waiting = np.int64(0)
    threshold = scores[n_best - 1] if count == n_best else -np.inf
    made = np.int64(1)
    row = np.int64(0)
    while True:
        if waiting + classes > heap_room:
            keys = np.concatenate((keys, keys))
            entries = np.concatenate((entries, entries))
            heap_room *= 2
        begin = table[row, BEGIN]
        end = min(table[row, END], frames)
        last = table[row, LAST]
        walks_to = np.int64(-1)
        if 0 <= table[row, ON_WALK] < walked:
            walks_to = np.int64(walk[table[row, ON_WALK]])
        scale = scales[row]
        rest_scale = weigh_frames(table[row, BEGIN:], frames, log_after, after)
        text_share = np.exp(-rest_scale)
        mass = 0.0
        for t in range(begin, end):
            weights[0, t] = (states[row, 0, t] + states[row, 1, t]) * after[t]
            weights[1, t] = states[row, 1, t] * after[t]
            mass += weights[0, t]
        limit = np.exp(min(threshold - scale - rest_scale, HIGHEST))
        held = -np.inf  # the likeliest of the longer prefixes
        held_token = np.int64(-1)
        for c in range(classes):
            if highest[c] * mass <= limit:
                continue
            weight = weights[np.int64(c == last)]
            total = 0.0
            for t in range(begin, end):
                total += probs[c, t] * weight[t]
            if total <= limit:
                continue
            text, _ = longer_prefix(
                probs,
                blank,
                c,
                c == last,
                frames,
                after,
                max(LEAST, BELOW_FOUND * min(limit, 1.0)),
                states[row],
                table[row, BEGIN:],
                spare[0],
                reach[0],
            )
            if text > 0.0 and c != walks_to:
                score = np.log(text) + scale
                count = _put_in(score, row, c, n_best, count, scores, found)
                if count == n_best:
                    threshold = scores[n_best - 1]
                    limit = np.exp(min(threshold - scale - rest_scale, HIGHEST))
            rest = max(total - text * text_share, 0.0) + ROUNDING * total
            if rest > limit:
                key = np.log(rest) + scale + rest_scale
                token = np.int64(c)
                if key > held:
                    key, held = held, key
                    token, held_token = held_token, token
                if token >= 0:
                    waiting = _add(key, row, token, keys, entries, waiting)
        if made >= max_prefixes:
            break
        token = held_token
        if held <= scores[0]:  # down here is nothing better: elsewhere, then
            if token >= 0:
                waiting = _add(held, row, token, keys, entries, waiting)
            token = np.int64(-1)
        if token < 0:
            if waiting == 0 or keys[0] <= threshold:
                break
            row, token = entries[0, ROW], entries[0, TOKEN]
            waiting = _drop_first(keys, entries, waiting)
        if made == room:
            table = np.concatenate((table, table))
            states = np.concatenate((states, states))
            scales = np.concatenate((scales, scales))
            room *= 2
        rest_scale = weigh_frames(table[row, BEGIN:], frames, log_after, after)
        limit = np.exp(min(threshold - scales[row] - rest_scale, 0.0))
        longer_prefix(
            probs,
            blank,
            token,
            token == table[row, LAST],
            frames,
            after,
            max(LEAST, BELOW_FOUND * limit),
            states[row],
            table[row, BEGIN:],
            states[made],
            table[made, BEGIN:],
        )
        scales[made] = scales[row] + scale_states(states[made], table[made, BEGIN:])
        table[made, PARENT], table[made, LAST], table[made, ON_WALK] = row, token, -1
        if 0 <= table[row, ON_WALK] < walked and token == walk[table[row, ON_WALK]]:
            table[made, ON_WALK] = table[row, ON_WALK] + 1
        row = made
        made += 1
    for n in range(count):
        lengths[n] = _write_text(found[n, ROW], found[n, TOKEN], table, walk, texts[n])
    return count


@inline
def _join(
    n_best,
    count,
    texts,
    lengths,
    scores,
    found,
    ends,
    end_lengths,
    end_scores,
    taken,
    out,
    out_lengths,
    out_scores,
):
    """Write the likeliest of `count` texts followed by one of `found` ends; returns how many.

    All are sorted, and each text is written once, with its best score. taken (count): scratch.
    """
    taken[:count] = 0
    made = np.int64(0)
    while made < n_best:
        best = np.int64(-1)
        score = -np.inf
        for i in range(count):
            if taken[i] < found and scores[i] + end_scores[taken[i]] > score:
                best = i
                score = scores[i] + end_scores[taken[i]]
        if best < 0:
            break
        end = taken[best]
        taken[best] += 1
        length = lengths[best] + end_lengths[end]
        for k in range(lengths[best]):
            out[made, k] = texts[best, k]
        for k in range(end_lengths[end]):
            out[made, lengths[best] + k] = ends[end, k]
        out_lengths[made] = length
        out_scores[made] = score
        fresh = True
        for other in range(made):
            if out_lengths[other] == length:
                same = True
                for k in range(length):
                    same = same and out[other, k] == out[made, k]
                fresh = fresh and not same
        made += np.int64(fresh)
    return made


@kernel(
    I64(
        F32_2D,
        I64_1D,
        I64,
        I64,
        I64,
        F64,
        OUT_I32_1D,
        OUT_I64_1D,
        OUT_I64_1D,
        OUT_F64_1D,
    )
)
def prefix_search(
    log_probs,
    offsets,
    blank,
    n_best,
    max_prefixes,
    sure,
    token_ids,
    token_offsets,
    hypothesis_offsets,
    scores,
):
    """Write the `n_best` likeliest texts of each matrix, best first; returns tokens written.

    log_probs (sum of T, C), offsets (N + 1); sure: frames whose blank has a log-probability over
    this are taken for blanks, and what lies between them is searched piece by piece;
    token_ids (n_best * sum of T), token_offsets (N * n_best + 1), hypothesis_offsets (N + 1),
    scores (N * n_best): out, filled from the front.
    """
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    # The texts so far, those of a piece, and both joined.
    texts = np.empty((n_best, longest), dtype=np.int32)
    ends = np.empty((n_best, longest), dtype=np.int32)
    joined = np.empty((n_best, longest), dtype=np.int32)
    lengths = np.zeros(n_best, dtype=np.int64)
    end_lengths = np.zeros(n_best, dtype=np.int64)
    joined_lengths = np.zeros(n_best, dtype=np.int64)
    values = np.zeros(n_best)
    end_values = np.zeros(n_best)
    joined_values = np.zeros(n_best)
    taken = np.zeros(n_best, dtype=np.int64)
    written = np.int64(0)
    hypotheses = np.int64(0)
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    for i in range(offsets.size - 1):
        count = np.int64(1)
        lengths[0] = 0
        values[0] = 0.0
        blanks = 0.0
        start = offsets[i]
        while start < offsets[i + 1]:
            if log_probs[start, blank] > sure:
                blanks += np.float64(log_probs[start, blank])
                start += 1
                continue
            stop = start + 1
            while stop < offsets[i + 1] and log_probs[stop, blank] <= sure:
                stop += 1
            found = search_piece(
                log_probs, start, stop, blank, n_best, max_prefixes, ends, end_lengths, end_values
            )
            count = _join(
                n_best,
                count,
                texts,
                lengths,
                values,
                found,
                ends,
                end_lengths,
                end_values,
                taken,
                joined,
                joined_lengths,
                joined_values,
            )
            texts, joined = joined, texts
            lengths, joined_lengths = joined_lengths, lengths
            values, joined_values = joined_values, values
            start = stop
        for n in range(count):
            for k in range(lengths[n]):
                token_ids[written + k] = texts[n, k]
            written += lengths[n]
            scores[hypotheses] = min(values[n] + blanks, 0.0)
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
    return written
