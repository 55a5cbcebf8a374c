"""Kernel of prefix beam search over words with an n-gram model (Hannun et al., 2014).

The search is that of `ctckit.kernels.beamsearch`, in plain probabilities. A prefix is ranked by its
mass times exp(gain), its gain being the weighted log-probability of its words, their bonus, and
what hot phrases earn; an open word counts by what it may become. Bounds of the gains of a prefix's
continuations are at hand, so that most are ruled out by one multiplication.

A prefix is a text with its words marked (see `ctckit.kernels.wordprefixes`). Where a text has
several readings as words, those that are alike in all that is to come share one prefix.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    F32_2D,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_F64_2D,
    OUT_I32_1D,
    OUT_I64_1D,
    kernel,
)
from ctckit.kernels.language import (
    LEAST,
    MODEL,
    fill_row,
    narrow_rows,
    open_rows,
    score_word,
    words_below,
)
from ctckit.kernels.lexicon import (
    MASK,
    PACKED,
    first_child_of,
    is_word,
)
from ctckit.kernels.phrases import AT_BOUNDARY, HELD, PHRASES, follow_phrases
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
    child_prefix,
    cut_at,
    fast_exp,
    hash_on,
    log_at_most,
    padded,
    prefetch,
    rescale,
)
from ctckit.kernels.wide import WIDE_BLOCK, candidates_of_scan, scan_row
from ctckit.kernels.wordprefixes import (
    AFTER,
    AHEAD,
    BOOST_CELLS,
    BOOST_ROWS,
    CLASSES,
    EARNED,
    ENDED_LM,
    GAIN,
    HOT,
    INSIDE,
    KEPT_ROWS,
    LEXICON,
    LM,
    MEMO,
    MOST_CLASSES,
    NEXT,
    NODE,
    OPEN,
    PARTS,
    RULES,
    SEPARATES,
    SLACK,
    SPELLS,
    STATE,
    UNKNOWNS,
    WORDS,
    can_end,
    complete,
    drop,
    end_word,
    exp,
    fill_boosts,
    follow_kept,
    gain_of,
    look_ahead,
    most_of,
    order_classes,
    same_future,
    same_tokens,
    settle,
    target,
    text_key,
    weigh,
    write_prefix,
)


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
    score_ends, end_of_text, first_state = rules[8], rules[10], rules[11]
    floor_factor = rules[13]
    nodes, arc_token, arc_target = lexicon[0], lexicon[1], lexicon[2]
    off = np.int64(nodes.shape[0] - 1)
    kinds, after_node, begin_node, lexicon_bit, class_word = classes_of
    dense = class_word.size > 0
    lines = offsets.size - 1
    n_classes = log_probs.shape[1]
    longest = 0
    for i in range(lines):
        longest = max(longest, offsets[i + 1] - offsets[i])
    bonus_factor = np.exp(word_bonus)
    begin_factor = max(bonus_factor, 1.0)
    # As in ctckit.kernels.beamsearch: slots of the survivors, padded.
    slots_padded = padded(width)
    other = slots_padded + LANES
    mass = np.zeros(2 * other)
    mass_bits = mass.view(np.int64)
    ends_token = np.zeros(slots_padded)
    node = np.zeros(width, dtype=np.uint32)
    label = np.full(slots_padded, blank, dtype=np.uint32)
    source = np.full(slots_padded, other - 1, dtype=np.uint32)
    # The survivors that are one token longer than each.
    first_kid = np.full(width, NONE, dtype=np.uint32)
    next_kid = np.full(width, NONE, dtype=np.uint32)
    slot_code = np.zeros(width, dtype=np.int64)
    emit = np.zeros(slots_padded)
    inflow = np.zeros(slots_padded)
    # The weight of each survivor, of its finished words and one that begins, and of its words all
    # ended; and the bounds of its continuations'.
    weight = np.zeros(slots_padded)
    begun = np.zeros(slots_padded)
    ended = np.zeros(slots_padded)
    inside = np.zeros(slots_padded)
    after = np.zeros(slots_padded)
    reach_inside = np.zeros(slots_padded)
    inside_bits = reach_inside.view(np.int64)
    reach_after = np.zeros(slots_padded)
    after_bits = reach_after.view(np.int64)
    at_node = np.zeros(width, dtype=np.int64)
    mask = np.zeros(width, dtype=np.int64)
    arc_start = np.zeros(width, dtype=np.int64)
    arc_end = np.zeros(width, dtype=np.int64)
    slots = np.zeros((width, 6))
    state = np.zeros(width, dtype=np.int64)
    ended_state = np.zeros(width, dtype=np.int64)
    slot_key = np.zeros(width, dtype=np.uint64)
    unsettled = np.zeros(2 * width, dtype=np.uint32)
    # Of each survivor the children of its context, of the context's suffix, and so on, whose words
    # begin like the open one; of the new ones; and a row for what is looked up once.
    levels = max(order, 1)
    lows = np.zeros((width + 1, levels), dtype=np.int64)
    highs = np.zeros((width + 1, levels), dtype=np.int64)
    new_lows = np.zeros((width, levels), dtype=np.int64)
    new_highs = np.zeros((width, levels), dtype=np.int64)
    memo_size = MEMO
    while memo_size < 128 * width:
        memo_size *= 2
    memo_key = np.full(memo_size if has_lm and not dense else 1, -1, dtype=np.int64)
    memo_ahead = np.zeros(memo_key.size)
    memo_factor = np.zeros(memo_key.size)
    kept_rows = np.zeros((KEPT_ROWS if dense else 1, model[1][1] - 1 if dense else 1))
    # Of each character of the phrases the class that is it, if no class is more than one.
    class_of = np.zeros(phrases[5].size, dtype=np.int64)
    class_apart = np.zeros(n_classes, dtype=np.uint8)
    for c in range(n_classes if hot else 0):
        begin, end = phrases[4][c], phrases[4][c + 1]
        if end - begin > 1:
            class_of, class_apart = class_of[:0], class_apart[:0]
        if class_of.size and end > begin:
            class_of[phrases[3][begin]] = c
            class_apart[c] = phrases[5][phrases[3][begin]] == 0
    kept_boosts = hot and n_classes <= MOST_CLASSES
    boost_rows = np.int64(BOOST_ROWS if kept_boosts else 1)
    while boost_rows > 1 and boost_rows * n_classes > BOOST_CELLS:
        boost_rows //= 2
    boosts = np.empty((boost_rows, n_classes))
    boosts[0, :] = 1.0
    after_boost = np.empty((boost_rows, n_classes), dtype=np.int32)
    boost_state = np.full(boost_rows, -1, dtype=np.int64)
    row_context = np.full(len(kept_rows), -1, dtype=np.int64)
    # What may compete in a frame, of one survivor.
    tried_code = np.zeros(3 * n_classes, dtype=np.int64)
    tried_node = np.zeros(3 * n_classes, dtype=np.int64)
    prob_of = np.zeros(n_classes)
    starts = np.zeros(65, dtype=np.int64)
    lists = np.zeros((4, n_classes + 1), dtype=np.int64)
    uses = np.zeros(n_classes, dtype=np.uint8)
    for c in range(n_classes):
        if kinds[c] & (SPELLS | OPEN):
            uses[c] |= 1
        if after_node[c] >= 0 or (begin_node[c] >= 0 and kinds[c] & SEPARATES):
            uses[c] |= 2
        if begin_node[c] >= 0:
            uses[c] |= 4
    # What competes: the survivors' values first, then the new prefixes'.
    crowded = 2 * width + max(width // 2, 16)
    room = crowded + 2
    values = np.zeros(room + 2 * slots_padded)
    bits = values.view(np.int64)
    entries = np.zeros((room + slots_padded, 3), dtype=np.uint32)
    from_mass = np.zeros(room + slots_padded)
    from_ahead = np.zeros(room + slots_padded)
    from_twin = np.zeros(room + slots_padded, dtype=np.int64)
    classes = np.zeros(n_classes + 1, dtype=np.uint32)
    tops = np.zeros(n_classes // WIDE_BLOCK + 1, dtype=np.int32)
    hits = np.zeros(n_classes // WIDE_BLOCK + 2, dtype=np.uint32)
    probs = np.zeros(n_classes)
    prob_bits = probs.view(np.int64)
    new_node = np.zeros(width, dtype=np.uint32)
    new_from = np.zeros(width + 1, dtype=np.uint32)
    free = np.zeros(width, dtype=np.uint32)
    total = np.zeros(width)
    at_end = np.zeros((width, PARTS))
    ended_prefix = np.zeros(width, dtype=np.int64)
    text_hash = np.zeros(width, dtype=np.int64)
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
        size = np.int64(1)
        log_scale = 0.0
        reference = 0.0
        if has_lm:
            open_rows(first_state, 0, lows, highs, model)
        highest = np.float64(1.0).view(np.int64)
        unsettled[0] = 0
        n_unsettled = 1
        for t in range(offsets[i] - 1, offsets[i + 1]):
            if t >= offsets[i]:
                n_unsettled = 0
                row = log_probs[t]
                cells = padded(size)
                strongest = np.int64(0)
                for j in range(cells):
                    mass[j] = mass[other + j] + ends_token[j]
                    strongest = max(strongest, mass_bits[j])
                top_mass = np.int64(strongest).view(np.float64)
                if 0.0 < top_mass < RESCALE_BELOW:
                    exponent = rescale(top_mass, cells, other, mass, ends_token)
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
                best = max(best_inside, best_after)
                # Below the floor a prefix is too far behind the best one, of those known so far.
                highest = np.int64(0)
                for j in range(cells):
                    highest = max(highest, bits[j])
                floor = np.int64(highest).view(np.float64) * floor_factor
                threshold = floor
                weakest = np.int64(0)
                if size == width:
                    for j in range(size, cells):
                        values[j] = np.inf
                    weakest = LARGEST
                    for j in range(cells):
                        weakest = min(weakest, bits[j])
                    threshold = max(threshold, np.int64(weakest).view(np.float64))

                count = size
                known_cut = np.int64(0)
                likeliest = scan_row(row, blank, tops) if n_classes > 1 else np.int64(0)
                # First the likeliest class alone: with its children there, few others can survive.
                for r in range(2 if n_classes > 1 else 0):
                    if r == 0:
                        classes[0] = likeliest
                        found = np.int64(1)
                    else:
                        log_threshold = np.float32(-np.inf)
                        if threshold > 0.0:
                            ratio = threshold / best
                            if ratio > 1.0:
                                break
                            log_threshold = log_at_most(ratio)
                        found = candidates_of_scan(
                            row, tops, log_threshold, blank, likeliest, hits, classes
                        )
                    for k in range(found):
                        probs[k] = np.float64(row[classes[k]])
                    for k in range(found):
                        probs[k] = fast_exp(probs[k])
                    top = np.int64(0)
                    for k in range(found):
                        top = max(top, prob_bits[k])
                    top_prob = np.int64(top).view(np.float64)
                    if top_prob * best <= threshold:
                        continue
                    n_inside, n_apart, n_next = order_classes(
                        found, classes, probs, uses, lists, prob_of, starts
                    )
                    for j in range(size):
                        n_tried = 0
                        boost = np.int64(0)  # the row of what phrases give
                        reach = max(reach_inside[j], reach_after[j] * begin_factor)
                        if kept_boosts and reach * top_prob > threshold:
                            hot_state = np.int64(table[node[j], HOT])
                            boost = hot_state & (boost_rows - 1)
                            if boost_state[boost] != hot_state:
                                boost_state[boost] = hot_state
                                most = most_of(hot_state, rules, phrases)
                                fill_boosts(
                                    hot_state, most, boosts[boost], after_boost[boost], phrases,
                                    class_of, class_apart,
                                )  # fmt: skip
                        reach = reach_inside[j]
                        if reach * top_prob > threshold:
                            if arc_end[j] - arc_start[j] <= 2 * n_inside and not open_words:
                                for arc in range(arc_start[j], arc_end[j]):
                                    c = np.int64(arc_token[arc])
                                    if c >= n_classes:
                                        continue
                                    if reach * prob_of[c] * boosts[boost, c] > threshold:
                                        to = np.int64(arc_target[arc] if arc_target.size else arc)
                                        tried_code[n_tried] = c << 2 | INSIDE
                                        tried_node[n_tried] = to
                                        n_tried += 1
                            else:
                                for k in range(n_inside):
                                    c = lists[0, k]
                                    if reach * prob_of[c] * boosts[boost, c] <= threshold:
                                        if reach * prob_of[c] * 2.0 <= threshold:
                                            break
                                        continue
                                    to = np.int64(-1)
                                    if kinds[c] & SPELLS and (mask[j] >> lexicon_bit[c]) & 1:
                                        to = target(arc_start[j], arc_end[j], c, lexicon)
                                    if to < 0 and kinds[c] & OPEN:
                                        to = off
                                    tried_code[n_tried] = c << 2 | INSIDE
                                    tried_node[n_tried] = to
                                    n_tried += np.int64(to >= 0)
                        n_within = n_tried
                        reach = reach_after[j]
                        if dense and reach * begin_factor * top_prob > threshold:
                            line = ended_state[j] & (KEPT_ROWS - 1)
                            if row_context[line] != ended_state[j]:
                                row_context[line] = ended_state[j]
                                fill_row(ended_state[j], lm_weight, line, kept_rows, model)
                            for k in range(n_next if at_node[j] != 0 else 0):
                                c = lists[2, k]
                                likely = reach * prob_of[c] * bonus_factor
                                if likely * 2.0 <= threshold:
                                    break
                                likely *= kept_rows[line, class_word[c]]
                                if likely * boosts[boost, c] > threshold:
                                    tried_code[n_tried] = c << 2 | NEXT
                                    tried_node[n_tried] = begin_node[c]
                                    n_tried += 1
                        elif reach * begin_factor * top_prob > threshold:
                            for k in range(n_apart):
                                c = lists[1, k]
                                likely = reach * prob_of[c]
                                if likely * begin_factor * 2.0 <= threshold:
                                    break
                                likely *= boosts[boost, c]
                                to = after_node[c]
                                if to >= 0 and likely * (bonus_factor if to else 1.0) > threshold:
                                    tried_code[n_tried] = c << 2 | AFTER
                                    tried_node[n_tried] = to
                                    n_tried += 1
                            # From outside a word, a word that begins is INSIDE.
                            n_begin = 0
                            which = np.int64(1)
                            if at_node[j] != 0:
                                n_begin = n_apart
                                if direct or kinds[label[j]] & SEPARATES != 0:
                                    n_begin, which = n_next, np.int64(2)
                            for k in range(n_begin):
                                c = lists[which, k]
                                likely = reach * prob_of[c] * bonus_factor
                                if likely * 2.0 <= threshold:
                                    break
                                likely *= boosts[boost, c]
                                if begin_node[c] >= 0 and likely > threshold:
                                    tried_code[n_tried] = c << 2 | NEXT
                                    tried_node[n_tried] = begin_node[c]
                                    n_tried += 1

                        for n in range(n_tried):
                            code = tried_code[n]
                            to = tried_node[n]
                            c = code >> 2
                            kid = first_kid[j]
                            while kid != NONE and slot_code[kid] != code:
                                kid = next_kid[kid]
                            if kid != NONE:  # it is there and has had its share already
                                continue
                            prob = prob_of[c]
                            likely = reach_inside[j] if n < n_within else reach * begin_factor
                            likely *= boosts[boost, c]
                            if likely * prob <= threshold:  # which may have risen
                                continue
                            if count > crowded:
                                weakest = cut_at(bits, count, width, weakest)
                                known_cut = weakest
                                threshold = max(floor, np.int64(weakest).view(np.float64))
                                count = drop(
                                    values, bits, weakest, size, count, entries, from_mass,
                                    from_ahead, from_twin,
                                )  # fmt: skip
                                if likely * prob <= threshold:
                                    continue
                            child_mass = mass[other + j] if label[j] == c else mass[j]
                            child_mass *= prob
                            context = state[j]
                            value = child_mass * begun[j]
                            if n >= n_within:
                                context = ended_state[j]
                                value = child_mass * ended[j]
                                if to != 0:
                                    value *= bonus_factor
                            ahead = np.float64(0.0)
                            if to != 0:
                                if dense:
                                    line = context & (KEPT_ROWS - 1)
                                    if row_context[line] != context:
                                        row_context[line] = context
                                        fill_row(context, lm_weight, line, kept_rows, model)
                                    value *= kept_rows[line, class_word[c]]
                                    ahead = np.log(max(kept_rows[line, class_word[c]], LEAST))
                                elif has_lm:
                                    key = context << 32 | to
                                    spread = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
                                    at = np.int64(spread >> np.uint64(40)) & (memo_size - 1)
                                    if memo_key[at] != key:
                                        line = j
                                        if n >= n_within:
                                            line = width
                                            open_rows(context, width, lows, highs, model)
                                        ahead = look_ahead(
                                            context, to, line, lows, highs, lexicon, rules, model
                                        )
                                        memo_key[at] = key
                                        memo_ahead[at] = ahead
                                        memo_factor[at] = exp(ahead)
                                    ahead = memo_ahead[at]
                                    value *= memo_factor[at]
                                elif to == off:
                                    ahead = unknown_score
                                    value *= np.exp(ahead)
                            value *= boosts[boost, c]
                            if hot and not kept_boosts:
                                hot_state = np.int64(table[node[j], HOT])
                                following, earned = follow_phrases(hot_state, c, phrases)
                                most = most_of(hot_state, rules, phrases)
                                value *= np.exp(earned + phrases[1][following, HELD] - most)
                            if value <= threshold:
                                continue
                            twin = np.int64(-1)
                            if ambiguous:  # is there a reading as good, alike in the rest?
                                key_of_text = text_key(slot_key[j], c)
                                same = np.int64(0)
                                for m in range(size):
                                    same |= np.int64(slot_key[m] == key_of_text)
                                hot_state = np.int64(0)
                                if same and hot:
                                    hot_state, _ = follow_phrases(
                                        np.int64(table[node[j], HOT]), c, phrases
                                    )
                                for m in range(size if same else 0):
                                    if (
                                        slot_key[m] == key_of_text
                                        and at_node[m] == to
                                        and state[m] == context
                                        and table[node[m], HOT] == hot_state
                                    ):
                                        twin = np.int64(m)
                                if twin >= 0 and value <= child_mass * weight[twin] * (1.0 + SLACK):
                                    continue
                            from_twin[count] = twin
                            prefetch(nodes, to)
                            values[count] = value
                            entries[count, 0] = j
                            entries[count, 1] = code
                            entries[count, 2] = to
                            from_mass[count] = child_mass
                            from_ahead[count] = ahead
                            count += 1
                            known_cut = np.int64(0)
                    for k in range(found):
                        prob_of[classes[k]] = 0.0
                    if r == 0:
                        for k in range(size, count):
                            highest = max(highest, bits[k])
                        floor = np.int64(highest).view(np.float64) * floor_factor
                        threshold = max(threshold, floor)
                    if r == 0 and count > width:
                        weakest = cut_at(bits, count, width, weakest)
                        known_cut = weakest
                        threshold = max(threshold, np.int64(weakest).view(np.float64))
                        count = drop(
                            values, bits, weakest, size, count, entries, from_mass, from_ahead,
                            from_twin,
                        )  # fmt: skip
                for j in range(cells):
                    mass[other + j] = mass[j] * at_blank
                if count == size:
                    continue

                cut = known_cut
                if cut == 0 and count > width:
                    cut = max(cut_at(bits, count, width, weakest), np.int64(1))
                cut = max(cut, np.float64(floor).view(np.int64))
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
                    to = np.int64(entries[k, 2])
                    parent = np.int64(node[j])
                    child = np.int64(child_prefix(table, parent, code, np.uint32(made)))
                    context = state[j] if code & 3 == INSIDE else ended_state[j]
                    if child == made:
                        words, unknowns = table[parent, WORDS], table[parent, UNKNOWNS]
                        lm = sums[parent, LM]
                        at = at_node[j]
                        if code & 3 != INSIDE and at != 0:  # this ends a word
                            lm += slots[j, ENDED_LM]
                            words += np.uint32(1)
                            if at == off or is_word(nodes[at, PACKED]) == 0:
                                unknowns += np.uint32(1)
                        table[child, NODE] = to
                        table[child, SLOT] = NONE
                        table[child, STATE] = context
                        table[child, WORDS] = words
                        table[child, UNKNOWNS] = unknowns
                        table[child, HOT] = 0
                        sums[child, LM] = lm
                        sums[child, AHEAD] = from_ahead[k]
                        sums[child, EARNED] = sums[parent, EARNED]
                        if hot:
                            hot_state, earned = follow_kept(
                                np.int64(table[parent, HOT]), np.int64(code >> 2), boost_state,
                                after_boost, class_apart, phrases,
                            )  # fmt: skip
                            table[child, HOT] = hot_state
                            sums[child, EARNED] += earned
                        made += 1
                    if ambiguous:
                        keys[child] = text_key(keys[parent], np.int64(code >> 2))
                        twin = from_twin[k]
                        if twin >= 0:  # it has had its mass; the better reading stays
                            prefix = np.int64(node[twin])
                            if slots[twin, GAIN] < gain_of(child, table, sums, rules, phrases):
                                table[prefix, WORDS] = table[child, WORDS]
                                table[prefix, UNKNOWNS] = table[child, UNKNOWNS]
                                sums[prefix, :] = sums[child, :]
                                unsettled[n_unsettled] = twin
                                n_unsettled += 1
                            continue
                        twin = np.int64(-1)
                        for m in range(kept):
                            rival = np.int64(new_node[m])
                            if keys[rival] == keys[child] and same_future(rival, child, table):
                                twin = np.int64(m)
                        if twin >= 0 and values[k] <= values[new_from[twin]]:
                            continue
                        if twin >= 0:
                            new_node[twin] = child
                            new_from[twin] = k
                            continue
                    if has_lm and to != off and not dense:
                        line = j
                        if code & 3 != INSIDE:
                            line = width
                            open_rows(context, width, lows, highs, model)
                        begin, end = words_below(to, nodes, lexicon[3], model)
                        narrow_rows(
                            context, to == 0, begin, end, line, kept, lows, highs, new_lows,
                            new_highs, model,
                        )  # fmt: skip
                    new_node[kept] = child
                    new_from[kept] = k
                    kept += 1
                n_new = kept
                n_free = 0
                for j in range(size):
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
                    for level in range(order if has_lm else 0):
                        lows[j, level] = new_lows[n, level]
                        highs[j, level] = new_highs[n, level]
                    unsettled[n_unsettled] = j
                    n_unsettled += 1

            for n in range(n_unsettled):
                j = np.int64(unsettled[n])
                prefix = np.int64(node[j])
                at = np.int64(table[prefix, NODE])
                at_node[j] = at
                slot_key[j] = keys[prefix] if ambiguous else np.uint64(0)
                slot_code[j] = table[prefix, TOKEN]
                mask[j], arc_start[j], arc_end[j] = 0, 0, 0
                if at != off:
                    mask[j] = nodes[at, MASK]
                    arc_start[j] = first_child_of(nodes[at, PACKED])
                    arc_end[j] = first_child_of(nodes[at + 1, PACKED])
                    prefetch(arc_token, arc_start[j])
                most = 0.0
                if hot:
                    most = most_of(np.int64(table[prefix, HOT]), rules, phrases)
                settle(
                    j, prefix, most, table, sums, slots, state, ended_state, lexicon, rules, model,
                    phrases,
                )  # fmt: skip
                weigh(j, reference, word_bonus, slots, weight, inside, after, begun, ended)
            for j in range(size):
                first_kid[j] = NONE
            for j in range(size):
                source[j] = other - 1
                above = table[table[node[j], PARENT], SLOT] if node[j] != 0 else NONE
                if above != NONE:
                    source[j] = above + (other if label[above] == label[j] else 0)
                    next_kid[j] = first_kid[above]
                    first_kid[above] = j
            # Weights are kept near 1 for what ranks highest.
            best_weight = np.int64(highest).view(np.float64)
            if not 1e-60 < best_weight < 1e60:
                heaviest = np.int64(0)
                for j in range(size):
                    if values[j] > values[heaviest]:
                        heaviest = np.int64(j)
                reference = slots[heaviest, GAIN]
                for j in range(size):
                    weigh(
                        np.int64(j), reference, word_bonus, slots, weight, inside, after, begun,
                        ended,
                    )  # fmt: skip

        whole = 0
        for j in range(size):
            prefix = np.int64(node[j])
            at, context = np.int64(table[prefix, NODE]), np.int64(table[prefix, STATE])
            lm = sums[prefix, LM]
            words, unknowns = np.int64(table[prefix, WORDS]), np.int64(table[prefix, UNKNOWNS])
            if at != 0:
                if not can_end(at, nodes, open_words):
                    continue
                value, context, unknown = end_word(at, context, lexicon, rules, model)
                lm += value
                words += 1
                unknowns += np.int64(unknown)
            if has_lm and score_ends:
                lm += score_word(context, end_of_text, model)[0]
            earned = sums[prefix, EARNED]
            if hot:
                earned += phrases[1][table[prefix, HOT], AT_BOUNDARY]
            at_end[whole, 0] = min(np.log(mass[other + j] + ends_token[j]) + log_scale, 0.0)
            at_end[whole, 1] = lm_weight * lm
            at_end[whole, 2] = word_bonus * words + unknown_score * unknowns
            at_end[whole, 3] = earned
            total[whole] = at_end[whole, 0] + at_end[whole, 1] + at_end[whole, 2] + earned
            ended_prefix[whole] = prefix
            whole += 1
        first = hypotheses
        ranked = np.argsort(-total[:whole], kind="mergesort")
        for n in range(whole):
            best = ranked[n]
            if hypotheses - first == n_best or (total[best] == -np.inf and hypotheses > first):
                break
            stop = write_prefix(table, ended_prefix[best], token_ids, written)
            text = stop - written
            for k in range(written, stop):
                text = hash_on(text, np.int64(token_ids[k]))
            fresh = True  # the same text may have been read in another way
            for h in range(first, hypotheses):
                if text_hash[h - first] == text:
                    fresh = fresh and not same_tokens(
                        token_ids, token_offsets[h], token_offsets[h + 1], written, stop
                    )
            if fresh:
                text_hash[hypotheses - first] = text
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
            stop = write_prefix(table, np.int64(node[best]), token_ids, written)
            written = complete(np.int64(table[node[best], NODE]), token_ids, stop, lexicon)
            scores[hypotheses] = -np.inf
            parts[hypotheses] = 0.0
            parts[hypotheses, 0] = -np.inf
            hypotheses += 1
            token_offsets[hypotheses] = written
        hypothesis_offsets[i + 1] = hypotheses
    return written
