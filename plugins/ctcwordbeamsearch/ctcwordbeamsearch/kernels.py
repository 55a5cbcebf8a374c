"""Kernel of word beam search (Scheidl, Fiel and Sablatnig, ICFHR 2018).

The search is that of `ctckit.kernels.beamsearch`, in plain probabilities, with two additions. A
prefix knows where it stands in the lexicon's trie, which says what may follow. And it is ranked by
its mass times a weight, the text's probability; an upper bound of the weights of its children is
at hand for each survivor, so that most children are ruled out by one multiplication.
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
    MASK,
    NO_NODE,
    PACKED,
    find_child,
    first_child_of,
    first_word_of,
    is_word,
)
from ctckit.kernels.search import (
    FIRST_CHILD,
    LANES,
    LARGEST,
    NONE,
    PARENT,
    SLOT,
    child_prefix,
    count_ones,
    cut_at,
    link_parents,
    log_at_most,
    padded,
    prefetch,
    survives,
    trailing_zeros,
    write_prefix,
)
from ctcwordbeamsearch.prefixes import (
    go_on,
    is_fresh,
    likely_classes,
    open_children,
    write_completed,
)
from ctcwordbeamsearch.weights import (
    FINISHED,
    FORECAST,
    LAST_WORD,
    NGRAMS,
    SLACK,
    STANDS_AT,
    WORDS,
    followers,
    forecast,
    weigh,
)


@outline
def _drop(values, bits, cut, start, count, from_slot, from_class, from_mass, to_node):
    """Close up the entries from `start` on that reach a cut; returns the new count."""
    kept = start
    for k in range(start, count):
        if bits[k] >= cut:
            values[kept] = values[k]
            from_slot[kept] = from_slot[k]
            from_class[kept] = from_class[k]
            from_mass[kept] = from_mass[k]
            to_node[kept] = to_node[k]
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
def word_beam_search(
    log_probs, offsets, blank, width, n_best, mode, smoothing, complete, score_last,
    in_words, bit_of, exact_bits, nodes, token, word_end,
    counts, unigrams, row_start, second, cumulated,
    token_ids, token_offsets, hypothesis_offsets, scores,
):  # fmt: skip
    """Write the `n_best` best texts of each matrix, best first; returns tokens written.

    log_probs (sum of T, C), offsets (N + 1): matrices; mode: WORDS, NGRAMS or FORECAST; in_words
    (C): 1 for a word character, UNUSED if no word holds it; bit_of (C), exact_bits: each class's
    bit in masks, and whether no two word characters, and no two others, share one; nodes, token,
    word_end: the trie; counts to cumulated: the bigrams. token_ids (n_best * (sum of T + N *
    longest word)), token_offsets (N * n_best + 1), hypothesis_offsets (N + 1), scores
    (N * n_best): out, filled from the front.
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
    ended_product = np.zeros(width)
    low = np.zeros(width, dtype=np.int64)
    high = np.zeros(width, dtype=np.int64)
    children = np.zeros(slots, dtype=np.int64)
    reach_inside = np.zeros(slots)
    inside_bits = reach_inside.view(np.int64)
    reach_after = np.zeros(slots)
    after_bits = reach_after.view(np.int64)
    open_inside = np.zeros(slots, dtype=np.int64)
    open_after = np.zeros(slots, dtype=np.int64)
    prob_inside = np.zeros(64)
    prob_after = np.zeros(64)
    class_inside = np.zeros(64, dtype=np.uint32)
    class_after = np.zeros(64, dtype=np.uint32)
    crowded = 2 * width + max(width // 2, 16)
    room = crowded + max(width, 128)
    values = np.zeros(room + 2 * slots)
    bits = values.view(np.int64)
    from_slot = np.zeros(room + slots, dtype=np.uint32)
    from_class = np.zeros(room + slots, dtype=np.uint32)
    from_mass = np.zeros(room + slots)
    to_node = np.zeros(room + slots, dtype=np.uint32)
    hits = np.zeros(width + 1, dtype=np.uint32)
    classes = np.zeros(n_classes + 1, dtype=np.uint32)
    probs = np.zeros(n_classes)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width + 1, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    trie = np.empty((longest * width + 1, 8), dtype=np.uint32)
    log_product = np.empty(longest * width + 1)

    # np.int64 throughout: a literal would have the helpers compiled once more, for that literal.
    written = np.int64(0)
    hypotheses = np.int64(0)
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    lexicon = (nodes, token, word_end)
    bigrams = (counts, unigrams, row_start, second, cumulated)
    for i in range(lines):
        mass[:] = 0.0
        ends_token[:] = 0.0
        label[:] = blank
        source[:] = other - 1
        inside[:] = 0.0
        after[:] = 0.0
        made = np.int64(1)
        trie[0, PARENT] = 0
        trie[0, FIRST_CHILD] = NONE
        trie[0, SLOT] = 0
        trie[0, STANDS_AT] = 0
        trie[0, FINISHED] = 0
        trie[0, LAST_WORD] = 0
        log_product[0] = 0.0
        node[0] = 0
        mass[other] = 1.0
        size = np.int64(1)
        log_scale = 0.0
        low[0] = 0
        high[0] = 0
        weight[0] = 1.0
        inside[0] = SLACK
        after[0] = 1.0
        ended_product[0] = 0.0
        mask[0] = nodes[0, MASK]
        children[0] = 1
        open_inside[0] = mask[0]
        open_after[0] = -1
        source[0] = other - 1
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
            for k in range(min(found, 1) if exact_bits else found):
                c = classes[k]
                at_class = probs[k]
                in_word = in_words[c]
                if at_class * (best_inside if in_word else best_after) <= threshold:
                    continue
                if count > crowded or (k == 1 and count > width):
                    weakest = cut_at(bits, count, width, weakest)
                    known_cut = weakest
                    threshold = np.int64(weakest).view(np.float64)
                    count = _drop(
                        values,
                        bits,
                        weakest,
                        size,
                        count,
                        from_slot,
                        from_class,
                        from_mass,
                        to_node,
                    )
                    if at_class * (best_inside if in_word else best_after) <= threshold:
                        continue
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
                    at = np.uint32(0)
                    if in_word and exact_bits:
                        below = mask[j] & ((np.int64(1) << bit_of[c]) - 1)
                        at = np.uint32(children[j] + count_ones(below))
                    elif in_word:
                        at = find_child(trie[prefix, STANDS_AT], c, nodes, token)
                        if at == NO_NODE:
                            continue
                    # A prefix that ends in c needs a blank before another c.
                    child_mass = (mass[other + j] if label[j] == c else mass[j]) * at_class
                    child_weight = weight[j] if in_word else after[j]
                    if in_word and mode == FORECAST:
                        child_weight = forecast(
                            prefix,
                            np.int64(at),
                            low[j],
                            high[j],
                            trie,
                            log_product,
                            smoothing,
                            lexicon,
                            bigrams,
                        )
                    value = child_mass * child_weight
                    values[count] = value
                    from_slot[count] = j
                    from_class[count] = c
                    from_mass[count] = child_mass
                    to_node[count] = at
                    prefetch(nodes, at)
                    count += np.int64(value > threshold)
                if count > before:
                    known_cut = np.int64(0)
            if exact_bits and found > 1:
                if count > width:
                    weakest = cut_at(bits, count, width, weakest)
                    known_cut = weakest
                    threshold = np.int64(weakest).view(np.float64)
                    count = _drop(
                        values,
                        bits,
                        weakest,
                        size,
                        count,
                        from_slot,
                        from_class,
                        from_mass,
                        to_node,
                    )
                # The classes left, as bits; and of each prefix the children that it may have.
                wanted_inside = np.int64(0)
                wanted_after = np.int64(0)
                top_inside_prob = 0.0
                top_after_prob = 0.0
                for k in range(1, found):
                    c = classes[k]
                    bit = bit_of[c]
                    if in_words[c]:
                        if probs[k] * best_inside > threshold:
                            wanted_inside |= np.int64(1) << bit
                            prob_inside[bit] = probs[k]
                            class_inside[bit] = c
                            top_inside_prob = max(top_inside_prob, probs[k])
                    elif probs[k] * best_after > threshold:
                        wanted_after |= np.int64(1) << bit
                        prob_after[bit] = probs[k]
                        class_after[bit] = c
                        top_after_prob = max(top_after_prob, probs[k])
                for j in range(size):
                    if count > crowded:
                        weakest = cut_at(bits, count, width, weakest)
                        known_cut = weakest
                        threshold = np.int64(weakest).view(np.float64)
                        count = _drop(
                            values,
                            bits,
                            weakest,
                            size,
                            count,
                            from_slot,
                            from_class,
                            from_mass,
                            to_node,
                        )
                    left = np.int64(0)
                    if reach_inside[j] * top_inside_prob > threshold:
                        left = open_inside[j] & wanted_inside
                    before = count
                    while left != 0:
                        bit = trailing_zeros(left)
                        left &= left - 1
                        if reach_inside[j] * prob_inside[bit] <= threshold:
                            continue
                        c = class_inside[bit]
                        at_class = prob_inside[bit]
                        below = mask[j] & ((np.int64(1) << bit) - 1)
                        at = np.uint32(children[j] + count_ones(below))
                        child_mass = (mass[other + j] if label[j] == c else mass[j]) * at_class
                        child_weight = weight[j]
                        if mode == FORECAST:
                            child_weight = forecast(
                                node[j],
                                np.int64(at),
                                low[j],
                                high[j],
                                trie,
                                log_product,
                                smoothing,
                                lexicon,
                                bigrams,
                            )
                        value = child_mass * child_weight
                        values[count] = value
                        from_slot[count] = j
                        from_class[count] = c
                        from_mass[count] = child_mass
                        to_node[count] = at
                        prefetch(nodes, at)
                        count += np.int64(value > threshold)
                    if reach_after[j] * top_after_prob > threshold:
                        left = open_after[j] & wanted_after
                    while left != 0:
                        bit = trailing_zeros(left)
                        left &= left - 1
                        at_class = prob_after[bit]
                        c = class_after[bit]
                        child_mass = (mass[other + j] if label[j] == c else mass[j]) * at_class
                        value = child_mass * after[j]
                        values[count] = value
                        from_slot[count] = j
                        from_class[count] = c
                        from_mass[count] = child_mass
                        to_node[count] = 0
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
                child = child_prefix(trie, parent, from_class[k], made)
                new_node[n] = child
                if child == made:
                    made += 1
                    finished = np.int64(trie[parent, FINISHED])
                    last = np.int64(trie[parent, LAST_WORD])
                    product = log_product[parent]
                    stood_at = trie[parent, STANDS_AT]
                    if stood_at != 0 and not in_words[from_class[k]]:  # this ends a word
                        word = first_word_of(nodes[stood_at, PACKED])
                        product = ended_product[from_slot[k]]
                        finished += 1
                        last = word
                    trie[child, STANDS_AT] = to_node[k]
                    trie[child, FINISHED] = finished
                    trie[child, LAST_WORD] = last
                    log_product[child] = product
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
                if mode != WORDS:
                    low[j], high[j] = followers(child, trie, mode, lexicon, bigrams)
                weight[j], inside[j], after[j], ended_product[j] = weigh(
                    child, low[j], high[j], trie, log_product, mode, smoothing, lexicon, bigrams
                )
                mask[j] = nodes[trie[child, STANDS_AT], MASK]
                children[j] = first_child_of(nodes[trie[child, STANDS_AT], PACKED])
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
            stands_at = np.int64(trie[node[j], STANDS_AT])
            if score_last and stands_at != 0:
                # A word that is only begun counts as all that it may become.
                if is_word(nodes[stands_at, PACKED]) == 1:
                    weight[j] = after[j]
                elif mode == NGRAMS:
                    weight[j] = forecast(
                        node[j],
                        stands_at,
                        low[j],
                        high[j],
                        trie,
                        log_product,
                        smoothing,
                        lexicon,
                        bigrams,
                    )
            values[j] = (mass[other + j] + ends_token[j]) * weight[j]
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
                at = np.int64(trie[node[best], STANDS_AT])
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
