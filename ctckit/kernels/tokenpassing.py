"""Kernel of token passing (Graves et al., PAMI 2009): the likeliest path that spells words.

Every node of the lexicon's trie may hold two tokens, as they are called there: the best way to
spell some words and then the node's letters, ending in its last letter or in a blank. A frame
passes them on to the node itself and to its children. Where a word ends, its best token passes to
the root, by way of the separator. A token knows which one it was before its word began.

- The nodes that hold tokens are kept in a list in the order of their numbers. So are their
  children, since nodes are numbered by depth, and the next list is a merge of the two.
- Scores are kept as what was lost against the likeliest class of each frame, of those that words
  use. What has lost more than a cut is dropped. If a word ends with the matrix, nothing that was
  dropped could have been better; else it is all done again with a lower cut.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    F32_2D,
    I32_1D,
    I64,
    I64_1D,
    I64_2D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    inline,
    kernel,
    outline,
)
from ctckit.kernels.lexicon import PACKED, first_child_of, first_word_of, is_word

FIRST_CUT = -8.0
LAST_CUT = -1000.0
"""What a token may have lost at first, and at last, before nothing is dropped."""
LETTER, BLANK = range(2)
"""The two tokens of a node, by what they end in."""
DIRECT, ALONE = -1, -2
"""Instead of a separator: words that follow each other directly, and words that none follows."""
NOWHERE = -1
"""The origin of a token in the first word."""


@inline
def _keep_losses(log_probs, start, frames, useful, losses):
    """Write each class's loss against the likeliest of its frame; returns the sum of these.

    useful: the classes that words, separator and blank use; losses (at least T, C): out.
    """
    kept = 0.0
    for t in range(frames):
        top = -np.inf
        for c in useful:
            top = max(top, np.float64(log_probs[start + t, c]))
        for c in useful:
            losses[t, c] = -np.inf
            if log_probs[start + t, c] > -np.inf:
                losses[t, c] = np.float64(log_probs[start + t, c]) - top
        kept += top
    return kept


@inline
def _root_tokens(emit, blank, separator, score, origin, end, end_origin, out, out_origin):
    """Pass on the tokens of the root: what stands between two words.

    score, origin (2): its tokens; end, end_origin: the best token at the end of a word.
    """
    if separator >= 0:  # after the separator, or a blank behind it
        at_end = end > score[LETTER]
        behind = score[LETTER] > score[BLANK]
        out[LETTER] = (end if at_end else score[LETTER]) + emit[separator]
        out_origin[LETTER] = end_origin if at_end else origin[LETTER]
        out[BLANK] = (score[LETTER] if behind else score[BLANK]) + emit[blank]
        out_origin[BLANK] = origin[LETTER] if behind else origin[BLANK]
    else:  # in a blank behind a word
        at_end = separator == DIRECT and end > score[BLANK]
        out[LETTER] = -np.inf
        out_origin[LETTER] = NOWHERE
        out[BLANK] = (end if at_end else score[BLANK]) + emit[blank]
        out_origin[BLANK] = end_origin if at_end else origin[BLANK]


@outline
def _pass_tokens(
    losses, frames, blank, separator, cut, nodes, token, held, score, origin, end_nodes, end_origins
):
    """Pass tokens through all frames; returns what the best one lost at the end of a word.

    separator: or `DIRECT` or `ALONE`; held, score, origin (2, M + 1, ...): the nodes that hold
    tokens now and next, and their tokens; scratch. end_nodes, end_origins (2 * T + 1): the words
    that ended: the best after each frame; without a separator, in its last letter, and also the
    best that ends in another one; at 2 * T the best after the last frame. Out: their nodes, and the
    places of the words before.
    """
    far = np.int64(nodes.shape[0])
    size = np.int64(1)
    held[0, 0] = 0
    score[0, 0, LETTER] = -np.inf
    score[0, 0, BLANK] = 0.0
    origin[0, 0, LETTER] = NOWHERE
    origin[0, 0, BLANK] = NOWHERE
    best, second = -np.inf, -np.inf
    best_letter, second_letter = np.int64(-1), np.int64(-1)
    for t in range(frames):
        emit = losses[t]
        now, new = t & 1, (t + 1) & 1
        best_before, second_before = best, second
        letter_before, second_letter_before = best_letter, second_letter
        end_before = np.int32(2 * t - 2)
        _root_tokens(
            emit,
            blank,
            separator,
            score[now, 0],
            origin[now, 0],
            best_before,
            end_before,
            score[new, 0],
            origin[new, 0],
        )
        held[new, 0] = 0
        best, second = -np.inf, -np.inf
        best_letter, second_letter = np.int64(-1), np.int64(-1)
        following = np.int64(1)
        own = np.int64(1)
        parent = np.int64(0)
        child = first_child_of(nodes[0, PACKED])
        stop = first_child_of(nodes[1, PACKED])
        while True:
            while child == stop and parent + 1 < size:
                parent += 1
                child = first_child_of(nodes[held[now, parent], PACKED])
                stop = first_child_of(nodes[held[now, parent] + 1, PACKED])
            node = min(
                np.int64(held[now, own]) if own < size else far, child if child < stop else far
            )
            if node == far:
                break
            letter = np.int64(token[node])
            at_letter, from_letter = -np.inf, np.int32(NOWHERE)
            at_blank, from_blank = -np.inf, np.int32(NOWHERE)
            if own < size and held[now, own] == node:
                at_letter, from_letter = score[now, own, LETTER], origin[now, own, LETTER]
                at_blank, from_blank = score[now, own, BLANK], origin[now, own, BLANK]
                if at_letter > at_blank:
                    at_blank, from_blank = at_letter, from_letter
                at_blank += emit[blank]
                own += 1
            if child == node:
                child += 1
                if score[now, parent, BLANK] > at_letter:
                    at_letter, from_letter = score[now, parent, BLANK], origin[now, parent, BLANK]
                repeats = parent > 0 and token[held[now, parent]] == letter
                if score[now, parent, LETTER] > at_letter and not repeats:
                    at_letter, from_letter = score[now, parent, LETTER], origin[now, parent, LETTER]
                if parent == 0 and separator == DIRECT:
                    if best_before > at_letter and letter_before != letter:
                        at_letter, from_letter = best_before, end_before
                    if second_before > at_letter and second_letter_before != letter:
                        at_letter, from_letter = second_before, np.int32(end_before + 1)
            at_letter += emit[letter]
            top = max(at_letter, at_blank)
            if top < cut or top == -np.inf:
                continue
            held[new, following] = node
            score[new, following, LETTER] = at_letter
            score[new, following, BLANK] = at_blank
            origin[new, following, LETTER] = from_letter
            origin[new, following, BLANK] = from_blank
            following += 1
            if not is_word(nodes[node, PACKED]):
                continue
            if separator >= 0:
                if top > best:
                    best = top
                    end_nodes[2 * t] = node
                    end_origins[2 * t] = from_letter if at_letter >= at_blank else from_blank
            elif at_letter > best:
                if letter != best_letter:
                    second, second_letter = best, best_letter
                    end_nodes[2 * t + 1] = end_nodes[2 * t]
                    end_origins[2 * t + 1] = end_origins[2 * t]
                best, best_letter = at_letter, letter
                end_nodes[2 * t] = node
                end_origins[2 * t] = from_letter
            elif at_letter > second and letter != best_letter:
                second, second_letter = at_letter, letter
                end_nodes[2 * t + 1] = node
                end_origins[2 * t + 1] = from_letter
        size = following
    best = -np.inf
    for k in range(1, size):
        node = np.int64(held[frames & 1, k])
        for kind in range(2):
            if score[frames & 1, k, kind] > best and is_word(nodes[node, PACKED]):
                best = score[frames & 1, k, kind]
                end_nodes[2 * frames] = node
                end_origins[2 * frames] = origin[frames & 1, k, kind]
    return best


@inline
def _write_words(at, separator, nodes, spelling, starts, end_nodes, end_origins, token_ids, start):
    """Write the words up to the end at a place, from `start` on; returns where they stop."""
    stop = start
    place = at
    while place != NOWHERE:
        word = first_word_of(nodes[end_nodes[place], PACKED])
        stop += starts[word + 1] - starts[word]
        place = np.int64(end_origins[place])
        stop += np.int64(place != NOWHERE and separator >= 0)
    behind = stop
    place = at
    while place != NOWHERE:
        word = first_word_of(nodes[end_nodes[place], PACKED])
        for k in range(starts[word + 1] - 1, starts[word] - 1, -1):
            behind -= 1
            token_ids[behind] = spelling[k]
        place = np.int64(end_origins[place])
        if place != NOWHERE and separator >= 0:
            behind -= 1
            token_ids[behind] = separator
    return stop


@kernel(
    I64(
        F32_2D,
        I64_1D,
        I64,
        I64,
        I64_1D,
        I64_2D,
        I32_1D,
        I32_1D,
        I64_1D,
        OUT_I32_1D,
        OUT_I64_1D,
        OUT_F64_1D,
    )
)
def token_passing(
    log_probs,
    offsets,
    blank,
    separator,
    useful,
    nodes,
    token,
    spelling,
    starts,
    token_ids,
    token_offsets,
    scores,
):
    """Write the words of the likeliest path of each matrix; returns the number of tokens written.

    log_probs (sum of T, C), offsets (N + 1); separator: the token between two words, or `DIRECT`
    or `ALONE`; useful: the classes that words, separator and blank use; nodes (M + 1, 2), token
    (M): a lexicon's trie; spelling, starts (V + 1): its words' tokens; token_ids (sum of T),
    token_offsets (N + 1), scores (N): out. Where no path spells a word the text is empty.
    """
    longest = np.int64(0)
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    losses = np.empty((longest, log_probs.shape[1]))
    held = np.empty((2, nodes.shape[0]), dtype=np.int32)
    score = np.empty((2, nodes.shape[0], 2))
    origin = np.empty((2, nodes.shape[0], 2), dtype=np.int32)
    end_nodes = np.zeros(2 * longest + 1, dtype=np.int32)
    end_origins = np.zeros(2 * longest + 1, dtype=np.int32)
    written = np.int64(0)
    token_offsets[0] = 0
    for i in range(offsets.size - 1):
        frames = offsets[i + 1] - offsets[i]
        kept = _keep_losses(log_probs, offsets[i], frames, useful, losses)
        found = -np.inf
        cut = 0.0
        while found == -np.inf and cut > -np.inf:
            cut = min(2.0 * cut, FIRST_CUT) if cut > LAST_CUT else -np.inf
            found = _pass_tokens(
                losses,
                frames,
                blank,
                separator,
                cut,
                nodes,
                token,
                held,
                score,
                origin,
                end_nodes,
                end_origins,
            )
        if found > -np.inf:
            written = _write_words(
                2 * frames,
                separator,
                nodes,
                spelling,
                starts,
                end_nodes,
                end_origins,
                token_ids,
                written,
            )
            scores[i] = min(found + kept, 0.0)
        else:
            scores[i] = 0.0
            for t in range(offsets[i], offsets[i + 1]):
                scores[i] += np.float64(log_probs[t, blank])
            scores[i] = min(scores[i], 0.0)
        token_offsets[i + 1] = written
    return written
