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
)

NONE = np.uint32(0xFFFFFFFF)
BLOCK = 16
"""Classes that are compared with the threshold at once before they are looked at singly."""
LANES = 32
"""Slots are padded to a multiple of this, so that vectorised loops have no remainder."""
FEW = 3
"""Classes up to which all prefixes are tried with them, in no order."""
PARENT, TOKEN, FIRST_CHILD, SIBLING, SLOT = range(5)
"""Columns of the table of trie nodes."""
LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)
RESCALE_BELOW = 1e-100
RESCALE = 2.0**300
LOG_RESCALE = 300 * 0.6931471805599453


@inline
def _exp(x):  # type: ignore[no-untyped-def]
    """exp for x <= 1 to a relative 1e-15, in a form that LLVM vectorises; 0 below -700."""
    clamped = -700.0 if x < -700.0 else x
    shifted = clamped * 1.4426950408889634 + 6755399441055744.0  # 1.5 * 2**52 rounds it
    whole = shifted - 6755399441055744.0
    rest = clamped - whole * 0.693147180369123816490
    rest = rest - whole * 1.90821492927058770002e-10
    value = 2.08767569878681e-09
    value = value * rest + 2.50521083854417e-08
    value = value * rest + 2.75573192239859e-07
    value = value * rest + 2.75573192239859e-06
    value = value * rest + 2.48015873015873e-05
    value = value * rest + 1.98412698412698e-04
    value = value * rest + 1.38888888888889e-03
    value = value * rest + 8.33333333333333e-03
    value = value * rest + 4.16666666666667e-02
    value = value * rest + 1.66666666666667e-01
    value = value * rest + 0.5
    value = value * rest + 1.0
    value = value * rest + 1.0
    power = np.float64(shifted).view(np.int64) << np.int64(52)
    result = np.int64(np.float64(value).view(np.int64) + power).view(np.float64)
    return 0.0 if x < -700.0 else result


@inline
def _log_at_most(x):  # type: ignore[no-untyped-def]
    """Return a float32 that is at most log(x), and at least log(x) - 0.07, for 0 < x <= 1.

    A float's bits, read as an integer, are its logarithm with the mantissa taken as linear.
    """
    log2 = np.float64(np.float64(x).view(np.int64) - (np.int64(1023) << 52)) * 2.0**-52
    return np.float32(log2 * 0.6931471805599453 * 1.000001 - 1e-6)


@inline
def _candidate_classes(row, log_threshold, blank, classes):  # type: ignore[no-untyped-def]
    """Collect the classes above a log-probability, but the blank; returns how many."""
    found = 0
    size = row.size
    start = 0
    while start + BLOCK <= size:
        above = np.int32(0)
        for c in range(start, start + BLOCK):
            above |= np.int32(row[c] > log_threshold)
        if above:
            for c in range(start, start + BLOCK):
                classes[found] = c
                found += np.int64(row[c] > log_threshold)
        start += BLOCK
    for c in range(start, size):
        classes[found] = c
        found += np.int64(row[c] > log_threshold)
    if row[blank] > log_threshold:
        found -= 1
        for k in range(found):
            if classes[k] == blank:
                classes[k] = classes[found]
                break
    return found


@inline
def _cut(bits, count, keep, low):  # type: ignore[no-untyped-def]
    """Return a value that exactly the `keep` largest of `count` floats reach, all as bits.

    A search by quarters in the order of the floats' bits. low : a value that at least `keep` of them reach.
    Of floats that tie at the cut the last ones are set to zero. Writes zeros behind the floats.
    """
    cells = (count + LANES - 1) // LANES * LANES
    bits[count:cells] = 0
    high = low
    for i in range(cells):
        high = max(high, bits[i])
    # Always: at least `keep` reach low, and fewer than `keep` reach high + 1. Three cuts a pass
    # take little longer than one.
    while low < high:
        step = (high - low + 3) >> 2
        first, second, third = low + step, low + 2 * step, low + 3 * step
        reach_first = 0
        reach_second = 0
        reach_third = 0
        for i in range(cells):
            value = bits[i]
            reach_first += np.int64(value >= first)
            reach_second += np.int64(value >= second)
            reach_third += np.int64(value >= third)
        if reach_second >= keep:
            if reach_second == keep:
                return second
            if reach_third >= keep:
                if reach_third == keep:
                    return third
                low = third
            else:
                low = second
                high = min(high, third - 1)
        elif reach_first >= keep:
            if reach_first == keep:
                return first
            low = first
            high = second - 1
        else:
            high = first - 1
    surplus = -keep
    for i in range(cells):
        surplus += np.int64(bits[i] >= low)
    for i in range(count - 1, -1, -1):
        if surplus > 0 and bits[i] == low:
            bits[i] = 0
            surplus -= 1
    return low


@inline
def _drop(values, bits, cut, start, count, from_slot, from_class):  # type: ignore[no-untyped-def]
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
def _order_slots(bits, size, strongest, order, starts):  # type: ignore[no-untyped-def]
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
def _extend(c, at_class, threshold, order, ordered, size, other, mass, base, head, link, parent_slot, values, from_slot, from_class, count):  # type: ignore[no-untyped-def]
    """Append what prefixes followed by class c are worth, where that is over the threshold.

    Returns the new count. order, ordered : of `_order_slots`, or ordered = 0 for no order; base is
    a copy of `mass`, and is one again afterwards.
    """
    first = head[c]
    m = first
    while m != NONE:  # a prefix that ends in c needs a blank before another c
        base[m] = mass[other + m]
        m = link[m]
    m = first
    while m != NONE:  # and a child that is in the beam has had its share already
        if parent_slot[m] != NONE:
            base[parent_slot[m]] = 0.0
        m = link[m]
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
    m = first
    while m != NONE:
        base[m] = mass[m]
        if parent_slot[m] != NONE:
            base[parent_slot[m]] = mass[parent_slot[m]]
        m = link[m]
    return count


@inline
def _child(trie, parent, token, made):  # type: ignore[no-untyped-def]
    """Return the node of `parent` + `token`: the one that there is, or number `made`, set up."""
    child = trie[parent, FIRST_CHILD]
    while child != NONE:
        if trie[child, TOKEN] == token:
            return child
        child = trie[child, SIBLING]
    child = np.uint32(made)
    trie[child, PARENT] = parent
    trie[child, TOKEN] = token
    trie[child, FIRST_CHILD] = NONE
    trie[child, SIBLING] = trie[parent, FIRST_CHILD]
    trie[parent, FIRST_CHILD] = child
    return child


@inline
def _relink(size, other, node, label, trie, source, parent_slot, head, link):  # type: ignore[no-untyped-def]
    """Find each prefix's parent among the survivors, and chain the prefixes of one last token.

    source[j] points into `mass`: to the parent's total, or to its blank part where the parent ends
    in the same token, or to the zero cell where the parent is not there.
    """
    for j in range(size):
        token = label[j]
        above = trie[trie[node[j], PARENT], SLOT] if node[j] != 0 else NONE
        parent_slot[j] = above
        if above == NONE:
            source[j] = other - 1
        elif label[above] == token:
            source[j] = above + other
        else:
            source[j] = above
        link[j] = head[token]
        head[token] = j


@kernel(
    I64(F32_2D, I64_1D, I64, I64, I64, OUT_I32_1D, OUT_I64_1D, OUT_I64_1D, OUT_F64_1D),
    reorder_sums=True,
)
def beam_search(  # type: ignore[no-untyped-def]
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
    longest = 0
    for i in range(lines):
        longest = max(longest, offsets[i + 1] - offsets[i])
    # A slot a surviving prefix, padded. `mass` holds their totals, cells that stay zero, and
    # their blank parts. Padding has no mass and the blank's label.
    padded = (width + LANES - 1) // LANES * LANES
    other = padded + LANES
    mass = np.zeros(2 * other)
    mass_bits = mass.view(np.int64)
    ends_token = np.zeros(padded)
    node = np.zeros(width, dtype=np.uint32)
    label = np.full(padded, blank, dtype=np.uint32)
    source = np.full(padded, other - 1, dtype=np.uint32)
    parent_slot = np.zeros(width, dtype=np.uint32)
    link = np.zeros(width, dtype=np.uint32)
    head = np.full(n_classes, NONE, dtype=np.uint32)
    emit = np.zeros(padded)
    inflow = np.zeros(padded)
    base = np.zeros(padded)
    unordered = np.arange(width).astype(np.uint32)
    slot_order = np.zeros(width, dtype=np.uint32)
    starts = np.zeros(65, dtype=np.int64)
    # What competes in a frame: the survivors' values first, then the new prefixes'.
    crowded = 2 * width + max(width // 2, 16)
    room = crowded + width
    values = np.zeros(room + 2 * padded)
    bits = values.view(np.int64)
    from_slot = np.zeros(room + padded, dtype=np.uint32)
    from_class = np.zeros(room + padded, dtype=np.uint32)
    classes = np.zeros(n_classes + 1, dtype=np.uint32)
    probs = np.zeros(n_classes)
    prob_bits = probs.view(np.int64)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width + 1, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    # The prefixes that ever survived a frame; a row is written when it is made.
    trie = np.empty((longest * width + 1, 8), dtype=np.uint32)

    written = 0
    hypotheses = 0
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    for i in range(lines):
        mass[:] = 0.0
        ends_token[:] = 0.0
        label[:] = blank
        source[:] = other - 1
        made = 1
        trie[0, PARENT] = 0
        trie[0, FIRST_CHILD] = NONE
        trie[0, SLOT] = 0
        node[0] = 0
        mass[other] = 1.0  # the blank part of the empty prefix
        size = 1
        log_scale = 0.0
        _relink(size, other, node, label, trie, source, parent_slot, head, link)
        for t in range(offsets[i], offsets[i + 1]):
            row = log_probs[t]
            cells = (size + LANES - 1) // LANES * LANES
            strongest = np.int64(0)
            for j in range(cells):
                mass[j] = mass[other + j] + ends_token[j]
                strongest = max(strongest, mass_bits[j])
            top = np.int64(strongest).view(np.float64)
            if top < RESCALE_BELOW:
                for j in range(cells):
                    mass[j] *= RESCALE
                    mass[other + j] *= RESCALE
                    ends_token[j] *= RESCALE
                strongest += 300 << 52
                top *= RESCALE
                log_scale -= LOG_RESCALE

            # Each prefix goes on with a blank, with its last token, or as its parent's child.
            at_blank = _exp(np.float64(row[blank]))
            for j in range(cells):
                emit[j] = np.float64(row[label[j]])
                inflow[j] = mass[source[j]]
            for j in range(cells):
                ends_token[j] = (ends_token[j] + inflow[j]) * _exp(emit[j])
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
                    log_threshold = _log_at_most(threshold / top)
            else:
                for j in range(size):
                    values[j] = mass[j] * at_blank + ends_token[j]

            count = size
            found = _candidate_classes(row, log_threshold, blank, classes)
            known_cut = np.int64(0)
            if found > 0:
                for k in range(found):
                    probs[k] = np.float64(row[classes[k]])
                for k in range(found):
                    probs[k] = _exp(probs[k])
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
                    classes[likeliest], probs[likeliest], threshold, unordered, 0, size, other,
                    mass, base, head, link, parent_slot, values, from_slot, from_class, count,
                )
                probs[likeliest] = 0.0
                if count > width:
                    weakest = _cut(bits, count, width, weakest)
                    known_cut = weakest
                    threshold = np.int64(weakest).view(np.float64)
                    count = _drop(values, bits, weakest, size, count, from_slot, from_class)
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
                        weakest = _cut(bits, count, width, weakest)
                        known_cut = weakest
                        threshold = np.int64(weakest).view(np.float64)
                        count = _drop(values, bits, weakest, size, count, from_slot, from_class)
                    if probs[k] * top <= threshold:
                        continue
                    before = count
                    count = _extend(
                        classes[k], probs[k], threshold, order, ordered, size, other, mass,
                        base, head, link, parent_slot, values, from_slot, from_class, count,
                    )
                    if count > before:
                        known_cut = np.int64(0)
            for j in range(cells):
                mass[other + j] = mass[j] * at_blank
            if count == size:
                continue

            cut = known_cut
            if cut == 0 and count > width:
                cut = _cut(bits, count, width, weakest)
            n_new = 0
            for k in range(size, count):
                new_from[n_new] = k
                n_new += np.int64(bits[k] >= cut)
            if n_new == 0:
                continue
            n_free = 0
            for j in range(size):
                head[label[j]] = NONE
                if bits[j] < cut:
                    trie[node[j], SLOT] = NONE
                    free[n_free] = j
                    n_free += 1
            for n in range(n_new):
                k = new_from[n]
                new_node[n] = _child(trie, node[from_slot[k]], from_class[k], made)
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
            _relink(size, other, node, label, trie, source, parent_slot, head, link)

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
            length = 0
            walk = node[best]
            while walk != 0:
                length += 1
                walk = trie[walk, PARENT]
            walk = node[best]
            for k in range(written + length - 1, written - 1, -1):
                token_ids[k] = trie[walk, TOKEN]
                walk = trie[walk, PARENT]
            written += length
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
    return written
