"""Fonts of a folder, and texts drawn with them."""

from __future__ import annotations

import math
import os
from itertools import accumulate
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.preprocessing import UInt8Array

FONT_SUFFIXES = frozenset({".ttf", ".otf"})
_SIZE = 44
"""Pixels of an em; what is drawn is shrunk later."""


class Fonts:
    """The fonts of a folder, and the characters that each of them has.

    Raises
    ------
    NotFoundError : no such folder, or no .ttf or .otf file in it
    InvalidValueError : a font that is damaged
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        paths = sorted(
            path
            for path in Path(folder).rglob("*")
            if path.suffix.lower() in FONT_SUFFIXES and not path.name.startswith(".")
        )
        if not paths:
            raise NotFoundError(
                f"fonts must be a folder of .ttf or .otf files, got '{folder}'; "
                "make one with corpora/fonts/fetch.py, or name another"
            )
        self.names = [path.stem for path in paths]
        opened = [_open_font(path) for path in paths]
        self._fonts = [font for font, _ in opened]
        self._characters = [characters for _, characters in opened]
        self._seen: list[set[str]] = [{" "} for _ in paths]

    def characters(self) -> set[str]:
        """Return the characters that at least one font has."""
        return set().union(*self._characters)

    def can_draw(self, text: str | set[str]) -> bool:
        """Say whether a font has all characters of a text."""
        return any(known.issuperset(text) for known in self._characters)

    def draw(self, text: str, rng: np.random.Generator) -> UInt8Array | None:
        """Return `text` drawn with a font that has all its characters: (H, W), 255 ink.

        None where no font has them all, or where nothing is visible.
        """
        font = self._choose(text, rng)
        if font is None:
            return None
        spacing = rng.uniform(-0.04, 0.22) * _SIZE if rng.random() < 0.15 else 0.0
        return _drawn(text, font, spacing)

    def _choose(self, text: str, rng: np.random.Generator) -> ImageFont.FreeTypeFont | None:
        """Return one of the fonts that have all of the characters, each equally often."""
        for _ in range(4):  # most fonts have most texts: that is faster than asking each
            i = int(rng.integers(len(self._fonts)))
            if self._shows(i, text):
                return self._fonts[i]
        able = [i for i in range(len(self._fonts)) if self._shows(i, text)]
        return self._fonts[able[int(rng.integers(len(able)))]] if able else None

    def _shows(self, i: int, text: str) -> bool:
        """Say whether font `i` has all characters, and none of them is blank."""
        if not self._characters[i].issuperset(text):
            return False
        seen = self._seen[i]
        if seen.issuperset(text):
            return True
        for char in set(text) - seen:
            # Some fonts list characters that they draw as nothing (League Script: the hyphen).
            if not char.isspace() and self._fonts[i].getmask(char).getbbox() is None:
                self._characters[i].discard(char)
            else:
                seen.add(char)
        return seen.issuperset(text)


def _open_font(path: Path) -> tuple[ImageFont.FreeTypeFont, set[str]]:
    """Return a font and the characters that it has."""
    try:
        font = ImageFont.truetype(str(path), _SIZE)
        with TTFont(path, lazy=True) as tables:
            return font, set(map(chr, tables.getBestCmap() or ()))
    except Exception as error:  # fontTools raises nearly anything for damaged files
        raise InvalidValueError(
            f"font must be a sound .ttf or .otf file, got '{path}' "
            f"({str(error) or type(error).__name__}); take it out"
        ) from None


def _drawn(text: str, font: ImageFont.FreeTypeFont, spacing: float) -> UInt8Array | None:
    """Return `text` as the font sets it, or letter by letter with more or less between them."""
    pieces = [(0.0, text)]
    if spacing:
        lengths = [0.0, *(font.getlength(char) + spacing for char in text[:-1])]
        pieces = list(zip(accumulate(lengths), text, strict=True))
    # Letters may reach over their places: there is an em around. What is blank is cut off: that
    # is faster than to ask for the size first.
    ascent, descent = font.getmetrics()
    width = max(2 * len(text) * _SIZE, math.ceil(pieces[-1][0]) + _SIZE)
    image = Image.new("L", (width + 2 * _SIZE, ascent + descent + 2 * _SIZE))
    draw = ImageDraw.Draw(image)
    for x, piece in pieces:
        draw.text((_SIZE + x, _SIZE), piece, fill=255, font=font)
    box = image.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    return np.asarray(image.crop((left - 2, top - 2, right + 2, bottom + 2)))
