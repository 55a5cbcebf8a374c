"""Kernel of word beam search for scripts that write no separators between words.

The search is that of `ctcwordbeamsearch.kernels`, but that a word may follow another directly, so
that a text can be cut into words in several ways. The beam still holds texts, each of them once: a
text has one mass however it is cut, and its weight is that of its best segmentation. (Were every
segmentation a prefix of its own, a beam would soon hold those of one text and no other.)
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    BOOL,
    F32_2D,
    F64,
    F64_1D,
    I32_1D,
    I64,
    I64_1D,
    I64_2D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    U8_1D,
    kernel,
    outline,
)
from ctckit.kernels.lexicon import (
    NO_NODE,
    PACKED,
    first_child_of,
)
from ctckit.kernels.search import (
    FIRST_CHILD,
    LANES,
    LARGEST,
    NONE,
    PARENT,
    SLOT,
    child_prefix,
    cut_at,
    link_parents,
    log_at_most,
    padded,
    survives,
    write_prefix,
)
from ctcwordbeamsearch.prefixes import (
    go_on,
    is_fresh,
    likely_classes,
    open_children,
    write_completed,
)
from ctcwordbeamsearch.segmentations import (
    FIRST,
    NODE,
    STOP,
    best_at_end,
    child_weight,
    put_child,
    put_empty,
    weigh_text,
)
from ctcwordbeamsearch.weights import WORDS


@outline
def _drop(values, bits, cut, start, count, from_slot, from_class, from_mass):
    """Close up the entries from `start` on that reach a cut; returns the new count."""
    kept = start
    for k in range(start, count):
        if bits[k] >= cut:
            values[kept] = values[k]
            from_slot[kept] = from_slot[k]
            from_class[kept] = from_class[k]
            from_mass[kept] = from_mass[k]
            kept += 1
    return kept


@kernel(
    I64(
        F32_2D, I64_1D, I64, I64, I64, I64, F64, BOOL, BOOL,
        U8_1D, I64_1D, BOOL, I64_2D, I32_1D, I32_1D,
        I64_1D, F64_1D, I64_1D, I32_1D, I64_1D,
        OUT_I32_1D, OUT_I64_1D, OUT_I64_1D, OUT_F64_1D,
    ),
    reorder_sums=True,
)  # fmt: skip
def unseparated_beam_search(
    log_probs, offsets, blank, width, n_best, mode, smoothing, complete, score_last,
    in_words, bit_of, exact_bits, nodes, token, word_end,
    counts, unigrams, row_start, second, cumulated,
    token_ids, token_offsets, hypothesis_offsets, scores,
):  # fmt: skip
    """Write the `n_best` best texts of each matrix, best first; returns tokens written.

    The arguments are those of `ctcwordbeamsearch.kernels.word_beam_search`.
    """
    lines = offsets.size - 1
    n_classes = log_probs.shape[1]
    longest = 0
    for i in range(lines):
        longest = max(longest, offsets[i + 1] - offsets[i])
    # As in ctckit.kernels.beamsearch: slots of the survivors, padded.
    slots = padded(width)
    other = slots + LANES
    mass = np.zeros(2 * other)
    mass_bits = mass.view(np.int64)
    ends_token = np.zeros(slots)
    node = np.zeros(width, dtype=np.uint32)
    label = np.full(slots, blank, dtype=np.uint32)
    source = np.full(slots, other - 1, dtype=np.uint32)
    emit = np.zeros(slots)
    inflow = np.zeros(slots)
    # The weight of each survivor, and the bounds of its children's.
    weight = np.zeros(slots)
    inside = np.zeros(slots)
    after = np.zeros(slots)
    mask = np.zeros(slots, dtype=np.int64)
    reach_inside = np.zeros(slots)
    inside_bits = reach_inside.view(np.int64)
    reach_after = np.zeros(slots)
    after_bits = reach_after.view(np.int64)
    open_inside = np.zeros(slots, dtype=np.int64)
    open_after = np.zeros(slots, dtype=np.int64)
    crowded = 2 * width + max(width // 2, 16)
    room = crowded + width
    values = np.zeros(room + 2 * slots)
    bits = values.view(np.int64)
    from_slot = np.zeros(room + slots, dtype=np.uint32)
    from_class = np.zeros(room + slots, dtype=np.uint32)
    from_mass = np.zeros(room + slots)
    hits = np.zeros(width + 1, dtype=np.uint32)
    classes = np.zeros(n_classes + 1, dtype=np.uint32)
    probs = np.zeros(n_classes)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width + 1, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    best_row = np.zeros(width, dtype=np.int64)
    trie = np.empty((longest * width + 1, 8), dtype=np.uint32)
    # The segmentations of all prefixes in the trie; both grow.
    spots = np.empty((1024, 3), dtype=np.uint32)
    ranks = np.empty((1024, 3))
    first_of_word = np.full(n_classes, NO_NODE, dtype=np.uint32)
    for at in range(1, first_child_of(nodes[1, PACKED])):
        first_of_word[token[at]] = at

    # np.int64 throughout: a literal would have the helpers compiled once more, for that literal.
    written = np.int64(0)
    hypotheses = np.int64(0)
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    lexicon = (nodes, token, word_end)
    bigrams = (counts, unigrams, row_start, second, cumulated)
    rules = (mode, smoothing, lexicon, bigrams)
    for i in range(lines):
        mass[:] = 0.0
        ends_token[:] = 0.0
        label[:] = blank
        source[:] = other - 1
        inside[:] = 0.0
        after[:] = 0.0
        made = np.int64(1)
        rows = np.int64(1)
        trie[0, PARENT] = 0
        trie[0, FIRST_CHILD] = NONE
        trie[0, SLOT] = 0
        trie[0, FIRST] = 0
        trie[0, STOP] = 1
        put_empty((spots, ranks))
        node[0] = 0
        mass[other] = 1.0
        size = np.int64(1)
        log_scale = 0.0
        weight[0], inside[0], after[0], mask[0] = weigh_text(0, 1, (spots, ranks), rules)
        open_inside[0] = mask[0]
        open_after[0] = -1
        for t in range(offsets[i], offsets[i + 1]):
            row = log_probs[t]
            cells = padded(size)
            at_blank, rescaled = go_on(
                row, blank, cells, other, mass, mass_bits, ends_token, label, source, emit, inflow
            )
            log_scale += rescaled
            top_inside = np.int64(0)
            top_after = np.int64(0)
            for j in range(cells):
                values[j] = (mass[j] * at_blank + ends_token[j]) * weight[j]
                reach_inside[j] = mass[j] * inside[j]
                reach_after[j] = mass[j] * after[j]
                top_inside = max(top_inside, inside_bits[j])
                top_after = max(top_after, after_bits[j])
            best_inside = np.int64(top_inside).view(np.float64)
            best_after = np.int64(top_after).view(np.float64)
            log_threshold = np.float32(-np.inf)
            threshold = 0.0
            weakest = np.int64(0)
            if size == width:
                for j in range(size, cells):
                    values[j] = np.inf
                weakest = LARGEST
                for j in range(cells):
                    weakest = min(weakest, bits[j])
                threshold = np.int64(weakest).view(np.float64)
                ratio = threshold / max(best_inside, best_after)
                if threshold > 0.0:
                    log_threshold = np.float32(np.inf) if ratio > 1.0 else log_at_most(ratio)

            count = size
            known_cut = np.int64(0)
            found = likely_classes(row, log_threshold, blank, in_words, classes, probs)
            for k in range(found):
                c = np.int64(classes[k])
                at_class = probs[k]
                in_word = in_words[c] == 1
                if at_class * (best_inside if in_word else best_after) <= threshold:
                    continue
                if count > crowded or (k == 1 and count > width):
                    weakest = cut_at(bits, count, width, weakest)
                    known_cut = weakest
                    threshold = np.int64(weakest).view(np.float64)
                    count = _drop(
                        values, bits, weakest, size, count, from_slot, from_class, from_mass
                    )
                n_hits = 0
                if in_word:
                    for j in range(size):
                        hits[n_hits] = j
                        over = np.int64(reach_inside[j] * at_class > threshold)
                        n_hits += over & (open_inside[j] >> bit_of[c]) & 1
                else:
                    for j in range(size):
                        hits[n_hits] = j
                        over = np.int64(reach_after[j] * at_class > threshold)
                        n_hits += over & (open_after[j] >> bit_of[c]) & 1
                before = count
                for n in range(n_hits):
                    j = hits[n]
                    prefix = node[j]
                    if not exact_bits and survives(trie, prefix, c):
                        continue  # that child has had its share already
                    # A prefix that ends in c needs a blank before another c.
                    child_mass = (mass[other + j] if label[j] == c else mass[j]) * at_class
                    at_child = after[j]
                    if in_word and not (exact_bits and mode == WORDS):
                        at_child = child_weight(
                            np.int64(trie[prefix, FIRST]),
                            np.int64(trie[prefix, STOP]),
                            c,
                            first_of_word[c],
                            (spots, ranks),
                            rules,
                        )
                    elif in_word:
                        at_child = 1.0
                    value = child_mass * at_child
                    values[count] = value
                    from_slot[count] = j
                    from_class[count] = c
                    from_mass[count] = child_mass
                    count += np.int64(value > threshold)
                if count > before:
                    known_cut = np.int64(0)
            for j in range(cells):
                mass[other + j] = mass[j] * at_blank
            if count == size:
                continue

            cut = known_cut
            if cut == 0 and count > width:
                cut = max(cut_at(bits, count, width, weakest), np.int64(1))
            n_new = 0
            for k in range(size, count):
                new_from[n_new] = k
                n_new += np.int64(bits[k] >= cut)
            if n_new == 0:
                continue
            n_free = 0
            for j in range(size):
                if bits[j] < cut and n_free < n_new:
                    trie[node[j], SLOT] = NONE
                    free[n_free] = j
                    n_free += 1
            for n in range(n_new):
                k = new_from[n]
                parent = node[from_slot[k]]
                c = np.int64(from_class[k])
                child = child_prefix(trie, parent, c, made)
                new_node[n] = child
                if child == made:
                    made += 1
                    begin, stop = np.int64(trie[parent, FIRST]), np.int64(trie[parent, STOP])
                    while rows + 2 * (stop - begin) > len(spots):
                        more_spots, more_ranks = np.empty_like(spots), np.empty_like(ranks)
                        spots = np.concatenate((spots, more_spots))
                        ranks = np.concatenate((ranks, more_ranks))
                    trie[child, FIRST] = rows
                    rows = put_child(
                        begin,
                        stop,
                        c,
                        in_words[c] == 1,
                        first_of_word[c],
                        rows,
                        (spots, ranks),
                        rules,
                    )
                    trie[child, STOP] = rows
            for n in range(n_new):
                if n < n_free:
                    j = np.int64(free[n])
                else:
                    j = size
                    size += 1
                child = new_node[n]
                node[j] = child
                label[j] = from_class[new_from[n]]
                trie[child, SLOT] = j
                mass[other + j] = 0.0
                ends_token[j] = from_mass[new_from[n]]
                weight[j], inside[j], after[j], mask[j] = weigh_text(
                    np.int64(trie[child, FIRST]),
                    np.int64(trie[child, STOP]),
                    (spots, ranks),
                    rules,
                )
            link_parents(size, other, node, label, trie, source)
            if exact_bits:
                open_children(
                    size, node, label, trie, mask, in_words, bit_of, open_inside, open_after
                )
            else:
                for j in range(size):
                    open_inside[j] = mask[j]
                    open_after[j] = -1

        for j in range(size):
            best_row[j], at_end = best_at_end(
                np.int64(trie[node[j], FIRST]),
                np.int64(trie[node[j], STOP]),
                complete,
                score_last,
                (spots, ranks),
                rules,
            )
            values[j] = (mass[other + j] + ends_token[j]) * at_end
        first = hypotheses
        for _ in range(size):
            best = 0
            for j in range(size):
                if values[j] > values[best]:
                    best = j
            if hypotheses - first == n_best or (values[best] <= 0.0 and hypotheses > first):
                break
            stop = write_prefix(trie, node[best], token_ids, written)
            if complete:
                at = np.int64(spots[best_row[best], NODE])
                stop = write_completed(at, stop, lexicon, token_ids)
            # Completed, it may be what another prefix is.
            if is_fresh(token_ids, token_offsets, first, hypotheses, written, stop):
                scores[hypotheses] = min(np.log(values[best]) + log_scale, 0.0)
                hypotheses += 1
                written = stop
                token_offsets[hypotheses] = written
            values[best] = -1.0
        hypothesis_offsets[i + 1] = hypotheses
    return written
