"""Language models under pyctcdecode's names: an n-gram model, and how it is weighed."""

from __future__ import annotations

import abc
import bisect
import json
import math
import numbers
import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

from ctckit.compat.pyctcdecode.constants import (
    AVG_TOKEN_LEN,
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    DEFAULT_SCORE_LM_BOUNDARY,
    DEFAULT_UNK_LOGP_OFFSET,
    LOG_BASE_CHANGE_FACTOR,
)
from ctckit.compat.pyctcdecode.folders import read_fields, read_lines, save_model, visible_names
from ctckit.compat.pyctcdecode.kenlm import Model, State
from ctckit.compat.renaming import listed
from ctckit.errors import InvalidValueError, warn_user
from ctckit.language.corpus import SPACE
from ctckit.language.ngrams import NGramModel


def load_unigram_set_from_arpa(arpa_path: str) -> set[str]:
    """Return the words of an ARPA file, without ``<unk>``, ``<s>`` and ``</s>``."""
    return set(_words_of(NGramModel.load(arpa_path)))


class AbstractLanguageModel(abc.ABC):
    """What a language model has. The search scores by `LanguageModel` alone."""

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """The length of the longest n-grams."""

    @abc.abstractmethod
    def get_start_state(self) -> State:
        """Return the state before the first word."""

    @abc.abstractmethod
    def score_partial_token(self, partial_token: str) -> float:
        """Return what a word in the making costs."""

    @abc.abstractmethod
    def score(
        self, prev_state: State, word: str, is_last_word: bool = False
    ) -> tuple[float, State]:
        """Return what a word adds to a text's score, and the state after it."""

    def save_to_dir(self, filepath: str) -> None:
        """Write the model to a folder."""
        raise NotImplementedError

    @classmethod
    def load_from_dir(cls, filepath: str) -> AbstractLanguageModel:
        """Return the model of a folder."""
        raise NotImplementedError

    def reset_params(self, **params: Any) -> None:  # noqa: B027 - to be overridden at will
        """Set weights."""


class LanguageModel(AbstractLanguageModel):
    """An n-gram model of words and its weights, which may be set at any time.

    Parameters
    ----------
    kenlm_model : a kenlm.Model of an ARPA file, a `Model`, an `NGramModel`, or a path of what
        these load
    unigrams : the words that count as known, of those that the model has; None or none: all
    alpha : weight of the model's log-probabilities, at least 0
    beta : added for each word
    unk_score_offset : added, times alpha and ln 10, for each unknown word; at most 0
    score_boundary : whether the model scores the start and the end of a text

    Raises
    ------
    InvalidValueError : a model that cannot be read, unigrams of which it has none, or a weight out
        of its range
    NotFoundError : no such file
    """

    JSON_ATTRS = ("alpha", "beta", "unk_score_offset", "score_boundary")
    _ATTRS_SERIALIZED_FILENAME = "attrs.json"
    _UNIGRAMS_SERIALIZED_FILENAME = "unigrams.txt"

    def __init__(
        self,
        kenlm_model: Any,
        unigrams: Collection[str] | None = None,
        alpha: float = DEFAULT_ALPHA,
        beta: float = DEFAULT_BETA,
        unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
        score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.unk_score_offset = unk_score_offset
        self.score_boundary = score_boundary
        self.weights()
        self._source, self.ngrams = _read(kenlm_model)
        if SPACE in self.ngrams:
            raise InvalidValueError(
                f"kenlm_model must be a model of words, got one with {SPACE!r}, of characters; "
                "make one with ctckit lm train, without --characters"
            )
        self.words = _known_words(self.ngrams, unigrams)

    def weights(self) -> tuple[float, float, float, bool]:
        """Return alpha, beta, unk_score_offset and score_boundary, checked."""
        alpha = _number("alpha", self.alpha, low=0.0)
        beta = _number("beta", self.beta)
        offset = _number("unk_score_offset", self.unk_score_offset, high=0.0)
        if self.score_boundary not in (True, False):
            raise InvalidValueError(
                f"score_boundary must be True or False, got {self.score_boundary!r}; say whether "
                "the model scores the start and the end"
            )
        return alpha, beta, offset, bool(self.score_boundary)

    def reset_params(self, **params: Any) -> None:
        """Set weights, of `JSON_ATTRS`; None leaves one as it is.

        Raises
        ------
        InvalidValueError : another name, or a value out of its range; nothing is set then
        """
        before = {name: getattr(self, name) for name in self.JSON_ATTRS}
        unknown = sorted(set(params) - set(before))
        if unknown:
            raise InvalidValueError(
                f"params must be of {', '.join(before)}, got {unknown[0]!r}; leave it out"
            )
        self.__dict__.update({name: one for name, one in params.items() if one is not None})
        try:
            self.weights()
        except InvalidValueError:
            self.__dict__.update(before)
            raise

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return self.ngrams.order

    def get_start_state(self) -> State:
        """Return the state before the first word."""
        boundary = self.weights()[-1]
        return State(begins=boundary and self.ngrams.begin >= 0 and self.order > 1)

    def score_partial_token(self, partial_token: str) -> float:
        """Return what a word in the making costs in pyctcdecode; the search here asks the model."""
        at = bisect.bisect_left(self._sorted, partial_token)
        if at < len(self._sorted) and self._sorted[at].startswith(partial_token):
            return 0.0
        return self.unk_score_offset * max(1.0, len(partial_token) / AVG_TOKEN_LEN)

    def score(
        self, prev_state: State, word: str, is_last_word: bool = False
    ) -> tuple[float, State]:
        """Return what a word adds to a text's score, natural logarithm, and the state after it.

        is_last_word : whether the text ends with it
        """
        alpha, beta, offset, boundary = self.weights()
        words = [one if one in self._known else "<unk>" for one in (*prev_state.words, word)]
        ends = is_last_word and boundary
        log_probs, _ = self.ngrams.word_scores(words, begin=prev_state.begins, end=ends)
        value = float(log_probs[len(words) - 1 :].sum())
        if word not in self._known:
            value += offset * LOG_BASE_CHANGE_FACTOR
        return alpha * value + beta, prev_state.after((word,), self.order)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.words)

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.words)

    @property
    def serializable_attrs(self) -> dict[str, Any]:
        """The weights by name."""
        return dict(zip(self.JSON_ATTRS, self.weights(), strict=True))

    def save_to_dir(self, filepath: str, unigram_encoding: str | None = None) -> None:
        """Write the weights, the words and the model, as an ARPA file, to a folder that is there.

        unigram_encoding : of the file of words; None: UTF-8
        """
        folder = Path(filepath)
        weights = json.dumps(self.serializable_attrs)
        (folder / self._ATTRS_SERIALIZED_FILENAME).write_text(weights, encoding="utf-8")
        text = "".join(f"{word}\n" for word in self._sorted)
        path = folder / self._UNIGRAMS_SERIALIZED_FILENAME
        path.write_text(text, encoding=unigram_encoding or "utf-8", newline="\n")
        save_model(self._source, self.ngrams, folder)

    @staticmethod
    def parse_directory_contents(filepath: str) -> dict[str, str]:
        """Return the paths of a folder's three files: json_attrs, unigrams and kenlm.

        Raises
        ------
        NotFoundError : no such folder
        InvalidValueError : it does not hold these three alone, hidden files aside
        """
        attrs = LanguageModel._ATTRS_SERIALIZED_FILENAME
        unigrams = LanguageModel._UNIGRAMS_SERIALIZED_FILENAME
        found = visible_names(filepath)
        models = [name for name in found if name not in (attrs, unigrams)]
        if len(found) != 3 or len(models) != 1:
            raise InvalidValueError(
                f"the folder of a language model must hold {attrs}, {unigrams} and one ARPA file, "
                f"got {', '.join(found) or 'nothing'} in '{filepath}'; save the decoder again, or "
                "take out what does not belong there"
            )
        names = {"json_attrs": attrs, "unigrams": unigrams, "kenlm": models[0]}
        return {what: str(Path(filepath, name)) for what, name in names.items()}

    @classmethod
    def load_from_dir(cls, filepath: str, unigram_encoding: str | None = None) -> LanguageModel:
        """Return the model of a folder that `save_to_dir` or pyctcdecode wrote.

        unigram_encoding : of the file of words; None: UTF-8
        """
        paths = cls.parse_directory_contents(filepath)
        weights = read_fields(Path(paths["json_attrs"]), cls.JSON_ATTRS)
        words = read_lines(Path(paths["unigrams"]), unigram_encoding or "utf-8")
        return cls(paths["kenlm"], words, **weights)

    def __reduce__(self) -> tuple[Any, ...]:
        model = self.ngrams if self._source is None else self._source
        return type(self), (model, self.words, *self.weights())

    def __repr__(self) -> str:
        weights = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.JSON_ATTRS)
        return f"{type(self).__name__}({self.ngrams!r}, {len(self.words)} words, {weights})"


class MultiLanguageModel(AbstractLanguageModel):
    """The mean of several models, which is not there: making one raises."""

    def __new__(cls, language_models: list[LanguageModel]) -> MultiLanguageModel:
        """Raise InvalidValueError."""
        raise InvalidValueError(
            f"a decoder must have one language model, got {len(language_models)}; train one on all "
            "texts, or rank the best texts by the others with ctckit.rescore"
        )


def _number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = float(value)
    if math.isfinite(number) and low <= number <= high:
        return number
    rule = "a finite number"
    if low > -math.inf:
        rule += f" of at least {low:g}"
    if high < math.inf:
        rule += f" of at most {high:g}"
    defaults = {
        "alpha": DEFAULT_ALPHA,
        "beta": DEFAULT_BETA,
        "unk_score_offset": DEFAULT_UNK_LOGP_OFFSET,
    }
    raise InvalidValueError(
        f"{name} must be {rule}, got {value!r}; the default is {defaults[name]:g}"
    )


def _read(given: Any) -> tuple[Path | None, NGramModel]:
    """Return where a model is from, if from a file, and its n-grams."""
    if isinstance(given, NGramModel):
        return None, given
    path = given if isinstance(given, (str, os.PathLike)) else getattr(given, "path", None)
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise InvalidValueError(
            f"kenlm_model must be a kenlm.Model or the path of an ARPA file, got "
            f"{type(given).__name__}; give the path"
        )
    model = given if isinstance(given, Model) else Model(path)
    return Path(os.fsdecode(model.path)), model.ngrams


def _words_of(model: NGramModel) -> list[str]:
    special = {model.unknown, model.begin, model.end}
    return [word for i, word in enumerate(model.words) if i not in special]


def _known_words(model: NGramModel, unigrams: Collection[str] | None) -> list[str]:
    """Return the words that a model has of those given; all of them if none are."""
    if isinstance(unigrams, str):
        raise InvalidValueError(
            f"unigrams must be a list of words, got the string {unigrams[:20]!r}; split it"
        )
    words = [] if unigrams is None else listed("unigrams", unigrams, "give the words in one")
    wrong = [word for word in words if not isinstance(word, str)]
    if wrong:
        raise InvalidValueError(f"unigrams must be strings, got {wrong[0]!r}; give words")
    given = list(dict.fromkeys(words))
    if not given:
        return _words_of(model)
    special = {-1, model.unknown, model.begin, model.end}
    places = model.words.numbers(given, unknown=-1).tolist()
    known = [word for word, place in zip(given, places, strict=True) if place not in special]
    if not known:
        raise InvalidValueError(
            f"unigrams must be words of the language model, got {len(given)} that it lacks, such "
            f"as {', '.join(map(repr, given[:3]))}; check that they belong together"
        )
    if len(known) < 0.1 * len(given):
        warn_user(
            f"the language model knows {len(known)} of the {len(given)} unigrams; the others count "
            "as unknown; check that they belong together"
        )
    return known
