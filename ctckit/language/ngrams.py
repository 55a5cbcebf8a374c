"""N-gram language models with backoff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.arrayfile import Arrays, is_array_file, read_arrays, write_arrays
from ctckit.cache import cached, file_identity
from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.intake import offsets_of
from ctckit.language.arpa_writer import write_arpa
from ctckit.language.modelarrays import KIND, NAMES, VERSION, build_model, checked, read_model
from ctckit.language.textscore import TextScore
from ctckit.language.trie import Float32Array, NGramLists, RepeatedNGramError, to_lists
from ctckit.language.words import WordList

ModelArrays = tuple[Int32Array, Int32Array, Float32Array, Float32Array, Int32Array, Int32Array]


class NGramModel:
    """Probabilities of words after the up to N - 1 words before them, with backoff (Katz, 1987).

    The n-grams are the entries of a trie, numbered breadth first: entry 0 is the root, that is no
    word; 1 to V are the unigrams, entry 1 + w that of word w; then come the bigrams and so on, each
    order sorted by context and word. An n-gram's context (all but its last word) and suffix (all
    but its first) are always entries. `load` or `train` makes a model.

    Attributes
    ----------
    order : N, the length of the longest n-grams
    words : V words; a word's number is its position. Strings are made when they are asked for
    unknown, begin, end : numbers of ``<unk>``, ``<s>`` and ``</s>``; -1 for a model without the
        latter two
    counts : n-grams of each order
    added : how many of them were missing and have been added: contexts and suffixes, which change
        no score, and ``<unk>``
    word : int32 (E,); an entry's last word; the root's is -1
    first_child : int32 (E + 1,); entry e followed by one more word are the entries first_child[e]
        to first_child[e + 1], their words rising
    log_prob : float32 (E,); natural log of the probability of the last word after the others
    backoff : float32 (E,); natural log of what the probability of a word is multiplied with that
        follows the entry, but is no child of it
    suffix : int32 (E,); the entry without its first word
    state : int32 (E,); the context for the next word: the entry's longest suffix, itself included,
        which has N - 1 words at most, and children or a backoff weight other than 0

    Examples
    --------
    >>> model = NGramModel.train([["to", "be"], ["to", "do"]], order=2)
    >>> model.counts, list(model.words)
    ([6, 5], ['<unk>', '<s>', '</s>', 'to', 'be', 'do'])
    >>> round(model.score(["to", "be"]), 4), model.score(["to"]) > model.score(["do"])
    (-1.9914, True)
    """

    def __init__(self, arrays: Arrays, about: dict[str, Any]) -> None:
        arrays = {name: _read_only(array) for name, array in arrays.items()}
        self.words = WordList(arrays["spellings"], arrays["offsets"], arrays["table"])
        self.order: int = about["order"]
        self.counts: list[int] = about["counts"]
        self.added: list[int] = about["added"]
        self.unknown: int = about["unknown"]
        self.begin: int = about["begin"]
        self.end: int = about["end"]
        self.word: Int32Array = arrays["word"]
        self.first_child: Int32Array = arrays["first_child"]
        self.log_prob: Float32Array = arrays["log_prob"]
        self.backoff: Float32Array = arrays["backoff"]
        self.suffix: Int32Array = arrays["suffix"]
        self.state: Int32Array = arrays["state"]

    @classmethod
    def load(cls, path: str | Path) -> NGramModel:
        """Read an ARPA file (UTF-8, plain or gzip), or a file that `save` wrote.

        What is made of an ARPA file is kept in the cache, and mapped into memory the next time.

        Raises
        ------
        NotFoundError : no such file
        InvalidValueError : it is neither, or damaged; the message names the line
        """
        path = Path(path)
        try:
            if is_array_file(path):
                return cls(*checked(path, *read_arrays(path)))
            identity = file_identity(path)
        except FileNotFoundError:
            raise NotFoundError(
                f"language model must be a file, got '{path}', which does not exist; check the path"
            ) from None
        except OSError as error:
            raise InvalidValueError(
                f"language model must be a file that can be read, got '{path}': {error.strerror}; "
                "check the path"
            ) from None
        return cls(*cached("ngrams", [*identity, VERSION], lambda: read_model(path)))

    @classmethod
    def of_lists(cls, lists: NGramLists) -> NGramModel:
        """Make a model of n-grams, which must all be different.

        Raises
        ------
        InvalidValueError : an n-gram is there twice
        """
        try:
            return cls(*build_model(lists))
        except RepeatedNGramError as error:
            raise InvalidValueError(
                f"{error.order}-grams must differ, got number {error.position} twice; remove one"
            ) from None

    @classmethod
    def train(
        cls, sentences: Iterable[Sequence[str]], order: int, *, min_count: int = 1
    ) -> NGramModel:
        """Estimate a model from text; parameters and errors are those of `estimate`."""
        from ctckit.language.kneser_ney import estimate

        return cls.of_lists(estimate(sentences, order, min_count=min_count).lists)

    def save(self, path: str | Path) -> None:
        """Write the model to a file that `load` maps into memory."""
        words = self.words
        more: Arrays = {
            "spellings": words.spellings,
            "offsets": words.offsets,
            "table": words.table,
        }
        write_arrays(Path(path), self._named_arrays() | more, self._about())

    def write_arpa(self, path: str | Path) -> None:
        """Write the model to an ARPA file, in gzip if its name ends in .gz."""
        words = self.words
        lists = to_lists(words.spellings, words.offsets, self._named_arrays(), self.counts)
        write_arpa(Path(path), lists)

    def _named_arrays(self) -> Arrays:
        return dict(zip(NAMES, self.arrays, strict=True))

    def _about(self) -> dict[str, Any]:
        names = ("order", "counts", "added", "unknown", "begin", "end")
        return {"kind": KIND, "version": VERSION, **{name: getattr(self, name) for name in names}}

    @property
    def arrays(self) -> ModelArrays:
        """The trie as `ctckit.kernels.ngrams` takes it."""
        return (
            self.word,
            self.first_child,
            self.log_prob,
            self.backoff,
            self.suffix,
            self.state,
        )

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def word_id(self, word: str) -> int:
        """Return a word's number, that of ``<unk>`` if the model does not know it."""
        return int(self.word_ids([word])[0])

    def word_ids(self, words: Iterable[str]) -> Int32Array:
        """Return the number of each word, that of ``<unk>`` for those not known."""
        return self.words.numbers(words, unknown=self.unknown)

    @property
    def first_state(self) -> int:
        """The state at the begin of a sentence; 0, which is no context, without ``<s>``."""
        return int(self.state[1 + self.begin]) if self.begin >= 0 else 0

    def score(self, words: Sequence[str], *, begin: bool = True, end: bool = True) -> float:
        """Return the natural log of the probability of words.

        Parameters
        ----------
        words : of one sentence; unknown ones count as ``<unk>``
        begin : whether the sentence begins before the first (after ``<s>``)
        end : whether it ends after the last (with ``</s>``, if the model has one)
        """
        return float(self.word_scores(words, begin=begin, end=end)[0].sum())

    def word_scores(
        self, words: Sequence[str], *, begin: bool = True, end: bool = True
    ) -> tuple[npt.NDArray[np.float64], Int64Array]:
        """Return each word's log-probability, natural, and the order of the n-gram it comes from.

        Parameters as for `score`; the end of the sentence is one more word.
        """
        log_probs, entries = self._score_sentences([words], begin=begin, end=end)
        starts = 1 + offsets_of(self.counts)
        return log_probs, np.searchsorted(starts, entries, side="right").astype(np.int64)

    def state_after(self, words: Sequence[str], *, begin: bool = True) -> int:
        """Return the state after words: an entry of the trie."""
        entries = self._score_sentences([words], begin=begin, end=False)[1]
        if len(entries):
            return int(self.state[entries[-1]])
        return self.first_state if begin else 0

    def score_text(self, sentences: Iterable[Sequence[str]]) -> TextScore:
        """Return what the model makes of sentences, each a sequence of words."""
        known = list(sentences)
        log_probs, entries = self._score_sentences(known, begin=True, end=True)
        unknown = self.word[entries] == self.unknown
        return TextScore(
            sentences=len(known),
            words=sum(len(one) for one in known),
            unknown=int(unknown.sum()),
            log_prob=float(log_probs.sum()),
            known_log_prob=float(log_probs[~unknown].sum()),
        )

    def _score_sentences(
        self, sentences: Sequence[Sequence[str]], *, begin: bool, end: bool
    ) -> tuple[npt.NDArray[np.float64], Int32Array]:
        """Return of each word of all sentences the log-probability and the entry that gave it."""
        from ctckit.kernels.ngrams import score_sentences

        for words in sentences:
            if isinstance(words, str):
                raise InvalidValueError(
                    f"words must be a sequence of words, got the text {words!r}; split it"
                )
        numbers = self.word_ids(word for words in sentences for word in words)
        offsets = offsets_of([len(words) for words in sentences])
        if end and self.end >= 0:
            numbers = np.insert(numbers, offsets[1:], self.end)
            offsets = offsets + np.arange(len(offsets))
        log_probs = np.empty(len(numbers), dtype=np.float64)
        entries = np.empty(len(numbers), dtype=np.int32)
        state = self.first_state if begin else 0
        score_sentences(numbers, offsets, state, self.arrays, log_probs, entries)
        return log_probs, entries

    def __repr__(self) -> str:
        counts = " + ".join(f"{count}" for count in self.counts)
        return f"NGramModel(order {self.order}, {counts} n-grams)"


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
