"""Synthetic images: the texts, the fonts, and what is left out."""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer import generator
from ctckit.recognizer.fonts import Fonts
from ctckit.recognizer.generator import Generator
from ctckit.recognizer.words import ASCII, WordSource

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALL = "".join(sorted(ASCII | set("«»£€°éÉ")))
MakeFont = Callable[..., Path]


@pytest.fixture
def fonts(tmp_path: Path, make_font: MakeFont) -> Fonts:
    """One font with everything, one of capitals."""
    make_font(tmp_path / "fonts" / "all.ttf", ALL)
    make_font(tmp_path / "fonts" / "capitals.ttf", LETTERS.upper() + " ")
    return Fonts(tmp_path / "fonts")


def texts(source: WordSource, count: int, seed: int = 1) -> list[str]:
    rng = np.random.default_rng(seed)
    return [source.text(rng) for _ in range(count)]


def test_the_same_seed_gives_the_same_samples(fonts: Fonts) -> None:
    made = Generator(WordSource({"w": ["one", "other", "été"]}), fonts)
    runs = []
    for seed in (5, 5, 6):
        rng = np.random.default_rng(seed)
        runs.append([made.sample(rng) for _ in range(20)])
    for (image, text), (again, same) in zip(runs[0], runs[1], strict=True):
        assert text == same
        np.testing.assert_array_equal(image, again)
    assert [text for _, text in runs[0]] != [text for _, text in runs[2]]


def test_images_show_something(fonts: Fonts) -> None:
    made = Generator(WordSource({"w": ["a", "big", "house"]}), fonts)
    rng = np.random.default_rng(2)
    for _ in range(300):
        image, text = made.sample(rng)
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert int(image.max()) - int(image.min()) > 20, text
        assert text == text.strip() != ""


def test_every_text_is_in_the_characters() -> None:
    source = WordSource({"w": ["été", "straße", "œuf", "ŉ", "New York"], "x": ["ÿ", "'"]})
    known = source.characters()
    assert known >= ASCII
    assert {"É", "Œ", "Ÿ", "ß", "€"} <= known
    for text in texts(source, 4000):
        assert known.issuperset(text), text


def test_each_list_is_drawn_from_equally() -> None:
    source = WordSource({"long": ["a"] * 5000, "short": ["b"], "short again": ["b"]})
    rng = np.random.default_rng(3)
    counts = collections.Counter(source.word(rng) for _ in range(6000))
    assert counts["b"] / counts["a"] == pytest.approx(2, rel=0.1)


def test_running_text_has_marks_numbers_and_capitals() -> None:
    found = texts(WordSource({"w": ["word", "other"]}), 5000)
    words = [text for text in found if " " not in text]

    def share(has: Callable[[str], bool]) -> float:
        return sum(map(has, words)) / len(words)

    assert 0.05 < share(lambda text: any(char.isdigit() for char in text)) < 0.10
    assert 0.10 < share(lambda text: text[0].isupper() and not text.isupper()) < 0.20
    assert 0.02 < share(str.isupper) < 0.07
    assert 0.06 < share(lambda text: text[-1] in ",.;:!?-") < 0.14
    assert 0.10 < 1 - len(words) / len(found) < 0.18


def test_lists_without_words() -> None:
    with pytest.raises(InvalidValueError, match=r"at least one word, got none in 'b'; give a word"):
        WordSource({"a": ["x"], "b": ["", " "]})
    with pytest.raises(InvalidValueError, match=r"words must hold at least one list, got none; "):
        WordSource({})


def test_a_font_draws_only_what_it_has(fonts: Fonts) -> None:
    rng = np.random.default_rng(4)
    assert fonts.names == ["all", "capitals"]
    assert fonts.can_draw("ABC")
    assert not fonts.can_draw("Ω")
    assert fonts.draw("Ωa", rng) is None
    assert fonts.draw(" ", rng) is None
    chosen = collections.Counter(fonts._choose("AB", rng) is fonts._fonts[0] for _ in range(400))
    assert 140 < chosen[True] < 260
    assert all(fonts._choose("ab", rng) is fonts._fonts[0] for _ in range(50))


@pytest.mark.parametrize("seed", range(12))
def test_nothing_of_a_letter_is_cut_off(fonts: Fonts, seed: int) -> None:
    """Two pixels of paper are around the ink, whatever the spacing."""
    ink = fonts.draw("XQW", np.random.default_rng(seed))
    assert ink is not None
    inner = ink[2:-2, 2:-2]
    assert ink.sum() == inner.sum()
    assert all(edge.any() for edge in (inner[0], inner[-1], inner[:, 0], inner[:, -1]))


def test_blank_letters_and_missing_spaces(tmp_path: Path, make_font: MakeFont) -> None:
    make_font(tmp_path / "odd.ttf", "ab-", blank="-")
    fonts = Fonts(tmp_path)
    rng = np.random.default_rng(5)
    assert fonts.draw("ab", rng) is not None
    assert fonts.draw("a b", rng) is None
    assert fonts.draw("a-b", rng) is None
    assert not fonts.can_draw("-")


def test_folders_without_fonts(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotFoundError, match=r"fonts must be a folder of .ttf or .otf files, g"):
            Fonts(folder)
    (tmp_path / "._hidden.ttf").write_bytes(b"x")
    (tmp_path / "broken.TTF").write_bytes(b"no font at all")
    with pytest.raises(
        InvalidValueError, match=r"font must be a sound .*'.*broken.TTF' \(.+\); take it out"
    ):
        Fonts(tmp_path)


def test_words_that_no_font_has_are_left_out(fonts: Fonts) -> None:
    made = Generator(WordSource({"w": ["ok", "Ωmega", "fine"], "x": ["good"]}), fonts)
    assert made.left_out == {"w": 1}
    assert made.words.lists == {"w": ["ok", "fine"], "x": ["good"]}
    assert "Ω" not in made.words.characters()
    with pytest.raises(
        InvalidValueError,
        match=r"fonts must have the characters of a word, got none for 'g' \(no font has Ψ Ω\); ",
    ):
        Generator(WordSource({"x": ["good"], "g": ["Ω", "ΨΩ"]}), fonts)


def test_texts_that_cannot_be_drawn_end(
    fonts: Fonts, tmp_path: Path, make_font: MakeFont, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "MOST_TRIES", 20)
    make_font(tmp_path / "blank" / "blank.ttf", ALL, blank=ALL)
    made = Generator(WordSource({"w": ["ab"]}), Fonts(tmp_path / "blank"))
    with pytest.raises(
        InvalidValueError,
        match=r"got 20 texts in a row that none can draw, the last '.*' \(no font has .*; give oth",
    ):
        made.sample(np.random.default_rng(0))
