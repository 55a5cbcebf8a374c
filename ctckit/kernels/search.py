"""What the kernels of the searches share; decoder plugins may build on it.

Non-negative floats are compared by their bits
(as int64), whose order is the same and which LLVM vectorises.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from ctckit.kernels.jit import inline, outline

NONE = np.uint32(0xFFFFFFFF)
LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)
BLOCK = 16
"""Classes that are compared with the threshold at once before they are looked at singly."""
LANES = 32
"""Arrays are padded to a multiple of this, so that vectorised loops have no remainder."""
RESCALE_BELOW = 1e-4
"""Largest mass under which all are scaled up: a frame may take a factor of exp(-700) more."""
LOG_2 = 0.6931471805599453
PARENT, TOKEN, FIRST_CHILD, SIBLING, SLOT = range(5)
"""Columns of the table of prefixes, a trie."""


@intrinsic
def _ctpop(_context, value):
    def generate(_context, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


@intrinsic
def _cttz(_context, value):
    def generate(_context, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


@intrinsic
def _prefetch(_context, table, row):
    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        zero = context.get_constant(types.intp, 0)
        indices = [arguments[1]] + [zero] * (kind.ndim - 1)
        pointer = cgutils.get_item_pointer(context, builder, kind, array, indices)
        byte, word = ir.IntType(8), ir.IntType(32)
        name = "llvm.prefetch.p0"
        hint = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), word, word, word])
        function = cgutils.get_or_insert_function(builder.module, hint, name)
        read, keep, data = ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)
        builder.call(function, [builder.bitcast(pointer, byte.as_pointer()), read, keep, data])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


def prefetch(table, row):
    """Ask for a row of an array to be brought near, since it will be read soon."""


@overload(prefetch, inline="always")
def _prefetch_row(table, row):
    return lambda table, row: _prefetch(table, np.intp(row))


def count_ones(bits):
    """Return how many bits of an int64 are set."""
    return (int(bits) & 0xFFFFFFFFFFFFFFFF).bit_count()


def trailing_zeros(bits):
    """Return the number of the lowest bit of an int64 that is set; 64 if none is."""
    return ((int(bits) & -int(bits)) - 1).bit_length() if bits else 64


@overload(count_ones, inline="always")
def _count_ones(bits):
    return lambda bits: _ctpop(np.int64(bits))


@overload(trailing_zeros, inline="always")
def _trailing_zeros(bits):
    return lambda bits: _cttz(np.int64(bits))


@inline
def padded(count):
    """Return `count` rounded up to whole `LANES`."""
    return (count + LANES - 1) // LANES * LANES


@inline
def fast_exp(x):
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
def hash_on(value, number):
    """Return the hash, 31 bits in an int64, of what a hash and one number more stand for."""
    value = ((value ^ (number + 1)) * np.int64(0x5F356495)) & np.int64(0x7FFFFFFF)
    return value ^ (value >> np.int64(15))


@inline
def rescale(top, cells, other, mass, ends_token):
    """Multiply all masses by the power of two that brings the largest, `top`, to 1 to 2, exactly.

    Returns the exponent that was taken out: the masses stand for that many powers of two more.
    """
    exponent = (np.float64(top).view(np.int64) >> 52) - 1023
    factor = np.int64((1023 - exponent) << 52).view(np.float64)
    for j in range(cells):
        mass[j] *= factor
        mass[other + j] *= factor
        ends_token[j] *= factor
    return exponent


@inline
def log_at_most(x):
    """Return a float32 that is at most log(x), and at least log(x) - 0.07, for 0 < x <= 1.

    A float's bits, read as an integer, are its logarithm with the mantissa taken as linear.
    """
    log2 = np.float64(np.float64(x).view(np.int64) - (np.int64(1023) << 52)) * 2.0**-52
    return np.float32(log2 * 0.6931471805599453 * 1.000001 - 1e-6)


@inline
def classes_above(row, start, stop, log_threshold, classes, found):
    """Add the classes from start to stop above a log-probability to `found` ones; returns how many.

    classes : with a cell to spare
    """
    while start + BLOCK <= stop:
        above = np.int32(0)
        for c in range(start, start + BLOCK):
            above |= np.int32(row[c] > log_threshold)
        if above:
            for c in range(start, start + BLOCK):
                classes[found] = c
                found += np.int64(row[c] > log_threshold)
        start += BLOCK
    for c in range(start, stop):
        classes[found] = c
        found += np.int64(row[c] > log_threshold)
    return found


@inline
def drop_class(unwanted, classes, found):
    """Leave a class out of `found` ones, if it is there; returns how many are left."""
    for k in range(found):
        if classes[k] == unwanted:
            classes[k] = classes[found - 1]
            return found - 1
    return found


@inline
def candidate_classes(row, log_threshold, blank, classes):
    """Collect the classes above a log-probability, but the blank; returns how many."""
    found = classes_above(row, 0, row.size, log_threshold, classes, 0)
    if row[blank] > log_threshold:
        found = drop_class(blank, classes, found)
    return found


@outline
def cut_at(bits, count, keep, low):
    """Return a value that exactly the `keep` largest of `count` floats reach, all as bits.

    A search by quarters in the order of the bits. low : a value that at least `keep` reach.
    Of floats that tie at the cut the last ones are set to zero. Writes zeros behind the floats.
    """
    cells = padded(count)
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
def child_prefix(trie, parent, token, made):
    """Return the prefix `parent` + `token`: the one that there is, or number `made`, set up.

    A prefix may leave the beam and come back while its descendants live, so there is one row for
    each, ever.
    """
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
def survives(trie, parent, token):
    """Return whether the prefix `parent` + `token` has a slot."""
    child = trie[parent, FIRST_CHILD]
    while child != NONE:
        if trie[child, TOKEN] == token:
            return trie[child, SLOT] != NONE
        child = trie[child, SIBLING]
    return False


@inline
def link_parents(size, other, node, label, trie, source):
    """Find each prefix's parent among the survivors: `source` of `link_survivors`."""
    for j in range(size):
        above = trie[trie[node[j], PARENT], SLOT] if node[j] != 0 else NONE
        if above == NONE:
            source[j] = other - 1
        elif label[above] == label[j]:
            source[j] = above + other
        else:
            source[j] = above


@inline
def link_survivors(size, other, node, label, trie, source, parent_slot, head, link):
    """Find each prefix's parent among the survivors, and chain the prefixes of one last token.

    source[j] points into an array of the survivors' totals (from 0) and blank parts (from
    `other`): to the parent's total, or to its blank part where the parent ends in the same token,
    or to the cell before `other`, which stays zero, where the parent is not there.
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


@inline
def set_child_mass(c, mass, base, other, head, link, parent_slot):
    """Set in base what each survivor passes on to itself followed by class c.

    base is a copy of the totals in `mass`; `restore_mass` makes it one again.
    """
    m = head[c]
    while m != NONE:  # a prefix that ends in c needs a blank before another c
        base[m] = mass[other + m]
        m = link[m]
    m = head[c]
    while m != NONE:  # and a child that is in the beam has had its share already
        if parent_slot[m] != NONE:
            base[parent_slot[m]] = 0.0
        m = link[m]


@inline
def restore_mass(c, mass, base, head, link, parent_slot):
    """Undo `set_child_mass`."""
    m = head[c]
    while m != NONE:
        base[m] = mass[m]
        if parent_slot[m] != NONE:
            base[parent_slot[m]] = mass[parent_slot[m]]
        m = link[m]


@inline
def write_prefix(trie, node, token_ids, written):
    """Write a prefix's tokens to token_ids from `written` on; returns where they end."""
    length = 0
    walk = node
    while walk != 0:
        length += 1
        walk = trie[walk, PARENT]
    walk = node
    for k in range(written + length - 1, written - 1, -1):
        token_ids[k] = trie[walk, TOKEN]
        walk = trie[walk, PARENT]
    return written + length
