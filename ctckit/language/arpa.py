"""ARPA files: n-gram models as text, one n-gram a line, as SRILM, KenLM and others write them."""

from __future__ import annotations

import gzip
import itertools
import mmap
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.intake import offsets_of
from ctckit.language.trie import Float32Array, NGramLists
from ctckit.language.words import UInt8Array, make_table

GZIP = b"\x1f\x8b"
MOST = 2**31 - 2
"""N-grams that a model can hold."""

REPAIR = "make the model again, or put the line right"
COUNT = "get the file again, or put the header right"
WHOLE = "get the file again, it is not whole"
NEWLINE = 10
LONGEST = 40  # characters of a line that a message shows


def read_arpa(path: Path) -> NGramLists:
    """Return the n-grams of an ARPA file, plain or gzip (told by its first bytes), in its order.

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : it is no ARPA file, or it is damaged; the message names the line
    """
    with _content(path) as data:
        return _Reader(path, data).read()


def line_of_ngram(path: Path, order: int, position: int) -> int:
    """Return the number of the line that holds an order's n-gram, by its position among them."""
    with _content(path) as data:
        lines = enumerate(data.tobytes().split(b"\n"), start=1)
        for _, line in lines:
            if line.strip() == b"\\%d-grams:" % order:
                break
        filled = (number for number, line in lines if line.strip())
        return next(itertools.islice(filled, position, None))


@contextmanager
def _content(path: Path) -> Iterator[UInt8Array]:
    """Give the bytes of a file, unpacked if need be."""
    try:
        with path.open("rb") as file:
            if file.read(2) == GZIP:
                file.seek(0)
                yield np.frombuffer(_unpacked(path, file.read()), dtype=np.uint8)
                return
            file.seek(0)
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # it is empty
                yield np.zeros(0, dtype=np.uint8)
                return
        yield np.frombuffer(mapped, dtype=np.uint8)
    except FileNotFoundError:
        raise NotFoundError(
            f"language model must be an ARPA file, got '{path}', which does not exist; "
            "check the path"
        ) from None
    except OSError as error:
        raise InvalidValueError(
            f"language model must be a readable ARPA file, got '{path}': {error.strerror}; "
            "check the path"
        ) from None


def _unpacked(path: Path, packed: bytes) -> bytes:
    try:
        return gzip.decompress(packed)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidValueError(
            f"language model must be a whole gzip file, got '{path}', which is damaged or cut off; "
            "get it again"
        ) from None


class _Reader:
    """Reads the bytes of one file."""

    def __init__(self, path: Path, data: UInt8Array) -> None:
        self._path = path
        self._data = data
        self._bytes = memoryview(data)  # type: ignore[arg-type]
        self._at = 0
        self._words = (np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.int32))

    def read(self) -> NGramLists:
        """Return all n-grams."""
        counts = self._read_header()
        rows, log_probs, backoffs = [], [], []
        for order, count in enumerate(counts, start=1):
            self._expect(b"\\%d-grams:" % order)
            found = self._read_order(order, count, last=order == len(counts))
            rows.append(found[0])
            log_probs.append(found[1])
            backoffs.append(found[2])
        self._expect(b"\\end\\")
        return NGramLists(self._words[0], self._words[1], rows, log_probs, backoffs)

    def _read_header(self) -> list[int]:
        """Return how many n-grams of each order the file says that it holds."""
        begin = re.compile(rb"^(?:\xef\xbb\xbf)?\\data\\[ \t\r]*$", re.MULTILINE).search(
            self._bytes
        )
        if begin is None:
            self._fail_as_a_whole()
        self._at = begin.end()
        counts: list[int] = []
        while (line := self._next_line()) and not line.startswith(b"\\"):
            found = re.fullmatch(rb"ngram[ \t]+(\d+)[ \t]*=[ \t]*(\d+)", line)
            if found is None or int(found[1]) != len(counts) + 1:
                self._fail(self._at, f"hold 'ngram {len(counts) + 1}=COUNT'", line, REPAIR)
            counts.append(int(found[2]))
            if sum(counts) > MOST or counts[0] == 0:
                self._fail(self._at, f"name 1 to {MOST:,} n-grams", line, REPAIR)
            if counts[-1] * (2 * len(counts) + 2) > len(self._data):
                self._fail(
                    self._at,
                    "name as many n-grams as the file can hold",
                    line,
                    "get it again whole",
                )
            self._at += len(line)
        if not counts:
            self._fail(self._at, "hold 'ngram 1=COUNT'", line, REPAIR)
        return counts

    def _next_line(self) -> bytes:
        """Return the next line that is not blank, stripped; the position is then its begin."""
        found = re.compile(rb"\S[^\n]*").search(self._bytes, self._at)
        if found is None:
            self._at = len(self._data)
            return b""
        self._at = found.start()
        return bytes(found[0]).rstrip()

    def _expect(self, mark: bytes) -> None:
        """Go past the line that begins a part of the file."""
        line = self._next_line()
        if line != mark:
            self._fail(self._at, f"be {mark.decode()}", line, WHOLE)
        self._at += len(line)

    def _read_order(
        self, order: int, count: int, *, last: bool
    ) -> tuple[Int32Array, Float32Array, Float32Array]:
        """Return word numbers, log-probabilities and backoff weights of an order's n-grams."""
        from ctckit.kernels import arpa

        rows = np.empty((count, order), dtype=np.int32)
        spans = np.empty((count if order == 1 else 0, 2), dtype=np.int64)
        log_probs, backoffs = (np.empty(count, dtype=np.float32) for _ in range(2))
        where = np.zeros(4, dtype=np.int64)
        status = arpa.read_ngrams(
            self._data, self._at, last, *self._words, rows, spans, log_probs, backoffs, where
        )
        self._at, read, begin, end = where.tolist()
        field = self._data[begin:end].tobytes()
        match status:
            case arpa.TOO_FEW:
                rule = f"be a {order}-gram, of which the header says {count:,}"
                self._fail(self._at, rule, f"their end after {read:,}", COUNT)
            case arpa.TOO_MANY:
                rule = f"be no {order}-gram, of which the header says {count:,}"
                self._fail(self._at, rule, "one more", COUNT)
            case arpa.BAD_PROBABILITY:
                self._fail(begin, "begin with a log10 probability of at most 0", field, REPAIR)
            case arpa.TOO_FEW_WORDS:
                self._fail(begin, f"hold {_words(order)}", "fewer", REPAIR)
            case arpa.TOO_MANY_WORDS:
                self._fail(begin, f"hold {_words(order)} and a backoff weight", "more", REPAIR)
            case arpa.NO_UNIGRAM:
                self._check_utf8(begin, field)
                self._fail(begin, "hold words that are unigrams", field, REPAIR)
            case arpa.BAD_BACKOFF:
                self._fail(
                    begin, f"hold nothing but a backoff weight after {_words(order)}", field, REPAIR
                )
            case arpa.BACKOFF_AT_END:
                self._fail(begin, "have no backoff weight, as the longest n-grams", field, REPAIR)
        if order == 1:
            rows[:, 0] = np.arange(count)
            self._number_words(spans)
        return rows, log_probs, backoffs

    def _number_words(self, spans: Int64Array) -> None:
        """Take the unigrams' words, by their begins and ends, as the words of the model."""
        lengths = spans[:, 1] - spans[:, 0]
        offsets = offsets_of(lengths)
        source = np.repeat(spans[:, 0] - offsets[:-1], lengths)
        source += np.arange(len(source))
        spellings = self._data[source]
        try:
            spellings.tobytes().decode("utf-8")
            wrong = np.flatnonzero(spellings[offsets[:-1]] & 0xC0 == 0x80)
        except UnicodeDecodeError as error:
            wrong = np.searchsorted(offsets, [error.start], side="right") - 1
        for begin, end in spans[wrong[:1]].tolist():
            self._check_utf8(begin, self._data[begin:end].tobytes())
        table, repeated = make_table(spellings, offsets)
        if repeated >= 0:
            begin, end = spans[repeated].tolist()
            word = self._data[begin:end].tobytes()
            self._fail(begin, "hold a word that is new", word, "remove one of the two unigrams")
        self._words = (spellings, offsets, table)

    def _check_utf8(self, at: int, word: bytes) -> None:
        try:
            word.decode("utf-8")
        except UnicodeDecodeError:
            self._fail(at, "be UTF-8", word, "convert the file, for example with iconv")

    def _fail(self, at: int, rule: str, got: bytes | str, advice: str) -> NoReturn:
        line = 1 + int(np.count_nonzero(self._data[:at] == NEWLINE))
        if isinstance(got, bytes):
            text = got.decode("utf-8", "backslashreplace") if got else "the end of the file"
            got = repr(text if len(text) <= LONGEST else text[:LONGEST] + "...") if got else text
        raise InvalidValueError(f"line {line} of '{self._path}' must {rule}, got {got}; {advice}")

    def _fail_as_a_whole(self) -> NoReturn:
        start = self._data[:64].tobytes()
        if not start:
            got, advice = "an empty file", "get it again"
        elif start.startswith((b"\xff\xfe", b"\xfe\xff")):
            got, advice = "UTF-16", "convert it, for example with iconv"
        elif start.startswith(b"mmap lm"):
            got, advice = "KenLM's binary format", "give the ARPA file that it was made from"
        else:
            got, advice = "none", "give an ARPA file, or one that ctckit wrote"
        raise InvalidValueError(
            f"language model must be a file with a line \\data\\, got {got} in '{self._path}'; "
            f"{advice}"
        )


def _words(count: int) -> str:
    return "1 word" if count == 1 else f"{count} words"
