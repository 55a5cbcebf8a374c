"""How long a training lasts, and how fast it learns at each moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    """

    images: int
    minutes: float | None = None
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.02
    warm_up: float = 0.02
    every: int = 20_000

    def progress(self, images: int, seconds: float) -> float:
        """Return how much of the training is done, 0 to 1."""
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(images / self.images, by_time))

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
