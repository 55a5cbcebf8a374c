"""Kernel of lexicon search (Shi, Bai and Yao, PAMI 2017): the likeliest word near the best path.

Words near the text of the best path come from a BK-tree. They are gone through in the order of
their tokens, so that one that begins like the word before goes on from where the two part. Where
all texts that begin so are less likely than what was found, no word that begins so is looked at.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.bktree import clear_masks, near_nodes, set_masks
from ctckit.kernels.jit import (
    F32_2D,
    F64,
    I32_1D,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    VOID,
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

SLACK = 1e-9
"""How far two ways to compute one log-probability may differ."""


@inline
def _nearest_first(count, far, n_best, found, chosen):
    """Choose the `n_best` of `count` nodes that have the smallest distances; returns how many."""
    made = np.int64(0)
    distance = np.int32(0)
    while made < min(count, n_best):
        following = np.int32(0x7FFFFFFF)
        for k in range(count):
            if far[k] == distance and made < n_best:
                chosen[made] = found[k]
                made += 1
            elif far[k] > distance:
                following = min(following, far[k])
        distance = following
    return made


@kernel(VOID(F32_2D, I64_1D, I64, I64, I32_1D, I32_1D, I64_1D, OUT_F64_1D))
def score_nodes(log_probs, frames, blank, count, chosen, spelling, starts, out):
    """Write the exact log-probabilities of the words of `count` nodes.

    frames (2): from where to where the matrix goes; chosen: the nodes; spelling, starts (V + 1):
    the words' tokens, in the order of the nodes.
    """
    token_offsets = np.zeros(count + 1, dtype=np.int64)
    for k in range(count):
        token_offsets[k + 1] = token_offsets[k] + starts[chosen[k] + 1] - starts[chosen[k]]
    token_ids = np.empty(token_offsets[count], dtype=np.int32)
    for k in range(count):
        for n in range(token_offsets[k + 1] - token_offsets[k]):
            token_ids[token_offsets[k] + n] = spelling[starts[chosen[k]] + n]
    lines = np.zeros(count, dtype=np.int64)
    text_log_probs(log_probs, frames, lines, token_ids, token_offsets, blank, out)


@kernel(
    I64(F32_2D, I64, I64, I64, I64, F64, I64, I32_1D, I64_1D, OUT_I32_1D),
    reorder_sums=True,
)
def drop_unlikely(log_probs, start, stop, blank, n_best, least, count, spelling, starts, nodes):
    """Keep the nodes whose words may be among the `n_best` likeliest; returns how many.

    nodes: `count` of them by the words' tokens, those kept are moved to the front; least: a
    log-probability that `n_best` of them reach.
    """
    frames = stop - start
    longest = np.int64(0)
    for k in range(count):
        longest = max(longest, starts[nodes[k] + 1] - starts[nodes[k]])
    probs = np.empty((log_probs.shape[1], frames))
    log_after = np.empty(frames + 1)
    after = np.empty(frames)
    row = np.empty(log_probs.shape[1])
    tops = take_frames(log_probs, start, stop, probs, log_after, row)
    # The states of a word's beginnings, by their length.
    states = np.empty((longest + 1, 2, frames + 1))
    reach = np.empty((longest + 1, 2), dtype=np.int64)
    scales = np.full(longest + 1, tops)
    empty_prefix(probs, blank, frames, states[0], reach[0])
    best = np.full(n_best, least)
    kept = np.int64(0)
    before = np.int64(0)  # where the spelling begins of the word whose states there are
    known = np.int64(0)  # of how many of its tokens
    hopeless = False  # whether one token more is too unlikely
    for k in range(count):
        first = starts[nodes[k]]
        length = starts[nodes[k] + 1] - first
        shared = np.int64(0)
        most = min(length, known + np.int64(hopeless))
        while shared < most and spelling[first + shared] == spelling[before + shared]:
            shared += 1
        if hopeless and shared > known:
            continue
        known = shared
        before = first
        hopeless = False
        text = 0.0
        while known < length and not hopeless:
            token = spelling[first + known]
            repeats = known > 0 and token == spelling[first + known - 1]
            rest_scale = weigh_frames(reach[known], frames, log_after, after)
            text, total = longer_prefix(
                probs,
                blank,
                token,
                repeats,
                frames,
                after,
                LEAST,
                states[known],
                reach[known],
                states[known + 1],
                reach[known + 1],
            )
            # What was left out of the states is less than LEAST a frame.
            bound = np.log(total + (frames + 1) * LEAST) + scales[known] + rest_scale
            if bound < best[n_best - 1] - SLACK:
                hopeless = True
            else:
                scales[known + 1] = scales[known] + scale_states(
                    states[known + 1], reach[known + 1]
                )
                known += 1
        if hopeless:
            continue
        nodes[kept] = nodes[k]
        kept += 1
        if text > 0.0:
            value = np.log(text) + scales[known - 1]
            at = n_best
            while at > 0 and best[at - 1] < value:
                if at < n_best:
                    best[at] = best[at - 1]
                at -= 1
            if at < n_best:
                best[at] = value
    return kept


@kernel(
    I64(
        F32_2D,
        I64_1D,
        I64,
        I64,
        I64,
        I32_1D,
        I64_1D,
        I32_1D,
        I32_1D,
        I64_1D,
        I32_1D,
        I32_1D,
        OUT_I32_1D,
        OUT_I64_1D,
        OUT_I64_1D,
        OUT_F64_1D,
    )
)
def lexicon_search(
    log_probs,
    offsets,
    blank,
    n_best,
    tolerance,
    approximate,
    approximate_offsets,
    word,
    spelling,
    starts,
    first_child,
    edge,
    token_ids,
    token_offsets,
    hypothesis_offsets,
    scores,
):
    """Write the `n_best` likeliest words near each best path, best first; returns tokens written.

    log_probs (sum of T, C), offsets (N + 1); approximate, approximate_offsets (N + 1): the texts
    of the best paths; word (V), spelling, starts (V + 1), first_child (V + 1), edge (V): the
    BK-tree, each node's word and its tokens among them; token_ids, token_offsets
    (N * n_best + 1), hypothesis_offsets (N + 1), scores (N * n_best): out, filled from the front.
    """
    words = word.size
    longest = np.int64(0)
    for node in range(words):
        longest = max(longest, starts[node + 1] - starts[node])
    longest_text = np.int64(0)
    for i in range(offsets.size - 1):
        longest_text = max(longest_text, approximate_offsets[i + 1] - approximate_offsets[i])
    masks = np.zeros(((longest_text + 63) >> 6, log_probs.shape[1]), dtype=np.int64)
    steps = np.zeros(longest, dtype=np.int32)
    queue = np.zeros(words, dtype=np.int32)
    found = np.zeros(words, dtype=np.int32)
    far = np.zeros(words, dtype=np.int32)
    node_of_word = np.full(words, -1, dtype=np.int32)
    seeds = np.zeros(n_best, dtype=np.int32)
    values = np.zeros(max(words, n_best))
    written = np.int64(0)
    hypotheses = np.int64(0)
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    for i in range(offsets.size - 1):
        start, stop = approximate_offsets[i], approximate_offsets[i + 1]
        set_masks(approximate, start, stop, masks)
        count = np.int64(0)
        for nearest in (False, True):
            if count == 0:
                count = near_nodes(
                    stop - start,
                    masks,
                    max(longest, stop - start) if nearest else tolerance,
                    nearest,
                    spelling,
                    starts,
                    first_child,
                    edge,
                    steps,
                    queue,
                    found,
                    far,
                )
        clear_masks(approximate, start, stop, masks)
        frames = offsets[i : i + 2]
        least = -np.inf
        chosen = _nearest_first(count, far, n_best, found, seeds)
        score_nodes(log_probs, frames, blank, chosen, seeds, spelling, starts, values)
        if chosen == n_best:
            least = values[:n_best].min()
        for k in range(count):
            node_of_word[word[found[k]]] = found[k]
        count = np.int64(0)
        for w in range(words):
            if node_of_word[w] >= 0:
                found[count] = node_of_word[w]
                count += 1
                node_of_word[w] = -1
        count = drop_unlikely(
            log_probs, frames[0], frames[1], blank, n_best, least, count, spelling, starts, found
        )
        score_nodes(log_probs, frames, blank, count, found, spelling, starts, values)
        for n in range(min(n_best, max(count, 1))):
            best = np.int64(0)
            for k in range(count):
                if values[k] > values[best]:
                    best = k
            if count > 0 and values[best] > -np.inf:
                node = found[best]
                for k in range(starts[node], starts[node + 1]):
                    token_ids[written] = spelling[k]
                    written += 1
                scores[hypotheses] = values[best]
                values[best] = -np.inf
            elif n == 0:  # no word can be spelled
                scores[hypotheses] = 0.0
                for t in range(frames[0], frames[1]):
                    scores[hypotheses] += np.float64(log_probs[t, blank])
            else:
                break
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
    return written
