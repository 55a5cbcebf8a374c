"""A BK-tree: the words of a lexicon that are near a text."""

from __future__ import annotations

import numpy as np

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.errors import InvalidValueError
from ctckit.intake import offsets_of
from ctckit.language.lexicon import Lexicon


class BKTree:
    """The words of a lexicon, to be found by their Levenshtein distance to a text.

    Burkhard and Keller (CACM 1973). Distances are counted in tokens.

    Parameters
    ----------
    lexicon : gives the words, V in all; made without all spellings

    Attributes
    ----------
    word : int32 (V,); each node's word, its number in the lexicon
    token_ids : int32; the words' tokens, in the order of the nodes
    token_offsets : int64 (V + 1,); those of node n are
        ``token_ids[token_offsets[n]:token_offsets[n + 1]]``
    first_child : int32 (V + 1,); the children of node n are ``first_child[n]`` to
        ``first_child[n + 1]``
    edge : int32 (V,); distance of a node's word to its parent's, rising among the children of one

    Raises
    ------
    InvalidValueError : words of the lexicon may have several spellings

    Examples
    --------
    >>> from ctckit import Alphabet
    >>> tree = BKTree(Lexicon(["cat", "cart", "dog"], Alphabet([*"acdgort", ""], blank=7)))
    >>> tree.within("car", 1), tree.nearest("rat")
    (['cart', 'cat'], ['cat'])
    """

    def __init__(self, lexicon: Lexicon) -> None:
        from ctckit.kernels.bktree import build_bk_tree

        self.lexicon = lexicon
        token_ids, offsets = lexicon.spellings()
        size = len(lexicon)
        # In the order of the alphabet the words would make a deep tree.
        scattered = np.arange(size, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        order = np.argsort(scattered, kind="stable").astype(np.int32)
        self.word: Int32Array = np.empty(size, dtype=np.int32)
        self.first_child: Int32Array = np.empty(size + 1, dtype=np.int32)
        self.edge: Int32Array = np.empty(size, dtype=np.int32)
        classes = len(lexicon.alphabet)
        build_bk_tree(token_ids, offsets, order, classes, self.word, self.first_child, self.edge)
        lengths = np.diff(offsets)[self.word]
        self.token_offsets: Int64Array = offsets_of(lengths)
        shifts = np.repeat(offsets[:-1][self.word] - self.token_offsets[:-1], lengths)
        self.token_ids: Int32Array = token_ids[np.arange(len(token_ids)) + shifts]

    def within(self, text: str, tolerance: int) -> list[str]:
        """Return the words at most `tolerance` away from a text of the alphabet, sorted.

        Raises
        ------
        InvalidValueError : the alphabet cannot spell the text, or `tolerance` is negative
        """
        if tolerance < 0:
            raise InvalidValueError(
                f"tolerance must be at least 0, got {tolerance}; it is a distance in tokens"
            )
        return self._near(self.lexicon.alphabet.encode(text), tolerance, nearest=False)

    def nearest(self, text: str) -> list[str]:
        """Return the words that are nearest to a text of the alphabet, sorted; one at least.

        Raises
        ------
        InvalidValueError : the alphabet cannot spell the text
        """
        token_ids = self.lexicon.alphabet.encode(text)
        return self._near(token_ids, max(len(token_ids), self.lexicon.longest), nearest=True)

    def _near(self, token_ids: Int32Array, tolerance: int, *, nearest: bool) -> list[str]:
        from ctckit.kernels.bktree import near_words

        found, far = (np.empty(len(self.word), dtype=np.int32) for _ in range(2))
        count = near_words(
            token_ids,
            tolerance,
            nearest,
            len(self.lexicon.alphabet),
            self.token_ids,
            self.token_offsets,
            self.first_child,
            self.edge,
            found,
            far,
        )
        return sorted(self.lexicon.words[number] for number in self.word[found[:count]])

    def __repr__(self) -> str:
        return f"BKTree({len(self.word)} words)"
