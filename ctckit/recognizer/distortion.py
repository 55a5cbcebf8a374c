"""Random changes that make one image of writing into many, for training."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ctckit.recognizer.preprocessing import Float32Array, UInt8Array

GROWTH = 12
"""Pixels of paper put around an image, so that what is moved stays inside."""

_WIDEST = 32_000
"""Columns that OpenCV can move; wider images stay as they are."""
_INK = 96
"""A pixel above this is ink."""
_LEAST_LEFT = 0.25
"""Share of the ink that must be left by a thinner stroke."""


def warped(ink: UInt8Array, rng: np.random.Generator, strength: float = 1.0) -> UInt8Array:
    """Return writing slanted, turned, stretched and bent (elastic distortion).

    Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to
    visual document analysis" (2003); the field of moves is drawn on a coarse grid and enlarged.

    Parameters
    ----------
    ink : (H, W), 0 paper to 255 ink
    rng : what chance is drawn from
    strength : 0 (nothing) to 1 (as strong as handwriting varies)
    """
    rows, columns = ink.shape
    slant = rng.normal(0, 0.22) * strength
    turn = rng.normal(0, 0.02) * strength
    stretch = math.exp(rng.normal(0, 0.17) * strength)
    squash = math.exp(rng.normal(0, 0.06) * strength)
    bend = strength * rows / 32 * rng.uniform(0.2, 1.6)
    # So far at most a pixel is moved, but for very rare ones; a turn moves the ends of long lines.
    growth = max(GROWTH, math.ceil(6 * bend))
    rise = math.ceil(abs(turn) * columns * stretch / 2)
    width = max(4, round(columns * stretch + abs(slant) * (rows + 2 * rise))) + 2 * growth
    height = max(4, round(rows * squash)) + 2 * (growth + rise)
    if max(columns, width) > _WIDEST:
        return ink
    # The inverse map: for a pixel of the result, where in `ink` it comes from, x and y.
    x = np.arange(width, dtype=np.float32) - width / 2
    y = np.arange(height, dtype=np.float32) - height / 2
    moves = _field(rng, height, width, max(4, rows // 3), 2)
    moves *= bend
    # Slow waves: a baseline that drifts.
    wave = _field(rng, 1, width, 2 * rows)[0] * (1.5 * bend)
    along, across = np.empty((width, 2), np.float32), np.empty((height, 1, 2), np.float32)
    along[:, 0], along[:, 1] = x / stretch + columns / 2, x * (-turn / squash) + wave
    across[:, 0, 0], across[:, 0, 1] = y * (slant / stretch), y / squash + rows / 2
    moves += along
    moves += across
    return cv2.remap(ink, moves, None, cv2.INTER_LINEAR)  # type: ignore[call-overload, no-any-return]


def _field(
    rng: np.random.Generator, rows: int, columns: int, step: int, layers: int = 1
) -> Float32Array:
    """Return smooth noise, standard deviation about 1, that varies over `step`.

    Its shape is (rows, columns), or with several layers (rows, columns, layers).
    """
    shape = (rows // step + 2, columns // step + 2, layers)
    grid = rng.standard_normal(shape, np.float32)
    size = (columns, rows)
    return cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def stroked(ink: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Return writing with a thicker, thinner or more even stroke, or as it is.

    A stroke that is too fine to be made thinner stays as it is.
    """
    rows = ink.shape[0]
    kind = rng.random()
    if kind < 0.25:
        size = int(rng.integers(2, max(3, rows // 16)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        ink = cv2.dilate(ink, kernel)  # type: ignore[assignment]
    elif kind < 0.37 and rows >= 32:
        thin: UInt8Array = cv2.erode(ink, np.ones((2, 2), np.uint8))  # type: ignore[assignment]
        if np.count_nonzero(thin > _INK) >= _LEAST_LEFT * np.count_nonzero(ink > _INK):
            ink = thin
    elif kind < 0.5:
        width = rng.uniform(0.4, max(0.5, rows / 40))
        ink = cv2.GaussianBlur(ink, (0, 0), width)  # type: ignore[assignment]
    if rng.random() < 0.2:  # a pen that runs dry
        wear = 1 + 0.35 * _field(rng, rows, ink.shape[1], max(3, rows // 8))
        ink = (ink * np.clip(wear, 0.2, 1)).astype(np.uint8)
    return ink


def papered(ink: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Return writing on paper, as a scanner or a camera sees it: 0 black to 255 white."""
    rows, columns = ink.shape
    light = rng.uniform(90, 255) if rng.random() < 0.5 else 255.0
    depth = rng.uniform(0.35, 1.0) * light
    page = light - ink * np.float32(depth / 255)
    if rng.random() < 0.3:
        page += _field(rng, rows, columns, rows) * rng.uniform(2, 12)
    if rng.random() < 0.5:
        page += rng.standard_normal((rows, columns), np.float32) * rng.uniform(1, 14)
    image = np.clip(page, 0, 255, out=page).astype(np.uint8)
    kind = rng.random()
    if kind < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, rows / 48 + 0.4))  # type: ignore[assignment]
    elif kind < 0.4:
        factor = rng.uniform(0.35, 0.8)
        size = (max(8, round(columns * factor)), max(8, round(rows * factor)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    elif kind < 0.5:
        _, coded = cv2.imencode(
            ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
        )
        image = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)  # type: ignore[assignment]
    if rng.random() < 0.15:
        image = (image // 17) * 17
    return image


def littered(ink: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Return writing with what comes along on a page: ruled lines, neighbours' strokes, specks."""
    rows, columns = ink.shape
    ink = ink.copy()
    if rng.random() < 0.2:
        ink = np.maximum(ink, _ruled(rows, columns, rng))
    if rng.random() < 0.15:
        _add_neighbours(ink, rng)
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(1, 5))):
            spot = (int(rng.uniform(0, columns)), int(rng.uniform(0, rows)))
            cv2.circle(ink, spot, int(rng.integers(1, 3)), float(rng.uniform(80, 255)), -1)
    return ink


def _ruled(rows: int, columns: int, rng: np.random.Generator) -> UInt8Array:
    """Return a ruled line near the baseline, not quite level, on an empty page."""
    row = int(rng.uniform(0.55, 0.95) * rows)
    end = row + int(rng.normal(0, rows / 30))
    gray = float(rng.uniform(60, 230))
    start = int(rng.uniform(0, columns / 3)) if rng.random() < 0.4 else 0
    stop = int(rng.uniform(columns / 2, columns)) if rng.random() < 0.4 else columns
    thick = int(rng.integers(1, max(2, rows // 24) + 1))
    page = np.zeros((rows, columns), np.uint8)
    cv2.line(page, (start, row), (stop, end), gray, thick, cv2.LINE_AA)
    return page


def _add_neighbours(ink: UInt8Array, rng: np.random.Generator) -> None:
    """Add strokes of the lines above and below, at the edge, in place."""
    rows, columns = ink.shape
    for _ in range(int(rng.integers(1, 4))):
        x = int(rng.uniform(0, columns))
        top = rng.random() < 0.5
        reach = rng.uniform(0.05, 0.3) * rows
        start, end = (0, int(reach)) if top else (rows - 1, int(rows - reach))
        gone = x + int(rng.normal(0, rows / 8))
        thick = int(rng.integers(1, max(2, rows // 20) + 1))
        gray = float(rng.uniform(120, 255))
        cv2.line(ink, (x, start), (gone, end), gray, thick, cv2.LINE_AA)
