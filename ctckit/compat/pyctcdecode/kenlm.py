"""What pyctcdecode calls of the Python package kenlm, over `ctckit.language.NGramModel`."""

from __future__ import annotations

import math
import os
from pathlib import Path

from ctckit.errors import InvalidValueError
from ctckit.language.ngrams import NGramModel

LOG_10 = math.log(10.0)


class State:
    """What a model has to know of the words before the next one.

    It can be compared, hashed and pickled.

    Attributes
    ----------
    words : the last ones, at most one less than the model's order
    begins : whether the text begins right before them, and the model counts that
    """

    __slots__ = ("begins", "words")

    def __init__(self, words: tuple[str, ...] = (), begins: bool = False) -> None:
        self.words = words
        self.begins = begins

    def after(self, words: tuple[str, ...], order: int) -> State:
        """Return the state after more words, for a model of an order."""
        longer = self.words + words
        kept = order - 1
        begins = self.begins and len(longer) < kept
        return State(longer[-kept:] if kept else (), begins)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[tuple[str, ...], bool]:
        return self.words, self.begins

    def __repr__(self) -> str:
        return f"State({self.words!r}, begins={self.begins})"

    def __reduce__(self) -> tuple[type[State], tuple[tuple[str, ...], bool]]:
        return State, self._values()


class Model:
    """An n-gram model under kenlm's names. Scores are log10.

    Parameters
    ----------
    path : of an ARPA file, plain or gzip, or of what `NGramModel.save` wrote

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : a file of KenLM's binary format, or another that cannot be read
    """

    def __init__(self, path: str | bytes | os.PathLike[str]) -> None:
        where = Path(os.fsdecode(path)).absolute()
        self.path = os.fsencode(where)
        self.ngrams = NGramModel.load(where)

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return self.ngrams.order

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.ngrams.word_id(word) != self.ngrams.unknown

    def BeginSentenceWrite(self, state: State) -> None:  # noqa: N802
        """Set a state to the begin of a sentence."""
        state.words = ()
        state.begins = self.ngrams.begin >= 0 and self.order > 1

    def NullContextWrite(self, state: State) -> None:  # noqa: N802
        """Set a state to no context."""
        state.words, state.begins = (), False

    def BaseScore(self, in_state: State, word: str, out_state: State) -> float:  # noqa: N802
        """Return the log10 probability of a word after a state, and set the state after it."""
        if not isinstance(in_state, State):
            raise InvalidValueError(
                f"a state must be one of ctckit.compat.pyctcdecode, got "
                f"{type(in_state).__name__}; get the first by get_start_state()"
            )
        log_probs, _ = self.ngrams.word_scores(
            [*in_state.words, word], begin=in_state.begins, end=False
        )
        following = in_state.after((word,), self.order)
        out_state.words, out_state.begins = following.words, following.begins
        return float(log_probs[-1]) / LOG_10

    def score(self, sentence: str, bos: bool = True, eos: bool = True) -> float:
        """Return the log10 probability of a sentence, its words between spaces."""
        return self.ngrams.score(sentence.split(), begin=bos, end=eos) / LOG_10

    def __repr__(self) -> str:
        return f"Model({os.fsdecode(self.path)!r})"

    def __reduce__(self) -> tuple[type[Model], tuple[bytes]]:
        return Model, (self.path,)
