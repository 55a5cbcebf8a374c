"""What pyctcdecode returns, made of a `DecodedBatch`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.compat.pyctcdecode.spelling import Spelling
from ctckit.hypotheses import DecodedBatch, SearchResult
from ctckit.intake import offsets_of
from ctckit.matrices import MatrixBatch

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
    token_ids : of the hypothesis with the best score among those that write it
    """

    text: str
    logit_score: float
    others: float
    token_ids: npt.NDArray[np.int32]

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
        token_ids = decoded.token_ids[bounds[i] : bounds[i + 1]]
        text = " ".join(spelling.text(token_ids).split())
        found = by_text.get(text)
        if found is None:
            by_text[text] = Found(text, logit_score, other, token_ids)
        else:
            found.logit_score = _add(found.logit_score, logit_score)
    return sorted(by_text.values(), key=lambda one: -one.lm_score)


def _add(first: float, second: float) -> float:
    """Return the logarithm of a sum."""
    low, high = sorted((first, second))
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def settled_text(decoded: DecodedBatch, line: int, spelling: Spelling) -> str | None:
    """Return the best text of a matrix where it is the best whatever white space is merged.

    Most texts are; it takes a tenth of the time of `find_texts`. None where that has to tell.
    """
    if not spelling.has_plain_spaces:
        return None
    start, stop = decoded.hypothesis_offsets[line : line + 2].tolist()
    offsets = decoded.token_offsets[start : stop + 1]
    loose = _with_loose_spaces(
        decoded.token_ids[offsets[0] : offsets[-1]] == spelling.space, offsets - offsets[0]
    )
    scores = decoded.scores[start:stop]
    if loose[0]:
        return None
    if loose.any():
        # All of them may be the second text, but for their spaces.
        tight = scores[~loose]
        rivals = np.logaddexp.reduce([*tight[1:2], *scores[loose]])
        if not scores[0] > rivals:
            return None
    return spelling.text(decoded.token_ids[offsets[0] : offsets[1]])


def _with_loose_spaces(
    is_space: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which texts have a space at an end, or two in a row."""
    loose = np.zeros(len(offsets) - 1, dtype=bool)
    if not is_space.any():
        return loose
    filled = np.flatnonzero(np.diff(offsets))
    first, end = offsets[filled], offsets[filled + 1]
    pairs = np.zeros(len(is_space), dtype=np.int64)  # that end before each position
    np.cumsum(is_space[1:] & is_space[:-1], out=pairs[1:])
    loose[filled] = is_space[first] | is_space[end - 1] | (pairs[end - 1] > pairs[first])
    return loose


def word_frames(
    batch: MatrixBatch, lines: Sequence[Sequence[Found]], spelling: Spelling
) -> Iterator[list[list[WordFrames]]]:
    """Yield of each matrix its texts' words, with their first frame and the one after the last.

    Both are of the likeliest alignment. Nothing where none spells the text.
    """
    texts = [one for line in lines for one in line]
    offsets = offsets_of([len(one.token_ids) for one in texts])
    by_line = offsets_of([len(line) for line in lines])
    token_ids = np.concatenate([one.token_ids for one in texts])
    scores = np.array([one.lm_score for one in texts])
    timesteps = DecodedBatch(batch, SearchResult(token_ids, offsets, by_line, scores)).timesteps
    row = 0
    for log_probs, line in zip(batch, lines, strict=True):
        clock = _Clock(log_probs, spelling)
        found = []
        for text in line:
            first = timesteps[offsets[row] : offsets[row + 1]].tolist()
            found.append(clock.frames(text.token_ids, first))
            row += 1
        yield found


class _Clock:
    """Tells when the words of one matrix's texts were said."""

    def __init__(self, log_probs: npt.NDArray[np.float32], spelling: Spelling) -> None:
        self._log_probs = log_probs
        self._spelling = spelling
        self._ends: dict[tuple[int, int, int], int] = {}

    def frames(self, token_ids: npt.NDArray[np.int32], first: list[int]) -> list[WordFrames]:
        """Return each word of a text, whose tokens begin in some frames."""
        if not first or first[0] < 0:
            return []
        tokens = [*token_ids.tolist(), -1]
        first = [*first, len(self._log_probs)]
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
            blank = self._spelling.tokens.blank
            after = self._log_probs[start + 1 : limit]
            self._ends[key] = start + 1 + _stay(after[:, token], after[:, blank])
        return self._ends[key]


def _stay(token: npt.NDArray[Any], blank: npt.NDArray[Any]) -> int:
    """Return for how many frames a token rather lasts, before blanks."""
    if not len(token):
        return 0
    with np.errstate(invalid="ignore"):  # where both are impossible
        gain = np.nan_to_num(token.astype(np.float64) - blank, posinf=1e30, neginf=-1e30)
    total = np.cumsum(gain)
    best = int(total.argmax())
    return best + 1 if total[best] > 0 else 0
