"""Tokens and lexica as torchaudio's and flashlight's files have them: words with spellings.

A token is one private character here, its class's, so that a spelling is a string whatever the
tokens are: letters, pieces of words, phonemes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError, NotFoundError, did_you_mean

FIRST_SYMBOLS = (0xE000, 0xF0000)
"""Where Unicode's private characters begin: 6,400 of them, and 131,072 with holes."""


class Tokens:
    """What the classes are called.

    Parameters
    ----------
    tokens : one a class; or a UTF-8 file of them, a line a class, whose later words are other names
        of the first
    blank_token, sil_token : names of the blank, and of the silence between words. They may be one

    Attributes
    ----------
    names : of each class
    blank, silence : classes
    symbols : a private character for each class
    """

    def __init__(
        self, tokens: str | Path | Sequence[str], blank_token: str, sil_token: str
    ) -> None:
        if isinstance(tokens, (str, Path)):
            lines = [line.split() for _, line in lines_of("tokens", Path(tokens))]
        else:
            lines = [[token] for token in tokens]
        self._index: dict[str, int] = {}
        for index, names in enumerate(lines):
            for name in names:
                if not isinstance(name, str):
                    raise InvalidValueError(
                        f"tokens must be strings, got {name!r} at index {index}; "
                        "give one string a class"
                    )
                if name in self._index:
                    raise InvalidValueError(
                        f"tokens must be unique, got {name!r} twice; rename one"
                    )
                self._index[name] = index
        self.names = [names[0] for names in lines]
        self.blank = self._special("blank_token", blank_token)
        self.silence = self._special("sil_token", sil_token)
        first = FIRST_SYMBOLS[len(lines) > 6400]
        self.symbols = [chr(first + index) for index in range(len(lines))]

    def _special(self, name: str, token: str) -> int:
        if token not in self._index:
            hint = did_you_mean(str(token), self._index) or " name the one that it is"
            raise InvalidValueError(f"{name} must be one of the tokens, got {token!r};{hint}")
        return self._index[token]

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def spell(self, names: Sequence[str]) -> str:
        """Return the symbols of tokens that are there, the blank not among them."""
        return "".join([self.symbols[self._index[name]] for name in names])

    def alphabet(self, names: Sequence[str] | None = None) -> Alphabet:
        """Return the alphabet of the symbols, or of other names."""
        return Alphabet(self.symbols if names is None else names, self.blank)

    @property
    def letters(self) -> str:
        """The symbols that words are made of: all but the blank's and the silence's."""
        special = (self.blank, self.silence)
        return "".join(one for i, one in enumerate(self.symbols) if i not in special)


class Spellings:
    """A lexicon: which words there are, and how each is spelled in tokens.

    Where every spelling ends in the silence, that is what stands between two words; it is left off.
    Else words may follow each other directly, and silence may stand between them.

    Attributes
    ----------
    words_of : of each spelling (symbols) its words, in the order of the file
    separator : the silence's symbol, where it must stand between words, else None
    """

    def __init__(self, path: str | Path, tokens: Tokens) -> None:
        spellings = list(_read(Path(path), tokens))
        silence = tokens.symbols[tokens.silence]
        separated = all(len(one) > 1 and one.endswith(silence) for _, one in spellings)
        words_of: dict[str, dict[str, None]] = {}
        for word, spelling in spellings:
            bare = spelling[:-1] if separated else spelling
            words_of.setdefault(bare, {})[word] = None
        self.words_of: Mapping[str, tuple[str, ...]] = {
            spelling: tuple(words) for spelling, words in words_of.items()
        }
        self.separator = silence if separated else None

    def words(self) -> Iterator[str]:
        """Yield each word, as often as it has spellings."""
        for words in self.words_of.values():
            yield from words


def _read(path: Path, tokens: Tokens) -> Iterator[tuple[str, str]]:
    """Yield the words of a lexicon file and their spellings in symbols."""
    found = False
    for number, line in lines_of("lexicon", path):
        word, *names = line.split()
        where = f"in line {number} of '{path}'"
        if not names:
            raise InvalidValueError(
                f"lexicon must hold a word and its spelling a line, got {word!r} alone {where}; "
                "write its tokens behind it, with spaces between them"
            )
        wrong = [name for name in names if name not in tokens]
        if wrong:
            raise InvalidValueError(
                f"lexicon must be spelled in the tokens, got {wrong[0]!r} in the spelling of "
                f"{word!r} {where}; correct it, or the tokens"
            )
        spelling = tokens.spell(names)
        if tokens.symbols[tokens.blank] in spelling:
            raise InvalidValueError(
                f"lexicon must be spelled without the blank, got it in the spelling of {word!r} "
                f"{where}; leave it out"
            )
        found = True
        yield word, spelling
    if not found:
        raise InvalidValueError(f"lexicon must hold some words, got none in '{path}'; add some")


def lines_of(name: str, path: Path) -> list[tuple[int, str]]:
    """Return the lines of a UTF-8 file that are not empty, each with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(
            f"{name} must be a text file, got '{path}', which does not exist; check the path"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidValueError(
            f"{name} must be UTF-8, got byte 0x{error.object[error.start]:02x} in line {line} of "
            f"'{path}'; convert it, for example with iconv"
        ) from None
    except OSError as error:
        raise InvalidValueError(
            f"{name} must be a readable text file, got '{path}': {error.strerror}; check the path"
        ) from None
    return [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
