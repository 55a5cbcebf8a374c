"""Tokens and lexica as torchaudio's and flashlight's files have them: words with spellings.

A token is one private character here, its class's, so that a spelling is a string whatever the
tokens are: letters, pieces of words, phonemes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ctckit.alphabet import Alphabet
from ctckit.compat.renaming import listed
from ctckit.errors import InvalidValueError, NotFoundError, did_you_mean

FIRST_SYMBOL = 0xF0000
"""Of Unicode's 131,072 private characters that are neighbours."""


def symbol_of(index: int) -> str:
    """Return the private character of a class."""
    return chr(FIRST_SYMBOL + index)


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
    """

    def __init__(
        self, tokens: str | Path | Sequence[str], blank_token: str, sil_token: str
    ) -> None:
        if isinstance(tokens, (str, Path)):
            lines = [line.split() for _, line in lines_of("tokens", Path(tokens))]
        else:
            lines = [[token] for token in listed("tokens", tokens, "give one a class, or a file")]
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
        return "".join([symbol_of(self._index[name]) for name in names])

    def alphabet(self, count: int | None = None) -> Alphabet:
        """Return the alphabet of the symbols; of more of them than there are tokens, if asked."""
        return Alphabet(list(map(symbol_of, range(count or len(self)))), self.blank)


class Spellings:
    """A lexicon: which words there are, and how each is spelled in tokens.

    Where every spelling ends in the silence, that is what stands between two words; it is left off.
    Else words may follow each other directly, and silence may stand between them.

    Of words that are spelled alike all but the first have a variant of one of their tokens: a class
    more, that is to be as likely as the token in each frame. So a spelling is one word.

    Parameters
    ----------
    path : file with a word and its spelling a line
    tokens : to spell them with
    alike : whether to keep more words than the first of those that are spelled alike

    Attributes
    ----------
    word_of : of each spelling (symbols) its word
    separator : the silence's symbol, where it must stand between words, else None
    bases : of each class its token's: first those of the tokens, then those of their variants
    """

    def __init__(self, path: str | Path, tokens: Tokens, *, alike: bool) -> None:
        spellings = list(_read(Path(path), tokens))
        silence = symbol_of(tokens.silence)
        separated = all(len(one) > 1 and one.endswith(silence) for _, one in spellings)
        self.separator = silence if separated else None
        self.bases = list(range(len(tokens)))
        self.word_of: dict[str, str] = {}
        self._variants: dict[tuple[str, int], str] = {}
        words: dict[str, dict[str, None]] = {}
        for word, spelling in spellings:
            words.setdefault(spelling[:-1] if separated else spelling, {})[word] = None
        for spelling, all_words in words.items():
            for number, word in enumerate(list(all_words)[: None if alike else 1]):
                self.word_of[self._varied(spelling, silence, number)] = word

    def _varied(self, spelling: str, silence: str, number: int) -> str:
        """Return the spelling with a variant of a token, if possible not of one at its ends."""
        letters = [one for one in spelling if one != silence]
        if number == 0 or not letters:
            return spelling
        token = next((one for one in letters if one not in spelling[:: len(spelling) - 1 or 1]), "")
        token = token or letters[-1]
        if (token, number) not in self._variants:
            self._variants[token, number] = symbol_of(len(self.bases))
            self.bases.append(ord(token) - FIRST_SYMBOL)
        return spelling.replace(token, self._variants[token, number])


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
        if symbol_of(tokens.blank) in spelling:
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
