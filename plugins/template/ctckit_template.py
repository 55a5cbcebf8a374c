"""The decoder `template`."""

import numpy as np
import numpy.typing as npt

import ctckit


@ctckit.decoder
def template(log_probs: npt.NDArray[np.float32], alphabet: ctckit.Alphabet) -> str:
    """Take the likeliest class of each frame, drop repeats, then blanks."""
    path = log_probs.argmax(axis=1)
    begins = np.diff(path, prepend=-1) != 0
    return alphabet.decode(path[begins & (path != alphabet.blank)])
