"""Kernels of a BK-tree: which words lie within an edit distance of a text.

Burkhard and Keller (CACM 1973): the words below a child all have one distance, the child's edge,
to the word of its parent. By the triangle inequality only edges within the tolerance of a text's
own distance to the parent lead to near words.

Nodes are numbered by depth, so that the children of a node are neighbours, and their edges rise.
The words lie in the order of the nodes, so that a search reads memory forwards.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import BOOL, I32_1D, I64, I64_1D, OUT_I32_1D, VOID, inline, kernel


@inline
def set_masks(token_ids, start, stop, masks):
    """Set in `masks` (at least L / 64, C) where each token stands in a text: a bit a position."""
    for k in range(start, stop):
        masks[(k - start) >> 6, token_ids[k]] |= np.int64(1) << ((k - start) & 63)


@inline
def clear_masks(token_ids, start, stop, masks):
    """Undo `set_masks`."""
    for k in range(start, stop):
        masks[(k - start) >> 6, token_ids[k]] = 0


@inline
def edit_distance(length, masks, token_ids, start, stop, steps):
    """Return the Levenshtein distance of the text of `length` tokens in `masks` to another one.

    Bit-parallel, 64 rows of the matrix of distances at once (Myers, JACM 1999, as in Hyyroe,
    2003): a column is kept as the rows at which it rises and falls. steps (stop - start) is
    scratch: by how much the last row of the rows done so far differs from column to column.
    """
    columns = stop - start
    for j in range(columns):
        steps[j] = 1
    done = 0
    while done < length:
        block = done >> 6
        last = min(np.int64(63), length - done - 1)
        rises = np.int64(-1)
        falls = np.int64(0)
        for j in range(columns):
            equal = masks[block, token_ids[start + j]]
            step = np.int64(steps[j])
            from_falls = equal | falls
            equal |= np.int64(step < 0)
            zero = (((equal & rises) + rises) ^ rises) | equal
            right_rises = falls | ~(zero | rises)
            right_falls = rises & zero
            steps[j] = ((right_rises >> last) & 1) - ((right_falls >> last) & 1)
            right_rises = (right_rises << 1) | np.int64(step > 0)
            right_falls = (right_falls << 1) | np.int64(step < 0)
            rises = right_falls | ~(from_falls | right_rises)
            falls = right_rises & from_falls
        done += 64
    distance = length
    for j in range(columns):
        distance += steps[j]
    return distance


@kernel(VOID(I32_1D, I64_1D, I32_1D, I64, OUT_I32_1D, OUT_I32_1D, OUT_I32_1D))
def build_bk_tree(token_ids, offsets, order, classes, word, first_child, edge):
    """Build the BK-tree of V different words, put in by the order given.

    token_ids, offsets (V + 1): the words; order (V): their numbers; word, edge (V), first_child
    (V + 1): each node's word, its distance to its parent's, and its first child; out.
    """
    count = offsets.size - 1
    longest = 0
    for w in range(count):
        longest = max(longest, offsets[w + 1] - offsets[w])
    masks = np.zeros(((longest + 63) >> 6, classes), dtype=np.int64)
    steps = np.zeros(longest, dtype=np.int32)
    # First as lists of siblings, by word, with rising distances to the parent.
    child = np.full(count, -1, dtype=np.int32)
    sibling = np.full(count, -1, dtype=np.int32)
    distance = np.zeros(count, dtype=np.int32)
    for k in range(1, count):
        new = order[k]
        start, stop = offsets[new], offsets[new + 1]
        set_masks(token_ids, start, stop, masks)
        at = order[0]
        placed = False
        while not placed:
            far = edit_distance(stop - start, masks, token_ids, offsets[at], offsets[at + 1], steps)
            before = np.int32(-1)
            following = child[at]
            while following >= 0 and distance[following] < far:
                before = following
                following = sibling[following]
            if following >= 0 and distance[following] == far:
                at = following
                continue
            distance[new] = far
            sibling[new] = following
            if before < 0:
                child[at] = new
            else:
                sibling[before] = new
            placed = True
        clear_masks(token_ids, start, stop, masks)
    word[0] = order[0]
    edge[0] = 0
    made = 1
    for node in range(count):
        first_child[node] = made
        following = child[word[node]]
        while following >= 0:
            word[made] = following
            edge[made] = distance[following]
            made += 1
            following = sibling[following]
    first_child[count] = count


@inline
def near_nodes(
    length,
    masks,
    tolerance,
    nearest,
    token_ids,
    offsets,
    first_child,
    edge,
    steps,
    queue,
    found,
    far,
):
    """Collect the nodes whose words lie within a distance of the text in `masks`; returns how many.

    token_ids, offsets (V + 1): the words in the order of the nodes; nearest: collect only those
    at the smallest distance, and at most `tolerance`; steps (longest word), queue (V): scratch;
    found, far (V): the nodes and their distances, out.
    """
    queue[0] = 0
    following = np.int64(0)
    queued = np.int64(1)
    count = np.int64(0)
    while following < queued:
        node = np.int64(queue[following])
        following += 1
        start, stop = offsets[node], offsets[node + 1]
        first, end = np.int64(first_child[node]), np.int64(first_child[node + 1])
        widest = np.int64(edge[end - 1]) if end > first else np.int64(0)
        if abs(stop - start - length) > tolerance + widest:
            continue  # neither its word nor any below can be near
        distance = edit_distance(length, masks, token_ids, start, stop, steps)
        if distance <= tolerance:
            if nearest and distance < tolerance:
                tolerance = distance
                count = np.int64(0)
            found[count] = node
            far[count] = distance
            count += 1
        for child in range(first, end):
            if edge[child] > distance + tolerance:
                break
            queue[queued] = child
            queued += np.int64(edge[child] >= distance - tolerance)
    return count


@kernel(I64(I32_1D, I64, BOOL, I64, I32_1D, I64_1D, I32_1D, I32_1D, OUT_I32_1D, OUT_I32_1D))
def near_words(
    text, tolerance, nearest, classes, token_ids, offsets, first_child, edge, found, far
):
    """Collect the nodes near a text of token ids; the arguments are those of `near_nodes`."""
    longest = np.int64(0)
    for node in range(offsets.size - 1):
        longest = max(longest, offsets[node + 1] - offsets[node])
    masks = np.zeros(((text.size + 63) >> 6, classes), dtype=np.int64)
    set_masks(text, 0, text.size, masks)
    steps = np.zeros(longest, dtype=np.int32)
    queue = np.zeros(found.size, dtype=np.int32)
    return near_nodes(
        text.size,
        masks,
        tolerance,
        nearest,
        token_ids,
        offsets,
        first_child,
        edge,
        steps,
        queue,
        found,
        far,
    )
