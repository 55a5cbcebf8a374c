"""What a user says about matrices of other programs, and batches made by it: nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctckit.alphabet import Alphabet
from ctckit.dumps.alphabets import read_tokens, tokens_to_alphabet
from ctckit.dumps.store import DumpBatch
from ctckit.dumps.writer import BATCH_BYTES
from ctckit.errors import AlphabetMismatchError, CtckitError, InvalidValueError
from ctckit.intake import KINDS, LAYOUTS, Float32Array, Kind, Layout
from ctckit.matrices import MatrixBatch

CONSTRUCTORS = {
    "log-probs": MatrixBatch.from_log_probs,
    "probs": MatrixBatch.from_probs,
    "logits": MatrixBatch.from_logits,
}


class RequestError(InvalidValueError):
    """What was asked of a conversion does not fit what its files are: wrong usage."""


@dataclass(frozen=True)
class Declared:
    """The options of a conversion that describe its source; None where nothing was said.

    Attributes
    ----------
    alphabet : file of the tokens, as `read_tokens` takes it
    blank : index of the blank among the C classes
    kind : what the numbers are
    layout : order of the axes of a 3-D array
    """

    alphabet: Path | None = None
    blank: int | None = None
    kind: Kind | None = None
    layout: Layout | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise RequestError(
                f"kind must be 'log-probs', 'probs' or 'logits', got {self.kind!r}; choose one"
            )
        if self.layout is not None and self.layout not in LAYOUTS:
            raise RequestError(f"layout must be 'NTC' or 'TNC', got {self.layout!r}; choose one")

    def alphabet_of(
        self, path: Path, classes: int | None, blank: int | None, fallback: Path | None = None
    ) -> Alphabet:
        """Return the alphabet of the matrices in `path`.

        Parameters
        ----------
        path : where the matrices are, for messages
        classes : C; None where no matrix has a frame, then one more than the file has tokens
        blank : the format's own blank (negative: from the end), None where it has none
        fallback : file of the tokens that lies beside the matrices

        Raises
        ------
        RequestError : no alphabet or no blank is declared
        """
        file = fallback if self.alphabet is None else self.alphabet
        if file is None:
            raise RequestError(
                f"alphabet must be given for '{path}', got none; add --alphabet FILE"
            )
        tokens = read_tokens(file)
        classes = len(tokens) + 1 if classes is None else classes
        if self.blank is not None:
            blank = self.blank
        elif blank is not None and blank < 0:
            blank += classes
        if blank is None:
            raise RequestError(
                f"blank must be given for '{path}', got none; add --blank INDEX (often 0 or "
                f"{classes - 1})"
            )
        return tokens_to_alphabet(file, tokens, classes, blank)

    def check_agrees(self, path: Path, alphabet: Alphabet) -> None:
        """Refuse a declared alphabet or blank that the source itself contradicts.

        Raises
        ------
        AlphabetMismatchError : they differ
        """
        blank = alphabet.blank if self.blank is None else self.blank
        given = alphabet
        if self.alphabet is not None:
            given = tokens_to_alphabet(
                self.alphabet, read_tokens(self.alphabet), len(alphabet), blank
            )
        if given != alphabet or blank != alphabet.blank:
            raise AlphabetMismatchError(
                f"alphabet must be that of '{path}', {alphabet!r}, got another; leave out "
                "--alphabet and --blank"
            )

    def kind_of(self, path: Path, told: Kind | None) -> Kind:
        """Return the kind of the numbers in `path`, where `told` is what the source says.

        Raises
        ------
        RequestError : neither says it, or they differ
        """
        if told is not None and self.kind not in (None, told):
            raise RequestError(
                f"kind must be {told!r} as '{path}' says, got {self.kind!r}; leave out --kind"
            )
        kind = self.kind or told
        if kind is None:
            raise RequestError(
                f"kind must be given for '{path}', got none; add --kind log-probs, probs or logits"
            )
        return kind


def make_batch(
    path: Path,
    kind: Kind,
    values: Any,
    alphabet: Alphabet,
    ids: Sequence[str],
    lengths: Any = None,
) -> MatrixBatch:
    """Check matrices and take them as what they are declared to be; errors name `path`."""
    try:
        return CONSTRUCTORS[kind](values, alphabet, lengths=lengths, ids=ids)
    except CtckitError as error:
        raise type(error)(_said_of_a_file(str(error), path)) from None


def _said_of_a_file(message: str, path: Path) -> str:
    """Return a message of the constructors with the file in it, and options for their names."""
    rule, separator, advice = message.rpartition("; ")
    if not separator:
        rule, advice = message, "correct the file"
    advice = re.sub(
        r"\bfrom_(log_probs|probs|logits)\b",
        lambda found: "--kind " + found[1].replace("_", "-"),
        advice,
    )
    return f"{rule} in '{path}'; {advice}"


def frames_at_once(alphabet: Alphabet) -> int:
    """Return how many frames to convert at once."""
    return max(1, BATCH_BYTES // (4 * len(alphabet)))


def grouped(
    path: Path,
    kind: Kind,
    alphabet: Alphabet,
    matrices: Iterable[tuple[str, str | None, Float32Array | Any]],
) -> Iterator[DumpBatch]:
    """Make batches of single matrices, each with its id and its reference."""
    ids: list[str] = []
    references: list[str | None] = []
    values: list[Any] = []
    frames = 0
    for id, reference, matrix in matrices:
        ids.append(id)
        references.append(reference)
        values.append(matrix)
        frames += len(matrix)
        if frames >= frames_at_once(alphabet):
            yield DumpBatch(make_batch(path, kind, values, alphabet, ids), references)
            ids, references, values, frames = [], [], [], 0
    if ids:
        yield DumpBatch(make_batch(path, kind, values, alphabet, ids), references)
