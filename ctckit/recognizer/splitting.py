"""Which images to validate on: all of some writers or pages, where these are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

LARGEST = 0.2
"""The smallest group may be this share of the images, if it is more than was asked for."""


@dataclass(frozen=True)
class Chosen:
    """Images to validate on.

    Attributes
    ----------
    indices : of the images, rising
    groups : writers or pages that they are of; 0 where images were chosen one by one
    note : what is to be said about the choice, or nothing
    """

    indices: list[int]
    groups: int = 0
    note: str = ""


def choose_validation(groups: Sequence[str | None], share: float, seed: int) -> Chosen:
    """Return the images to validate on: about a share of them, the same for the same seed.

    All images of a writer or page are on one side, so that the errors are those on new hands. An
    image whose group is not known is one of its own. Where even the smallest group is too large
    a part, images are chosen one by one. At least one is left to train on; and of two and more,
    one to validate on, unless the share is 0.

    Parameters
    ----------
    groups : of each image
    share : of the images, 0 to below 1
    """
    count = len(groups)
    if share <= 0 or not count:
        return Chosen([])
    if count == 1:
        return Chosen([], note="1 image is too few to keep one out of training for validation")
    wanted = min(max(1, round(share * count)), count - 1)
    rng = np.random.default_rng([seed, 7])
    keys: list[Hashable] = [i if group is None else group for i, group in enumerate(groups)]
    sizes = Counter(keys)
    if len(sizes) == count:
        return Chosen(sorted(rng.permutation(count)[:wanted].tolist()))
    chosen = _filled(sizes, wanted, rng)
    if not chosen:
        smallest = min(sizes, key=lambda key: sizes[key])
        if sizes[smallest] > LARGEST * count:
            note = (
                f"the writers or pages are too few or too large to keep some out of training "
                f"({len(sizes)}): images are validated on whose hand is trained on too"
            )
            return Chosen(sorted(rng.permutation(count)[:wanted].tolist()), note=note)
        chosen = {smallest}
    return Chosen([i for i, key in enumerate(keys) if key in chosen], len(chosen))


def _filled(sizes: Counter[Hashable], wanted: int, rng: np.random.Generator) -> set[Hashable]:
    """Return groups in random order, as many as fit into `wanted` images."""
    keys = list(sizes)
    chosen: set[Hashable] = set()
    room = wanted
    for i in rng.permutation(len(keys)):
        if sizes[keys[i]] <= room:
            chosen.add(keys[i])
            room -= sizes[keys[i]]
    return chosen
