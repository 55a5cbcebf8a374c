"""Labels as pyctcdecode 0.5.0 reads them: the blank, the space, the unknown token, word pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from ctckit.compat.renaming import listed
from ctckit.errors import InvalidValueError, warn_user

BPE_TOKEN = "▁"
"""Begins the word pieces that begin words."""
UNK_TOKEN = "⁇"
"""Stands for ``<unk>`` and ``[UNK]`` among characters."""
UNK_BPE_TOKEN = "▁⁇▁"
"""Stands for them among word pieces."""
SPECIAL_TOKEN_PTN = re.compile(r"^[<\[].+[>\]]$")
BLANK_TOKEN_PTN = re.compile(r"^[<\[]pad[>\]]$", re.IGNORECASE)
UNK_TOKEN_PTN = re.compile(r"^[<\[]unk[>\]]$", re.IGNORECASE)

_CONTINUES = "##"
"""Begins the word pieces that do not begin words, in the other style."""


class Alphabet:
    """Labels, one a class, in which the blank is ``""``.

    Parameters
    ----------
    labels : as they are; `build_alphabet` puts them right first
    is_bpe : whether they are word pieces, of which ``▁`` begins those that begin words
    """

    def __init__(self, labels: list[str], is_bpe: bool) -> None:
        self._labels = labels
        self._is_bpe = is_bpe

    @property
    def is_bpe(self) -> bool:
        """Whether the labels are word pieces."""
        return self._is_bpe

    @property
    def labels(self) -> list[str]:
        """A copy of the labels."""
        return list(self._labels)

    @classmethod
    def build_alphabet(cls, labels: list[str]) -> Alphabet:
        """Return labels with the blank, the space and the unknown token under their names.

        ``<pad>`` and ``[PAD]`` become the blank ``""``, which is added at the end if there is none.
        Characters: ``|`` becomes the space and ``_`` the blank if there is none. Word pieces: those
        marked by ``##`` come to be marked by ``▁``.

        Raises
        ------
        InvalidValueError : labels that are no strings, one twice, or a space among word pieces
        """
        labels = _checked(labels)
        if any(label.startswith((_CONTINUES, BPE_TOKEN)) for label in labels):
            spaced = next((label for label in labels if " " in label), None)
            if spaced is not None:
                raise InvalidValueError(
                    f"labels must not hold spaces where they are word pieces, got {spaced!r}; "
                    f"mark what begins a word by {BPE_TOKEN!r}"
                )
            return cls(_word_pieces(labels), True)
        return cls(_characters(labels), False)

    def dumps(self) -> str:
        """Return the alphabet as JSON."""
        return json.dumps({"labels": self._labels, "is_bpe": self._is_bpe})

    @classmethod
    def loads(cls, s: str) -> Alphabet:
        """Return the alphabet that `dumps` wrote.

        Raises
        ------
        InvalidValueError : something else
        """
        try:
            fields = json.loads(s)
        except json.JSONDecodeError as error:
            raise InvalidValueError(
                f"an alphabet must be JSON, got {error}; save the decoder again"
            ) from None
        if not isinstance(fields, dict) or set(fields) != {"labels", "is_bpe"}:
            found = sorted(fields) if isinstance(fields, dict) else type(fields).__name__
            raise InvalidValueError(
                f"an alphabet must have the keys is_bpe and labels, got {found}; "
                "save the decoder again"
            )
        return cls(fields["labels"], fields["is_bpe"])


def verify_alphabet_coverage(alphabet: Alphabet, unigrams: Collection[str]) -> None:
    """Warn if more than a fifth of the unigrams' characters are in no label."""
    used = set("".join(unigrams))
    missing = used - set("".join(alphabet.labels))
    if len(missing) > 0.2 * len(used):
        warn_user(
            f"labels have no {', '.join(map(repr, sorted(missing)[:3]))}, and lack {len(missing)} "
            f"of the {len(used)} characters of the unigrams; check that they belong together"
        )


def _checked(labels: list[str]) -> list[str]:
    if isinstance(labels, str):
        raise InvalidValueError(
            f"labels must be a list of strings, one a class, got the string {labels[:20]!r}; "
            "give list(labels) if each character is a class"
        )
    labels = listed("labels", labels, "give one string a class")
    seen: set[str] = set()
    for index, label in enumerate(labels):
        if not isinstance(label, str):
            raise InvalidValueError(
                f"labels must be strings, got {label!r} at index {index}; give one string a class"
            )
        if label in seen:
            raise InvalidValueError(
                f"labels must be unique, got {label!r} twice, again at index {index}; rename one"
            )
        seen.add(label)
    return labels


def _characters(labels: list[str]) -> list[str]:
    if " " not in labels:
        labels = [" " if label == "|" else label for label in labels]
    labels = ["" if BLANK_TOKEN_PTN.match(label) else label for label in labels]
    if "" not in labels:
        labels = ["" if label == "_" else label for label in labels]
    return _with_blank([UNK_TOKEN if UNK_TOKEN_PTN.match(label) else label for label in labels])


def _word_pieces(labels: list[str]) -> list[str]:
    if any(label.startswith(_CONTINUES) for label in labels):
        labels = [_marked(label) for label in labels]
    labels = ["" if BLANK_TOKEN_PTN.match(label) else label for label in labels]
    return _with_blank([UNK_BPE_TOKEN if UNK_TOKEN_PTN.match(label) else label for label in labels])


def _marked(label: str) -> str:
    """Return a word piece of the style of ``##``, in that of ``▁``."""
    if label.startswith(_CONTINUES):
        return label.removeprefix(_CONTINUES)
    special = SPECIAL_TOKEN_PTN.match(label) or label in ("", BPE_TOKEN, UNK_BPE_TOKEN)
    return label if special else BPE_TOKEN + label


def _with_blank(labels: list[str]) -> list[str]:
    return labels if "" in labels else [*labels, ""]
