"""A lexicon: words as token ids, in a trie of flat arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.errors import InvalidValueError
from ctckit.intake import offsets_of


class Lexicon:
    """The words that a decoder may write, spelled in an alphabet.

    Parameters
    ----------
    words : any number of words; repeated ones count once; the empty one and those that the
        alphabet cannot spell are left out
    alphabet : tokens to spell them with, the longest token first

    Attributes
    ----------
    words : V strings, sorted by their token ids, a prefix before what it begins
    lost : number of different words that the alphabet cannot spell
    longest : tokens of the longest word
    nodes : int64 (M + 1, 2) for M trie nodes; read it with `ctckit.kernels.lexicon`
    token : int32 (M,); each node's last token
    word_end : int32 (M,); the words that begin like a node are those from its first word, which
        `nodes` holds, to this (exclusive)
    bits : int64 (C,); each token's bit in the masks of `nodes`: its rank among the tokens that the
        words use, modulo 64
    exact_bits : whether no two of them share a bit

    Raises
    ------
    InvalidValueError : no word is left

    Examples
    --------
    >>> lexicon = Lexicon(["ab", "a", "b1"], Alphabet("ab-", blank=2))
    >>> lexicon.words, lexicon.lost, "ab" in lexicon
    (['a', 'ab'], 1, True)
    """

    def __init__(self, words: Iterable[str], alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        spelled, self.lost = _spell(set(words) - {""}, alphabet)
        if not spelled:
            raise InvalidValueError(
                f"the alphabet must be able to spell some word, got none of {self.lost}; "
                "check that the corpus and the alphabet belong together"
            )
        ordered = sorted(spelled.items(), key=lambda item: item[1])
        self.words = [word for word, _ in ordered]
        self._number = {word: number for number, word in enumerate(self.words)}
        self._build([ids for _, ids in ordered])

    def _build(self, spellings: list[tuple[int, ...]]) -> None:
        from ctckit.kernels.lexicon import build_trie

        offsets = offsets_of([len(ids) for ids in spellings])
        token_ids = np.fromiter(
            (one for ids in spellings for one in ids), dtype=np.int32, count=int(offsets[-1])
        )
        self.longest = int(np.diff(offsets).max())
        used = np.unique(token_ids)
        self.exact_bits = len(used) <= 64
        self.bits: Int64Array = np.zeros(len(self.alphabet), dtype=np.int64)
        self.bits[used] = np.arange(len(used)) % 64
        nodes = np.zeros((len(token_ids) + 2, 2), dtype=np.int64)
        token, word_end = (np.zeros(len(token_ids) + 1, dtype=np.int32) for _ in range(2))
        count = build_trie(token_ids, offsets, self.bits, nodes, token, word_end)
        self.nodes: Int64Array = nodes[: count + 1].copy()
        self.token: Int32Array = token[:count].copy()
        self.word_end: Int32Array = word_end[:count].copy()

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._number

    def number(self, word: str) -> int:
        """Return a word's position in `words`; LookupError if it is not there."""
        return self._number[word]

    def __repr__(self) -> str:
        return f"Lexicon({len(self.words)} words, {len(self.nodes) - 1} nodes, {self.lost} lost)"


def _spell(words: set[str], alphabet: Alphabet) -> tuple[dict[str, tuple[int, ...]], int]:
    """Return the spelling of each word that has one, and how many have none."""
    spelled: dict[str, tuple[int, ...]] = {}
    lookup = alphabet.token_ids
    for word in words:
        try:
            if alphabet.single_characters:
                spelled[word] = tuple([lookup[character] for character in word])
            else:
                spelled[word] = tuple(alphabet.encode(word).tolist())
        except (KeyError, InvalidValueError):
            continue
    return spelled, len(words) - len(spelled)
