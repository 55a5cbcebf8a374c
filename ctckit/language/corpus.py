"""A corpus: text from which words are taken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError, NotFoundError


def read_corpus(path: str | Path) -> str:
    """Return the text of a UTF-8 file; a byte order mark at its start is dropped.

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : not a file that can be read, not UTF-8, or nothing but white space
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"corpus must be a text file, got {str(path)!r}, which does not exist; check the path"
        ) from None
    except OSError as error:
        raise InvalidValueError(
            f"corpus must be a readable text file, got {str(path)!r}: {error.strerror}"
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            f"corpus must be UTF-8, got byte 0x{data[error.start]:02x} at position {error.start} "
            f"of {str(path)!r}; convert it, for example with iconv"
        ) from None
    if not text.strip():
        raise InvalidValueError(
            f"corpus must hold some words, got {str(path)!r} without any; give another file"
        )
    return text


def default_word_characters(alphabet: Alphabet) -> str:
    """Return the letters, combining marks and the apostrophe among an alphabet's characters."""
    characters = sorted(set("".join(alphabet.token_ids)))
    return "".join(one for one in characters if one == "'" or unicodedata.category(one)[0] in "LM")


def split_words(text: str, word_characters: Iterable[str]) -> list[str]:
    """Return the maximal runs of word characters in a text, in order.

    Examples
    --------
    >>> split_words("It's 12 o'clock.", "'Iclkost")
    ["It's", "o'clock"]
    """
    characters = "".join(re.escape(one) for one in set(word_characters))
    return re.findall(f"[{characters}]+", text) if characters else []


SPACE = "<space>"
"""What stands for white space in models of characters, where a word cannot hold any."""


def split_sentences(
    text: str, *, characters: bool = False, word_characters: Iterable[str] | None = None
) -> list[list[str]]:
    r"""Return the words of each line of a text, for models of language; blank lines are left out.

    Parameters
    ----------
    text : one sentence a line
    characters : whether characters are what the model is about; white space within a line is then
        ``<space>``
    word_characters : words are maximal runs of these; None: what stands between white space

    Examples
    --------
    >>> split_sentences("To be,\n\nor not", word_characters="Tabenort")
    [['To', 'be'], ['or', 'not']]
    >>> split_sentences("to be", characters=True)
    [['t', 'o', '<space>', 'b', 'e']]
    """
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    if characters:
        if word_characters is not None:
            raise InvalidValueError(
                f"word_characters must be None where characters are the words, got "
                f"{''.join(word_characters)!r}; give one of the two"
            )
        return [
            [SPACE if one.isspace() else one for one in line]
            for line in (line.strip() for line in lines)
        ]
    if word_characters is None:
        return [line.split() for line in lines]
    kept = "".join(word_characters)
    return [words for words in (split_words(line, kept) for line in lines) if words]
