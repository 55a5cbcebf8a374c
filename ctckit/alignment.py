"""Which frames belong to which token of a text."""

from __future__ import annotations

import numpy as np

from ctckit.errors import InvalidValueError
from ctckit.hypotheses import Hypothesis
from ctckit.intake import Float32Array
from ctckit.matrices import MatrixBatch


def token_spans(
    batch: MatrixBatch, hypothesis: Hypothesis, index: int = 0
) -> list[tuple[int, int]]:
    """Return for each token its first frame on the likeliest alignment, and the one after its last.

    Between two tokens are frames of the blank, or none. Of equally likely ends the earliest is
    taken. The spans depend on the matrix and the text, not on the decoder that found it.

    Parameters
    ----------
    batch : matrices, among them the one that was decoded
    hypothesis : what was found in it
    index : which matrix of `batch` that is

    Raises
    ------
    InvalidValueError : `hypothesis` cannot be of that matrix, or no alignment spells its text

    Examples
    --------
    >>> import numpy as np
    >>> from ctckit import Alphabet, MatrixBatch, load_decoder
    >>> frames = np.array([[0, 5, 0], [5, 0, 0], [5, 0, 0], [0, 0, 5], [0, 5, 0.0]])
    >>> batch = MatrixBatch.from_logits([frames], Alphabet(["a", "b", ""], blank=2))
    >>> best = load_decoder("beamsearch", batch.alphabet).decode_batch(batch)[0][0]
    >>> best.text, token_spans(batch, best)
    ('bab', [(0, 1), (1, 3), (4, 5)])
    """
    log_probs, starts = batch[index], hypothesis.timesteps
    if batch.alphabet.decode(hypothesis.token_ids) != hypothesis.text:
        raise InvalidValueError(
            f"hypothesis must be spelled in the batch's alphabet, got {hypothesis.text!r}; "
            "give the matrix that was decoded"
        )
    if starts is None:
        raise InvalidValueError(
            f"hypothesis must have an alignment, got {hypothesis.text!r}, which no path spells; "
            "take another hypothesis"
        )
    if starts and starts[-1] >= len(log_probs):
        raise InvalidValueError(
            f"hypothesis must be of a matrix of {len(log_probs)} frames, got a token in frame "
            f"{starts[-1]}; give the matrix that was decoded"
        )
    ids = hypothesis.token_ids
    spans = []
    for k, (start, stop) in enumerate(zip(starts, [*starts, len(log_probs)][1:], strict=True)):
        # Between two equal tokens stands a blank.
        last = stop - 1 if ids[k + 1 : k + 2] == ids[k : k + 1] else stop
        spans.append((start, start + _frames(log_probs[start:stop], last - start, ids[k],
                                             batch.alphabet.blank)))  # fmt: skip
    return spans


def _frames(log_probs: Float32Array, most: int, token: int, blank: int) -> int:
    """Return how many frames a token has, at least 1; those after it are the blank's."""
    at_token = np.cumsum(log_probs[:most, token], dtype=np.float64)
    after = np.cumsum(log_probs[:0:-1, blank], dtype=np.float64)[::-1]
    at_blank = np.concatenate([after, [0.0]])[:most]
    return int(np.argmax(at_token + at_blank)) + 1
