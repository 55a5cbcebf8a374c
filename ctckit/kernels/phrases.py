"""Kernel helper that follows hot phrases: one step of the automaton of `HotPhrases`.

An automaton of Aho and Corasick (CACM 18, 1975) over characters. State 0 (`START`) stands where a
phrase may begin and none has; the last state is inside a word with which no phrase can begin. A
phrase in progress holds a share of its weight, `held` of the state: what is held is a function of
the state alone, so that it is gone without a rest when the phrase does not go on.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import F64_1D, I32_1D, I64_1D, U8_1D, inline
from ctckit.kernels.lexicon import first_at_least

START = 0
PHRASES = types.Tuple(
    (I32_1D, I32_1D, F64_1D, F64_1D, F64_1D, I32_1D, F64_1D, I32_1D, I64_1D, U8_1D)
)
"""first_child, character, held, at_boundary, at_once, fallback, reach of the states; then the
characters of each class with their offsets, and whether a character is one of words."""


@inline
def _go_on(state, character, first_child, characters):
    stop = np.int64(first_child[state + 1])
    at = first_at_least(characters, np.int64(first_child[state]), stop, character)
    return at if at < stop and characters[at] == character else np.int64(-1)


@inline
def _step(state, character, in_word, phrases):
    """Return the state after a character, and the weight of the phrases that it has completed."""
    first_child, characters, held, at_boundary, at_once, fallback, _, _, _, _ = phrases
    outside = np.int64(held.size - 1)
    earned = np.float64(0.0)
    if not in_word:
        earned += at_boundary[state]
        if state == outside:
            state = np.int64(START)
    while True:
        following = _go_on(state, character, first_child, characters)
        if following >= 0:
            return following, earned + at_once[following]
        if state == START:
            return (np.int64(fallback[START]) if in_word else np.int64(START)), earned
        if state == outside:
            return state, earned
        state = np.int64(fallback[state])
        if state == outside and not in_word:
            state = np.int64(START)


@inline
def follow_phrases(state, c, phrases):
    """Return the state after the characters of class c, and what phrases completed there weigh."""
    class_characters, class_offsets, word_character = phrases[7], phrases[8], phrases[9]
    earned = np.float64(0.0)
    for k in range(class_offsets[c], class_offsets[c + 1]):
        character = np.int64(class_characters[k])
        state, more = _step(state, character, word_character[character] != 0, phrases)
        earned += more
    return state, earned
