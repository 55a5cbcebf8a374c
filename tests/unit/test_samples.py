"""Training samples: how they are mixed, and cut into batches."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from ctckit import Alphabet
from ctckit.errors import InvalidValueError
from ctckit.recognizer import samples
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.real import RealImages
from ctckit.recognizer.samples import Batcher, Mixture, Sample, frames_needed, is_line

LINE = "a line of several words"


def real(*texts: str) -> RealImages:
    rng = np.random.default_rng(0)
    images = []
    for text in texts:
        image = np.full((40, 30 + 20 * len(text)), 255, np.uint8)
        image[10:30, 10:-10] = rng.integers(0, 100, (20, image.shape[1] - 20))
        images.append(image)
    return RealImages([str(i) for i in range(len(texts))], list(texts), images)


class Drawn:
    """Stands for the generator: words that no real image has."""

    def sample(self, rng: np.random.Generator) -> tuple[Any, str]:
        return real("drawn").images[0], "drawn"


class Widths:
    """Stands for a mixture: samples of random widths, or of one."""

    def __init__(self, text: str = "ab", width: int = 0) -> None:
        self.text, self.width = text, width

    def sample(self, rng: np.random.Generator) -> Sample:
        width = self.width or 4 * int(rng.integers(2, 200))
        return Sample(np.full((8, width), 7, np.uint8), self.text)


def shares(mixture: Mixture, count: int = 400) -> dict[str, float]:
    rng = np.random.default_rng(1)
    texts = [mixture.sample(rng).text for _ in range(count)]
    return {
        "drawn": texts.count("drawn") / count,
        "lines": sum(map(is_line, texts)) / count,
        "words": sum(text != "drawn" and not is_line(text) for text in texts) / count,
    }


def test_shares_of_the_mixture() -> None:
    words = real("one", "two", LINE)
    generator: Any = Drawn()
    found = shares(Mixture(words, generator, Preprocessing(), 0.5))
    assert found["drawn"] == pytest.approx(0.5, abs=0.08)
    assert found["lines"] == pytest.approx(0.1, abs=0.05)
    assert shares(Mixture(words, None, Preprocessing(), 0.5), 100)["drawn"] == 0
    assert shares(Mixture(words, generator, Preprocessing(), 1.0), 100)["drawn"] == 1
    assert shares(Mixture(RealImages(), generator, Preprocessing(), 0.1), 100)["drawn"] == 1
    assert shares(Mixture(real(LINE), None, Preprocessing()), 50)["lines"] == 1
    assert shares(Mixture(real("one"), None, Preprocessing()), 50)["words"] == 1


def test_a_mixture_of_nothing() -> None:
    with pytest.raises(InvalidValueError, match=r"training must have images, got none with a text"):
        Mixture(RealImages(), None, Preprocessing())


def test_frames_needed_is_what_ctc_needs() -> None:
    """As many frames as the shortest path over two letters and the blank that collapses so."""

    def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(token for token, _ in itertools.groupby(path) if token != 2)

    shortest: dict[tuple[int, ...], int] = {}
    for frames in range(8):
        for path in itertools.product(range(3), repeat=frames):
            shortest.setdefault(collapsed(path), frames)
    for length in range(5):
        for text in itertools.product(range(2), repeat=length):
            assert frames_needed(text) == shortest[text]
            assert frames_needed(np.array(text, int)) == shortest[text]


ALPHABET = Alphabet(["b", "a", ""], blank=2)


def batches(mixture: Any, count: int, columns: int = 2000, **options: Any) -> list[Any]:
    return list(itertools.islice(Batcher(mixture, ALPHABET, columns, 3, **options), count))


def test_batches_keep_to_the_budget() -> None:
    made = batches(Widths(), 300, most=9)
    sizes = []
    for batch in made:
        count, height, width = batch.images.shape
        assert height == 8
        assert count == len(batch.frames) == len(batch.tokens) == len(batch.lengths) <= 9
        assert count == 1 or count * width <= 2000
        assert (batch.images[0, 0] != 0).sum() == 4 * batch.frames[0]
        assert width == 4 * batch.frames.max()
        assert batch.tokens.tolist() == [[1, 0]] * count
        assert batch.lengths.tolist() == [2] * count
        assert batch.images.dtype == np.uint8
        assert {batch.frames.dtype, batch.tokens.dtype, batch.lengths.dtype} == {np.dtype("int32")}
        sizes.append(count)
    assert max(sizes) == 9
    waste = np.concatenate([1 - batch.frames / batch.frames.max() for batch in made])
    assert waste.mean() < 0.1


def test_a_sample_wider_than_the_budget_is_alone() -> None:
    assert [len(batch.frames) for batch in batches(Widths(width=400), 5, columns=300)] == [1] * 5


def test_the_same_seed_gives_the_same_batches() -> None:
    one, other = batches(Widths(), 20), batches(Widths(), 20)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.images, second.images)


@pytest.mark.parametrize(("text", "width"), [("abb", 12), ("aaaa", 24), ("abc", 400)])
def test_unusable_samples_end(text: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "POOL", 10)
    with pytest.raises(InvalidValueError, match=r"wide enough for their texts, got 10 in a row"):
        batches(Widths(text, width), 1)
    assert batches(Widths("aaaa", 28), 1)[0].lengths[0] == 4
