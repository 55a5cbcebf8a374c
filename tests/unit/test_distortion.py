"""Distortion: the writing stays inside its image, and is never wiped out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ctckit.recognizer.distortion import littered, papered, stroked, warped

SIZES = [(1, 1), (1, 40), (40, 1), (9, 5), (44, 200), (96, 30), (96, 2500)]


def boxes(rows: int, columns: int) -> np.ndarray:
    """Ink that touches every edge."""
    ink = np.zeros((rows, columns), np.uint8)
    cv2.rectangle(ink, (0, 0), (columns - 1, rows - 1), 255, max(1, rows // 12))
    return ink


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_all_sizes(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows + columns)
    for _ in range(20):
        ink = boxes(rows, columns)
        for change in (warped, stroked, littered, papered):
            before = ink.copy()
            changed = change(ink, rng)
            assert changed.dtype == np.uint8
            assert changed.ndim == 2
            np.testing.assert_array_equal(ink, before)  # what is given stays
            ink = changed


@pytest.mark.parametrize(("rows", "columns"), [(44, 60), (44, 400), (96, 300), (96, 3000)])
def test_ink_stays_inside(rows: int, columns: int) -> None:
    rng = np.random.default_rng(1)
    cut = 0
    for _ in range(60):
        ink = warped(boxes(rows, columns), rng)
        edges = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
        cut += int(edges.max() > 128)
    assert cut <= 1


def test_strength_0_pads_only() -> None:
    ink = np.random.default_rng(2).integers(0, 256, (30, 50), dtype=np.uint8)
    same = warped(ink, np.random.default_rng(3), 0.0)
    np.testing.assert_array_equal(same, np.pad(ink, 12))


def test_strength_grows() -> None:
    ink = np.pad(boxes(40, 100), 12)

    def moved(strength: float) -> float:
        rng = np.random.default_rng(4)
        return float(np.mean([abs(warped(ink, rng, strength).shape[1] - 148) for _ in range(50)]))

    assert moved(0.2) < moved(0.6) < moved(1.0)


def test_an_image_too_wide_to_move_stays() -> None:
    ink = boxes(8, 33_000)
    assert warped(ink, np.random.default_rng(5)) is ink


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_a_stroke_is_never_wiped_out(thickness: int) -> None:
    rng = np.random.default_rng(6)
    ink = np.zeros((60, 160), np.uint8)
    for x in range(10, 150, 20):
        cv2.line(ink, (x, 5), (x + 12, 52), 255, thickness, cv2.LINE_AA)
    ink[20:30, 60:70] = 255  # a blot, which a coarse rule would be content with
    strokes = np.s_[:, 80:]
    for _ in range(300):
        left = stroked(ink, rng)[strokes]
        assert left.max() > 40
        assert left.sum(dtype=int) > 0.2 * ink[strokes].sum(dtype=int)


def test_paper_is_lighter_than_ink() -> None:
    rng = np.random.default_rng(7)
    ink = np.zeros((60, 160), np.uint8)
    ink[20:40, 40:120] = 255
    for _ in range(100):
        image = cv2.resize(papered(ink, rng), (160, 60))
        assert image[25:35, 50:110].mean() < image[:10].mean() - 15
