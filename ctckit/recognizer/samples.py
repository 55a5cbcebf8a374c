"""Training samples: real and synthetic images with their texts, mixed and cut into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError
from ctckit.recognizer.distortion import papered, stroked, warped
from ctckit.recognizer.generator import Generator
from ctckit.recognizer.preprocessing import COLUMNS, Preprocessing, UInt8Array, stretched
from ctckit.recognizer.real import RealImages

LINE_SHARE = 0.2
"""Real images that are lines, of the real images drawn; a line is worth five words of pixels."""
LINE_CHARACTERS = 22
"""A text longer than this, with spaces, counts as a line."""
POOL = 384
"""Samples that are sorted by width at a time."""


def is_line(text: str) -> bool:
    """Say whether a text is a line rather than a word or two."""
    return len(text) > LINE_CHARACTERS and text.count(" ") >= 3


@dataclass
class Sample:
    """A training image as the network wants it, and its text."""

    image: UInt8Array
    text: str


class Mixture:
    """Draws training samples: real ones, changed at random, and synthetic ones.

    Parameters
    ----------
    real : the real images; may be empty
    generator : of synthetic images, or None
    preprocessing : of the model
    synthetic_share : of the samples, 0 to 1; all are synthetic where there are no real ones

    Raises
    ------
    InvalidValueError : there are neither real images nor a generator
    """

    def __init__(
        self,
        real: RealImages,
        generator: Generator | None,
        preprocessing: Preprocessing,
        synthetic_share: float = 0.5,
    ) -> None:
        if not len(real) and generator is None:
            raise InvalidValueError(
                "training must have images, got none with a text; give --data or --synthetic"
            )
        self._real = real
        self._generator = generator
        self._preprocessing = preprocessing
        self._synthetic_share = synthetic_share if len(real) else 1.0
        lines = [i for i, text in enumerate(real.texts) if is_line(text)]
        words = [i for i, text in enumerate(real.texts) if not is_line(text)]
        self._words, self._lines = words or lines, lines or words

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample."""
        if self._generator is not None and rng.random() < self._synthetic_share:
            image, text = self._generator.sample(rng)
        else:
            image, text = self._changed(rng)
        zoom = float(np.exp(rng.normal(0, 0.09)))
        prepared = self._preprocessing.apply(image, zoom=zoom, shift=float(rng.normal(0, 1.2)))
        return Sample(prepared, text)

    def _changed(self, rng: np.random.Generator) -> tuple[UInt8Array, str]:
        group = self._lines if rng.random() < LINE_SHARE else self._words
        index = group[int(rng.integers(len(group)))]
        ink = stretched(self._real.images[index])
        if rng.random() < 0.9:
            ink = warped(ink, rng, float(rng.uniform(0.4, 1.0)))
        if rng.random() < 0.6:
            ink = stroked(ink, rng)
        image = papered(ink, rng) if rng.random() < 0.5 else 255 - ink
        return image, self._real.texts[index]


@dataclass
class TrainingBatch:
    """Samples side by side.

    Attributes
    ----------
    images : uint8 (N, height, W), 0 paper to 255 ink
    frames : int32 (N,)
    tokens : int32 (N, L), filled up with 0
    lengths : int32 (N,), tokens of each
    """

    images: UInt8Array
    frames: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]


@dataclass(frozen=True)
class LeftOut:
    """Images that were read when the training began, and cannot be read again.

    Attributes
    ----------
    ids : of the images
    """

    ids: list[str]


def frames_needed(tokens: Sequence[object]) -> int:
    """Return the frames that CTC needs for a text: one a token, one more between equal ones.

    Examples
    --------
    >>> frames_needed("hello")
    6
    """
    repeats = sum(bool(one == other) for one, other in pairwise(tokens))
    return len(tokens) + repeats


class Batcher:
    """Cuts samples into batches of about the same width.

    Samples that hold a character which the alphabet lacks are passed over, and those whose text
    needs more frames than the image has.

    Parameters
    ----------
    mixture : where samples come from
    alphabet : what texts are encoded with, a character a token
    columns : image columns in a batch at most, the padding included; a wider sample is alone
    seed : of all chance
    most : samples in a batch at most
    """

    def __init__(
        self,
        mixture: Mixture,
        alphabet: Alphabet,
        columns: int,
        seed: int | Sequence[int],
        most: int = 64,
    ) -> None:
        self._mixture = mixture
        self._columns = columns
        self._most = most
        self._rng = np.random.default_rng(seed)
        self._ids = {token: i for i, token in enumerate(alphabet.tokens) if i != alphabet.blank}

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Yield batches without end.

        Raises
        ------
        InvalidValueError : ``POOL`` samples in a row cannot be used
        """
        while True:
            pool = [sample for _ in range(POOL) if (sample := self._usable()) is not None]
            if not pool:
                raise InvalidValueError(
                    f"training images must be wide enough for their texts, got {POOL} in a row "
                    "that are not; check the texts"
                )
            pool.sort(key=lambda sample: sample[0].shape[1])
            batches = list(self._cut(pool))
            yield from (batches[i] for i in self._rng.permutation(len(batches)))

    def _usable(self) -> tuple[UInt8Array, list[int]] | None:
        sample = self._mixture.sample(self._rng)
        tokens = [id for char in sample.text if (id := self._ids.get(char)) is not None]
        if len(tokens) < len(sample.text):
            return None
        if frames_needed(tokens) > sample.image.shape[1] // COLUMNS:
            return None
        return sample.image, tokens

    def _cut(self, pool: Sequence[tuple[UInt8Array, list[int]]]) -> Iterator[TrainingBatch]:
        start = 0
        while start < len(pool):
            stop = start + 1
            while stop < len(pool) and stop - start < self._most:
                if pool[stop][0].shape[1] * (stop + 1 - start) > self._columns:
                    break
                stop += 1
            yield _side_by_side(pool[start:stop])
            start = stop


def _side_by_side(samples: Sequence[tuple[UInt8Array, list[int]]]) -> TrainingBatch:
    height = samples[0][0].shape[0]
    width = max(image.shape[1] for image, _ in samples)
    longest = max(1, *(len(tokens) for _, tokens in samples))
    images = np.zeros((len(samples), height, width), np.uint8)
    tokens = np.zeros((len(samples), longest), np.int32)
    for i, (image, text) in enumerate(samples):
        images[i, :, : image.shape[1]] = image
        tokens[i, : len(text)] = text
    frames = np.array([image.shape[1] // COLUMNS for image, _ in samples], np.int32)
    lengths = np.array([len(text) for _, text in samples], np.int32)
    return TrainingBatch(images, frames, tokens, lengths)
