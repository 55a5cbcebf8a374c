"""What the kernel of `ngrambeamsearch` knows of prefixes: helpers and the names of columns.

A prefix is a text with its words marked: a token is appended within a word or from outside onto
one (`INSIDE`), as what stands between words or begins one with a mark (`AFTER`), or as the first of
a word that follows another directly (`NEXT`).
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import BOOL, F64, I32_1D, I64, I64_1D, I64_2D, U8_1D, inline, outline
from ctckit.kernels.language import log_look_ahead, score_word, word_below
from ctckit.kernels.lexicon import PACKED, first_at_least, first_child_of, first_word_of, is_word
from ctckit.kernels.phrases import (
    AT_BOUNDARY,
    AT_ONCE,
    BEHIND,
    FALLBACK,
    FIRST_CHILD,
    HELD,
    MOST,
    START,
    follow_phrases,
)
from ctckit.kernels.search import PARENT, TOKEN, fast_exp

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
words, also with the open one ended, both with the most that phrases can give one token further;
the log-probability of the open one."""
SLACK = 1e-6
"""Added to bounds of gains, for what rounding may add."""
PARTS = 4
"""Of a score: matrix, lm, words, boost."""

LEXICON = types.Tuple((I64_2D, I32_1D, I32_1D, I32_1D))
"""nodes, arc_token, arc_target, word_end: see `Lexicon`."""
CLASSES = types.Tuple((U8_1D, I64_1D, I64_1D, I64_1D, I64_1D))
"""Of each class its kind (`SPELLS` and so on); the node after it between words, or -1; the node of
the word it begins, or -1; its bit in the masks of nodes. Where each token is a word, and there are
not many, the model's number of it, else nothing."""
KEPT_ROWS = 256
"""Contexts whose next words' probabilities are all kept, where each token is a word; a power of
two."""
MOST_CLASSES = 512
"""Classes up to which it is kept what a state of the phrases gives each."""
BOOST_ROWS = 1024
"""States of the phrases for which that is kept at most; a power of two."""
BOOST_CELLS = 2**17
"""Numbers that are kept then at most."""
MEMO = 4096
"""Look-aheads that are remembered at least; a power of two."""
RULES = types.Tuple((F64, F64, F64, BOOL, BOOL, BOOL, BOOL, BOOL, BOOL, I64, I64, I64, F64, F64))
"""lm_weight, word_bonus, unknown_score; whether words may follow each other directly, any word may
be written, texts may have several readings, there is a model, phrases, and boundaries count; the
model's numbers of the unknown word and the end, and the first context; what a token may earn at
once where it is several characters; how far behind the best a prefix may be, as a factor."""


@inline
def target(start, stop, c, lexicon):
    """Return the node that class c leads to by one of the arcs from start to stop, or -1."""
    _, arc_token, arc_target, _ = lexicon
    arc = first_at_least(arc_token, start, stop, c)
    if arc == stop or arc_token[arc] != c:
        return np.int64(-1)
    return np.int64(arc_target[arc]) if arc_target.size else np.int64(arc)


@inline
def look_ahead(context, node, row, lows, highs, lexicon, rules, model):
    """Return what the open word at a node adds to a gain, but for its bonus."""
    lm_weight, unknown_score, open_words = rules[0], rules[2], rules[4]
    nodes, word_end = lexicon[0], lexicon[3]
    unknown = unknown_score + lm_weight * model[8][context]
    known = np.float64(-np.inf)
    if node != nodes.shape[0] - 1:
        begin, end = first_word_of(nodes[node, PACKED]), np.int64(word_end[node])
        known = lm_weight * log_look_ahead(context, begin, end, row, lows, highs, model)
        if not open_words:
            return known
    return max(known, unknown)


@inline
def can_end(node, nodes, open_words):
    """Return whether a word may end at a node that is not the root."""
    return open_words or (node != nodes.shape[0] - 1 and is_word(nodes[node, PACKED]) == 1)


@inline
def end_word(node, context, lexicon, rules, model):
    """Return the log-probability of the word that ends at a node, the next context, if unknown."""
    nodes = lexicon[0]
    has_lm, unknown_word = rules[6], rules[9]
    unknown = node == nodes.shape[0] - 1 or is_word(nodes[node, PACKED]) == 0
    if not has_lm:
        return np.float64(0.0), np.int64(0), unknown
    word = unknown_word if unknown else word_below(nodes[node, PACKED], unknown_word, model)
    value, context = score_word(context, word, model)
    return value, context, unknown


@inline
def settle(j, prefix, most, table, sums, slots, state, ended_state, lexicon, rules, model, phrases):
    """Fill a survivor's row of the tables. most : what phrases can give one token further."""
    lm_weight, word_bonus, unknown_score, _, open_words, _, _, hot = rules[:8]
    node = np.int64(table[prefix, NODE])
    state[j] = table[prefix, STATE]
    base = (
        lm_weight * sums[prefix, LM]
        + word_bonus * table[prefix, WORDS]
        + unknown_score * table[prefix, UNKNOWNS]
    )
    most += sums[prefix, EARNED]
    boost = sums[prefix, EARNED]
    if hot:
        boost += phrases[1][table[prefix, HOT], HELD]
    ended = base
    gain = base
    inside = base + word_bonus
    ended_state[j] = state[j]
    slots[j, ENDED_LM] = 0.0
    if node != 0:
        gain += word_bonus + sums[prefix, AHEAD]
        inside = gain
        ended = -np.inf
        if can_end(node, lexicon[0], open_words):
            value, following, unknown = end_word(node, state[j], lexicon, rules, model)
            ended = base + lm_weight * value + word_bonus + (unknown_score if unknown else 0.0)
            ended_state[j] = following
            slots[j, ENDED_LM] = value
    slots[j, BASE] = base + most
    slots[j, ENDED] = ended + most
    slots[j, GAIN] = gain + boost
    slots[j, GAIN_INSIDE] = inside + most + SLACK
    slots[j, GAIN_AFTER] = ended + most + SLACK


@inline
def _boost(given, most):
    return fast_exp(max(given - most, -700.0))


@outline
def fill_boosts(state, most, out, following, phrases, class_of, class_apart):
    """Write what phrases give to each class after a state, as factors of exp(most), to `out`.

    following : the state after each class, out; most : what they give at most; class_of : of each
    character the class that is it, or nothing if classes are several characters; class_apart : of
    each class whether it is no word character, where it is one character.
    """
    states, weights, characters, _, _, in_word = phrases
    if class_of.size == 0:
        for c in range(out.size):
            then, earned = follow_phrases(np.int64(state), c, phrases)
            following[c] = then
            out[c] = _boost(earned + weights[then, HELD], most)
    else:
        # Nothing, but what a boundary earns; then what goes on, the longest match last.
        nothing = _boost(0.0, most)
        ended = _boost(weights[state, AT_BOUNDARY], most)
        for c in range(out.size):
            out[c] = ended if class_apart[c] else nothing
            following[c] = START if class_apart[c] else states[START, FALLBACK]
        outside = states.shape[0] - 1
        depth = 0
        at = np.int64(state)
        while at != START and at != outside:
            depth += 1
            at = states[at, FALLBACK]
        inside_only = at == outside  # only what is no word character may begin a phrase then
        for level in range(depth, -1, -1):
            at = np.int64(state)
            for _ in range(level):
                at = states[at, FALLBACK]
            if at == outside:
                at = np.int64(START)
            begins = level == depth and inside_only
            for child in range(states[at, BEHIND] - 1, states[at, FIRST_CHILD] - 1, -1):
                character = characters[child]
                if begins and in_word[character]:
                    break  # those of words come first
                c = np.int64(class_of[character])
                earned = 0.0 if in_word[character] else weights[state, AT_BOUNDARY]
                following[c] = child
                given = earned + weights[child, AT_ONCE] + weights[child, HELD]
                out[c] = _boost(given, most)


@inline
def follow_kept(state, c, boost_state, following, class_apart, phrases):
    """As `follow_phrases`, but looked up where `fill_boosts` has filled a row for the state.

    boost_state : the state of each row; class_apart : nothing if classes are several characters
    """
    row = state & (boost_state.size - 1)
    if class_apart.size == 0 or boost_state[row] != state:
        return follow_phrases(state, c, phrases)
    weights = phrases[1]
    then = np.int64(following[row, c])
    earned = weights[state, AT_BOUNDARY] if class_apart[c] else 0.0
    return then, earned + weights[then, AT_ONCE]


@inline
def most_of(state, rules, phrases):
    """Return a bound of what phrases give one token after a state."""
    return phrases[1][state, MOST] + rules[12]


@inline
def exp(x):
    """exp, kept within what float64 holds."""
    return fast_exp(min(x, 700.0))


@inline
def weigh(j, reference, word_bonus, slots, weight, inside, after, begun, ended):
    """Set a survivor's weights from its gains, relative to a gain."""
    weight[j] = exp(slots[j, GAIN] - reference)
    inside[j] = exp(slots[j, GAIN_INSIDE] - reference)
    after[j] = exp(slots[j, GAIN_AFTER] - reference)
    begun[j] = exp(slots[j, BASE] + word_bonus - reference)
    ended[j] = exp(slots[j, ENDED] - reference)


@outline
def drop(values, bits, cut, start, count, entries, from_mass, from_ahead, from_twin):
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
            from_twin[kept] = from_twin[k]
            kept += 1
    return kept


@inline
def order_classes(found, classes, probs, uses, lists, prob_of, starts):
    """Write the classes that may be in words, between them, and begin one to three lists.

    Returns how many each has. They come by falling power of two of their probability, which is
    written to prob_of. uses : bits of the lists that each class belongs to; starts (65): scratch.
    """
    starts[:] = 0
    for k in range(found):
        power = min(1023 - (np.float64(probs[k]).view(np.int64) >> 52), np.int64(63))
        starts[power + 1] += 1
        prob_of[classes[k]] = probs[k]
    for b in range(63):
        starts[b + 1] += starts[b]
    ordered = lists[3]
    for k in range(found):
        power = min(1023 - (np.float64(probs[k]).view(np.int64) >> 52), np.int64(63))
        ordered[starts[power]] = classes[k]
        starts[power] += 1
    n_inside = 0
    n_apart = 0
    n_next = 0
    for k in range(found):
        c = ordered[k]
        lists[0, n_inside] = c
        n_inside += np.int64(uses[c] & 1)
        lists[1, n_apart] = c
        n_apart += np.int64(uses[c] >> 1 & 1)
        lists[2, n_next] = c
        n_next += np.int64(uses[c] >> 2 & 1)
    return n_inside, n_apart, n_next


@inline
def text_key(key, c):
    """Return the hash of a text and one class more."""
    key = (key ^ np.uint64(c + 1)) * np.uint64(0x9E3779B97F4A7C15)
    return key ^ (key >> np.uint64(29))


@inline
def same_future(a, b, table):
    """Return whether two prefixes of one text are alike in all that is to come."""
    return (
        table[a, NODE] == table[b, NODE]
        and table[a, STATE] == table[b, STATE]
        and table[a, HOT] == table[b, HOT]
    )


@inline
def gain_of(prefix, table, sums, rules, phrases):
    """Return a prefix's gain."""
    gain = rules[0] * sums[prefix, LM] + rules[2] * table[prefix, UNKNOWNS]
    words = np.int64(table[prefix, WORDS]) + np.int64(table[prefix, NODE] != 0)
    gain += rules[1] * words + sums[prefix, AHEAD] + sums[prefix, EARNED]
    return gain + phrases[1][table[prefix, HOT], HELD] if rules[7] else gain


@inline
def write_prefix(table, prefix, token_ids, written):
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
def same_tokens(token_ids, first, first_end, second, second_end):
    """Return whether two runs of tokens are equal."""
    same = first_end - first == second_end - second
    for k in range(first_end - first if same else 0):
        same &= token_ids[first + k] == token_ids[second + k]
    return same


@inline
def complete(node, token_ids, stop, lexicon):
    """Write what makes a word of an open one, by the first arcs; returns where it ends."""
    nodes, arc_token, arc_target, _ = lexicon
    while is_word(nodes[node, PACKED]) == 0:
        arc = first_child_of(nodes[node, PACKED])
        token_ids[stop] = arc_token[arc]
        stop += 1
        node = np.int64(arc_target[arc]) if arc_target.size else np.int64(arc)
    return stop
