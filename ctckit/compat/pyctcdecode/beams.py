"""What pyctcdecode returns, made of a `DecodedBatch`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.compat.pyctcdecode.spelling import Spelling
from ctckit.hypotheses import DecodedBatch

Frames = tuple[int, int]
WordFrames = tuple[str, Frames]


@dataclass
class Found:
    """A text with single spaces between its words, whichever way the tokens write it.

    Attributes
    ----------
    text : as it is returned
    logit_score : log-probability of the alignments that the search gathered
    others : what else is in the score: the language model, the words, hot words
    row : the hypothesis with the best score among those that write it
    """

    text: str
    logit_score: float
    others: float
    row: int

    @property
    def lm_score(self) -> float:
        """What texts are ranked by."""
        return self.logit_score + self.others


def find_texts(decoded: DecodedBatch, line: int, spelling: Spelling) -> list[Found]:
    """Return the texts of a matrix, best first.

    Hypotheses that differ in white space alone, or in the word pieces that spell a word, are one
    text: their probabilities are added.
    """
    start, stop = decoded.hypothesis_offsets[line : line + 2].tolist()
    scores = decoded.scores[start:stop]
    if decoded.parts is None:
        matrix, others = scores, np.zeros(stop - start)
    else:
        parts = {name: column[start:stop] for name, column in decoded.parts.items()}
        matrix = parts.pop("matrix")
        others = np.sum(list(parts.values()), axis=0)
    bounds = decoded.token_offsets[start : stop + 1].tolist()
    by_text: dict[str, Found] = {}
    for i, (logit_score, other) in enumerate(zip(matrix.tolist(), others.tolist(), strict=True)):
        text = " ".join(spelling.text(decoded.token_ids[bounds[i] : bounds[i + 1]]).split())
        found = by_text.get(text)
        if found is None:
            by_text[text] = Found(text, logit_score, other, start + i)
        else:
            found.logit_score = _add(found.logit_score, logit_score)
    return sorted(by_text.values(), key=lambda one: -one.lm_score)


def _add(first: float, second: float) -> float:
    """Return the logarithm of a sum."""
    low, high = sorted((first, second))
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


class Clock:
    """Tells when the words of a matrix's hypotheses were said."""

    def __init__(self, decoded: DecodedBatch, line: int, log_probs: Any, spelling: Spelling):
        self._decoded = decoded
        self._log_probs = log_probs
        self._spelling = spelling
        self._ends: dict[tuple[int, int, int], int] = {}

    def frames(self, row: int) -> list[WordFrames]:
        """Return each word with its first frame and the one after its last, of a hypothesis.

        Both are of the likeliest alignment. Nothing where none spells the text.
        """
        start, stop = self._decoded.token_offsets[row : row + 2].tolist()
        token_ids = self._decoded.token_ids[start:stop]
        first = self._decoded.timesteps[start:stop].tolist()
        if not first or first[0] < 0:
            return []
        tokens = [*token_ids.tolist(), -1]
        first.append(len(self._log_probs))
        found = []
        for word, begin, end in self._spelling.words(token_ids):
            # Between two of a token there is a blank.
            limit = first[end + 1] - (tokens[end] == tokens[end + 1])
            found.append((word, (first[begin], self._end(tokens[end], first[end], limit))))
        return found

    def _end(self, token: int, start: int, limit: int) -> int:
        """Return where a token ends that begins in a frame and has to end before another."""
        key = token, start, limit
        if key not in self._ends:
            after = self._log_probs[start + 1 : limit]
            self._ends[key] = start + 1 + _stay(after[:, token], after[:, self._blank])
        return self._ends[key]

    @property
    def _blank(self) -> int:
        return self._spelling.tokens.blank


def _stay(token: npt.NDArray[Any], blank: npt.NDArray[Any]) -> int:
    """Return for how many frames a token rather lasts, before blanks."""
    if not len(token):
        return 0
    with np.errstate(invalid="ignore"):  # where both are impossible
        gain = np.nan_to_num(token.astype(np.float64) - blank, posinf=1e30, neginf=-1e30)
    total = np.cumsum(gain)
    best = int(total.argmax())
    return best + 1 if total[best] > 0 else 0
