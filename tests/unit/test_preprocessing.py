"""Preprocessing: what an image becomes, and what makes no difference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit.errors import InvalidValueError
from ctckit.recognizer.preprocessing import Preprocessing, shrunk, stretched

cv2 = pytest.importorskip("cv2")
DEFAULT = Preprocessing()


def word(text: str = "handle", scale: int = 1, margin: int = 10) -> np.ndarray:
    """Draw a word, 20 on 250, `margin` columns and rows around it."""
    big = np.full((100, 60 * len(text) + 40), 250, np.uint8)
    cv2.putText(big, text, (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 6, cv2.LINE_AA)
    columns = np.flatnonzero((big < 200).any(axis=0))
    big = big[:, columns[0] : columns[-1] + 1]
    size = (round(big.shape[1] * scale * 0.5), 50 * scale)
    small = cv2.resize(big, size, interpolation=cv2.INTER_AREA)
    return np.pad(small, margin * scale, constant_values=250)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean difference, 0 to 1, of the writing: moved by a row and stretched a little."""
    one, other = (part[:, part.any(axis=0)] for part in (one, other))
    other = cv2.resize(other, one.shape[::-1], interpolation=cv2.INTER_LINEAR)
    moved = [np.roll(other, rows, axis=0).astype(int) for rows in (-1, 0, 1)]
    return min(float(np.abs(one - rows).mean()) for rows in moved) / 255


def check(image: np.ndarray, settings: Preprocessing = DEFAULT) -> None:
    """Check what holds for whatever `apply` returns."""
    height, width = image.shape
    assert image.dtype == np.uint8
    assert height == settings.height
    assert width % 4 == 0
    assert 8 <= width <= settings.max_width


# What makes no difference

EXPECTED = DEFAULT.apply(word())
ALIKE = {
    "twice as large": word(scale=2),
    "six times as large": word(scale=6),
    "gray paper": np.clip(word().astype(int) - 90, 0, 255).astype(np.uint8),
    "little contrast": (200 - (250 - word().astype(int)) // 4).astype(np.uint8),
    "light on dark": 255 - word(),
    "light on gray": 255 - np.clip(word().astype(int) - 110, 0, 255).astype(np.uint8),
    "black and white": np.where(word() < 135, 0, 255).astype(np.uint8),
    "wide margins": np.pad(word(), ((7, 7), (99, 99)), constant_values=250),
    "margin left": np.pad(word(), ((0, 0), (150, 0)), constant_values=250),
    "margin below": np.pad(word(), ((0, 14), (0, 0)), constant_values=250),
    "cut close": word(margin=0),
    "noisy": np.clip(
        word() + np.random.default_rng(0).normal(scale=6, size=word().shape), 0, 255
    ).astype(np.uint8),
    "other layout": np.asfortranarray(word()),
    "a view": np.ascontiguousarray(word()[::-1, ::-1])[::-1, ::-1],
}


@pytest.mark.parametrize("image", ALIKE.values(), ids=ALIKE)
def test_what_is_written_matters_and_not_how_it_was_cut_out(image: np.ndarray) -> None:
    got = DEFAULT.apply(image)
    check(got)
    assert abs(got.shape[1] - EXPECTED.shape[1]) <= 4
    assert distance(EXPECTED, got) < 0.08


def test_mirrored() -> None:
    mirrored = Preprocessing(mirrored=True)
    np.testing.assert_array_equal(mirrored.apply(word()), DEFAULT.apply(word()[:, ::-1].copy()))
    # Models and checkpoints that say nothing of it are as they were.
    assert "mirrored" not in DEFAULT.described()
    assert mirrored.described()["mirrored"] is True
    assert Preprocessing(**mirrored.described()) == mirrored


def test_the_measure_above_can_tell_words_apart() -> None:
    for other in ("hamble", "sample", "thirty"):
        assert distance(EXPECTED, DEFAULT.apply(word(other))) > 0.12


def test_small_writing_on_a_large_page_stays_small() -> None:
    # So that speckles do not become letters.
    page = np.pad(word(), 200, constant_values=250)
    got = DEFAULT.apply(page)
    check(got)
    assert 8 < got.shape[1] < 0.6 * EXPECTED.shape[1]
    assert got.any()


def test_paper_is_0_and_ink_255() -> None:
    check(EXPECTED)
    assert EXPECTED.max() > 240
    assert np.median(EXPECTED) == 0
    assert not EXPECTED[:, :3].any()
    assert not EXPECTED[:, -3:].any()
    assert EXPECTED[:, 4:12].any()


def test_letters_get_the_same_size_whatever_stands_beside_them() -> None:
    rows = [np.flatnonzero(DEFAULT.apply(word(text)).max(axis=1) > 128) for text in ("nun", "ooo")]
    assert abs(len(rows[0]) - len(rows[1])) <= 3


# Strange images

RNG = np.random.default_rng(2)
STRANGE = {
    "1x1": np.zeros((1, 1), np.uint8),
    "1 x 20000": RNG.integers(0, 256, (1, 20_000), np.uint8),
    "20000 x 1": RNG.integers(0, 256, (20_000, 1), np.uint8),
    "100 x 20000": RNG.integers(0, 256, (100, 20_000), np.uint8),
    "1 x 200000": RNG.integers(0, 256, (1, 200_000), np.uint8),
    "one dot": np.pad(np.zeros((1, 1), np.uint8), 40, constant_values=255),
    "a line down": np.pad(np.zeros((90, 1), np.uint8), 5, constant_values=255),
    "a line across": np.pad(np.zeros((1, 900), np.uint8), 5, constant_values=255),
    "chess": np.indices((40, 40)).sum(axis=0).astype(np.uint8) % 2 * 255,
    "half": np.repeat(np.array([0, 255], np.uint8), 200).reshape(20, 20),
    "half and half": np.array([[0, 255]], np.uint8),
    "half of two grays": np.array([[90, 200], [200, 90]], np.uint8),
    "a slope": np.tile(np.arange(256, dtype=np.uint8), (30, 1)),
}


@pytest.mark.parametrize("image", STRANGE.values(), ids=STRANGE)
def test_strange_images_are_taken(image: np.ndarray) -> None:
    before = image.copy()
    check(DEFAULT.apply(image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("level", [0, 1, 99, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (64, 256), (3000, 3000)])
def test_an_empty_page_is_paper(level: int, shape: tuple[int, int]) -> None:
    got = DEFAULT.apply(np.full(shape, level, np.uint8))
    assert got.shape == (32, 8)
    assert not got.any()


def test_a_page_of_little_noise_is_paper() -> None:
    page = np.random.default_rng(0).integers(240, 247, (60, 200)).astype(np.uint8)
    assert not DEFAULT.apply(page).any()


def images() -> st.SearchStrategy[np.ndarray]:
    """Return random images: noise of a few grays, and blocks of them."""

    def make(height: int, width: int, seed: int, grays: int, block: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        levels = rng.integers(0, 256, grays, np.uint8)
        small = levels[rng.integers(0, grays, (-(-height // block), -(-width // block)))]
        return np.kron(small, np.ones((block, block), np.uint8))[:height, :width]

    size = st.integers(1, 400)
    return st.builds(
        make, size, size, st.integers(0, 2**32), st.integers(1, 6), st.sampled_from([1, 2, 9])
    )


@given(
    images(),
    st.builds(
        Preprocessing,
        height=st.sampled_from([8, 30, 32, 64]),
        spread=st.floats(0.1, 8),
        margin=st.integers(0, 64),
        max_width=st.integers(256, 300) | st.just(16384),
    ),
    st.floats(0.5, 2),
    st.floats(-100, 100),
)
def test_every_image_becomes_rows_of_one_height(
    image: np.ndarray, settings: Preprocessing, zoom: float, shift: float
) -> None:
    settings.check()
    check(settings.apply(image), settings)
    check(settings.apply(image, zoom=zoom, shift=shift), settings)


@given(images())
def test_contrast_is_stretched_in_place_of_the_pixels(image: np.ndarray) -> None:
    ink = stretched(image)
    assert (ink.shape, ink.dtype) == (image.shape, np.uint8)
    # Darker is never less ink, or lighter never is.
    order = np.argsort(image.ravel(), kind="stable")
    steps = np.diff(ink.ravel()[order].astype(int))
    assert (steps <= 0).all() or (steps >= 0).all()


def test_tall_images_are_shrunk_first() -> None:
    assert shrunk(np.zeros((960, 50), np.uint8)).shape == (96, 5)
    assert shrunk(np.zeros((20_000, 1), np.uint8)).shape == (96, 1)
    low = np.zeros((96, 50), np.uint8)
    assert shrunk(low) is low


# Options


def test_what_is_too_wide_is_squeezed() -> None:
    image = np.tile(word(), (1, 10))
    free = DEFAULT.apply(image)
    for width in (256, 257, 300, 301, 303):
        got = Preprocessing(max_width=width).apply(image)
        assert got.shape == (32, width // 4 * 4)
        assert abs(got.mean() - free.mean()) < 0.2 * free.mean()


def test_zoom_and_shift_move_the_writing() -> None:
    plain = DEFAULT.apply(word("nun"))
    larger = DEFAULT.apply(word("nun"), zoom=1.25)
    assert larger.shape[1] - 8 == pytest.approx(1.25 * (plain.shape[1] - 8), abs=4)
    down = DEFAULT.apply(word("nun"), shift=3)
    np.testing.assert_array_equal(down[3:], plain[:-3])
    for shift in (-1000.0, 1000.0):
        assert not DEFAULT.apply(word("nun"), shift=shift).any()


def test_height_spread_and_margin_are_kept() -> None:
    small, large = (Preprocessing(height=h, spread=s) for h, s in ((32, 4), (64, 11)))
    one, two = small.apply(word()), large.apply(word())
    assert (len(one), len(two)) == (32, 64)
    assert two.shape[1] > 2.5 * one.shape[1] - 32
    wide = Preprocessing(margin=20).apply(word())
    assert not wide[:, :19].any()
    assert wide[:, 20:24].any()
    assert Preprocessing(margin=0).apply(word())[:, 0].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 7}, "height must be 8 to 256, got 7; choose another number"),
        ({"height": 32.0}, r"height must be 8 to 256, got 32\.0"),
        ({"height": True}, "height must be 8 to 256, got True"),
        ({"margin": -1}, "margin must be 0 to 64, got -1"),
        ({"max_width": 100}, "max_width must be 256 to 1048576, got 100"),
        ({"max_width": None}, "max_width must be 256 to 1048576, got None"),
        ({"spread": 0}, r"spread must be 0\.1 to 32, got 0; choose another number"),
        ({"spread": 33}, r"spread must be 0\.1 to 32, got 33"),
        ({"spread": "5"}, r"spread must be 0\.1 to 32, got '5'"),
        ({"spread": math.nan}, r"spread must be 0\.1 to 32, got nan"),
        ({"spread": True}, r"spread must be 0\.1 to 32, got True"),
        ({"mirrored": 1}, r"mirrored must be true or false, got 1; choose one"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Preprocessing(**options).check()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 0), np.uint8),
    ],
)
def test_what_is_no_gray_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(InvalidValueError, match=r"^image must be uint8 of shape \(H, W\), got "):
        DEFAULT.apply(image)
