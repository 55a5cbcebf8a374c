"""Kernel helper that follows hot phrases: one step of the automaton of `HotPhrases`.

An automaton of Aho and Corasick (CACM 18, 1975) over characters. State 0 (`START`) stands where a
phrase may begin and none has; the last state is inside a word with which no phrase can begin. A
phrase in progress holds a share of its weight, `held` of the state: what is held is a function of
the state alone, so that it is gone without a rest when the phrase does not go on.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import F64_2D, I32_1D, I64_1D, I64_2D, U8_1D, inline
from ctckit.kernels.lexicon import first_at_least

START = 0
FIRST_CHILD, BEHIND, FALLBACK = range(3)
"""Columns of the states: the children are the states from one to before the other; the state that
a phrase in progress falls back to."""
HELD, AT_BOUNDARY, AT_ONCE, MOST = range(3, 7)
"""More of them, floats: what is held; earned by a boundary, and at once; the most that one
character further earns and holds. A row of eight is a line of the processor's cache."""
PHRASES = types.Tuple((I64_2D, F64_2D, I32_1D, I32_1D, I64_1D, U8_1D))
"""The states, as integers and as floats, the same memory; the character of each state; then the
characters of each class with their offsets, and whether a character is one of words."""


@inline
def _go_on(state, character, states, characters):
    stop = states[state, BEHIND]
    at = first_at_least(characters, states[state, FIRST_CHILD], stop, character)
    return at if at < stop and characters[at] == character else np.int64(-1)


@inline
def _step(state, character, in_word, phrases):
    """Return the state after a character, and the weight of the phrases that it has completed."""
    states, weights, characters = phrases[0], phrases[1], phrases[2]
    outside = np.int64(states.shape[0] - 1)
    earned = np.float64(0.0)
    if not in_word:
        earned += weights[state, AT_BOUNDARY]
        if state == outside:
            state = np.int64(START)
    while True:
        following = _go_on(state, character, states, characters)
        if following >= 0:
            return following, earned + weights[following, AT_ONCE]
        if state == START:
            return (states[START, FALLBACK] if in_word else np.int64(START)), earned
        if state == outside:
            return state, earned
        state = states[state, FALLBACK]
        if state == outside and not in_word:
            state = np.int64(START)


@inline
def follow_phrases(state, c, phrases):
    """Return the state after the characters of class c, and what phrases completed there weigh."""
    class_characters, class_offsets, word_character = phrases[3], phrases[4], phrases[5]
    earned = np.float64(0.0)
    for k in range(class_offsets[c], class_offsets[c + 1]):
        character = np.int64(class_characters[k])
        state, more = _step(state, character, word_character[character] != 0, phrases)
        earned += more
    return state, earned
