"""How sure error rates are (bootstrap), and how true probabilities are (calibration)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.metrics import count_errors

Float64Array = npt.NDArray[np.float64]
COLUMNS = ("edits", "characters", "word_edits", "words", "exact_lines", "lines")
"""Of a table of counts: the fields of `ctckit.metrics.ErrorCounts`."""
RATES = {
    "cer": ("edits", "characters"),
    "wer": ("word_edits", "words"),
    "exact": ("exact_lines", "lines"),
}


def counts_by_image(references: Sequence[str], texts: Sequence[str]) -> Float64Array:
    """Return the error counts of each image, shape (N, 6); see `COLUMNS`."""
    counts = [count_errors([one], [text]) for one, text in zip(references, texts, strict=True)]
    return np.array([[getattr(one, name) for name in COLUMNS] for one in counts], dtype=np.float64)


def resample(images: int, times: int, seed: int) -> Float64Array:
    """Return how often each of N images is drawn in each resample, shape (times, N).

    N are drawn with replacement each time. The same seed gives the same draws, so that decoders
    are compared on the same images.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(images, np.full(images, 1 / images), size=times).astype(np.float64)


def interval(values: Float64Array) -> tuple[float, float]:
    """Return the range of the middle 95 in 100, NaN (0 / 0) left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _share(above: Float64Array, below: Float64Array) -> Float64Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below)


def rates_of(counts: Float64Array, draws: Float64Array) -> dict[str, Any]:
    """Return CER, WER and the exact share of all images, each with its 95% interval.

    Parameters
    ----------
    counts : of each image, shape (N, 6), from `counts_by_image`
    draws : shape (times, N), from `resample`
    """
    total, drawn = counts.sum(axis=0), draws @ counts
    found: dict[str, Any] = {}
    for name, (errors, all_of_them) in RATES.items():
        above, below = COLUMNS.index(errors), COLUMNS.index(all_of_them)
        found[name] = float(_share(total[above], total[below]))
        found[f"{name}_95"] = interval(_share(drawn[:, above], drawn[:, below]))
    return found


def word_error_ratio(
    counts: Float64Array, baseline: Float64Array, draws: Float64Array
) -> tuple[float, tuple[float, float]]:
    """Return the word errors of one decoder over those of another, with its 95% interval.

    Both are counted on the same images, and resampled together.
    """
    column = COLUMNS.index("word_edits")
    ratio = float(_share(counts[:, column].sum(), baseline[:, column].sum()))
    return ratio, interval(_share(draws @ counts[:, column], draws @ baseline[:, column]))


@dataclass(frozen=True)
class Bin:
    """Texts whose probability lies in one range.

    Attributes
    ----------
    low, high : the range; `high` belongs to the next bin, but 1 to the last
    texts : how many there are
    probability : their mean probability; NaN for none
    exact : share of them that are right; NaN for none
    exact_95 : its 95% interval (Wilson, 1927); NaN for none
    """

    low: float
    high: float
    texts: int
    probability: float
    exact: float
    exact_95: tuple[float, float]


def wilson(right: float, texts: int) -> tuple[float, float]:
    """Return the 95% interval of Wilson (1927) of the share `right` / `texts`."""
    z = 1.959964
    share, spread = right / texts, z * z / texts
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / texts + spread / texts / 4) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def calibration(
    probabilities: npt.ArrayLike, exact: npt.ArrayLike, bins: int = 10
) -> tuple[list[Bin], float]:
    """Return texts in bins of equal width by their probability, and the calibration error.

    The expected calibration error (Naeini et al., 2015) is the distance of the share that is right
    from the mean probability, averaged over all texts.

    Parameters
    ----------
    probabilities : of each text, 0 to 1
    exact : whether it is right
    """
    values, right = np.asarray(probabilities, float), np.asarray(exact, float)
    numbers = np.minimum((values * bins).astype(int), bins - 1)
    found, error = [], 0.0
    nothing = (math.nan, math.nan)
    for number in range(bins):
        inside = numbers == number
        texts = int(inside.sum())
        mean = float(values[inside].mean()) if texts else math.nan
        share = float(right[inside].mean()) if texts else math.nan
        limits = wilson(float(right[inside].sum()), texts) if texts else nothing
        found.append(Bin(number / bins, (number + 1) / bins, texts, mean, share, limits))
        error += texts * abs(mean - share) / len(values) if texts else 0.0
    return found, error
