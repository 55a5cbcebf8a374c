"""A lexicon: words as token ids, in a trie of flat arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.errors import InvalidValueError


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
    nodes : int64 (M + 1, 8) for M trie nodes, numbered depth first from the root, 0; the columns
        are named in `ctckit.kernels.lexicon`: which children there are, where they lie in
        `edge_token` and `edge_child`, the range of words that begin like the node, whether one
        ends there
    edge_token, edge_child : int32 (M - 1,); tokens and nodes of all children, tokens rising
        within each node's

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
        from ctckit.kernels.lexicon import COLUMNS, link_nodes, number_nodes

        offsets: Int64Array = np.zeros(len(spellings) + 1, dtype=np.int64)
        np.cumsum([len(ids) for ids in spellings], out=offsets[1:])
        token_ids = np.fromiter(
            (one for ids in spellings for one in ids), dtype=np.int32, count=int(offsets[-1])
        )
        nodes = np.zeros((len(token_ids) + 2, COLUMNS), dtype=np.int64)
        parent, token = (np.zeros(len(token_ids) + 1, dtype=np.int32) for _ in range(2))
        count = number_nodes(token_ids, offsets, nodes, parent, token)
        self.nodes: Int64Array = nodes[: count + 1].copy()
        self.edge_token: Int32Array = np.zeros(count - 1, dtype=np.int32)
        self.edge_child: Int32Array = np.zeros(count - 1, dtype=np.int32)
        link_nodes(parent[:count], token[:count], self.nodes, self.edge_token, self.edge_child)

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
