"""The words of a corpus, for decoders that keep to them."""

from __future__ import annotations

from pathlib import Path

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError
from ctckit.language import Lexicon, default_word_characters, read_corpus, split_words


def corpus_lexicon(alphabet: Alphabet, corpus: Path, word_characters: str | None) -> Lexicon:
    """Return the words of a corpus.

    Parameters
    ----------
    alphabet : to spell them in
    corpus : UTF-8 text file
    word_characters : what words are made of; None: the alphabet's letters and apostrophe

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : word characters that are none, or a corpus without a word
    """
    characters = _checked_word_characters(alphabet, word_characters)
    words = split_words(read_corpus(corpus), characters)
    if not words:
        raise InvalidValueError(
            f"corpus must share word characters with the alphabet, got {str(corpus)!r} "
            f"without any of {characters!r}; give another corpus, or word_characters"
        )
    return Lexicon(words, alphabet)


def _checked_word_characters(alphabet: Alphabet, given: str | None) -> str:
    if given is None:
        characters = default_word_characters(alphabet)
        if not characters:
            raise InvalidValueError(
                "word_characters must be given, since the alphabet holds no letter, got None; "
                "name the characters that words are made of"
            )
        return characters
    if not given:
        raise InvalidValueError(
            "word_characters must hold at least one character, got ''; "
            "leave the option out for the alphabet's letters and apostrophe"
        )
    missing = sorted(set(given) - set("".join(alphabet.token_ids)))
    if missing:
        raise InvalidValueError(
            f"word_characters must be in the alphabet, got {''.join(missing)!r}, which is not; "
            "leave it out, or use the alphabet that the matrices were made with"
        )
    return given
