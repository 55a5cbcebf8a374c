"""The ways to cut a text into words, where no separator need stand between them.

With "a", "b" and "ab" in the corpus, "ab" is one word or two. A text's segmentations are rows of a
table, those that stand at one node of the lexicon side by side. They follow from those of the text
before its last character. Of those that end in the same finished word and the same open word only
the best is kept, so that they stay few; in mode WORDS there is one for each open word.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import inline, outline
from ctckit.kernels.lexicon import MASK, NO_NODE, PACKED, find_child, first_word_of, is_word
from ctcwordbeamsearch.weights import FORECAST, SLACK, WORDS, mean, word_probability

FIRST, STOP = 5, 6
"""More columns of the table of prefixes: the rows of a text's segmentations."""
NODE, LAST, FINISHED = range(3)
"""Columns of `spots`: where a segmentation stands, its last finished word, how many it has."""
PRODUCT, ENDED, WEIGHT = range(3)
"""Columns of `ranks`: log of the product of its words' probabilities, the same once its open word
has ended (-inf if it cannot), and its weight."""


@inline
def _chance(begin, end, last, finished, rules):
    """Return the probability that the next word is one of begin to end."""
    _, smoothing, _, bigrams = rules
    row_start = bigrams[2]
    low, high = row_start[last], row_start[last + 1]
    return word_probability(begin, end, finished, last, low, high, smoothing, bigrams)


@inline
def _forecast(node, last, finished, product, rules):
    """Return a weight whose open word, at a node, counts as all that it may become."""
    nodes, _, word_end = rules[2]
    begin, end = first_word_of(nodes[node, PACKED]), np.int64(word_end[node])
    chance = _chance(begin, end, last, finished, rules)
    return mean(product + np.log(min(chance, 1.0)), finished + 1)


@inline
def _weight(node, last, finished, product, rules):
    """Return the weight of a segmentation."""
    if rules[0] == FORECAST and node != 0:
        return _forecast(node, last, finished, product, rules)
    return mean(product, finished)


@inline
def _standing(row, spots):
    """Return the columns of a row of `spots`."""
    return np.int64(spots[row, NODE]), np.int64(spots[row, LAST]), np.int64(spots[row, FINISHED])


@inline
def _once_ended(node, last, finished, rules):
    """Return the last finished word, and how many there are, once an open word has ended."""
    mode, _, lexicon, _ = rules
    if node == 0 or mode == WORDS:
        return last, finished
    return np.int64(first_word_of(lexicon[0][node, PACKED])), finished + 1


@inline
def _put(row, node, last, finished, product, weight, table, rules):
    """Write a segmentation."""
    spots, ranks = table
    mode, _, lexicon, _ = rules
    packed = lexicon[0][node, PACKED]
    ended = product
    if node != 0 and is_word(packed) == 0:
        ended = -np.inf
    elif node != 0 and mode != WORDS:
        word = first_word_of(packed)
        ended += np.log(_chance(word, word + 1, last, finished, rules))
    spots[row, NODE] = node
    spots[row, LAST] = last
    spots[row, FINISHED] = finished
    ranks[row, PRODUCT] = product
    ranks[row, ENDED] = ended
    ranks[row, WEIGHT] = weight


@inline
def put_empty(table):
    """Write the one segmentation of the empty text to row 0."""
    spots, ranks = table
    spots[0, :] = 0
    ranks[0, :] = 0.0
    ranks[0, WEIGHT] = 1.0


@outline
def put_child(first, stop, c, in_word, root_child, start, table, rules):
    """Write the segmentations of a text followed by class c to row `start` on.

    first, stop : rows of the text's own; root_child : the node of c as the first of a word, or
    NO_NODE. Returns where they stop: after twice as many rows at most.
    """
    spots, ranks = table
    _, _, (nodes, token, _), _ = rules
    new = start
    if in_word:  # the open word goes on; or the first one begins, or one after a separator
        for row in range(first, stop):
            at, last, finished = _standing(row, spots)
            child = find_child(at, c, nodes, token)
            if child != NO_NODE:
                node, product = np.int64(child), ranks[row, PRODUCT]
                weight = _weight(node, last, finished, product, rules)
                if weight > 0.0:
                    _put(new, node, last, finished, product, weight, table, rules)
                    new += 1
        if root_child == NO_NODE:
            return new
    node = np.int64(root_child) if in_word else np.int64(0)
    begun = new
    for row in range(first, stop):  # the open word ends; and if c is in words, one begins at once
        at, last, finished = _standing(row, spots)
        product = ranks[row, ENDED]
        if product == -np.inf or (in_word and at == 0):
            continue
        last, finished = _once_ended(at, last, finished, rules)
        weight = _weight(node, last, finished, product, rules)
        same = new > begun and spots[new - 1, LAST] == last
        # Where two tie but for rounding, the one whose word before is longer stays.
        if weight > (ranks[new - 1, WEIGHT] * SLACK if same else 0.0):
            new -= np.int64(same)
            _put(new, node, last, finished, product, weight, table, rules)
            new += 1
    return new


@outline
def child_weight(first, stop, c, root_child, table, rules):
    """Return the weight of a text followed by c, a word character: its best segmentation's."""
    spots, ranks = table
    mode, _, (nodes, token, _), _ = rules
    best = 0.0
    for row in range(first, stop):
        at, last, finished = _standing(row, spots)
        child = find_child(at, c, nodes, token)
        if child != NO_NODE:
            weight = ranks[row, WEIGHT]
            if mode == FORECAST:
                weight = _forecast(np.int64(child), last, finished, ranks[row, PRODUCT], rules)
            best = max(best, weight)
        if at != 0 and root_child != NO_NODE and ranks[row, ENDED] > -np.inf:
            last, finished = _once_ended(at, last, finished, rules)
            weight = _weight(np.int64(root_child), last, finished, ranks[row, ENDED], rules)
            best = max(best, weight)
    return best


@outline
def weigh_text(first, stop, table, rules):
    """Return a text's weight, a bound of its children's by a word character, theirs by another.

    And the bits of the word characters that may follow.
    """
    spots, ranks = table
    mode, _, (nodes, _, _), _ = rules
    ahead = np.int64(mode == FORECAST)  # a word begun counts at once then, and at most 1
    now = 0.0
    inside = 0.0
    after = 0.0
    mask = np.int64(0)
    for row in range(first, stop):
        node, _, finished = _standing(row, spots)
        weight, ended = ranks[row, WEIGHT], ranks[row, ENDED]
        now = max(now, weight)
        mask |= nodes[node, MASK]
        if node == 0:
            inside = max(inside, mean(ended, finished + ahead))
            after = max(after, weight)
            continue
        inside = max(inside, weight)
        if ended > -np.inf:
            mask |= nodes[0, MASK]
            inside = max(inside, mean(ended, finished + 1 + ahead))
            after = max(after, mean(ended, finished + 1))
    return now, inside * SLACK, after, mask


@outline
def best_at_end(first, stop, complete, score_last, table, rules):
    """Return a text's best segmentation at its end, and the weight.

    Where a word that is only begun is to be completed, whole words come before that.
    """
    spots, ranks = table
    mode, _, lexicon, _ = rules
    best, best_weight, best_is_whole = first, 0.0, False
    for row in range(first, stop):
        node, last, finished = _standing(row, spots)
        whole = node == 0 or is_word(lexicon[0][node, PACKED]) == 1
        weight = ranks[row, WEIGHT]
        if score_last and node != 0 and mode != WORDS:
            if whole:
                weight = mean(ranks[row, ENDED], finished + 1)
            else:  # it counts as all that it may become
                weight = _forecast(node, last, finished, ranks[row, PRODUCT], rules)
        first_whole = complete and whole and not best_is_whole
        comparable = not complete or whole == best_is_whole
        if weight > 0.0 and (first_whole or (comparable and weight > best_weight * SLACK)):
            best, best_weight, best_is_whole = row, weight, whole
    return best, best_weight
