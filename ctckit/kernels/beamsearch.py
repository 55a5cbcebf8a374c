"""Kernel of exact prefix beam search (Hannun et al., 2014, without a language model).

What makes it fast, without leaving anything out:

- Probabilities are plain float64, rescaled now and then by a power of two, so nothing is added
  in logarithms. A prefix below 1e-200 of the best is as good as zero.
- A prefix is a node of a trie that is made only for those that survive a frame. A prefix keeps
  its slot as long as it survives; only what changes is written.
- A prefix finds its parent's slot by number, so the mass that flows from "ab" + "c" into "abc"
  needs no look-up; what would create a prefix that is there is left out class by class.
- The weakest surviving prefix sets a threshold; the classes that can lift any prefix over it are
  found by comparing logarithms as they lie in the matrix, and only they are exponentiated.
- Of a large alphabet each block of classes is compared at once, once the likeliest class has
  raised that threshold; so nearly all that is left of it is one pass over the matrix.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    F32_2D,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    inline,
    kernel,
    outline,
)
from ctckit.kernels.search import (
    FIRST_CHILD,
    LANES,
    LARGEST,
    LOG_2,
    NONE,
    PARENT,
    RESCALE_BELOW,
    SLOT,
    candidate_classes,
    child_prefix,
    cut_at,
    fast_exp,
    link_survivors,
    log_at_most,
    padded,
    rescale,
    restore_mass,
    set_child_mass,
    write_prefix,
)
from ctckit.kernels.wide import WIDE, WIDE_BLOCK, candidates_of_scan, log_of_nth, scan_row

FEW = 3
"""Classes up to which all prefixes are tried with them, in no order."""


@outline
def _drop(values, bits, cut, start, count, from_slot, from_class):
    """Close up the entries from `start` on that reach a cut; returns the new count."""
    kept = start
    for k in range(start, count):
        if bits[k] >= cut:
            values[kept] = values[k]
            from_slot[kept] = from_slot[k]
            from_class[kept] = from_class[k]
            kept += 1
    return kept


@inline
def _exponentiate(row, classes, found, probs):
    """Write the probabilities of `found` classes."""
    for k in range(found):
        probs[k] = np.float64(row[classes[k]])
    for k in range(found):
        probs[k] = fast_exp(probs[k])


@inline
def _order_slots(bits, size, strongest, order, starts):
    """Write the slots to `order` by falling power of two of their mass; returns how many.

    bits : the masses, strongest : the largest of them, as bits. Slots below 2**-63 of it come
    last, in no order; they are not in the number returned. starts (65) is scratch.
    """
    starts[:] = 0
    for j in range(size):
        bucket = min((strongest >> 52) - (bits[j] >> 52), np.int64(63))
        starts[bucket + 1] += 1
    for b in range(64):
        starts[b + 1] += starts[b]
    ordered = starts[63]
    for j in range(size):
        bucket = min((strongest >> 52) - (bits[j] >> 52), np.int64(63))
        order[starts[bucket]] = j
        starts[bucket] += 1
    return ordered


@inline
def _extend(
    c,
    at_class,
    threshold,
    order,
    ordered,
    size,
    other,
    mass,
    base,
    head,
    link,
    parent_slot,
    values,
    from_slot,
    from_class,
    count,
):
    """Append what prefixes followed by class c are worth, where that is over the threshold.

    Returns the new count. order, ordered : of `_order_slots`, or ordered = 0 for no order; base is
    a copy of `mass`, and is one again afterwards.
    """
    set_child_mass(c, mass, base, other, head, link, parent_slot)
    k = np.int64(0)
    while k < ordered and mass[order[k]] * 2.0 * at_class > threshold:
        j = order[k]
        value = base[j] * at_class
        values[count] = value
        from_slot[count] = j
        from_class[count] = c
        count += np.int64(value > threshold)
        k += 1
    if k == ordered:
        for n in range(ordered, size):
            j = order[n]
            value = base[j] * at_class
            values[count] = value
            from_slot[count] = j
            from_class[count] = c
            count += np.int64(value > threshold)
    restore_mass(c, mass, base, head, link, parent_slot)
    return count


@kernel(
    I64(F32_2D, I64_1D, I64, I64, I64, OUT_I32_1D, OUT_I64_1D, OUT_I64_1D, OUT_F64_1D),
    reorder_sums=True,
)
def beam_search(
    log_probs,
    offsets,
    blank,
    width,
    n_best,
    token_ids,
    token_offsets,
    hypothesis_offsets,
    scores,
):
    """Write the `n_best` likeliest prefixes of each matrix, best first; returns tokens written.

    log_probs (sum of T, C), offsets (N + 1); token_ids (n_best * sum of T), token_offsets
    (N * n_best + 1), hypothesis_offsets (N + 1), scores (N * n_best): out, filled from the
    front. A score is the log of the mass that the search gathered for the prefix.
    """
    lines = offsets.size - 1
    n_classes = log_probs.shape[1]
    wide = n_classes >= WIDE
    longest = 0
    for i in range(lines):
        longest = max(longest, offsets[i + 1] - offsets[i])
    # A slot a surviving prefix, padded. `mass` holds their totals, cells that stay zero, and
    # their blank parts. Padding has no mass and the blank's label.
    slots = padded(width)
    other = slots + LANES
    mass = np.zeros(2 * other)
    mass_bits = mass.view(np.int64)
    ends_token = np.zeros(slots)
    node = np.zeros(width, dtype=np.uint32)
    label = np.full(slots, blank, dtype=np.uint32)
    source = np.full(slots, other - 1, dtype=np.uint32)
    parent_slot = np.zeros(width, dtype=np.uint32)
    link = np.zeros(width, dtype=np.uint32)
    head = np.full(n_classes, NONE, dtype=np.uint32)
    emit = np.zeros(slots)
    inflow = np.zeros(slots)
    base = np.zeros(slots)
    unordered = np.arange(width).astype(np.uint32)
    slot_order = np.zeros(width, dtype=np.uint32)
    starts = np.zeros(65, dtype=np.int64)
    # What competes in a frame: the survivors' values first, then the new prefixes'.
    crowded = 2 * width + max(width // 2, 16)
    room = crowded + width
    values = np.zeros(room + 2 * slots)
    bits = values.view(np.int64)
    from_slot = np.zeros(room + slots, dtype=np.uint32)
    from_class = np.zeros(room + slots, dtype=np.uint32)
    classes = np.zeros(n_classes + 1, dtype=np.uint32)
    probs = np.zeros(n_classes)
    prob_bits = probs.view(np.int64)
    tops = np.zeros(n_classes // WIDE_BLOCK + 1, dtype=np.int32)
    hits = np.zeros(n_classes // WIDE_BLOCK + 1, dtype=np.uint32)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width + 1, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    # The prefixes that ever survived a frame; a row is written when it is made.
    trie = np.empty((longest * width + 1, 8), dtype=np.uint32)

    # np.int64 throughout: a literal would have the helpers compiled once more, for that literal.
    written = np.int64(0)
    hypotheses = np.int64(0)
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    for i in range(lines):
        mass[:] = 0.0
        ends_token[:] = 0.0
        label[:] = blank
        source[:] = other - 1
        made = np.int64(1)
        trie[0, PARENT] = 0
        trie[0, FIRST_CHILD] = NONE
        trie[0, SLOT] = 0
        node[0] = 0
        mass[other] = 1.0  # the blank part of the empty prefix
        parent_slot[0] = NONE
        link[0] = NONE
        head[blank] = 0
        size = np.int64(1)
        log_scale = 0.0
        for t in range(offsets[i], offsets[i + 1]):
            row = log_probs[t]
            cells = padded(size)
            strongest = np.int64(0)
            for j in range(cells):
                mass[j] = mass[other + j] + ends_token[j]
                strongest = max(strongest, mass_bits[j])
            top = np.int64(strongest).view(np.float64)
            if top < RESCALE_BELOW:
                exponent = rescale(top, cells, other, mass, ends_token)
                log_scale += exponent * LOG_2
                top = np.float64(0.0)
                for j in range(cells):
                    top = max(top, mass[j])
                strongest = np.float64(top).view(np.int64)

            first = np.int64(0)
            if wide:  # before single classes are read, so that they are near by then
                first = scan_row(row, blank, tops)

            # Each prefix goes on with a blank, with its last token, or as its parent's child.
            at_blank = fast_exp(np.float64(row[blank]))
            for j in range(cells):
                emit[j] = np.float64(row[label[j]])
                inflow[j] = mass[source[j]]
            for j in range(cells):
                ends_token[j] = (ends_token[j] + inflow[j]) * fast_exp(emit[j])
            log_threshold = np.float32(-np.inf)
            threshold = 0.0
            weakest = np.int64(0)
            if size == width:
                for j in range(cells):
                    values[j] = mass[j] * at_blank + ends_token[j]
                for j in range(size, cells):
                    values[j] = np.inf
                weakest = LARGEST
                for j in range(cells):
                    weakest = min(weakest, bits[j])
                threshold = np.int64(weakest).view(np.float64)
                if threshold > 0.0:
                    log_threshold = log_at_most(threshold / top)
            else:
                for j in range(size):
                    values[j] = mass[j] * at_blank + ends_token[j]

            count = size
            if not wide:
                found = candidate_classes(row, log_threshold, blank, classes)
            else:
                # A prefix and its `width` children by likelier classes beat a child, but that by
                # its last token may be a weak one: so a class beyond width + 1 cannot matter.
                if log_threshold == -np.inf:
                    log_threshold = log_of_nth(row, blank, width + 1, probs)
                classes[0] = first
                found = np.int64(row[first] > log_threshold)
            known_cut = np.int64(0)
            if found > 0:
                _exponentiate(row, classes, found, probs)
                for j in range(cells):
                    base[j] = mass[j]
                # The likeliest class first: with its children there, few others can survive.
                best = np.int64(-1)
                for k in range(found):
                    best = max(best, prob_bits[k])
                likeliest = np.int64(0)
                for k in range(found):
                    likeliest = max(likeliest, np.int64(k) if prob_bits[k] == best else 0)
                count = _extend(
                    classes[likeliest],
                    probs[likeliest],
                    threshold,
                    unordered,
                    0,
                    size,
                    other,
                    mass,
                    base,
                    head,
                    link,
                    parent_slot,
                    values,
                    from_slot,
                    from_class,
                    count,
                )
                probs[likeliest] = 0.0
                if count > width:
                    weakest = cut_at(bits, count, width, weakest)
                    known_cut = weakest
                    threshold = np.int64(weakest).view(np.float64)
                    count = _drop(values, bits, weakest, size, count, from_slot, from_class)
                if wide:
                    if threshold > 0.0:
                        log_threshold = max(log_threshold, log_at_most(threshold / top))
                    found = candidates_of_scan(
                        row, tops, log_threshold, blank, first, hits, classes
                    )
                    _exponentiate(row, classes, found, probs)
                left = 0
                for k in range(found):
                    at_class = probs[k]
                    probs[left] = at_class
                    classes[left] = classes[k]
                    left += np.int64(at_class * top > threshold)
                order = unordered
                ordered = np.int64(0)
                if left > FEW:
                    order = slot_order
                    ordered = _order_slots(mass_bits, size, strongest, order, starts)
                for k in range(left):
                    if count > crowded:
                        weakest = cut_at(bits, count, width, weakest)
                        known_cut = weakest
                        threshold = np.int64(weakest).view(np.float64)
                        count = _drop(values, bits, weakest, size, count, from_slot, from_class)
                    if probs[k] * top <= threshold:
                        continue
                    before = count
                    count = _extend(
                        classes[k],
                        probs[k],
                        threshold,
                        order,
                        ordered,
                        size,
                        other,
                        mass,
                        base,
                        head,
                        link,
                        parent_slot,
                        values,
                        from_slot,
                        from_class,
                        count,
                    )
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
                head[label[j]] = NONE
                if bits[j] < cut and n_free < n_new:
                    trie[node[j], SLOT] = NONE
                    free[n_free] = j
                    n_free += 1
            for n in range(n_new):
                k = new_from[n]
                new_node[n] = child_prefix(trie, node[from_slot[k]], from_class[k], made)
                made += np.int64(new_node[n] == made)
            for n in range(n_new):
                if n < n_free:
                    j = np.int64(free[n])
                else:
                    j = size
                    size += 1
                node[j] = new_node[n]
                label[j] = from_class[new_from[n]]
                trie[node[j], SLOT] = j
                mass[other + j] = 0.0
                ends_token[j] = values[new_from[n]]
            link_survivors(size, other, node, label, trie, source, parent_slot, head, link)

        for j in range(size):
            values[j] = mass[other + j] + ends_token[j]
            head[label[j]] = NONE
        for _ in range(min(n_best, size)):
            best = 0
            for j in range(size):
                if values[j] > values[best]:
                    best = j
            if values[best] <= 0.0:
                break
            scores[hypotheses] = min(np.log(values[best]) + log_scale, 0.0)
            values[best] = -1.0
            written = write_prefix(trie, node[best], token_ids, written)
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
    return written
