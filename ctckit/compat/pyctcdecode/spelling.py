"""Labels as the decoders take them: an alphabet of ctckit, what separates words, what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet as Tokens
from ctckit.compat.pyctcdecode.alphabet import BPE_TOKEN, UNK_BPE_TOKEN, Alphabet
from ctckit.errors import InvalidValueError


class Spelling:
    """The labels of a decoder.

    Attributes
    ----------
    tokens : the classes, as an alphabet of ctckit
    separator : what stands between words, or begins those tokens that begin one
    word_characters : all others
    shown : what each class adds to a text; white space where no word goes on
    """

    def __init__(self, alphabet: Alphabet) -> None:
        labels = alphabet.labels
        blanks = [i for i, label in enumerate(labels) if label == ""]
        if len(blanks) != 1:
            raise InvalidValueError(
                f"labels must have one blank, '', got {len(blanks)} of them; "
                "use Alphabet.build_alphabet, and take out what else it takes for one"
            )
        self.separator = BPE_TOKEN if alphabet.is_bpe else " "
        self.shown = labels
        if alphabet.is_bpe:
            # No token may end a word of its own: the one after it begins another when it is shown.
            unknown = UNK_BPE_TOKEN.removesuffix(BPE_TOKEN)
            self.shown = [label.replace(BPE_TOKEN, " ") for label in labels]
            labels = [unknown if label == UNK_BPE_TOKEN else label for label in labels]
        self.tokens = Tokens(labels, blank=blanks[0])
        characters = sorted(set("".join(self.tokens.token_ids)))
        self.word_characters = "".join(one for one in characters if one != self.separator)

    @cached_property
    def _one_character_each(self) -> bool:
        return all(len(one) == 1 for i, one in enumerate(self.shown) if i != self.tokens.blank)

    @cached_property
    def space(self) -> int:
        """The class of the space; -1 without one."""
        return self.shown.index(" ") if " " in self.shown else -1

    @cached_property
    def has_plain_spaces(self) -> bool:
        """Whether texts of different tokens can be the same by their spaces alone."""
        others = [one for one in self.shown if one != " " and one.isspace()]
        return self._one_character_each and not others

    @cached_property
    def _shown_lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(one) for one in self.shown], dtype=np.int64)

    def text(self, token_ids: npt.NDArray[Any]) -> str:
        """Return what tokens show, white space as it comes."""
        shown = self.shown
        return "".join([shown[i] for i in token_ids.tolist()])

    def words(self, token_ids: npt.NDArray[Any]) -> Iterator[tuple[str, int, int]]:
        """Yield each word of a text, and the positions of its first and its last token."""
        text = self.text(token_ids)
        token_at = None
        if not self._one_character_each:
            token_at = np.repeat(np.arange(len(token_ids)), self._shown_lengths[token_ids]).tolist()
        position = 0
        for word in text.split():
            first = text.index(word, position)
            position = first + len(word)
            if token_at is None:
                yield word, first, position - 1
            else:
                yield word, token_at[first], token_at[position - 1]
