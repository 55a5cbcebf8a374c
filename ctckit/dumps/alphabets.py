"""Alphabets in files of their own, as they come with matrices of other programs."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ctckit.alphabet import Alphabet
from ctckit.errors import AlphabetMismatchError, CtckitError, InvalidValueError
from ctckit.references import read_text

INSERTED_BLANK = ""


def read_tokens(path: str | os.PathLike[str]) -> list[str]:
    """Return the tokens of an alphabet file, in order.

    Parameters
    ----------
    path : a text file of the characters in order, on one line without separators, as SimpleHTR's
        charList.txt (spaces count, the line's end does not); or a .json list of tokens

    Raises
    ------
    NotFoundError, DumpError : no such file, or it cannot be read
    InvalidValueError : not UTF-8, several lines, or no JSON list of strings
    """
    path = Path(path)
    text = read_text(path, "alphabet")
    if path.suffix.lower() != ".json":
        line = text.removesuffix("\n").removesuffix("\r")
        if "\n" in line:
            raise InvalidValueError(
                f"alphabet must be characters on one line, got {line.count(chr(10)) + 1} lines in "
                f"'{path}'; join them, or write a .json list of tokens"
            )
        return list(line)
    try:
        tokens = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(
            f"alphabet must be a JSON list of tokens, got '{path}' ({error}); correct it, or write "
            "the characters to a .txt file"
        ) from None
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise InvalidValueError(
            f"alphabet must be a JSON list of tokens, got other values in '{path}'; "
            "write one string a class"
        )
    return tokens


def tokens_to_alphabet(path: Path, tokens: list[str], classes: int, blank: int) -> Alphabet:
    """Return the alphabet of matrices with `classes` classes.

    Parameters
    ----------
    path : the file of the tokens, for messages
    tokens : C of them, or one less: then the blank is put in at `blank`
    classes : C
    blank : index of the blank, 0 to C - 1

    Raises
    ------
    AlphabetMismatchError : the number of tokens does not fit
    InvalidValueError : repeated tokens, or `blank` out of range
    """
    if len(tokens) not in (classes - 1, classes):
        raise AlphabetMismatchError(
            f"alphabet must have {classes} tokens, or {classes - 1} without the blank, as the "
            f"matrices have {classes} classes, got {len(tokens)} in '{path}'; check both"
        )
    if not 0 <= blank < classes:
        raise InvalidValueError(
            f"blank must be 0 to {classes - 1}, got {blank}; it is the index of the blank's class"
        )
    if len(tokens) == classes - 1:
        tokens = [*tokens[:blank], INSERTED_BLANK, *tokens[blank:]]
    try:
        return Alphabet(tokens, blank)
    except CtckitError as error:
        raise InvalidValueError(f"{error} ('{path}')") from None
