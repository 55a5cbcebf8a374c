"""From the gray image of a word or line to the rows that the network reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ctckit.errors import InvalidValueError
from ctckit.recognizer.shape import COLUMNS

__all__ = [
    "COLUMNS",
    "Float32Array",
    "Preprocessing",
    "UInt8Array",
    "preprocessing_for",
    "shrunk",
    "stretched",
]

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

_LEAST_CONTRAST = 24
"""Gray levels between paper and ink that are worth stretching; less is an empty page."""
_INK = 96
"""A stretched pixel above this is ink, when sizes are measured."""
_TURNED = 1.5
"""How much further levels reach above the median than below it in light writing on dark paper.

Of 20,000 images of dark writing none is taken for light; of their negatives one in 900 is missed.
"""
_WORKING_ROWS = 96
"""Taller images are shrunk to this before anything is measured."""
_QUANTILES = np.array([0.5, 0.005, 0.995, 0.6])
_LEVELS = np.arange(256)


@dataclass(frozen=True)
class Preprocessing:
    """How images are made comparable: contrast, size and position of the writing.

    The gray levels are stretched so that paper is 0 and ink 255. The writing is scaled so that
    the ink's rows have the standard deviation `spread`, and moved so that their mean is in the
    middle. So a word without ascenders, a word with them, and a word cut out with wide margins
    get letters of about one size. What is left and right of the ink is cut off.

    The whole image gets 0.7 to 3 times `height` rows: writing that is very small in its image
    stays small, so that specks do not become letters.

    Attributes
    ----------
    height : rows
    spread : standard deviation of the ink over rows, in rows
    margin : columns of paper left and right
    max_width : columns at most; what is wider is squeezed
    mirrored : whether images are turned round, left to right, so that frames of a script that is
        written from right to left come in reading order
    """

    height: int = 32
    spread: float = 5.5
    margin: int = 4
    max_width: int = 16384
    mirrored: bool = False

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises
        ------
        InvalidValueError : a number is of the wrong kind or out of range
        """
        limits = {"height": (8, 256), "margin": (0, 64), "max_width": (256, 1 << 20)}
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise InvalidValueError(
                    f"{name} must be {least} to {most}, got {value!r}; choose another number"
                )
        if type(self.mirrored) is not bool:
            raise InvalidValueError(
                f"mirrored must be true or false, got {self.mirrored!r}; choose one"
            )
        if type(self.spread) not in (int, float) or not 0.1 <= self.spread <= self.height:
            raise InvalidValueError(
                f"spread must be 0.1 to {self.height}, got {self.spread!r}; choose another number"
            )

    def described(self) -> dict[str, Any]:
        """Return the numbers by name; ``mirrored`` only where it is true, as it is rare."""
        said = asdict(self)
        if not self.mirrored:
            del said["mirrored"]
        return said

    def apply(self, image: UInt8Array, *, zoom: float = 1.0, shift: float = 0.0) -> UInt8Array:
        """Return the image as the network wants it.

        Parameters
        ----------
        image : (H, W) gray, dark on light or light on dark
        zoom : factor on the size, of training images
        shift : rows that the writing is moved down by, of training images

        Returns
        -------
        (height, w), 0 paper to 255 ink, w a multiple of 4 and at least 8

        Raises
        ------
        InvalidValueError : `image` is not uint8 of two dimensions, or has no pixel
        """
        if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            raise InvalidValueError(
                f"image must be uint8 of shape (H, W), got {image.dtype} of shape {image.shape}; "
                "read it with ctckit.recognizer.images.read_image"
            )
        if self.mirrored:
            image = np.ascontiguousarray(image[:, ::-1])
        ink = stretched(shrunk(image))
        left, right, middle, spread = _extent(ink)
        if spread <= 0:
            return np.zeros((self.height, 2 * COLUMNS), np.uint8)
        rows = ink.shape[0]
        scale = zoom * float(
            np.clip(self.spread / spread, 0.7 * self.height / rows, 3 * self.height / rows)
        )
        ink = ink[:, left:right]
        columns = round((right - left) * scale)
        columns = min(max(columns, 1), self.max_width // COLUMNS * COLUMNS - 2 * self.margin)
        size = (columns, max(1, round(rows * scale)))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(ink, size, interpolation=interpolation)
        return self._placed(scaled, round(self.height / 2 - (middle * scale) + shift))

    def _placed(self, scaled: npt.NDArray[Any], top: int) -> UInt8Array:
        """Put the scaled writing on paper, its first row at row `top`."""
        rows, columns = scaled.shape
        width = -(-(columns + 2 * self.margin) // COLUMNS) * COLUMNS
        placed = np.zeros((self.height, max(width, 2 * COLUMNS)), np.uint8)
        first, last = max(0, top), min(self.height, top + rows)
        if first < last:
            part = scaled[first - top : last - top]
            placed[first:last, self.margin : self.margin + columns] = part
        return placed


def preprocessing_for(height: int) -> Preprocessing:
    """Return the usual preprocessing for images of so many rows, all sizes in proportion.

    Examples
    --------
    >>> preprocessing_for(64).spread
    11.0
    """
    usual = Preprocessing()
    scale = height / usual.height
    return Preprocessing(height, usual.spread * scale, round(usual.margin * scale))


def shrunk(image: UInt8Array) -> UInt8Array:
    """Return the image with at most `_WORKING_ROWS` rows."""
    rows, columns = image.shape
    if rows <= _WORKING_ROWS:
        return image
    size = (max(1, round(columns * _WORKING_ROWS / rows)), _WORKING_ROWS)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def stretched(image: UInt8Array) -> UInt8Array:
    """Return the ink of a gray image: 0 where there is paper, 255 where it is darkest.

    Paper is the 60th percentile of the gray levels, ink the half percentile. Light writing on dark
    paper is turned round: where the levels above the median reach clearly further than those below.
    """
    shares = _shares(image)
    median, darkest, lightest, paper = shares.searchsorted(_QUANTILES).tolist()
    # Only once: half black and half white looks turned round both ways.
    if lightest - median > _TURNED * (median - darkest):
        image = 255 - image
        _, darkest, _, paper = _shares(image).searchsorted(_QUANTILES).tolist()
    contrast = max(paper - darkest, _LEAST_CONTRAST)
    levels = (paper - _LEVELS) * (255.0 / contrast)
    return cv2.LUT(image, levels.clip(0, 255).astype(np.uint8))  # type: ignore[return-value]


def _shares(image: UInt8Array) -> Float32Array:
    """Return the share of pixels at or below each gray level."""
    counts = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel()
    return np.cumsum(counts) / np.float32(image.size)


def _extent(ink: UInt8Array) -> tuple[int, int, float, float]:
    """Return first and end column of the ink, and mean and deviation of its rows."""
    _, dark = cv2.threshold(ink, _INK, 1, cv2.THRESH_BINARY)
    columns = np.flatnonzero(cv2.reduce(dark, 0, cv2.REDUCE_MAX).ravel())
    if not len(columns):
        return 0, 0, 0.0, 0.0
    mass = cv2.reduce(dark, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
    # A ruled line under the word has more ink than its letters: no row may count for too much.
    mass = np.minimum(mass, 2.0 * mass[mass > 0].mean())
    total = float(mass.sum())
    rows = np.arange(len(mass), dtype=np.float32) + 0.5
    middle = float(mass @ rows) / total
    variance = float(mass @ (rows - middle) ** 2) / total
    return int(columns[0]), int(columns[-1]) + 1, middle, max(variance, 1 / 12) ** 0.5
