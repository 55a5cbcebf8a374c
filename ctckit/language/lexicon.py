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
    edge_start : int32 (M + 1,) for M nodes; node 0 is the root, nodes are numbered depth first
    edge_token, edge_child : int32 (M - 1,); the children of node m are entries
        ``edge_start[m]`` to ``edge_start[m + 1]``, tokens rising
    token_mask : int64 (M,); bit ``token % 64`` is set for each child's token
    word_begin, word_end : int32 (M,); the words with that prefix are ``word_begin`` to
        ``word_end`` (exclusive)
    is_word : bool (M,); the word that ends at node m is number ``word_begin[m]``

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
        from ctckit.kernels.lexicon import link_nodes, number_nodes

        offsets: Int64Array = np.zeros(len(spellings) + 1, dtype=np.int64)
        np.cumsum([len(ids) for ids in spellings], out=offsets[1:])
        token_ids = np.fromiter(
            (one for ids in spellings for one in ids), dtype=np.int32, count=int(offsets[-1])
        )
        parent, token, begin, end = (
            np.zeros(len(token_ids) + 1, dtype=np.int32) for _ in range(4)
        )
        word_node: Int32Array = np.zeros(len(spellings), dtype=np.int32)
        nodes = number_nodes(token_ids, offsets, parent, token, begin, end, word_node)
        self.word_begin, self.word_end = begin[:nodes].copy(), end[:nodes].copy()
        self.is_word = np.zeros(nodes, dtype=np.bool_)
        self.is_word[word_node] = True
        self.edge_start: Int32Array = np.zeros(nodes + 1, dtype=np.int32)
        self.edge_token: Int32Array = np.zeros(nodes - 1, dtype=np.int32)
        self.edge_child: Int32Array = np.zeros(nodes - 1, dtype=np.int32)
        self.token_mask: Int64Array = np.zeros(nodes, dtype=np.int64)
        link_nodes(
            parent[:nodes],
            token[:nodes],
            self.edge_start,
            self.edge_token,
            self.edge_child,
            self.token_mask,
        )

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._number

    def number(self, word: str) -> int:
        """Return a word's position in `words`; LookupError if it is not there."""
        return self._number[word]

    def __repr__(self) -> str:
        return f"Lexicon({len(self.words)} words, {len(self.is_word)} nodes, {self.lost} lost)"


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
