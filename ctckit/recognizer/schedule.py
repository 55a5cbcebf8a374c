"""How long a training lasts, and how fast it learns at each moment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

_START = 0.02
"""The rate of learning at the very first, as a share of its peak."""
_LEAST = 1e-3
"""The rate of learning at the end, as a share of its peak."""


@dataclass(frozen=True)
class Schedule:
    """How long to train, and how fast to learn.

    Attributes
    ----------
    images : to train on; the rate of learning falls to nothing at their end
    minutes : after which training ends, whatever `images` says; None: no limit
    learning_rate : at its peak
    weight_decay : of AdamW, decoupled
    warm_up : share of the training in which the rate rises to its peak
    every : images between two evaluations
    patience : evaluations in a row that do not better the CER, after which training ends; None: no
        limit
    """

    images: int
    minutes: float | None = None
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.02
    warm_up: float = 0.02
    every: int = 20_000
    patience: int | None = None

    def progress(self, images: int, seconds: float) -> float:
        """Return how much of the training is done, 0 to 1."""
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(images / self.images, by_time))

    def end(self, images: int, seconds: float, stale: int) -> str:
        """Return what has ended the training, the name of an attribute; empty if nothing has.

        Parameters
        ----------
        images, seconds : trained on so far
        stale : evaluations in a row that have not bettered the CER
        """
        if images >= self.images:
            return "images"
        if self.progress(images, seconds) >= 1:
            return "minutes"
        if self.patience is not None and stale >= self.patience:
            return "patience"
        return ""

    def rate(self, progress: float) -> float:
        """Return the rate of learning: a line up, then half a cosine down.

        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), but
        without the restarts.
        """
        if progress < self.warm_up:
            return self.learning_rate * (_START + (1 - _START) * progress / self.warm_up)
        fall = (progress - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * max(_LEAST, 0.5 * (1 + math.cos(math.pi * fall)))

    def next_evaluation(self, images: int) -> int:
        """Return the number of images at which the next evaluation is due."""
        return (images // self.every + 1) * self.every


def images_of_epochs(epochs: int, real: int, synthetic_share: float) -> int:
    """Return how many images to train on, so that each real one is drawn `epochs` times on average.

    Parameters
    ----------
    epochs : 1 or more
    real : real images to train on
    synthetic_share : of all images, 0 to below 1

    Examples
    --------
    >>> images_of_epochs(10, 550, 0.45)
    10000
    """
    # 0.45 is no binary fraction; that must not make one image more.
    return math.ceil(epochs * real / (1 - Fraction(str(synthetic_share))))
