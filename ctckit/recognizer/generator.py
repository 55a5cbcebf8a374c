"""Synthetic training images: words of a list, drawn with handwriting fonts, then distorted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctckit.errors import InvalidValueError
from ctckit.recognizer.distortion import littered, papered, stroked, warped
from ctckit.recognizer.fonts import Fonts
from ctckit.recognizer.preprocessing import UInt8Array
from ctckit.recognizer.words import WordSource

MOST_TRIES = 1000
"""Texts that may turn out impossible to draw, one after the other."""


class Generator:
    """Draws synthetic images, each with its text.

    Parameters
    ----------
    words : what is written; words that no font has are left out
    fonts : how it is written

    Attributes
    ----------
    words : without what is left out
    left_out : how many words of a list are, by its name, where there are any

    Raises
    ------
    InvalidValueError : a list has no word that a font could draw
    """

    def __init__(self, words: WordSource, fonts: Fonts) -> None:
        kept = {name: _drawable(name, list_, fonts) for name, list_ in words.lists.items()}
        self.left_out = {
            name: left
            for name, list_ in words.lists.items()
            if (left := len(list_) - len(kept[name]))
        }
        self.words = WordSource(kept) if self.left_out else words
        self.fonts = fonts

    def sample(self, rng: np.random.Generator) -> tuple[UInt8Array, str]:
        """Return the gray image of a text, (H, W), 0 black to 255 white, and the text.

        Raises
        ------
        InvalidValueError : ``MOST_TRIES`` texts in a row could not be drawn
        """
        for _ in range(MOST_TRIES):
            text = self.words.text(rng)
            ink = self.fonts.draw(text, rng)
            if ink is not None:
                return disturbed(ink, rng), text
        raise InvalidValueError(
            f"fonts must have the characters of the texts, got {MOST_TRIES:,} texts in a row that "
            f"none can draw, the last {text!r}{_missing(set(text), self.fonts)}; give other fonts"
        )


def _drawable(name: str, words: Sequence[str], fonts: Fonts) -> Sequence[str]:
    """Return the words that a font has all characters of."""
    characters = set().union(*words)
    if fonts.can_draw(characters):
        return words
    kept = [word for word in words if fonts.can_draw(word)]
    if not kept:
        raise InvalidValueError(
            f"fonts must have the characters of a word, got none for '{name}'"
            f"{_missing(characters, fonts)}; give other fonts"
        )
    return kept


def _missing(characters: set[str], fonts: Fonts) -> str:
    """Say which of the characters no font has."""
    missing = sorted(characters - fonts.characters())
    if not missing:
        return " (no single font has them all)"
    more = " and others" if len(missing) > 20 else ""
    return f" (no font has {' '.join(missing[:20])}{more})"


def disturbed(ink: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Return drawn ink as if written by hand and scanned, (H, W), 0 black to 255 white."""
    return papered(littered(stroked(warped(ink, rng), rng), rng), rng)
