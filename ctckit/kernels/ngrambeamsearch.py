"""Kernel of prefix beam search over words with an n-gram model (Hannun et al., 2014).

The search is that of `ctckit.kernels.beamsearch`, in plain probabilities. A prefix is ranked by its
mass times exp(gain), its gain being the weighted log-probability of its words, their bonus, and
what hot phrases earn; an open word counts by what it may become. Bounds of the gains of a prefix's
continuations are at hand, so that most are ruled out by one multiplication.

A prefix is a text with its words marked: a token is appended within a word or from outside onto
one (`INSIDE`), as what stands between words or begins one with a mark (`AFTER`), or as the first of
a word that follows another directly (`NEXT`). Where a text has several readings, those that are
alike in all that is to come share one prefix.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import (
    BOOL,
    F32_2D,
    F64,
    I32_1D,
    I64,
    I64_1D,
    I64_2D,
    OUT_F64_1D,
    OUT_F64_2D,
    OUT_I32_1D,
    OUT_I64_1D,
    U8_1D,
    inline,
    kernel,
    outline,
)
from ctckit.kernels.language import (
    MODEL,
    log_look_ahead,
    narrow_rows,
    open_rows,
    score_word,
    word_below,
)
from ctckit.kernels.lexicon import (
    MASK,
    PACKED,
    first_at_least,
    first_child_of,
    first_word_of,
    is_word,
)
from ctckit.kernels.phrases import PHRASES, START, follow_phrases
from ctckit.kernels.search import (
    FIRST_CHILD,
    LANES,
    LARGEST,
    LOG_2,
    NONE,
    PARENT,
    RESCALE_BELOW,
    SLOT,
    TOKEN,
    candidate_classes,
    child_prefix,
    count_ones,
    cut_at,
    fast_exp,
    link_survivors,
    log_at_most,
    padded,
    rescale,
)

INSIDE, AFTER, NEXT = range(3)
"""How a token is appended; kept in the two lowest bits of a prefix's token."""
SPELLS, SEPARATES, OPEN = 1, 2, 4
"""Bits of a class: the lexicon's words have it; it is no word character; it may be in any word."""
NODE, STATE, WORDS, UNKNOWNS, HOT = range(5, 10)
"""More columns of the table of prefixes: lexicon node, context, finished words, the unknown ones
among them, state of the phrases."""
LM, AHEAD, EARNED = range(3)
"""Columns of its sums: log-probability of the finished words, of the open one, finished phrases."""
GAIN, GAIN_INSIDE, GAIN_AFTER, BASE, ENDED, ENDED_LM = range(6)
"""Columns of the survivors' table: the gain; bounds of the continuations'; the gain of the finished
words, also with the open one ended, and that one's sum of log-probabilities."""
SLACK = 1e-6
"""Added to bounds of gains, for what rounding may add."""
PARTS = 4
"""Of a score: matrix, lm, words, boost."""

LEXICON = types.Tuple((I64_2D, I32_1D, I32_1D, I32_1D, I64_1D, BOOL))
"""nodes, arc_token, arc_target, word_end, bits, exact_bits: see `Lexicon`."""
CLASSES = types.Tuple((U8_1D, I64_1D, I64_1D))
"""Of each class its bits; the node after it between words, or -1; the word it begins, or -1."""
RULES = types.Tuple((F64, F64, F64, BOOL, BOOL, BOOL, BOOL, BOOL, BOOL, I64, I64, I64, F64))
"""lm_weight, word_bonus, unknown_score; whether words may follow each other directly, any word may
be written, texts may have several readings, there is a model, phrases, and boundaries count; the
model's numbers of the unknown word and the end, and the first context; what a token may earn at
once where it is several characters."""


@inline
def _find_arc(node, c, lexicon):
    """Return the node that class c leads to, or -1. The class is one of the lexicon's."""
    nodes, arc_token, arc_target, _, bits, exact = lexicon
    mask = nodes[node, MASK]
    bit = bits[c]
    if (mask >> bit) & 1 == 0:
        return np.int64(-1)
    arc = first_child_of(nodes[node, PACKED])
    if exact:
        arc += count_ones(mask & ((np.int64(1) << bit) - 1))
    else:
        stop = first_child_of(nodes[node + 1, PACKED])
        arc = first_at_least(arc_token, arc, stop, c)
        if arc == stop or arc_token[arc] != c:
            return np.int64(-1)
    return np.int64(arc_target[arc]) if arc_target.size else np.int64(arc)


@outline
def _look_ahead(context, node, row, lows, highs, lexicon, rules, model):
    """Return what the open word at a node adds to a gain, but for its bonus."""
    lm_weight, _, unknown_score, _, open_words, _, has_lm, _, _, _, _, _, _ = rules
    nodes, word_end = lexicon[0], lexicon[3]
    unknown = unknown_score
    if has_lm:
        unknown += lm_weight * model[8][context]
    if node == nodes.shape[0] - 1:
        return unknown
    known = np.float64(0.0)
    if has_lm:
        begin, end = first_word_of(nodes[node, PACKED]), np.int64(word_end[node])
        known = lm_weight * log_look_ahead(context, begin, end, row, lows, highs, model)
    return max(known, unknown) if open_words else known


@inline
def _can_end(node, nodes, open_words):
    """Return whether a word may end at a node that is not the root."""
    return open_words or (node != nodes.shape[0] - 1 and is_word(nodes[node, PACKED]) == 1)


@outline
def _end_word(node, context, lexicon, rules, model):
    """Return the log-probability of the word that ends at a node, the next context, if unknown."""
    nodes = lexicon[0]
    has_lm, unknown_word = rules[6], rules[9]
    unknown = node == nodes.shape[0] - 1 or is_word(nodes[node, PACKED]) == 0
    if not has_lm:
        return np.float64(0.0), np.int64(0), unknown
    word = unknown_word if unknown else word_below(nodes[node, PACKED], unknown_word, model)
    value, context = score_word(context, word, model)
    return value, context, unknown


@outline
def _settle(
    j, prefix, table, sums, slots, ended_state, lows, highs, lexicon, rules, model, phrases
):
    """Fill a survivor's row of the tables."""
    lm_weight, word_bonus, unknown_score, _, open_words, ambiguous, has_lm, hot = rules[:8]
    nodes, word_end = lexicon[0], lexicon[3]
    node, context = np.int64(table[prefix, NODE]), np.int64(table[prefix, STATE])
    base = (
        lm_weight * sums[prefix, LM]
        + word_bonus * table[prefix, WORDS]
        + unknown_score * table[prefix, UNKNOWNS]
    )
    boost = sums[prefix, EARNED]
    boost_inside = boost
    boost_after = boost
    if hot:
        _, _, held, at_boundary, _, _, reach, _, _, _ = phrases
        state = np.int64(table[prefix, HOT])
        at_once = rules[12]
        boost_after += at_boundary[state] + max(reach[state], reach[START]) + at_once
        boost_inside = boost_after if ambiguous else boost + reach[state] + at_once
        boost += held[state]
    slots[j, BASE] = base
    ended = -np.inf
    ended_state[j] = context
    slots[j, ENDED_LM] = sums[prefix, LM]
    gain = base
    inside = base + word_bonus
    if node == 0:
        ended = base
    else:
        gain = base + word_bonus + sums[prefix, AHEAD]
        inside = gain
        if _can_end(node, nodes, open_words):
            value, following, unknown = _end_word(node, context, lexicon, rules, model)
            ended = base + lm_weight * value + word_bonus
            if unknown:
                ended += unknown_score
            ended_state[j] = following
            slots[j, ENDED_LM] = sums[prefix, LM] + value
    slots[j, ENDED] = ended
    slots[j, GAIN] = gain + boost
    slots[j, GAIN_INSIDE] = inside + boost_inside + SLACK
    slots[j, GAIN_AFTER] = ended + boost_after + SLACK
    if has_lm and node != nodes.shape[0] - 1:
        open_rows(context, j, lows, highs, model)
        if node != 0:
            known_before, known = model[9], model[10]
            begin = np.int64(known_before[first_word_of(nodes[node, PACKED])])
            end = np.int64(known_before[word_end[node]])
            if begin < end:
                begin, end = np.int64(known[begin]), np.int64(known[end - 1]) + 1
            narrow_rows(context, begin, end, j, j, lows, highs, model)


@inline
def _weigh(j, reference, slots, weight, inside, after):
    """Set a survivor's weights from its gains, relative to a gain."""
    weight[j] = np.exp(slots[j, GAIN] - reference)
    inside[j] = np.exp(slots[j, GAIN_INSIDE] - reference)
    after[j] = np.exp(slots[j, GAIN_AFTER] - reference)


@outline
def _drop(values, bits, cut, start, count, entries, from_mass, from_ahead):
    """Close up the entries from `start` on that reach a cut; returns the new count."""
    kept = start
    for k in range(start, count):
        if bits[k] >= cut:
            values[kept] = values[k]
            entries[kept, 0] = entries[k, 0]
            entries[kept, 1] = entries[k, 1]
            entries[kept, 2] = entries[k, 2]
            from_mass[kept] = from_mass[k]
            from_ahead[kept] = from_ahead[k]
            kept += 1
    return kept


@inline
def _boost_of(prefix, c, table, sums, rules, phrases):
    """Return what phrases give a prefix once class c is appended."""
    boost = sums[prefix, EARNED]
    if rules[7]:
        state, earned = follow_phrases(np.int64(table[prefix, HOT]), c, phrases)
        boost += earned + phrases[2][state]
    return boost


@inline
def _text_key(key, c):
    """Return the hash of a text and one class more."""
    key = (key ^ np.uint64(c + 1)) * np.uint64(0x9E3779B97F4A7C15)
    return key ^ (key >> np.uint64(29))


@inline
def _same_future(a, b, table, keys):
    """Return whether two prefixes are one text, and alike in all that is to come."""
    return (
        keys[a] == keys[b]
        and table[a, NODE] == table[b, NODE]
        and table[a, STATE] == table[b, STATE]
        and table[a, HOT] == table[b, HOT]
    )


@inline
def _gain_of(prefix, table, sums, rules, phrases):
    """Return a prefix's gain."""
    gain = rules[0] * sums[prefix, LM] + rules[2] * table[prefix, UNKNOWNS]
    words = np.int64(table[prefix, WORDS]) + np.int64(table[prefix, NODE] != 0)
    gain += rules[1] * words + sums[prefix, AHEAD] + sums[prefix, EARNED]
    return gain + phrases[2][table[prefix, HOT]] if rules[7] else gain


@outline
def _has_better_twin(parent, c, to, state, gain, node, size, slots, table, keys, rules, phrases):
    """Return whether a survivor is a prefix with class c appended, and gains as much.

    to, state : lexicon node and context after it.
    """
    key = _text_key(keys[parent], c)
    for j in range(size):
        prefix = np.int64(node[j])
        if keys[prefix] == key and table[prefix, NODE] == to and table[prefix, STATE] == state:
            hot_state = np.int64(0)
            if rules[7]:
                hot_state = follow_phrases(np.int64(table[parent, HOT]), c, phrases)[0]
            if table[prefix, HOT] == hot_state and gain <= slots[j, GAIN] + SLACK:
                return True
    return False


@inline
def _write_prefix(table, prefix, token_ids, written):
    """Write a prefix's tokens from `written` on; returns where they end."""
    length = 0
    walk = prefix
    while walk != 0:
        length += 1
        walk = np.int64(table[walk, PARENT])
    walk = prefix
    for k in range(written + length - 1, written - 1, -1):
        token_ids[k] = table[walk, TOKEN] >> 2
        walk = np.int64(table[walk, PARENT])
    return written + length


@inline
def _same_tokens(token_ids, first, second, length):
    same = True
    for k in range(length):
        same &= token_ids[first + k] == token_ids[second + k]
    return same


@inline
def _complete(node, token_ids, stop, lexicon):
    """Write what makes a word of an open one, by the first arcs; returns where it ends."""
    nodes, arc_token, arc_target, _, _, _ = lexicon
    while is_word(nodes[node, PACKED]) == 0:
        arc = first_child_of(nodes[node, PACKED])
        token_ids[stop] = arc_token[arc]
        stop += 1
        node = np.int64(arc_target[arc]) if arc_target.size else np.int64(arc)
    return stop


@kernel(
    I64(
        F32_2D, I64_1D, I64, I64, I64, LEXICON, CLASSES, RULES, MODEL, PHRASES, I64, OUT_F64_2D,
        OUT_I32_1D, OUT_I64_1D, OUT_I64_1D, OUT_F64_1D,
    ),
    reorder_sums=True,
)  # fmt: skip
def ngram_beam_search(
    log_probs, offsets, blank, width, n_best, lexicon, classes_of, rules, model, phrases, order,
    parts, token_ids, token_offsets, hypothesis_offsets, scores,
):  # fmt: skip
    """Write the `n_best` best texts of each matrix, best first; returns tokens written.

    log_probs (sum of T, C), offsets (N + 1): matrices; lexicon to phrases: as `LEXICON`,
    `CLASSES`, `RULES`, `MODEL` and `PHRASES` say; order: of the model; parts (N * n_best, PARTS),
    token_ids (n_best * (sum of T + N * longest word)), token_offsets (N * n_best + 1),
    hypothesis_offsets (N + 1), scores (N * n_best): out, filled from the front.
    """
    lm_weight, word_bonus, unknown_score, direct, open_words, ambiguous, has_lm, hot = rules[:8]
    end_word, first_state = rules[10], rules[11]
    score_ends = rules[8]
    nodes = lexicon[0]
    bit_of = lexicon[4]
    off = np.int64(nodes.shape[0] - 1)
    class_bits, after_node, begin_node = classes_of
    lines = offsets.size - 1
    n_classes = log_probs.shape[1]
    longest = 0
    for i in range(lines):
        longest = max(longest, offsets[i + 1] - offsets[i])
    begin_factor = np.exp(max(word_bonus, 0.0))
    # As in ctckit.kernels.beamsearch: slots of the survivors, padded.
    cells_of_all = padded(width)
    other = cells_of_all + LANES
    mass = np.zeros(2 * other)
    mass_bits = mass.view(np.int64)
    ends_token = np.zeros(cells_of_all)
    node = np.zeros(width, dtype=np.uint32)
    label = np.full(cells_of_all, blank, dtype=np.uint32)
    source = np.full(cells_of_all, other - 1, dtype=np.uint32)
    parent_slot = np.zeros(width, dtype=np.uint32)
    link = np.zeros(width, dtype=np.uint32)
    head = np.full(n_classes, NONE, dtype=np.uint32)
    taken = np.zeros(width, dtype=np.uint8)
    emit = np.zeros(cells_of_all)
    inflow = np.zeros(cells_of_all)
    weight = np.zeros(cells_of_all)
    inside = np.zeros(cells_of_all)
    after = np.zeros(cells_of_all)
    reach_inside = np.zeros(cells_of_all)
    inside_bits = reach_inside.view(np.int64)
    reach_after = np.zeros(cells_of_all)
    after_bits = reach_after.view(np.int64)
    mask = np.zeros(cells_of_all, dtype=np.int64)
    slots = np.zeros((width, 6))
    ended_state = np.zeros(width, dtype=np.int64)
    levels = max(order, 1)
    lows = np.zeros((width + 1, levels), dtype=np.int64)
    highs = np.zeros((width + 1, levels), dtype=np.int64)
    crowded = 2 * width + max(width // 2, 16)
    room = crowded + 3 * width
    values = np.zeros(room + 2 * cells_of_all)
    bits = values.view(np.int64)
    # Of each that competes: the slot it comes from, its token with how it is appended, its node.
    entries = np.zeros((room + cells_of_all, 3), dtype=np.uint32)
    from_mass = np.zeros(room + cells_of_all)
    from_ahead = np.zeros(room + cells_of_all)
    hits = np.zeros(width + 1, dtype=np.uint32)
    classes = np.zeros(n_classes + 1, dtype=np.uint32)
    probs = np.zeros(n_classes)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width + 1, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    total = np.zeros(width)
    at_end = np.zeros((width, PARTS))
    ended_prefix = np.zeros(width, dtype=np.int64)
    table = np.empty((longest * width + 1, 10), dtype=np.uint32)
    sums = np.empty((longest * width + 1, 3))
    keys = np.zeros(longest * width + 1 if ambiguous else 1, dtype=np.uint64)

    written = np.int64(0)
    hypotheses = np.int64(0)
    token_offsets[0] = 0
    hypothesis_offsets[0] = 0
    for i in range(lines):
        mass[:] = 0.0
        ends_token[:] = 0.0
        label[:] = blank
        source[:] = other - 1
        weight[:] = 0.0
        inside[:] = 0.0
        after[:] = 0.0
        made = np.int64(1)
        table[0, :] = 0
        table[0, FIRST_CHILD] = NONE
        table[0, STATE] = first_state
        sums[0, :] = 0.0
        keys[0] = 0
        node[0] = 0
        mass[other] = 1.0
        parent_slot[0] = NONE
        link[0] = NONE
        head[blank] = 0
        size = np.int64(1)
        log_scale = 0.0
        reference = 0.0
        _settle(
            np.int64(0), np.int64(0), table, sums, slots, ended_state, lows, highs, lexicon, rules,
            model, phrases,
        )  # fmt: skip
        _weigh(np.int64(0), reference, slots, weight, inside, after)
        mask[0] = nodes[0, MASK]
        for t in range(offsets[i], offsets[i + 1]):
            row = log_probs[t]
            cells = padded(size)
            strongest = np.int64(0)
            for j in range(cells):
                mass[j] = mass[other + j] + ends_token[j]
                strongest = max(strongest, mass_bits[j])
            top = np.int64(strongest).view(np.float64)
            if 0.0 < top < RESCALE_BELOW:
                exponent = rescale(top, cells, other, mass, ends_token)
                log_scale += exponent * LOG_2

            at_blank = fast_exp(np.float64(row[blank]))
            for j in range(cells):
                emit[j] = np.float64(row[label[j]])
                inflow[j] = mass[source[j]]
            for j in range(cells):
                ends_token[j] = (ends_token[j] + inflow[j]) * fast_exp(emit[j])
            top_inside = np.int64(0)
            top_after = np.int64(0)
            for j in range(cells):
                values[j] = (mass[j] * at_blank + ends_token[j]) * weight[j]
                reach_inside[j] = mass[j] * inside[j]
                reach_after[j] = mass[j] * after[j]
                top_inside = max(top_inside, inside_bits[j])
                top_after = max(top_after, after_bits[j])
            best_inside = np.int64(top_inside).view(np.float64)
            best_after = np.int64(top_after).view(np.float64) * begin_factor
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
            found = candidate_classes(row, log_threshold, blank, classes)
            likeliest = 0
            for k in range(found):
                probs[k] = fast_exp(np.float64(row[classes[k]]))
                if probs[k] > probs[likeliest]:
                    likeliest = k
            if found > 1:
                classes[0], classes[likeliest] = classes[likeliest], classes[0]
                probs[0], probs[likeliest] = probs[likeliest], probs[0]
            for k in range(found):
                c = np.int64(classes[k])
                at_class = probs[k]
                if at_class * max(best_inside, best_after) <= threshold:
                    continue
                if count > crowded or (k == 1 and count > width):
                    weakest = cut_at(bits, count, width, weakest)
                    known_cut = weakest
                    threshold = np.int64(weakest).view(np.float64)
                    count = _drop(
                        values, bits, weakest, size, count, entries, from_mass, from_ahead
                    )
                    if at_class * max(best_inside, best_after) <= threshold:
                        continue
                before = count
                m = head[c]
                while m != NONE:
                    if parent_slot[m] != NONE:
                        taken[parent_slot[m]] |= np.uint8(1) << (table[node[m], TOKEN] & 3)
                    m = link[m]
                kind = class_bits[c]
                if kind & (SPELLS | OPEN):
                    any_node = kind & OPEN != 0
                    bit = bit_of[c]
                    n_hits = 0
                    for j in range(size):
                        hits[n_hits] = j
                        over = np.int64(reach_inside[j] * at_class > threshold)
                        n_hits += over & (np.int64(any_node) | (mask[j] >> bit))
                    for n in range(n_hits):
                        j = np.int64(hits[n])
                        if (taken[j] >> np.uint8(INSIDE)) & 1:
                            continue
                        prefix = np.int64(node[j])
                        at = np.int64(table[prefix, NODE])
                        to = np.int64(-1)
                        if at != off and kind & SPELLS:
                            to = _find_arc(at, c, lexicon)
                        if to < 0:
                            if not any_node:
                                continue
                            to = off
                        child_mass = (mass[other + j] if label[j] == c else mass[j]) * at_class
                        ahead = _look_ahead(
                            np.int64(table[prefix, STATE]), to, j, lows, highs, lexicon, rules,
                            model,
                        )  # fmt: skip
                        gain = slots[j, BASE] + word_bonus + ahead
                        gain += _boost_of(prefix, c, table, sums, rules, phrases)
                        if ambiguous and to == off and _has_better_twin(
                            prefix, c, to, np.int64(table[prefix, STATE]), gain, node, size, slots,
                            table, keys, rules, phrases,
                        ):  # fmt: skip
                            continue
                        values[count] = child_mass * np.exp(gain - reference)
                        entries[count, 0] = j
                        entries[count, 1] = c << 2 | INSIDE
                        entries[count, 2] = to
                        from_mass[count] = child_mass
                        from_ahead[count] = ahead
                        count += np.int64(values[count] > threshold)
                for step in range(AFTER, NEXT + 1):
                    to = after_node[c] if step == AFTER else begin_node[c]
                    if to < 0:
                        continue
                    factor = at_class * (1.0 if to == 0 else begin_factor)
                    n_hits = 0
                    for j in range(size):
                        hits[n_hits] = j
                        n_hits += np.int64(reach_after[j] * factor > threshold)
                    for n in range(n_hits):
                        j = np.int64(hits[n])
                        if (taken[j] >> np.uint8(step)) & 1:
                            continue
                        prefix = np.int64(node[j])
                        if step == NEXT:
                            if table[prefix, NODE] == 0:  # that is INSIDE
                                continue
                            apart = (kind | class_bits[label[j]]) & SEPARATES
                            if not (direct or apart):
                                continue
                        child_mass = (mass[other + j] if label[j] == c else mass[j]) * at_class
                        gain = slots[j, ENDED]
                        ahead = np.float64(0.0)
                        if to != 0:
                            if has_lm:
                                open_rows(ended_state[j], width, lows, highs, model)
                            ahead = _look_ahead(
                                ended_state[j], to, np.int64(width), lows, highs, lexicon, rules,
                                model,
                            )  # fmt: skip
                            gain += word_bonus + ahead
                        gain += _boost_of(prefix, c, table, sums, rules, phrases)
                        if ambiguous and _has_better_twin(
                            prefix, c, to, ended_state[j], gain, node, size, slots, table, keys,
                            rules, phrases,
                        ):  # fmt: skip
                            continue
                        values[count] = child_mass * np.exp(gain - reference)
                        entries[count, 0] = j
                        entries[count, 1] = c << 2 | step
                        entries[count, 2] = to
                        from_mass[count] = child_mass
                        from_ahead[count] = ahead
                        count += np.int64(values[count] > threshold)
                m = head[c]
                while m != NONE:
                    if parent_slot[m] != NONE:
                        taken[parent_slot[m]] = 0
                    m = link[m]
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
            kept = 0
            for n in range(n_new):
                k = new_from[n]
                j = np.int64(entries[k, 0])
                code = entries[k, 1]
                parent = np.int64(node[j])
                child = np.int64(child_prefix(table, parent, code, np.uint32(made)))
                if child == made:
                    at = np.int64(table[parent, NODE])
                    words, unknowns = table[parent, WORDS], table[parent, UNKNOWNS]
                    state, lm = np.int64(table[parent, STATE]), sums[parent, LM]
                    if code & 3 != INSIDE and at != 0:  # this ends a word
                        state, lm = ended_state[j], slots[j, ENDED_LM]
                        words += np.uint32(1)
                        if at == off or is_word(nodes[at, PACKED]) == 0:
                            unknowns += np.uint32(1)
                    table[child, NODE] = entries[k, 2]
                    table[child, SLOT] = NONE
                    table[child, STATE] = state
                    table[child, WORDS] = words
                    table[child, UNKNOWNS] = unknowns
                    table[child, HOT] = 0
                    sums[child, LM] = lm
                    sums[child, AHEAD] = from_ahead[k]
                    sums[child, EARNED] = sums[parent, EARNED]
                    if hot:
                        hot_state, earned = follow_phrases(
                            np.int64(table[parent, HOT]), np.int64(code >> 2), phrases
                        )
                        table[child, HOT] = hot_state
                        sums[child, EARNED] += earned
                    made += 1
                if ambiguous:
                    keys[child] = _text_key(keys[parent], np.int64(code >> 2))
                    twin = np.int64(-1)
                    for j in range(size):
                        if _same_future(np.int64(node[j]), child, table, keys):
                            twin = np.int64(j)
                    if twin >= 0:  # it has had its mass; the better reading stays
                        prefix = np.int64(node[twin])
                        if slots[twin, GAIN] < _gain_of(child, table, sums, rules, phrases):
                            table[prefix, WORDS] = table[child, WORDS]
                            table[prefix, UNKNOWNS] = table[child, UNKNOWNS]
                            sums[prefix, :] = sums[child, :]
                            _settle(
                                twin, prefix, table, sums, slots, ended_state, lows, highs,
                                lexicon, rules, model, phrases,
                            )  # fmt: skip
                            _weigh(twin, reference, slots, weight, inside, after)
                        continue
                    best = np.int64(-1)
                    for other_new in range(kept):
                        if _same_future(np.int64(new_node[other_new]), child, table, keys):
                            best = np.int64(other_new)
                    if best >= 0:
                        if values[k] > values[new_from[best]]:
                            new_node[best] = child
                            new_from[best] = k
                        continue
                new_node[kept] = child
                new_from[kept] = k
                kept += 1
            n_new = kept
            n_free = 0
            for j in range(size):
                head[label[j]] = NONE
                if bits[j] < cut and n_free < n_new:
                    table[node[j], SLOT] = NONE
                    free[n_free] = j
                    n_free += 1
            for n in range(n_new):
                if n < n_free:
                    j = np.int64(free[n])
                else:
                    j = size
                    size += 1
                k = new_from[n]
                child = np.int64(new_node[n])
                node[j] = child
                label[j] = entries[k, 1] >> 2
                table[child, SLOT] = j
                mass[other + j] = 0.0
                ends_token[j] = from_mass[k]
                _settle(
                    j, child, table, sums, slots, ended_state, lows, highs, lexicon, rules,
                    model, phrases,
                )  # fmt: skip
                _weigh(j, reference, slots, weight, inside, after)
                at = np.int64(table[child, NODE])
                mask[j] = nodes[at, MASK] if at != off else np.int64(0)
            link_survivors(size, other, node, label, table, source, parent_slot, head, link)
            heaviest = np.int64(0)
            most = -1.0
            for j in range(size):
                value = (mass[other + j] + ends_token[j]) * weight[j]
                if value > most:
                    heaviest, most = np.int64(j), value
            if not 1e-60 < weight[heaviest] < 1e60:
                reference = slots[heaviest, GAIN]
                for j in range(size):
                    _weigh(np.int64(j), reference, slots, weight, inside, after)

        whole = 0
        for j in range(size):
            head[label[j]] = NONE
            prefix = np.int64(node[j])
            at, state = np.int64(table[prefix, NODE]), np.int64(table[prefix, STATE])
            lm = sums[prefix, LM]
            words, unknowns = np.int64(table[prefix, WORDS]), np.int64(table[prefix, UNKNOWNS])
            if at != 0:
                if not _can_end(at, nodes, open_words):
                    continue
                value, state, unknown = _end_word(at, state, lexicon, rules, model)
                lm += value
                words += 1
                unknowns += np.int64(unknown)
            if has_lm and score_ends:
                lm += score_word(state, end_word, model)[0]
            boost = sums[prefix, EARNED]
            if hot:
                boost += phrases[3][table[prefix, HOT]]
            at_end[whole, 0] = min(np.log(mass[other + j] + ends_token[j]) + log_scale, 0.0)
            at_end[whole, 1] = lm_weight * lm
            at_end[whole, 2] = word_bonus * words + unknown_score * unknowns
            at_end[whole, 3] = boost
            total[whole] = at_end[whole, 0] + at_end[whole, 1] + at_end[whole, 2] + boost
            ended_prefix[whole] = prefix
            whole += 1
        first = hypotheses
        for _ in range(whole):
            best = 0
            for w in range(whole):
                if ended_prefix[w] >= 0 and (ended_prefix[best] < 0 or total[w] > total[best]):
                    best = w
            if hypotheses - first == n_best or (total[best] == -np.inf and hypotheses > first):
                break
            stop = _write_prefix(table, ended_prefix[best], token_ids, written)
            ended_prefix[best] = -1
            fresh = True  # the same text may have been read in another way
            for h in range(first, hypotheses):
                if token_offsets[h + 1] - token_offsets[h] == stop - written:
                    fresh = fresh and not _same_tokens(
                        token_ids, token_offsets[h], written, stop - written
                    )
            if fresh:
                scores[hypotheses] = total[best]
                parts[hypotheses] = at_end[best]
                hypotheses += 1
                written = stop
                token_offsets[hypotheses] = written
        if hypotheses == first:  # no word was finished in time
            best = 0
            for j in range(size):
                values[j] = (mass[other + j] + ends_token[j]) * weight[j]
                if values[j] > values[best]:
                    best = j
            stop = _write_prefix(table, np.int64(node[best]), token_ids, written)
            written = _complete(np.int64(table[node[best], NODE]), token_ids, stop, lexicon)
            scores[hypotheses] = -np.inf
            parts[hypotheses] = 0.0
            parts[hypotheses, 0] = -np.inf
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
    return written
