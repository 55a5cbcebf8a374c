"""Corpus and word characters for word beam search, from the texts of a training."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctckit.recognizer.models import write_whole

if TYPE_CHECKING:
    from ctckit.recognizer.recipe import Data

CORPUS = "corpus.txt"
WORD_CHARACTERS = "word-characters.txt"
SOURCES = ("train", "all")
"""Whose texts the corpus is made of: of the images to train on, or of those to validate on too."""

_APOSTROPHES = "'\u2019\u055a\u05f3\u05f4"
_HYPHENS = "-\u2010\u2011\u05be\u00b7"
_CONTROLS = "\u200c\u200d"
_JOINERS = frozenset(_APOSTROPHES + _HYPHENS + _CONTROLS)
"""Characters that belong to a word where they stand inside one: apostrophes, the Hebrew geresh
among them; hyphens, the Hebrew maqaf and the Catalan middle dot; and what keeps Arabic and Indic
letters apart or together."""


def word_characters(texts: Iterable[str]) -> str:
    """Return the characters that the words of texts are made of, each once, sorted.

    Letters and combining marks; behind them the apostrophes, hyphens and joiners that stand
    between two of these somewhere. Where there is no letter and no mark, the digits and other
    numbers; where there is none of these either, all characters but blanks.

    Examples
    --------
    >>> word_characters(["d'or - 12", "'tis", "Co-op"])
    "Cdioprst'-"
    >>> word_characters(["12.50", "- 7"])
    '01257'
    """
    texts = list(texts)
    letters: set[str] = set()
    joiners: set[str] = set()
    for text in texts:
        inside = [unicodedata.category(char)[0] in "LM" for char in text]
        letters.update(char for char, one in zip(text, inside, strict=True) if one)
        joiners.update(
            char
            for i, char in enumerate(text)
            if char in _JOINERS and 0 < i < len(text) - 1 and inside[i - 1] and inside[i + 1]
        )
    if not letters:
        every = {char for text in texts for char in text if not char.isspace()}
        letters = {char for char in every if unicodedata.category(char)[0] == "N"}
        joiners = set()
        if not letters:
            letters, joiners = every - _JOINERS, every & _JOINERS
    return "".join(sorted(letters) + sorted(joiners))


def corpus_texts(data: Data, source: str = "train") -> list[str]:
    """Return the texts that the corpus is made of, in the order of the images.

    Where all images are drawn, they are the words that these are drawn from, each once.

    Parameters
    ----------
    data : of the training
    source : one of `SOURCES`
    """
    texts = [*data.training.texts]
    if source == "all":
        texts += data.validation.texts
    if not texts and data.generator is not None:
        lists = data.generator.words.lists.values()
        texts = [*dict.fromkeys(word for words in lists for word in words)]
    return texts


def write_language_files(folder: Path, texts: Sequence[str]) -> None:
    """Write ``corpus.txt``, a text a line, and ``word-characters.txt``, UTF-8 in NFC.

    Raises
    ------
    InvalidValueError : they cannot be written
    """
    lines = [unicodedata.normalize("NFC", " ".join(text.splitlines())) for text in texts]
    write_whole(folder / CORPUS, "".join(f"{line}\n" for line in lines).encode())
    write_whole(folder / WORD_CHARACTERS, f"{word_characters(lines)}\n".encode())
