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
MANY_CLASSES = 12
"""Candidate classes from which on they are tried in falling order, so that many need not be."""
FEW = 8
"""Entries up to which the weakest are removed one by one rather than by bisection."""
BLOCK = 16
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
def _candidate_classes(row, log_threshold, blank, classes):  # type: ignore[no-untyped-def]
    """Collect the classes above a log-probability, but the blank; returns how many."""
    size = row.size
    found = 0
    start = 0
    while start + BLOCK <= size:
        above = np.int32(0)
        for c in range(start, start + BLOCK):
            above |= np.int32(row[c] > log_threshold)
        if above:
            for c in range(start, start + BLOCK):
                if row[c] > log_threshold and c != blank:
                    classes[found] = c
                    found += 1
        start += BLOCK
    for c in range(start, size):
        if row[c] > log_threshold and c != blank:
            classes[found] = c
            found += 1
    return found


@inline
def _cut(bits, count, keep):  # type: ignore[no-untyped-def]
    """Return the `keep`-th largest of `count` non-negative floats, all given by their bits.

    Bisection; it stops early at any value that exactly `keep` reach.
    """
    low = LARGEST
    high = np.int64(0)
    for i in range(count):
        low = min(low, bits[i])
        high = max(high, bits[i])
    # Always: at least `keep` reach low; fewer than `keep` reach high + 1.
    while low < high:
        middle = low + ((high - low + 1) >> 1)
        reached = 0
        for i in range(count):
            reached += np.int64(bits[i] >= middle)
        if reached == keep:
            return middle
        if reached > keep:
            low = middle
        else:
            high = middle - 1
    return low


@inline
def _mark_removed(bits, count, keep, removed):  # type: ignore[no-untyped-def]
    """Set removed[i] for all but the `keep` largest of `count` floats; of ties the first stay.

    The bits of what is removed may be overwritten.
    """
    excess = count - keep
    if excess <= FEW:
        for i in range(count):
            removed[i] = 0
        for _ in range(excess):
            weakest = LARGEST
            for i in range(count):
                weakest = min(weakest, bits[i])
            where = np.int64(0)
            for i in range(count):
                where = max(where, np.int64(i) if bits[i] == weakest else np.int64(0))
            removed[where] = 1
            bits[where] = LARGEST
        return
    threshold = _cut(bits, count, keep)
    above = 0
    for i in range(count):
        above += np.int64(bits[i] > threshold)
    ties = keep - above
    for i in range(count):
        if bits[i] > threshold:
            removed[i] = 0
        elif bits[i] == threshold and ties > 0:
            removed[i] = 0
            ties -= 1
        else:
            removed[i] = 1


@inline
def _strongest_classes(row, classes, found, keep, probs, bits, ranks):  # type: ignore[no-untyped-def]
    """Sort candidate classes, falling, the lower class first among equals; return how many stay.

    Of more than `keep` the weakest are dropped. probs (bits is its view) is scratch.
    """
    if found > keep:
        for k in range(found):
            probs[k] = -1.0 / min(np.float64(row[classes[k]]), -1e-30)  # positive, same order
        threshold = _cut(bits, found, keep)
        above = 0
        for k in range(found):
            above += np.int64(bits[k] > threshold)
        ties = keep - above
        kept = 0
        for k in range(found):
            if bits[k] > threshold or (bits[k] == threshold and ties > 0):
                ties -= np.int64(bits[k] == threshold)
                classes[kept] = classes[k]
                kept += 1
        found = kept
    for k in range(found):
        probs[k] = np.float64(row[classes[k]])
    for k in range(found):
        mine = probs[k]
        rank = np.int64(0)
        for m in range(k):
            rank += np.int64(probs[m] >= mine)
        for m in range(k + 1, found):
            rank += np.int64(probs[m] > mine)
        ranks[rank] = classes[k]
    for k in range(found):
        classes[k] = ranks[k]
    return found


@inline
def _drop(values, threshold, start, count, from_slot, from_class):  # type: ignore[no-untyped-def]
    """Close up the entries from `start` on that reach a threshold; returns the new count."""
    kept = start
    for k in range(start, count):
        if values[k] >= threshold:
            values[kept] = values[k]
            from_slot[kept] = from_slot[k]
            from_class[kept] = from_class[k]
            kept += 1
    return kept


@inline
def _relink(size, other, node, label, parents, slots, source, parent_slot, head, link):  # type: ignore[no-untyped-def]
    """Find each prefix's parent among the survivors, and chain the prefixes of one last token.

    source[j] points into `mass`: to the parent's total, or to its blank part where the parent ends
    in the same token, or to the zero cell where the parent is not there.
    """
    for j in range(size):
        token = label[j]
        above = slots[parents[node[j]]] if node[j] != 0 else NONE
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
    # A slot a surviving prefix. `mass` holds their totals, a cell that stays zero, their blank
    # parts, and another such cell.
    other = width + 1
    mass = np.zeros(2 * other)
    mass_bits = mass.view(np.int64)
    ends_token = np.zeros(width)
    node = np.zeros(width, dtype=np.uint32)
    label = np.zeros(width, dtype=np.uint32)
    source = np.zeros(width, dtype=np.uint32)
    parent_slot = np.zeros(width, dtype=np.uint32)
    link = np.zeros(width, dtype=np.uint32)
    head = np.full(n_classes, NONE, dtype=np.uint32)
    emit = np.zeros(width)
    base = np.zeros(width)
    # What competes in a frame: the survivors' values first, then the new prefixes'.
    room = 4 * width + 64
    values = np.zeros(room + width)
    bits = values.view(np.int64)
    removed = np.zeros(room + width, dtype=np.uint8)
    from_slot = np.zeros(room + width, dtype=np.uint32)
    from_class = np.zeros(room + width, dtype=np.uint32)
    classes = np.zeros(n_classes, dtype=np.uint32)
    ranks = np.zeros(n_classes, dtype=np.uint32)
    probs = np.zeros(n_classes)
    prob_bits = probs.view(np.int64)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    # Trie nodes; only what is made is ever written or read.
    nodes = longest * width + 1
    tokens = np.empty(nodes, dtype=np.uint32)
    parents = np.empty(nodes, dtype=np.uint32)
    first_child = np.empty(nodes, dtype=np.uint32)
    sibling = np.empty(nodes, dtype=np.uint32)
    slots = np.empty(nodes, dtype=np.uint32)

    written = 0
    hypotheses = 0
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    for i in range(lines):
        made = 1
        tokens[0] = blank
        parents[0] = 0
        first_child[0] = NONE
        slots[0] = 0
        node[0] = 0
        label[0] = blank
        mass[other] = 1.0  # the blank part of the empty prefix
        ends_token[0] = 0.0
        size = 1
        log_scale = 0.0
        _relink(size, other, node, label, parents, slots, source, parent_slot, head, link)
        for t in range(offsets[i], offsets[i + 1]):
            row = log_probs[t]
            for j in range(size):
                mass[j] = mass[other + j] + ends_token[j]
            strongest = np.int64(0)
            for j in range(size):
                strongest = max(strongest, mass_bits[j])
            top = np.int64(strongest).view(np.float64)
            if top < RESCALE_BELOW:
                for j in range(size):
                    mass[j] *= RESCALE
                    mass[other + j] *= RESCALE
                    ends_token[j] *= RESCALE
                top *= RESCALE
                log_scale -= LOG_RESCALE

            # Each prefix goes on with a blank, with its last token, or as its parent's child.
            at_blank = _exp(np.float64(row[blank]))
            for j in range(size):
                emit[j] = np.float64(row[label[j]])
            for j in range(size):
                emit[j] = _exp(emit[j])
            for j in range(size):
                ends_token[j] = (ends_token[j] + mass[source[j]]) * emit[j]
                values[j] = mass[j] * at_blank + ends_token[j]
            log_threshold = np.float32(-np.inf)
            threshold = 0.0
            if size == width:
                weakest = LARGEST
                for j in range(size):
                    weakest = min(weakest, bits[j])
                threshold = np.int64(weakest).view(np.float64)
                if threshold > 0.0:
                    # The slack is for the rounding of the logarithm to float32.
                    log_threshold = np.float32(np.log(threshold / top) * 1.000001 - 1e-6)

            count = size
            found = _candidate_classes(row, log_threshold, blank, classes)
            if found > MANY_CLASSES:
                # A prefix has at most width children in the beam already, so that its `width`
                # best new children are among its 2 * width + 1 likeliest classes.
                found = _strongest_classes(
                    row, classes, found, 2 * width + 1, probs, prob_bits, ranks
                )
            for k in range(found):
                probs[k] = np.float64(row[classes[k]])
            for k in range(found):
                probs[k] = _exp(probs[k])
            for k in range(found):
                at_class = probs[k]
                if at_class * top <= threshold:
                    continue
                c = classes[k]
                if count + size > room:
                    threshold = np.int64(_cut(bits, count, width)).view(np.float64)
                    count = _drop(values, threshold, size, count, from_slot, from_class)
                for j in range(size):
                    base[j] = mass[j]
                m = head[c]
                while m != NONE:  # a prefix that ends in c needs a blank before another c
                    base[m] = mass[other + m]
                    m = link[m]
                m = head[c]
                while m != NONE:  # and a child that is in the beam has had its share above
                    if parent_slot[m] != NONE:
                        base[parent_slot[m]] = 0.0
                    m = link[m]
                for j in range(size):
                    value = base[j] * at_class
                    if value > threshold:
                        values[count] = value
                        from_slot[count] = j
                        from_class[count] = c
                        count += 1
            for j in range(size):
                mass[other + j] = mass[j] * at_blank
            if count == size:
                continue

            n_free = 0
            n_new = 0
            if count > width:
                _mark_removed(bits, count, width, removed)
            else:
                for k in range(count):
                    removed[k] = 0
            for k in range(size, count):
                if not removed[k]:
                    new_from[n_new] = k
                    n_new += 1
            if n_new == 0:
                continue
            for j in range(size):
                head[label[j]] = NONE
                if removed[j]:
                    slots[node[j]] = NONE
                    free[n_free] = j
                    n_free += 1
            for n in range(n_new):
                k = new_from[n]
                parent = node[from_slot[k]]
                child = first_child[parent]
                while child != NONE and tokens[child] != from_class[k]:
                    child = sibling[child]
                if child == NONE:
                    child = np.uint32(made)
                    made += 1
                    tokens[child] = from_class[k]
                    parents[child] = parent
                    sibling[child] = first_child[parent]
                    first_child[parent] = child
                    first_child[child] = NONE
                new_node[n] = child
            for n in range(n_new):
                if n < n_free:
                    j = np.int64(free[n])
                else:
                    j = size
                    size += 1
                node[j] = new_node[n]
                label[j] = from_class[new_from[n]]
                slots[node[j]] = j
                mass[other + j] = 0.0
                ends_token[j] = values[new_from[n]]
            _relink(size, other, node, label, parents, slots, source, parent_slot, head, link)

        for j in range(size):
            values[j] = mass[other + j] + ends_token[j]
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
                walk = parents[walk]
            walk = node[best]
            for k in range(written + length - 1, written - 1, -1):
                token_ids[k] = tokens[walk]
                walk = parents[walk]
            written += length
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
        for j in range(size):
            head[label[j]] = NONE
    return written
